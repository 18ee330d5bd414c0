# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scope of a token: which repository it is for, and what it permits there. Pure.

Distribution token specification, "Token Scope Documentation".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """The permissions of one token.

    :param path: of the repository, without its registry.
    :param actions: such as ``pull``.
    """

    path: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        """Return the text that a token service takes: ``repository:PATH:ACTION[,ACTION]``."""
        return f"repository:{self.path}:{','.join(self.actions)}"


def pull(path: str) -> Scope:
    """Return the scope for reading a repository."""
    return Scope(path, ("pull",))
