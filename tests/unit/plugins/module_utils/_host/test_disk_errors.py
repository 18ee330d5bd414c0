# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advice about a disk that cannot be written to or read."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import (
    explained,
    lack_of_files,
    reason,
    refuse_lack_of_files,
)
from ansible_collections.airgap.images.plugins.module_utils._host.files import open_regular

SAID = {
    errno.ENOSPC: "Free some space there (or some files, if their number is limited), or choose another directory",
    errno.EDQUOT: "Free some space there, have the quota raised, or choose another directory",
    errno.EROFS: "Mount it for writing, or choose another directory",
    errno.EACCES: "Give this user the permission, or choose another directory",
    errno.EPERM: "Give this user the permission, or choose another directory",
    errno.EIO: "Check the disk and the kernel log",
    errno.ENOTDIR: "Remove what is in the way, or choose another directory",
    errno.EISDIR: "Remove the directory that is in the way",
    errno.EBUSY: "Unmount what is mounted there, or choose another directory",
    errno.EMFILE: "Lower jobs or raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Lower jobs or raise the limit of open files on the host (sysctl fs.file-max)",
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


@pytest.fixture
def exhausted() -> Iterator[None]:
    """A process that may open no further file."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("exhausted")
def test_a_file_that_cannot_be_opened_for_lack_of_numbers_is_neither_missing_nor_damaged() -> None:
    with pytest.raises(
        StorageError, match=r"cannot read /etc/passwd: Too many open files. Lower jobs or raise the limit"
    ):
        open_regular("/etc/passwd")


@pytest.mark.usefixtures("exhausted")
def test_a_name_that_was_not_resolved_for_lack_of_files() -> None:
    lack = lack_of_files(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert lack is not None and lack.errno == errno.EMFILE


def test_what_is_no_lack_of_files() -> None:
    assert lack_of_files(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")) is None
    assert lack_of_files(OSError(errno.ENOENT, "gone")) is None
    assert lack_of_files(ValueError()) is None
    lack = OSError(errno.ENFILE, os.strerror(errno.ENFILE))
    assert lack_of_files(lack) is lack
    assert "sysctl fs.file-max" in reason(lack)
    refuse_lack_of_files(OSError(errno.ENOENT, "gone"), "/srv/a")
    with pytest.raises(StorageError, match="cannot read /srv/a: Too many open files in system"):
        refuse_lack_of_files(lack, "/srv/a")
