# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's half of the steps before loading."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.plugins.modules import image_carry
from ansible_collections.airgap.images.tests.unit.fakes import module_arguments

RAW = b"part" * 100
FILE = {"name": "a.part0", "size": len(RAW), "sha256": hashlib.sha256(RAW).hexdigest()}


def ask(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the module under a strict umask."""
    given = {**arguments, "_ansible_check_mode": check, "_ansible_remote_tmp": "/tmp"}  # noqa: S108
    before = os.umask(0o077)
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            module_arguments(patch, **given),
            redirect_stdout(StringIO()) as out,
            pytest.raises(SystemExit),
        ):
            image_carry.main()
    finally:
        os.umask(before)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_documentation_has_all_options() -> None:
    spec = ask(no_such_option=1)["msg"].partition("Supported parameters include: ")[2]
    documented = yaml.safe_load(image_carry.DOCUMENTATION)["options"]
    assert sorted(spec.rstrip(".").split(", ")) == sorted(documented)


@pytest.mark.parametrize(
    ("name", "is_needed"), [("a.tar.zst", True), ("a.tar.zst.part0", True), ("a.tar.gz.part0", False)]
)
def test_zstandard_is_needed_for_archives_in_zstd_only(tmp_path: Path, name: str, is_needed: bool) -> None:
    (tmp_path / name).touch()
    assert image_carry.has_zstd(str(tmp_path)) is is_needed
    assert image_carry.has_zstd(str(tmp_path / name)) is is_needed
    assert not image_carry.has_zstd(str(tmp_path / "missing"))


def test_what_is_lacking_is_named() -> None:
    said = ask(libraries=["requests", "no_such_library"], src=["/media/a.tar.gz"])
    assert said["lacking"] == ["no_such_library"]
    assert said["uid"] == os.geteuid() and not said["changed"]


def test_a_file_arrives(tmp_path: Path) -> None:
    """The directory and the file are for all, and the file is not missing any more."""
    place = tmp_path / "srv" / "in"
    look = {"directory": str(place), "files": [FILE]}
    assert ask(**look)["missing"] == [0] and not place.exists()
    assert ask(write=True, **look)["missing"] == [0]
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    (place / "new").write_bytes(RAW)
    arrived = {"name": FILE["name"], "temporary": "new", "sha256": FILE["sha256"]}
    assert ask(directory=str(place), arrived=[arrived])["wrong"] == []
    assert stat.S_IMODE((place / "a.part0").stat().st_mode) == 0o644
    assert ask(write=True, **look)["missing"] == []
    (place / "a.part0").write_bytes(RAW.replace(b"p", b"P"))
    assert ask(write=True, **look)["missing"] == [0]


def test_a_damaged_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"damaged")
    arrived = {"name": "a.part0", "temporary": "new", "sha256": FILE["sha256"]}
    assert ask(directory=str(tmp_path), arrived=[arrived])["wrong"] == [0]
    assert not [path.name for path in tmp_path.iterdir() if path.name != "verified.json"]


def test_the_space_is_looked_at_before_the_first_byte(tmp_path: Path) -> None:
    said = ask(directory=str(tmp_path), files=[{**FILE, "size": 1 << 60}])
    assert said["failed"] and "not enough space" in said["msg"] and "on the host" in said["msg"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    arrived = {"name": "a.part0", "temporary": "missing", "sha256": FILE["sha256"]}
    said = ask(directory=str(tmp_path), arrived=[arrived])
    assert said["failed"] and "missing on the host cannot be read or written" in said["msg"]
