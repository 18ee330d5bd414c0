# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits on what a host can send to the controller, whatever it announces."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

LARGEST_RECORD = 64 * 1024 * 1024
"""Bytes of a lock file, a report or any other file beside an archive: for 10,000 references on two platforms, a lock
file has 36 to 58 MiB."""

MOST_VALUES = 2 * 1024 * 1024
"""Values in such a lock file, which has 32 bytes or more for each."""


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Keep this process, and those it starts within the block, from writing any file beyond a size.

    The kernel enforces it (setrlimit(2), C(RLIMIT_FSIZE)), so it holds for every connection plugin, and for sftp, scp
    and other programs they run: these are killed (C(SIGXFSZ)), and this process gets an error (C(EFBIG)). Ansible runs
    each task and host in a process of its own, so nothing else is affected.

    :param size: bytes.
    """
    before = {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)}
    try:
        _lower(resource.RLIMIT_FSIZE, size)
        _lower(resource.RLIMIT_CORE, 0)  # a process that is killed by SIGXFSZ would leave a core dump
        yield
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)


def _lower(kind: int, limit: int) -> None:
    """Lower the soft limit, which can be raised again, unless it is lower already."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if soft == resource.RLIM_INFINITY else min(soft, limit), hard))
