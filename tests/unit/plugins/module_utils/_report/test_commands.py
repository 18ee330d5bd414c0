# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of a report, run by a shell."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._report.commands import (
    check_command,
    copy_command,
    hangar_commands,
    join_command,
    oci_tar_command,
    restore_command,
    unpack_command,
)

NAMES = ["a.tar.gz", "with blank.tar.gz", "-x.tar.gz", "quote'$(date).tar.gz", "*.tar.gz"]


def parts_of(name: str, count: int, digits: int | None = None) -> tuple[Part, ...]:
    names = part_names(name, count, split=True, digits=digits)
    return tuple(Part(part, 1, "ab" * 32) for part in names)


def run(command: str, folder: Path) -> str:
    return subprocess.run(["sh", "-c", command], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("digits", [None, 1, 2, 5])
@pytest.mark.parametrize("count", [1, 9, 10, 11, 120])
@pytest.mark.parametrize("name", NAMES)
def test_parts_are_joined_in_their_order(tmp_path: Path, name: str, count: int, digits: int | None) -> None:
    parts = parts_of(name, count, digits)
    for number, part in enumerate(parts):
        (tmp_path / part.name).write_text(f"{number};")
    expected = "".join(f"{number};" for number in range(count))
    assert run(join_command(name, parts), tmp_path) == expected


def test_a_missing_part_is_an_error(tmp_path: Path) -> None:
    parts = parts_of("a.tar", 12, 1)
    for part in parts[:-1]:
        (tmp_path / part.name).write_text("x")
    with pytest.raises(subprocess.CalledProcessError):
        run(join_command("a.tar", parts), tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_single_words_and_no_options(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.sha256").write_text("")
    (tmp_path / f"{name}.restore.sh").write_text('echo "$0|$*"')
    assert run(restore_command(name), tmp_path).strip().endswith(f"{name}.restore.sh|TARGET_DIR")
    (tmp_path / name).write_text("content")
    digest = run("sha256sum ./*.gz | cut -c1-64", tmp_path).strip()
    (tmp_path / f"{name}.sha256").write_text(f"{digest}  {name}\n")
    assert run(check_command(name), tmp_path).strip().endswith("OK")


@pytest.mark.parametrize(("compress", "tar"), [("gzip", "czf"), ("none", "cf"), ("zstd", "--zstd -cf")])
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("name", ["a.tar", "-b c.tar"])
def test_archives_are_unpacked(tmp_path: Path, name: str, compress: str, tar: str, split: bool) -> None:
    (tmp_path / "saved-image-cache").mkdir()
    (tmp_path / "saved-image-cache" / "file").write_text("x" * 9999)
    run(f"tar {tar} './{name}' saved-image-cache", tmp_path)
    parts = (Part(name, 1, ""),)
    if split:
        run(f"split -b 20 -d -a 4 './{name}' './{name}.part' && rm './{name}'", tmp_path)
        parts = tuple(Part(path.name, 1, "") for path in sorted(tmp_path.glob("*.part*")))
    (tmp_path / "TARGET_DIR").mkdir()
    run(unpack_command(name, Lock(options={"compress": compress}, images=(), parts=parts)), tmp_path)
    assert (tmp_path / "TARGET_DIR" / "saved-image-cache" / "file").read_text() == "x" * 9999


def test_images_are_copied_by_tag_or_digest() -> None:
    digest = "sha256:" + "ab" * 32
    assert copy_command(parse_reference("rancher/rancher:v2")) == (
        "skopeo copy --all --preserve-digests oci:TARGET_DIR/saved-image-cache:docker.io/rancher/rancher:v2 "
        "docker://REGISTRY/rancher/rancher:v2"
    )
    assert copy_command(parse_reference(f"reg.lan/a@{digest}")).endswith(f"docker://REGISTRY/a@{digest}")


def locked(compress: str, parts: tuple[Part, ...]) -> Lock:
    return Lock(options={"compress": compress}, images=(), parts=parts)


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_hangar_knows_parts_without_zeros_only(compress: str) -> None:
    """And has to be told of zstd."""
    form = "--compress zstd " if compress == "zstd" else ""
    load = f"hangar load {form}-s 'a b' -d REGISTRY"
    for parts in ((Part("a b", 1, ""),), parts_of("a b", 10), parts_of("a b", 11, 1)):
        assert hangar_commands("a b", locked(compress, parts)) == [load]
    eleven = parts_of("a b", 11)
    assert hangar_commands("a b", locked(compress, eleven)) == [f"{join_command('a b', eleven)} > 'a b'", load]


def test_hangar_takes_directories_below_its_own_and_no_plain_tar() -> None:
    files = (Part("index.json", 1, ""),)
    assert hangar_commands("a b", locked("dir", files)) == ["hangar load --compress dir -s 'a b' -d REGISTRY"]
    unpacked = "(cd TARGET_DIR && hangar load --compress dir -s saved-image-cache -d REGISTRY)"
    for parts in ((Part("a.tar", 1, ""),), parts_of("a.tar", 11)):
        assert hangar_commands("a.tar", locked("none", parts)) == [unpacked]


def test_the_script_writes_a_tar() -> None:
    assert oci_tar_command("-a b.tar") == "sh './-a b.tar.restore.sh' --oci-tar images.tar"


def test_unknown_forms_are_taken_for_plain_tar() -> None:
    lock = Lock(options={}, images=(), parts=(Part("a.tar", 1, ""),))
    assert unpack_command("a.tar", lock) == "tar -x -f a.tar -C TARGET_DIR"
    assert unpack_command("a.tar", replace(lock, options={"compress": "gzip"})) == "tar -xz -f a.tar -C TARGET_DIR"
