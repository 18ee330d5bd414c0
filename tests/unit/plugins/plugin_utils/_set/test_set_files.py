# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a set: from the lock files of its hosts, the same bytes for the same set."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.bases import BaseArchive
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedBase, Requirement
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import (
    SavedImage,
    archive_index,
    saved_images_list,
)
from ansible_collections.airgap.images.plugins.plugin_utils._lists.merged_lock import merge
from ansible_collections.airgap.images.plugins.plugin_utils._set.documents import merged_index, merged_list
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import Content, content_of
from ansible_collections.airgap.images.tests.support.bundle import AMD64, lock_of, saved_image

IMAGES = {
    "north": [saved_image("a.lan/one:1"), saved_image("a.lan/chart:1", [None])],
    "south": [saved_image("b.lan/two:1", [AMD64]), saved_image(f"b.lan/three@sha256:{'ab' * 32}")],
}
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}


def locks(images: Mapping[str, Sequence[SavedImage]], compress: str = "gzip") -> dict[str, Lock]:
    made = {}
    for host, each in images.items():
        name = name_of(host, compress)
        lock = lock_of(each, name, compress=compress, part_size=None)
        part = "index.json" if compress == "dir" else name
        made[host] = replace(lock, parts=(Part(part, 5, "ab" * 32),))
    return made


def name_of(host: str, compress: str) -> str:
    return f"images-{host}{ {'gzip': '.tar.gz', 'zstd': '.tar.zst', 'none': '.tar', 'dir': ''}[compress] }"


def content(made: Mapping[str, Lock], **more: Any) -> Content:
    names = {host: name_of(host, str(lock.options["compress"])) for host, lock in made.items()}
    return content_of({host: write_lock(lock) for host, lock in made.items()}, names, [], **more)


def bundles() -> dict[str, Lock]:
    """Bundles of two hosts with the base of both; one carries what the other leaves out."""
    made = locks(IMAGES)
    base = (LockedBase("old-north.tar.gz", "cd" * 32, has_receipt=True), LockedBase("old.tar.gz", "ef" * 32, False))
    theirs = next(digest for digest in made["south"].blobs if digest not in made["north"].blobs)
    wanted = {
        "north": {f"sha256:{'01' * 32}": ("a.lan/one", 3), theirs: ("b.lan/two", made["south"].blobs[theirs])},
        "south": {f"sha256:{'02' * 32}": ("b.lan/two", 4)},
    }
    return {
        host: replace(
            lock,
            base=base,
            requires={
                name: Requirement(size, (where,), "old.tar.gz", ()) for name, (where, size) in wanted[host].items()
            },
        )
        for host, lock in made.items()
    }


def test_bundles_of_several_hosts_make_a_set_of_bundles() -> None:
    """With the base of all, and all that no host carries."""
    files = content(bundles()).files
    lock = read_lock(files["images.lock.json"], path="x")
    assert [one.name for one in lock.base] == ["old-north.tar.gz", "old.tar.gz"]
    assert {*lock.requires} == {f"sha256:{'01' * 32}", f"sha256:{'02' * 32}"}
    script = files["images.restore.sh"].decode()
    assert f"\n    one_required {'01' * 32} 3 " in script and f"\n    one_required {'02' * 32} 4 " in script
    for dialect in ("sh", "busybox"):
        assert shellcheck(files["images.restore.sh"], dialect) == ""


def test_images_of_a_host_without_news_are_listed_all_the_same() -> None:
    """As the newest of the earlier archives has them; what they need of it is asked for."""
    made = bundles()
    before = locks(IMAGES)["south"]
    spared = [str(image.reference) for image in IMAGES["south"]]
    carried = [BaseArchive("old.tar.gz", "ef" * 32, before)]
    files = content({"north": made["north"]}, spared=spared, carried=carried).files
    whole = content(locks(IMAGES)).files
    assert files["images.index.json"] == whole["images.index.json"]
    assert files["images.list.json"] == whole["images.list.json"]
    assert [str(image.reference) for image in read_lock(files["images.lock.json"], path="x").images] == sorted(
        str(image.reference) for image in IMAGES["north"]
    )
    for platform in before.images[0].platforms:
        assert f"one_required {platform.digest[7:]} " in files["images.restore.sh"].decode()


