# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dataclasses without a dict for each instance, as ``dataclass(slots=True)`` makes them from Python 3.10 on."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

Made = TypeVar("Made")


def slotted(made: type[Made]) -> type[Made]:
    """Return a dataclass with a slot for each field in place of the instances' dicts.

    For what a run has by the hundred thousand. Slots have to be there when a class is created, where defaults are in
    their place, so it is created again.
    """
    names = tuple(field.name for field in fields(made))  # type: ignore[arg-type]  # used on dataclasses only
    left_out = {*names, "__dict__", "__weakref__"}
    body = {name: value for name, value in vars(made).items() if name not in left_out}
    again: type[Made] = type(made.__name__, made.__bases__, {**body, "__slots__": names})
    again.__qualname__ = made.__qualname__
    return again
