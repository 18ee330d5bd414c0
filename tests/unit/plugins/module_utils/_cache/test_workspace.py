# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run's hold on a cache directory."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    BusyError,
    Interrupted,
    StorageError,
)
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.tests.unit.fakes import (
    Sample,
    names_below,
)

SAMPLE = Sample(b"one", b"two")


LAYER = SAMPLE.image.blobs[-1]


def test_what_belongs_to_the_run_is_gone_at_its_end(root: Path) -> None:
    cache = Cache(str(root))
    with cache.opened(0) as directory:
        Path(directory, "auth.json").write_text("secret")
        assert directory == cache.workspace.run_directory
    assert not Path(directory).exists()
    with pytest.raises(StorageError, match="not open"):
        str(cache.workspace.run_directory)


def test_it_is_gone_after_an_error_too(root: Path) -> None:
    with pytest.raises(ValueError, match="x"), Cache(str(root)).opened(0):
        raise ValueError("x")
    assert not list(root.glob(".run-*"))


def test_leftovers_of_killed_runs_are_removed(root: Path) -> None:
    left = root / ".run-killed" / "copy-x"
    left.mkdir(parents=True)
    (left / "oci-put-blob123").write_bytes(b"half")
    with Cache(str(root)).opened(0):
        assert not left.exists()


def test_two_runs_do_not_share_it(cache: Cache, root: Path) -> None:
    with pytest.raises(BusyError, match="is in use by another run"), Cache(str(root)).opened(0):
        pass


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use cache_dir"), Cache(str(tmp_path / "file")).opened(0):
        pass


def test_a_cache_is_clean_when_no_run_left_anything(root: Path) -> None:
    cache = Cache(str(root))
    assert cache.workspace.is_clean() is False, "it is not there"
    assert not root.exists()
    with cache.opened(0):
        SAMPLE.put(cache)
    assert cache.workspace.is_clean() is True
    (root / ".run-killed").mkdir()
    assert cache.workspace.is_clean() is False
    with cache.opened(0):
        pass
    assert cache.workspace.is_clean() is True


def test_a_cache_that_cannot_be_looked_at(root: Path) -> None:
    root.write_text("")
    with pytest.raises(StorageError, match=r"cannot use cache_dir .*Not a directory"):
        Cache(str(root)).workspace.is_clean()


def test_reading_makes_nothing(root: Path) -> None:
    cache = Cache(str(root))
    assert cache.folders.stored(SAMPLE.image) is None
    assert not cache.blobs.has(LAYER)
    assert cache.blobs.read_document(LAYER.digest) is None
    assert not root.exists()


@pytest.mark.parametrize("name", ["share", "share/sha256"])
def test_blobs_do_not_go_elsewhere(root: Path, name: str) -> None:
    elsewhere = root.with_name("elsewhere")
    elsewhere.mkdir()
    (root / name).parent.mkdir(parents=True)
    (root / name).symlink_to(elsewhere)
    with pytest.raises(StorageError, match=f"{name} is a link"), Cache(str(root)).opened(0):
        pass
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("name", ["", "share", "share/sha256"])
def test_a_cache_that_everyone_may_write_to_is_refused(root: Path, name: str) -> None:
    with Cache(str(root)).opened(0):
        pass
    (root / name).chmod(0o777)
    before = names_below(root)
    for action in (lambda cache: cache.opened(0).__enter__(), lambda cache: cache.workspace.is_clean()):
        with pytest.raises(StorageError, match=r"cannot use cache_dir .*anyone can write to .*set another cache_dir"):
            action(Cache(str(root)))
    assert names_below(root) == before


def test_a_new_cache_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Cache(str(tmp_path / "a" / "cache")).opened(0):
            pass
    finally:
        os.umask(before)
    modes = {str(path.relative_to(tmp_path)): stat.S_IMODE(path.lstat().st_mode) for path in tmp_path.rglob("*")}
    assert {name: mode for name, mode in modes.items() if mode & 0o022 and name != "a/cache/blobs"} == {}
    assert modes["a/cache"] == 0o700


def test_a_stop_between_making_and_knowing_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_and_stop(prefix: str, dir: str) -> str:
        os.mkdir(os.path.join(dir, f"{prefix}made"))
        raise Interrupted("stopped")

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_stop)
    with pytest.raises(Interrupted), Cache(str(root)).opened(0):
        pass
    assert not [path.name for path in root.iterdir() if path.name.startswith(".run-")]
