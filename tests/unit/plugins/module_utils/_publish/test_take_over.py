# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive gets another name on its host."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._publish import take_over as module
from ansible_collections.airgap.images.plugins.module_utils._publish.take_over import can_take_over, take_over
from ansible_collections.airgap.images.tests.support.bundle import lock_of, saved_image

CONTENT = {"images.tar.gz.part0": b"one", "images.tar.gz.part1": b"two"}
LAYOUT = {"index.json": b"{}", "share/sha256/x": b"blob"}


def archive(folder: Path, compress: str) -> str:
    """Make one, with everything beside it."""
    name = "images" if compress == "dir" else "images.tar.gz"
    content = LAYOUT if compress == "dir" else CONTENT
    for path, raw in content.items():
        place = folder / name / path if compress == "dir" else folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)
    parts = tuple(Part(path, len(raw), sha256(raw).hexdigest()) for path, raw in content.items())
    lock = replace(lock_of([saved_image("a.lan/b:1")], name, compress=compress), parts=parts)
    for suffix in (".sha256", ".report.html", ".report.csv", ".report.json", ".restore.sh"):
        (folder / f"{name}{suffix}").write_text(suffix)
    (folder / f"{name}.lock.json").write_bytes(write_lock(lock))
    return str(folder / name)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def lock_at(path: str) -> Lock:
    return read_lock(Path(f"{path}.lock.json").read_bytes(), path=path)


def test_parts_are_renamed(tmp_path: Path) -> None:
    old, new = archive(tmp_path, "gzip"), str(tmp_path / "images-north.tar.gz")
    before = lock_at(old)
    assert can_take_over(old, new)
    take_over(old, new)
    found = {"images-north.tar.gz.part0", "images-north.tar.gz.part1", "images-north.tar.gz.sha256"}
    assert names(tmp_path) == {*found, "images-north.tar.gz.report.json", "images-north.tar.gz.lock.json"}
    assert (tmp_path / "images-north.tar.gz.part1").read_bytes() == b"two"
    after = lock_at(new)
    assert [part.name for part in after.parts] == ["images-north.tar.gz.part0", "images-north.tar.gz.part1"]
    assert replace(after, parts=before.parts) == before and after.images[0].entry == before.images[0].entry
    digest = sha256(b"one").hexdigest()
    assert (tmp_path / "images-north.tar.gz.sha256").read_text().startswith(f"{digest}  images-north.tar.gz.part0\n")
    assert not can_take_over(old, new)


def test_parity_files_are_renamed(tmp_path: Path) -> None:
    old, new = archive(tmp_path, "gzip"), str(tmp_path / "images-north.tar.gz")
    (tmp_path / "images.tar.gz.parity").write_bytes(b"xor")
    parity = Part("images.tar.gz.parity", 3, sha256(b"xor").hexdigest())
    Path(f"{old}.lock.json").write_bytes(write_lock(replace(lock_at(old), parity=(parity,))))
    assert can_take_over(old, new)
    take_over(old, new)
    assert (tmp_path / "images-north.tar.gz.parity").read_bytes() == b"xor"
    assert lock_at(new).parity == (replace(parity, name="images-north.tar.gz.parity"),)
    assert "images.tar.gz.parity" not in names(tmp_path)


def test_a_directory_is_renamed(tmp_path: Path) -> None:
    old, new = archive(tmp_path, "dir"), str(tmp_path / "images-north")
    assert can_take_over(old, new)
    take_over(old, new)
    assert (tmp_path / "images-north" / "share" / "sha256" / "x").read_bytes() == b"blob"
    assert "  images-north/index.json\n" in (tmp_path / "images-north.sha256").read_text()
    assert not os.path.lexists(old) and not os.path.lexists(f"{old}.lock.json")


def test_an_archive_of_the_new_name_stays(tmp_path: Path) -> None:
    old, new = archive(tmp_path, "gzip"), str(tmp_path / "images-north.tar.gz")
    Path(f"{new}.lock.json").write_text("{}")
    assert not can_take_over(old, new)


@pytest.mark.parametrize("raw", [b"", b"{}", b"not json"])
def test_what_is_not_an_archive_stays(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "images.tar.gz.lock.json").write_bytes(raw)
    assert not can_take_over(str(tmp_path / "images.tar.gz"), str(tmp_path / "new.tar.gz"))
    assert not can_take_over(str(tmp_path / "none.tar.gz"), str(tmp_path / "new.tar.gz"))


def test_parts_with_other_names_stay(tmp_path: Path) -> None:
    lock = replace(lock_of([saved_image("a.lan/b:1")], "x"), parts=(Part("../passwd", 1, "ab" * 32),))
    (tmp_path / "images.tar.gz.lock.json").write_bytes(write_lock(replace(lock, parts=(Part("passwd", 1, "ab" * 32),))))
    assert not can_take_over(str(tmp_path / "images.tar.gz"), str(tmp_path / "new.tar.gz"))


@pytest.mark.parametrize("fails_at", range(6))
def test_a_run_that_was_killed_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    """After each step, the next run goes on."""
    old, new = archive(tmp_path, "gzip"), str(tmp_path / "images-north.tar.gz")
    steps = iter(range(100))

    def counted(function: object) -> object:
        def call(*arguments: object) -> object:
            if next(steps) == fails_at:
                raise KeyboardInterrupt
            return function(*arguments)  # type: ignore[operator]

        return call

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module.os, "rename", counted(os.rename))
        patch.setattr(module, "put_whole", counted(module.put_whole))
        patch.setattr(module.os, "unlink", counted(os.unlink))
        take_over(old, new)
    assert can_take_over(old, new)
    take_over(old, new)
    assert not [name for name in names(tmp_path) if name.startswith("images.tar.gz")]
    for number, raw in enumerate(CONTENT.values()):
        assert Path(f"{new}.part{number}").read_bytes() == raw
    assert [part.name for part in lock_at(new).parts] == [f"images-north.tar.gz.part{number}" for number in range(2)]
