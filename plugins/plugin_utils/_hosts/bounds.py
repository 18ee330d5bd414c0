# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a host can have the controller take, whatever it announces and whatever it sends."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

LARGEST_RECORD = 64 * 1024 * 1024
"""Bytes of a lock file, a report and whatever else comes with an archive: 10,000 references for two platforms have a
lock file of 28 to 45 MiB."""

MOST_VALUES = 2 * 1024 * 1024
"""Values of such a lock file: it has one for each 45 bytes or more."""


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, neither by this process nor by those that it starts within the block.

    The kernel sees to it (setrlimit(2), C(RLIMIT_FSIZE)), so it holds for each connection plugin, for sftp, scp and
    what else they run: these are killed (C(SIGXFSZ)), and this process gets an error (C(EFBIG)). Ansible runs each task
    and host in a process of its own, so nobody else is concerned.

    :param size: bytes.
    """
    before = {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)}
    try:
        _lower(resource.RLIMIT_FSIZE, size)
        _lower(resource.RLIMIT_CORE, 0)  # what is killed in this way would leave its memory in a file
        yield
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)


def _lower(kind: int, limit: int) -> None:
    """Lower the soft limit, which may be raised again, to this one, unless it is lower."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if soft == resource.RLIM_INFINITY else min(soft, limit), hard))
