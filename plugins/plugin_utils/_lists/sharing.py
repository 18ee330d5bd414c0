# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distributes one list over several hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from ansible_collections.airgap.images.plugins.module_utils._base.errors import InvalidReferenceError, OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.holder import holder_of
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference

NOWHERE: Mapping[str, str] = MappingProxyType({})


def share_out(lines: Iterable[str], hosts: Sequence[str], holders: Mapping[str, str] = NOWHERE) -> dict[str, list[str]]:
    """Assign every line to one host.

    A repository stays with the host that has it already. Otherwise, the host follows from the repository and the names
    of all hosts alone (:func:`_oci.holder.holder_of`).

    :param lines: references, without duplicates; a line that is not valid counts as a repository of its own.
    :param holders: the host of each repository that has one.
    :returns: the lines of each host, in order; a host may have none.
    :raises OptionError: when no host is given.
    """
    if not hosts:
        raise OptionError("no host was given to share the images out to")
    shares: dict[str, list[str]] = {host: [] for host in hosts}
    for line in lines:
        repository = repository_of(line) or line
        holder = holders.get(repository, "")
        if holder not in shares:
            holder = holder_of(repository, shares)
        shares[holder].append(line)
    return shares


def repository_of(line: str) -> str | None:
    """Return the repository of a line; ``None`` if the line is not a reference."""
    try:
        return parse_reference(line).name
    except InvalidReferenceError:
        return None
