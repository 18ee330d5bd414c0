# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an option means that is given without a value: what it means where it is left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_empty(given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Parameters without those that are empty text or null, so that defaults and environment variables apply.

    Ansible itself has an error for either, or hands a null on in place of the default.

    :param given: parameters as a task has them, before their types are looked at.
    :param spec: the argument specification; what it does not name is not looked at.
    """
    options = {name: option for key, option in spec.items() for name in (key, *option.get("aliases", ()))}
    return {
        name: _inner(value, options[name]) if name in options else value
        for name, value in given.items()
        if not (name in options and is_empty(value))
    }


def is_empty(value: object) -> bool:
    """Whether a value is none. Zero, false and a list without items are values."""
    return value is None or (isinstance(value, str) and not value)


def _inner(value: Any, option: Mapping[str, Any]) -> Any:
    """The same for suboptions, in a dictionary or a list of some."""
    suboptions: Mapping[str, Mapping[str, Any]] | None = option.get("options")
    if not suboptions:
        return value
    if isinstance(value, list):
        return [_inner(item, option) for item in value]
    return without_empty(value, suboptions) if isinstance(value, Mapping) else value
