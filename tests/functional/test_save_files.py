# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an archive: formats, suffixes, parts, checksums, owners."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import cached, check, saved, snapshot
from ansible_collections.airgap.images.tests.support.archive import archive_files, file_sha256, read_archive, unpack
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

NAMES = ["oci/gzip:1", "oci/plain:1", "docker/list:1", "oci/many-layers:1"]


@dataclass(frozen=True)
class Press:
    """Writes the same images again and again out of one warm cache."""

    source: Source
    cache: Path
    whole: Path

    def save(self, dest: Path, **params: Any) -> Result:
        dest.parent.mkdir(parents=True, exist_ok=True)
        with Workbench(dest.parent) as bench:
            images = [self.source[name] for name in NAMES]
            return bench.save(images, cache_dir=self.cache, dest=dest, **params)


@pytest.fixture(scope="module")
def press(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Press:
    directory = tmp_path_factory.mktemp("press")
    press = Press(seeded_source, directory / "cache", directory / "whole.tar.gz")
    saved(press.save(press.whole, env={"HOME": str(directory)}))
    return press


@pytest.fixture
def dest(workdir: Path) -> Iterator[Path]:
    """The archive of the test, in a folder that is otherwise empty."""
    folder = workdir / "out"
    folder.mkdir()
    yield folder / "images.tar.gz"


@pytest.mark.parametrize(
    ("name", "params", "becomes"),
    [
        pytest.param("images.tgz", {"compress": "gzip"}, "images.tgz", marks=THOROUGH),
        ("rancher-v2.7.9", {"compress": "gzip"}, "rancher-v2.7.9.tar.gz"),
        ("v1.tar.zst/images", {"compress": "zstd"}, "v1.tar.zst/images.tar.zst"),
        ("images", {"compress": "none"}, "images.tar"),
        ("images.v1", {"compress": "dir"}, "images.v1"),
    ],
    ids=str,
)
def test_formats_and_suffixes(press: Press, workdir: Path, name: str, params: dict[str, str], becomes: str) -> None:
    """Only the last component of the path is looked at; every format holds the same members."""
    dest = workdir / "out" / name
    result = press.save(dest, **params)
    archive = saved(result)
    assert result["dest"] == str(workdir / "out" / becomes)
    assert result["lock_file"] == f"{result['dest']}.lock.json"
    assert archive.blobs == read_archive(press.whole).blobs
    tests = {".zst": ["zstd", "--test", "--quiet"], ".gz": ["gzip", "--test"], ".tgz": ["gzip", "--test"]}
    final = workdir / "out" / becomes
    if final.suffix in tests:
        subprocess.run([*tests[final.suffix], final], check=True)
    elif final.suffix == ".tar":
        subprocess.run(["tar", "-tf", final], check=True, stdout=subprocess.DEVNULL)


def test_a_directory_has_hard_links_into_the_cache(press: Press, workdir: Path) -> None:
    dest = workdir / "out" / "images"
    result = press.save(dest, compress="dir")
    archive = saved(result)
    files = {path for path in dest.rglob("*") if path.is_file() and not path.is_symlink()}
    assert (result["parts"], result["part_count"]) == ([], len(files))
    listed = json.loads(Path(result["lock_file"]).read_text("utf-8"))["parts"]
    assert {dest / each["name"] for each in listed} == files
    for part in listed:
        path = dest / part["name"]
        assert (path.stat().st_size, file_sha256(path)) == (part["size"], part["sha256"])
    for digest in archive.blobs:
        (path,) = dest.rglob(f"sha256/{digest[7:]}")
        assert path.stat().st_ino == cached(press.cache, digest).stat().st_ino
    assert not press.save(dest, compress="dir").changed


def test_a_directory_is_changed_in_place_of_the_old_one(press: Press, source: Source, workdir: Path) -> None:
    dest = workdir / "out" / "images"
    press.save(dest, compress="dir")
    with Workbench(workdir / "bench") as bench:
        result = bench.save([source["oci/gzip:1"]], cache_dir=press.cache, dest=dest, compress="dir")
    archive = saved(result)
    assert len(archive.folders) == 1
    beside = [".lock.json", ".report.csv", ".report.html", ".report.json", ".restore.sh", ".sha256"]
    assert sorted(path.name for path in dest.parent.iterdir()) == ["images", *(f"images{each}" for each in beside)]


@pytest.mark.parametrize(("compress", "level"), [("gzip", 9), pytest.param("gzip", 0, marks=THOROUGH)])
def test_compress_level_is_for_everything(press: Press, dest: Path, compress: str, level: int) -> None:
    result = press.save(dest.parent / "images", compress=compress, compress_level=level)
    saved(result)
    assert file_sha256(Path(result["dest"])) != file_sha256(press.whole)


def test_hangar_fault_17_zstd_is_not_at_its_slowest(press: Press, dest: Path) -> None:
    """By default less effort is made than at level 19, and what is compressed already does not grow."""
    fast, slow = dest.parent / "fast.tar.zst", dest.parent / "slow.tar.zst"
    saved(press.save(fast, compress="zstd"))
    saved(press.save(slow, compress="zstd", compress_level=19))
    assert fast.stat().st_size > slow.stat().st_size
    assert fast.stat().st_size < sum(read_archive(fast).blobs.values()) * 1.01


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"compress": "gzip", "compress_level": 10}, marks=THOROUGH),
        pytest.param({"compress": "zstd", "compress_level": 0}, marks=THOROUGH),
        {"compress": "zstd", "compress_level": 23},
        {"compress": "dir", "part_size": "1M"},
        {"part_size": "1M", "part_digits": 0},
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_refused(press: Press, dest: Path, params: dict[str, object]) -> None:
    result = press.save(dest, **params)
    assert result.failed and not result.changed
    named = "compress_level" if "compress_level" in params else list(params)[-1]
    assert named in result.msg
    assert not list(dest.parent.iterdir())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(pytest.param(text, 60_000, marks=THOROUGH) for text in ("60000", "60KB")),
        *(pytest.param(text, 60 * 1024, marks=THOROUGH) for text in ("60K", "60KiB")),
        ("0.05M", 52_428),
        pytest.param("0.00006 GiB", 64_424, marks=THOROUGH),
        ("1T", 0),
    ],
)
def test_part_size(press: Press, dest: Path, text: str, size: int) -> None:
    result = press.save(dest, part_size=text)
    archive = saved(result)
    total = press.whole.stat().st_size
    assert 2 * 52_428 < total < 10 * 52_428
    sizes = [path.stat().st_size for path in archive.files]
    assert [path.name for path in archive.files] == [f"images.tar.gz.part{n}" for n in range(len(sizes))]
    assert sizes[:-1] == [size] * (total // size) if size else sizes == [total]
    assert [(each["path"], each["size"]) for each in result["parts"]] == list(zip(map(str, archive.files), sizes))
    joined = b"".join(path.read_bytes() for path in archive.files)
    assert joined == press.whole.read_bytes(), "the parts are not what the whole archive is"


@pytest.mark.parametrize("text", ["0", "5X", *(pytest.param(text, marks=THOROUGH) for text in ("-5M", "nan"))])
def test_part_sizes_that_are_refused(press: Press, dest: Path, text: str) -> None:
    """With an error that says what is accepted."""
    result = press.save(dest, part_size=text)
    assert result.failed and not result.changed
    assert "part_size" in result.msg
    assert "4.7G" in result.msg or "KiB" in result.msg or " G" in result.msg, result.msg
    assert not list(dest.parent.iterdir())


@pytest.mark.parametrize(("digits", "width"), [(None, 2), (1, 1), pytest.param(4, 4, marks=THOROUGH)])
def test_hangar_fault_03_cat_joins_more_than_ten_parts_in_order(
    press: Press, dest: Path, workdir: Path, digits: int | None, width: int
) -> None:
    params = {} if digits is None else {"part_digits": digits}
    result = press.save(dest, part_size="12K", **params)
    assert not result.failed, result.msg
    archive = check(dest, part_digits=digits or 0)
    assert len(archive.files) > 12
    names = [f"images.tar.gz.part{number:0{width}}" for number in range(len(archive.files))]
    assert [path.name for path in archive.files] == names
    subprocess.run(["sha256sum", "--check", "--quiet", f"{dest.name}.sha256"], cwd=dest.parent, check=True)
    if digits != 1:
        layout = unpack(dest, workdir / "unpacked")
        assert {f"sha256:{path.name}" for path in (layout / "share/sha256").iterdir()} == set(archive.blobs)


def test_hangar_fault_04_parts_of_an_earlier_archive_are_removed(press: Press, dest: Path) -> None:
    """From many parts to fewer, to one file, and back; what is not ours stays."""
    foreign = [
        dest.with_name(f"images.tar.gz{end}") for end in (".part0.asc", ".partial", ".part", ".part1x", ".notes")
    ]
    for path in foreign:
        path.write_text("of the user\n", encoding="utf-8")
    mine = [path.name for path in foreign]
    for size, first in (("12K", ".part00"), ("100K", ".part0"), (None, ""), ("200K", ".part0")):
        result = press.save(dest, **({"part_size": size} if size else {}))
        assert result.changed
        check(dest, beside=mine)
        files = archive_files(dest)
        assert files[0].name == f"images.tar.gz{first}"
        assert len(list(dest.parent.iterdir())) == len(files) + len(mine) + 6
        assert all(path.read_text() == "of the user\n" for path in foreign)


def test_mode_owner_and_group_are_those_of_every_file(press: Press, dest: Path) -> None:
    """Files of another owner can only be made by root; a user can only keep what is his."""
    uid, gid = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    params = {"mode": "0640", "owner": str(uid), "group": str(gid), "part_size": "200K"}
    result = press.save(dest, **params)
    saved(result)
    files = [*archive_files(dest), Path(result["lock_file"]), Path(result["checksum_file"])]
    assert {(oct(path.stat().st_mode & 0o7777), path.stat().st_uid, path.stat().st_gid) for path in files} == {
        ("0o640", uid, gid)
    }
    assert not press.save(dest, **params).changed
    before = [path.stat().st_ino for path in files]
    again = press.save(dest, **{**params, "mode": "0600"})
    assert again.changed
    assert {oct(path.stat().st_mode & 0o7777) for path in files} == {"0o600"}
    assert [path.stat().st_ino for path in files] == before, "written again for a change of mode"


@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_destination_that_can_not_be(press: Press, workdir: Path, what: str) -> None:
    """Its folder is a file, or it is a directory with something in it."""
    folder = workdir / what
    dest = folder / "images.tar.gz"
    if what == "file":
        folder.write_text("x", encoding="utf-8")
    elif what == "directory":
        dest.mkdir(parents=True)
        (dest / "precious").write_text("x", encoding="utf-8")
    before = snapshot(folder)
    images = [press.source["oci/gzip:1"].reference]
    result = run_module({"images": images, "dest": dest, "cache_dir": press.cache, "validate_certs": False})
    assert result.failed and not result.changed
    assert str(folder) in result.msg
    assert snapshot(folder) == before
