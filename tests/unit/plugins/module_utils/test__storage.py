# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a disk that cannot be written to or read."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.airgap.images.plugins.module_utils._errors import StorageError
from ansible_collections.airgap.images.plugins.module_utils._storage import explained, reason

SAID = {
    errno.ENOSPC: "Free some space there (or some files, where their number is bounded), or choose another directory",
    errno.EDQUOT: "Free some space there, have the quota raised, or choose another directory",
    errno.EROFS: "Have it mounted for writing, or choose another directory",
    errno.EACCES: "Give this user the permission, or choose another directory",
    errno.EPERM: "Give this user the permission, or choose another directory",
    errno.EIO: "Check the disk and what the kernel's log says of it",
    errno.ENOTDIR: "Remove what is in the way, or choose another directory",
    errno.EISDIR: "Remove the directory that is in the way",
    errno.ENAMETOOLONG: "Correct that",
}


@pytest.mark.parametrize(("number", "remedy"), SAID.items(), ids=[errno.errorcode[number] for number in SAID])
def test_what_failed_why_and_what_to_do(number: int, remedy: str) -> None:
    error = explained("cannot write /srv/a", OSError(number, os.strerror(number), "/srv/a"))
    assert error.__class__ is StorageError
    assert str(error) == f"cannot write /srv/a: {os.strerror(number)}. {remedy}, then run again"


def test_the_path_is_named_once() -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/srv/cache/share/a")
    assert str(explained("cannot use /srv/cache", error)).startswith("cannot use /srv/cache (/srv/cache/share/a): Per")
    error = PermissionError(errno.EACCES, "Permission denied", "/srv/a", None, "/srv/b")
    assert str(explained("cannot rename to /srv/b", error)).startswith("cannot rename to /srv/b: Permission denied. ")
    error = PermissionError(errno.EACCES, "Permission denied", 7)
    assert str(explained("cannot write /srv/a", error)).startswith("cannot write /srv/a: Permission denied. ")


def test_an_error_without_a_number() -> None:
    assert reason(OSError("something odd")) == "something odd. Correct that, then run again"