def test_the_documents_are_those_of_one_archive_of_all() -> None:
    everything = sorted((image for each in IMAGES.values() for image in each), key=lambda one: str(one.reference))
    raw = merge({f"{host}/images-{host}.tar.gz.lock.json": write_lock(lock) for host, lock in locks(IMAGES).items()})
    merged = read_lock(raw, path="x")
    assert merged_index(merged) == archive_index(everything)
    assert merged_list(merged) == saved_images_list(everything)
    assert {"/".join(one["Source"].split("/")[1:]) for one in json.loads(merged_list(merged))["List"]} == {
        "one",
        "two",
        "three",
    }


def test_attestations_are_not_listed_for_hangar() -> None:
    """Whatever platform they name."""
    (lock,) = locks({"north": IMAGES["north"][:1]}).values()
    image = lock.images[0]
    marked = tuple(replace(one, is_attestation=one is image.platforms[1]) for one in image.platforms)
    read = read_lock(write_lock(replace(lock, images=(replace(image, platforms=marked),))), path="x")
    assert [one["Arch"] for one in json.loads(merged_list(read))["List"][0]["Images"]] == ["amd64"]


@pytest.mark.parametrize("entry", ["", f"sha256:{'00' * 32}"])
def test_a_lock_file_that_does_not_say_what_is_named(entry: str) -> None:
    """One of an early release, and one that names what the archive does not hold."""
    made = locks(IMAGES)
    first = made["north"].images[0]
    made["north"] = replace(made["north"], images=(replace(first, entry=entry), *made["north"].images[1:]))
    with pytest.raises(LockFileError, match=r"entry of a\.lan/one:1 .* image_save_force: true$"):
        content(made)


def test_equal_sets_have_equal_bytes_and_no_dates() -> None:
    files = content(locks(IMAGES)).files
    assert files == content(dict(reversed(locks(IMAGES).items()))).files
    assert [*files] == [
        "images.report.html",
        "images.restore.sh",
        "images.index.json",
        "images.list.json",
        "images.lock.json",
    ]
    assert b"20" + b"26-" not in files["images.report.html"]


def test_the_report_says_which_host_has_what_and_what_each_stick_holds() -> None:
    page = content(locks(IMAGES)).files["images.report.html"].decode()
    assert "A set of 2 hosts" in page
    for host, images in IMAGES.items():
        assert f"<code>{host}/images-{host}.tar.gz</code>" in page
        assert f"<code>images-{host}.tar.gz</code>" in page
        for image in images:
            assert f"{str(image.reference).rpartition('/')[2]}</span>" in page
    for name in ("images.restore.sh", "images.lock.json", "images.index.json", "images.list.json"):
        assert f"<li><code>{name}</code></li>" in page
    assert "images.set.json" not in page


def test_names_in_the_report_are_text() -> None:
    made = {"<b>&\"'": locks({"x": IMAGES["north"]})["x"]}
    made = {host: replace(lock, parts=(Part(f"images-{host}.tar.gz", 5, "ab" * 32),)) for host, lock in made.items()}
    page = content(made).files["images.report.html"].decode()
    assert "<b>" not in page and "&lt;b&gt;" in page


def shellcheck(script: bytes, dialect: str) -> str:
    command = ["shellcheck", "--norc", "-s", dialect, "-"]
    return subprocess.run(command, input=script, capture_output=True, check=False).stdout.decode()


@pytest.mark.parametrize("kinds", [("gzip", "gzip"), ("dir", "dir"), ("none", "dir")])
@pytest.mark.parametrize("dialect", ["sh", "busybox"])
def test_shellcheck_finds_nothing(kinds: tuple[str, str], dialect: str) -> None:
    assert shellcheck(content(mixed(kinds)).files["images.restore.sh"], dialect) == ""


def mixed(kinds: Sequence[str]) -> dict[str, Lock]:
    """Hosts with archives of these kinds."""
    return {host: locks({host: IMAGES[host]}, kind)[host] for host, kind in zip(IMAGES, kinds)}


