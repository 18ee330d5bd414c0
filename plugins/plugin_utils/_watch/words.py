# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of a module name its options. Whoever calls a role has variables instead, which have its prefix. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

_COLLECTION = "airgap.images."
_STAGED = frozenset({"images", "list_files", "list_format", "from_lock", "origins", "share", "share_among", "src"})
"""Options that a role gives another value than that of one variable."""


def prefix_of(role: str) -> str:
    """Return the prefix of a role's variables; empty for a role of somebody else.

    :param role: its full name; empty: there is none.
    """
    return f"{role[len(_COLLECTION) :]}_" if role.startswith(_COLLECTION) else ""


def with_variables(returned: Mapping[str, Any], options: Collection[str], prefix: str) -> dict[str, Any]:
    """Return what a module returned, with the variables of a role in its messages.

    :param options: names of the module's options.
    :param prefix: of the role's variables; empty: nothing is changed.
    """
    names = "|".join(sorted(map(re.escape, {*options} - _STAGED), key=len, reverse=True))
    if not prefix or not names:
        return {**returned}
    # At the start of a message; before a value; where the user is told to set it.
    found = re.compile(rf"^(?:{names})(?=: )|(?<![\w./=?&-])(?:{names})(?==\w)|(?<=[Ss]et )(?:{names})\b(?![\w./=-])")

    def told(value: object) -> object:
        return found.sub(lambda match: f"{prefix}{match[0]}", value) if isinstance(value, str) else value

    def in_cause(cause: object) -> object:
        if not isinstance(cause, Mapping):
            return cause
        return {**cause, **{name: told(cause[name]) for name in ("pattern", "sentence") if name in cause}}

    changed = {name: told(returned[name]) for name in ("msg", "hint") if name in returned}
    causes = returned.get("causes")
    if isinstance(causes, list):
        changed["causes"] = [*map(in_cause, causes)]
    return {**returned, **changed}
