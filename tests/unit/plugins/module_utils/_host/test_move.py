# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories that take the place of others. What an overlay refuses is refused here by a stand-in for rename."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host import move
from ansible_collections.airgap.images.plugins.module_utils._host.move import copy_directory, replace_directory


class Lower:
    """Renames, but no directory that was there before: those are of a lower layer."""

    def __init__(self, *paths: Path) -> None:
        self._paths = {str(path) for path in paths}
        self._real = os.rename

    def rename(self, source: str, target: str) -> None:
        if source in self._paths:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source, None, target)
        self._real(source, target)


class Ground:
    """A directory that is ready, one that stands, and a staging directory."""

    def __init__(self, root: Path) -> None:
        self.source, self.target, self.old, self.spare = root / "ready", root / "dest", root / "old", root / "spare"
        for path, text in ((self.source, "new"), (self.target, "old")):
            (path / "share").mkdir(parents=True)
            (path / "index").write_text(text)
            (path / "share" / "blob").write_text(text)
            (path / "blobs").symlink_to("share")
        self.source.chmod(0o750)
        (self.source / "share" / "blob").chmod(0o640)
        os.utime(self.source / "share", ns=(1, 2_000_000_000))
        self.old.mkdir()

    def replace(self) -> None:
        replace_directory(str(self.source), str(self.target), aside=str(self.old), spare=str(self.spare))

    def check(self) -> None:
        """Check that the new files are in place, with all that belongs to them, and nothing else is left of them."""
        assert (self.target / "index").read_text() == (self.target / "blobs" / "blob").read_text() == "new"
        assert os.readlink(self.target / "blobs") == "share"
        assert self.target.stat().st_mode & 0o777 == 0o750
        assert (self.target / "share" / "blob").stat().st_mode & 0o777 == 0o640
        assert (self.target / "share").stat().st_mtime_ns == 2_000_000_000
        assert not self.spare.exists()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


LOWER: dict[str, Callable[[Ground], list[Path]]] = {
    "neither": lambda ground: [],
    "what stands": lambda ground: [ground.target],
    "what is ready": lambda ground: [ground.source],
    "both": lambda ground: [ground.source, ground.target],
}


@pytest.mark.parametrize("lower", LOWER)
@pytest.mark.parametrize("links", [True, False])
def test_a_directory_takes_the_place_of_another(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, lower: str, links: bool
) -> None:
    def no_link(source: str, target: str, *, follow_symlinks: bool) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "rename", Lower(*LOWER[lower](ground)).rename)
    if not links:
        monkeypatch.setattr(os, "link", no_link)
    ground.replace()
    ground.check()


@pytest.mark.parametrize("lower", LOWER)
def test_what_ended_at_any_step_is_completed_by_the_next_try(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, lower: str
) -> None:
    """A run may be killed before any of the calls that change something."""
    rename, steps = Lower(*LOWER[lower](ground)).rename, [0]
    calls = {name: getattr(os, name) for name in ("mkdir", "link", "symlink", "rmdir", "unlink")}

    def counted(call: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: object, **named: object) -> None:
            steps[0] -= 1
            if steps[0] < 0:
                raise InterruptedError
            call(*arguments, **named)

        return step

    for name, call in {**calls, "rename": rename}.items():
        monkeypatch.setattr(os, name, counted(call))
    for allowed in range(1000):
        steps[0] = allowed
        with suppress(InterruptedError):
            ground.replace()
        if (ground.target / "index").exists() and (ground.target / "index").read_text() == "new":
            break
        assert (ground.source / "index").read_text() == (ground.source / "share" / "blob").read_text() == "new"
    steps[0] = 1000
    if ground.source.exists():
        ground.replace()  # it was copied, and then the run was killed
    ground.check()


def test_another_error_ends_it(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(source: str, target: str) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "rename", busy)
    with pytest.raises(OSError, match="busy"):
        ground.replace()
    assert (ground.target / "index").read_text() == "old", "nothing was removed"


def test_a_copy_that_cannot_be_made_is_told_as_the_system_says_it(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)

    monkeypatch.setattr(move, "_link_or_copy", full)
    with pytest.raises(OSError, match="No space left") as caught:
        copy_directory(str(ground.source), str(ground.spare))
    assert caught.value.errno == errno.ENOSPC


# -- syncing


def test_a_filesystem_is_synced(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    move.sync_filesystem(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_disk_that_did_not_take_something_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []

    class Library:
        def __init__(self, name: object, use_errno: bool) -> None:
            assert name is None

        def syncfs(self, descriptor: int) -> int:
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr(move.ctypes, "CDLL", Library)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Input/output error") as caught:
        move.sync_filesystem(str(tmp_path))
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(tmp_path))
    assert synced == [str(tmp_path)]
    assert len(os.listdir("/proc/self/fd")) == before
