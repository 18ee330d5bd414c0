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
    :param source: path of another repository that may be read too, to mount blobs from it; empty for none.
    """

    path: str
    actions: tuple[str, ...]
    source: str = ""

    def resources(self) -> tuple[str, ...]:
        """Return the texts that a token service takes, one a repository: ``repository:PATH:ACTION[,ACTION]``."""
        own = f"repository:{self.path}:{','.join(self.actions)}"
        return (own, f"repository:{self.source}:pull") if self.source else (own,)

    def __str__(self) -> str:
        """Return all of it as one text, which OAuth2 has with a space between two (RFC 6749, 3.3)."""
        return " ".join(self.resources())


def push(path: str, *, source: str = "") -> Scope:
    """Return the scope for writing to a repository.

    :param source: path of the repository that a blob is mounted from.
    """
    return Scope(path, ("pull", "push"), source)


def pull(path: str) -> Scope:
    """Return the scope for reading a repository."""
    return Scope(path, ("pull",))
