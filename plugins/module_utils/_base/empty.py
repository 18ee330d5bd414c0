# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Treats an option that is given without a value as one that is left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_empty(given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return parameters without empty strings and nulls, so that defaults and environment variables apply.

    Ansible itself reports an error for either, or passes a null on instead of the default.

    :param given: parameters as a task has them, before their types are checked.
    :param spec: the argument specification; other parameters are returned as they are.
    """
    options = {name: option for key, option in spec.items() for name in (key, *option.get("aliases", ()))}
    return {
        name: _inner(value, options[name]) if name in options else value
        for name, value in given.items()
        if not (name in options and is_empty(value))
    }


def is_empty(value: object) -> bool:
    """Return True for null and an empty string. Zero, false and an empty list are values."""
    return value is None or (isinstance(value, str) and not value)


def _inner(value: Any, option: Mapping[str, Any]) -> Any:
    """Do the same for suboptions, in a dictionary or a list of dictionaries."""
    suboptions: Mapping[str, Mapping[str, Any]] | None = option.get("options")
    if not suboptions:
        return value
    if isinstance(value, list):
        return [_inner(item, option) for item in value]
    return without_empty(value, suboptions) if isinstance(value, Mapping) else value
