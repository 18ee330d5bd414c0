# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list, shared out over several hosts. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ansible_collections.airgap.images.plugins.module_utils._base.errors import InvalidReferenceError, OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference


def share_out(lines: Iterable[str], hosts: Sequence[str]) -> dict[str, list[str]]:
    """Give every line to one host.

    The host follows from the line's repository and the names of all hosts alone (rendezvous hashing: the host with the
    highest hash of both). So images of one repository, which share layers, stay together, another line moves none of
    the others, and another host takes over an even share from each.

    :param lines: references, without duplicates; a line that is none counts as a repository of its own.
    :returns: the lines by host, in their order; a host may get none.
    :raises OptionError: when there is no host.
    """
    if not hosts:
        raise OptionError("there is no host to share the images out to")
    shares: dict[str, list[str]] = {host: [] for host in hosts}
    for line in lines:
        repository = _repository(line)
        shares[max(sorted(shares), key=lambda host: _weight(repository, host))].append(line)
    return shares


def _repository(line: str) -> str:
    try:
        return parse_reference(line).name
    except InvalidReferenceError:
        return line


def _weight(repository: str, host: str) -> bytes:
    return hashlib.sha256(f"{repository}\0{host}".encode("utf-8", "surrogatepass")).digest()