class Site:
    """Archives of two hosts with content that can be unpacked."""

    def __init__(self, folder: Path, kinds: Sequence[str]) -> None:
        self.folder = folder
        made = mixed(kinds)
        for host, lock in made.items():
            made[host] = replace(lock, parts=tuple(self._write(host, str(lock.options["compress"]))))
        for name, raw in content(made).files.items():
            (folder / name).write_bytes(raw)

    def _write(self, host: str, compress: str) -> list[Part]:
        blob = host.encode()
        members = {
            f"share/sha256/{sha256(blob).hexdigest()}": blob,
            "index.json": b"own",
            "oci-layout": b"{}",
            "saved-images-list.json": b"own",
            f"{'ab' * 32}/oci-layout": b"{}",
        }
        place = self.folder / host
        place.mkdir()
        name = name_of(host, compress)
        if compress == "dir":
            for path, raw in members.items():
                (place / name / path).parent.mkdir(parents=True, exist_ok=True)
                (place / name / path).write_bytes(raw)
            return [Part(path, len(raw), sha256(raw).hexdigest()) for path, raw in members.items()]
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz" if compress == "gzip" else "w") as tar:
            for path, raw in members.items():
                info = tarfile.TarInfo(f"saved-image-cache/{path}")
                info.size, info.mode = len(raw), 0o644
                tar.addfile(info, io.BytesIO(raw))
            for path, target in (("blobs", "share"), (f"{'ab' * 32}/blobs", "../share")):
                link = tarfile.TarInfo(f"saved-image-cache/{path}")
                link.type, link.linkname = tarfile.SYMTYPE, target
                tar.addfile(link)
        halves = [stream.getvalue()[:100], stream.getvalue()[100:]]
        for number, raw in enumerate(halves):
            (place / f"{name}.part{number}").write_bytes(raw)
        return [Part(f"{name}.part{n}", len(raw), sha256(raw).hexdigest()) for n, raw in enumerate(halves)]

    def call(self, *arguments: str, shell: str = "dash") -> subprocess.CompletedProcess[str]:
        command = [*SHELLS[shell], str(self.folder / "images.restore.sh"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def unpacked(folder: Path) -> dict[str, str]:
    """The content of a directory, by path."""
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("kinds", [("gzip", "gzip"), ("dir", "dir"), ("none", "dir")], ids="-".join)
def test_all_archives_are_restored_into_one_directory(tmp_path: Path, kinds: tuple[str, str], shell: str) -> None:
    (tmp_path / "media").mkdir()
    site = Site(tmp_path / "media", kinds)
    done = site.call(str(tmp_path / "there"), shell=shell)
    assert done.returncode == 0, done.stderr
    found = unpacked(tmp_path / "there" / "saved-image-cache")
    for host in IMAGES:
        assert found[f"share/sha256/{sha256(host.encode()).hexdigest()}"] == host
    assert found["index.json"] == (site.folder / "images.index.json").read_text()
    assert found["saved-images-list.json"] == (site.folder / "images.list.json").read_text()
    assert found["blobs"] == "-> share" and found[f"{'ab' * 32}/blobs"] == "-> ../share"
    assert "is whole: 4 images." in done.stdout and not [*(tmp_path / "there").glob(".*")]


def test_the_files_may_lie_in_one_directory(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    site = Site(tmp_path / "media", ("gzip", "dir"))
    for host in IMAGES:
        for path in (site.folder / host).iterdir():
            path.rename(site.folder / path.name)
        (site.folder / host).rmdir()
    assert site.call("--check").returncode == 0
    assert site.call(str(tmp_path / "there")).returncode == 0
    tar = site.call("--oci-tar", str(tmp_path / "images.tar"))
    assert tar.returncode == 0, tar.stderr
    with tarfile.open(tmp_path / "images.tar") as read:
        names = read.getnames()
    assert {"oci-layout", "index.json"} <= {*names}
    assert len([name for name in names if name.startswith("blobs/sha256/")]) == 2


def test_what_is_missing_or_damaged_is_named_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    site = Site(tmp_path / "media", ("gzip", "gzip"))
    (site.folder / "north" / "images-north.tar.gz.part1").unlink()
    damaged = site.folder / "south" / "images-south.tar.gz.part0"
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    done = site.call(str(tmp_path / "there"))
    assert done.returncode == 1 and not (tmp_path / "there").exists()
    assert "missing: north/images-north.tar.gz.part1\n" in done.stderr
    assert "damaged: south/images-south.tar.gz.part0 has the right size" in done.stderr
    assert "of 6 files, 1 are missing and 1 are damaged" in done.stderr


def test_a_second_restore_does_not_advise_to_delete_the_first(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    site = Site(tmp_path / "media", ("gzip", "gzip"))
    assert site.call(str(tmp_path / "there")).returncode == 0
    again = site.call(str(tmp_path / "there"))
    assert again.returncode == 1 and "Name another TARGET_DIR, or remove it" in again.stderr
    assert "if nothing in it is needed" in again.stderr
