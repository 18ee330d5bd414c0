# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Interrupted
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._source.errors import SourceGone
from ansible_collections.airgap.images.plugins.module_utils._source.joined import PartFile
from ansible_collections.airgap.images.plugins.module_utils._verify import compare
from ansible_collections.airgap.images.plugins.module_utils._verify.compare import compare_files
from ansible_collections.airgap.images.tests.unit.carried import carry
from ansible_collections.airgap.images.tests.unit.verify_scene import reading, states, verified


def failing(monkeypatch: pytest.MonkeyPatch, names: list[str], number: int = errno.EIO) -> None:
    """Have the content of some files not be read."""
    real = compare._sha256_of

    def sha256_of(file: object, read: object) -> str:
        if os.path.basename(file.name if isinstance(file.name, str) else "") in names:  # type: ignore[attr-defined]
            raise OSError(number, os.strerror(number))
        return real(file, read)  # type: ignore[arg-type]

    real_open = compare.open_regular

    class Named:
        def __init__(self, path: str) -> None:
            self.file, self.name = real_open(path), path

        def __enter__(self) -> Named:
            return self

        def __exit__(self, *_given: object) -> None:
            self.file.close()

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

    monkeypatch.setattr(compare, "open_regular", Named)
    monkeypatch.setattr(compare, "_sha256_of", sha256_of)


def test_a_sector_that_cannot_be_read_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are read on, so that it can be made again."""
    carried = carry(tmp_path)
    failing(monkeypatch, [carried.parts[1].name])
    result = verified(carried.lock_file)
    assert states(result) == {carried.parts[1].name: "damaged"}
    assert "it cannot be read (Input/output error)" in result.sentence(check=False)


def test_a_stick_that_goes_away_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = carry(tmp_path)
    failing(monkeypatch, [carried.parts[1].name], errno.ENODEV)
    with pytest.raises(SourceGone, match="cannot be read any more"):
        verified(carried.lock_file)


def test_a_stop_ends_the_run(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    stop = Stop()
    stop.request("stopped")
    with pytest.raises(Interrupted, match="stopped"):
        verified(carried.lock_file, stop=stop)


def test_a_file_without_a_checksum_is_only_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    here = PartFile("a", str(tmp_path / "a"), 0, 1, "")
    gone = PartFile("b", str(tmp_path / "b"), 0, 1, "")
    told = reading()
    checked = compare_files([here, gone], told)
    assert checked[here].is_ok and checked[here].found_size == 3
    assert checked[gone].state == "missing" and told.counter.value == 0
