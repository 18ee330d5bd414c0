# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one of several hosts that a repository belongs to. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def holder_of(repository: str, names: Iterable[str]) -> str:
    """Return the host of a repository (rendezvous hashing: the one with the highest hash of both).

    It follows from the repository and the names of all hosts alone, so each host finds out by itself what is its own,
    images of one repository, which share layers, stay together, and another repository does not move any.

    :param names: of the hosts; at least one.
    """
    return max(sorted(names), key=lambda name: _weight(repository, name))


def _weight(repository: str, name: str) -> bytes:
    return hashlib.sha256(f"{repository}\0{name}".encode("utf-8", "surrogatepass")).digest()
