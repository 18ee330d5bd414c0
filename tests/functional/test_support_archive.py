# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of archives, tried on archives that are put together here, right and wrong."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.support.archive import ROOT, SHARE, archive_files, read_archive, unpack
from ansible_collections.airgap.images.tests.support.archive_check import COMPANIONS, check_archive
from ansible_collections.airgap.images.tests.support.images import ARM64, DOCKER_LIST, Image, Index, build_index
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.skopeo import digests_after_push

NAME = "registry.example/some/image:1"
LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'

IMAGES: list[Image] = [small(1), small(1, platform=ARM64)]
INDEX: Index = build_index(IMAGES)

Members = list[tuple[str, bytes | None]]
"""Name and content below the root; None is a directory."""


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def descriptor(item: Image | Index) -> dict[str, object]:
    return {"mediaType": item.media_type, "digest": item.digest, "size": len(item.raw)}


def blob_name(digest: str) -> str:
    return f"share/sha256/{digest.partition(':')[2]}"


def right_members() -> Members:
    """An archive of one reference with two platforms."""
    members: Members = [("share", None), ("share/sha256", None)]
    blobs: dict[str, bytes] = {}
    listed: list[dict[str, str]] = []
    for image in IMAGES:
        folder = image.digest.partition(":")[2]
        members += [(folder, None), (f"{folder}/oci-layout", LAYOUT)]
        members += [(f"{folder}/index.json", encoded({"schemaVersion": 2, "manifests": [descriptor(image)]}))]
        blobs[image.digest] = image.raw
        blobs["sha256:" + hashlib.sha256(image.config).hexdigest()] = image.config
        blobs.update({layer.digest: layer.data for layer in image.layers})
        assert image.platform is not None
        platform = {"Arch": image.platform.architecture, "OS": image.platform.os}
        listed.append({"Digest": image.digest, **platform, "Folder": folder})
    blobs[INDEX.digest] = INDEX.raw
    members += [(blob_name(digest), data) for digest, data in blobs.items()]
    named = {**descriptor(INDEX), "annotations": {"org.opencontainers.image.ref.name": NAME}}
    members += [("index.json", encoded({"schemaVersion": 2, "manifests": [named]})), ("oci-layout", LAYOUT)]
    entry = {"Source": "some/image", "Tag": "1", "ArchList": ["amd64", "arm64"], "OsList": ["linux"], "Images": listed}
    return [*members, ("saved-images-list.json", encoded({"List": [entry], "Version": "v1.1.0"}))]


def tarred(members: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, data in [("", None), *members]:
            entry = tarfile.TarInfo(f"{ROOT}/{name}" if name else ROOT)
            entry.type, entry.mode = (tarfile.DIRTYPE, 0o755) if data is None else (tarfile.REGTYPE, 0o644)
            entry.size = len(data or b"")
            out.addfile(entry, io.BytesIO(data or b""))
            if name == "share":
                link = tarfile.TarInfo(f"{ROOT}/blobs")
                link.type, link.linkname = tarfile.SYMTYPE, "share"
                out.addfile(link)
    return buffer.getvalue()


def publish(dest: Path, members: Members, *, part_size: int = 0, digits: int = 1) -> Path:
    """Writes the archive, its checksums and its lock."""
    command = {".gz": ["gzip", "-1"], ".zst": ["zstd", "-1", "-q"]}.get(dest.suffix, ["cat"])
    data = subprocess.run(command, input=tarred(members), capture_output=True, check=True).stdout
    size = part_size or len(data)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    parts: list[dict[str, object]] = []
    for number, piece in enumerate(pieces):
        path = dest.parent / (f"{dest.name}.part{number:0{digits}}" if part_size else dest.name)
        path.write_bytes(piece)
        parts.append({"name": path.name, "size": len(piece), "sha256": hashlib.sha256(piece).hexdigest()})
    lines = [f"{part['sha256']}  {part['name']}\n" for part in parts]
    (dest.parent / f"{dest.name}.sha256").write_text("".join(lines), encoding="utf-8")
    lock = encoded({"images": [], "parts": parts})
    table = b"reference,status,manifest_digest,size\r\n"
    page = b"<!DOCTYPE html><p>size 0"
    facts = {"lock_sha256": sha256(lock), "page_sha256": sha256(page), "table_sha256": sha256(table)}
    own = sha256(json.dumps(facts, separators=(",", ":")).encode())
    beside = {
        ".lock.json": lock,
        ".report.csv": table,
        ".report.html": page,
        ".report.json": json.dumps({**facts, "sha256": own}, indent=2).encode() + b"\n",
        ".restore.sh": "".join(lines).encode(),
    }
    for suffix, raw in beside.items():
        (dest.parent / f"{dest.name}{suffix}").write_bytes(raw)
    return dest


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", ["images.tar", "images.tar.gz", "images.tar.zst"])
@pytest.mark.parametrize("part_size", [0, 20_000])
def test_a_sound_archive(workdir: Path, name: str, part_size: int) -> None:
    dest = publish(workdir / name, right_members(), part_size=part_size, digits=2)
    archive = check_archive(dest)
    assert archive.references == {NAME: INDEX.digest}
    assert [folder.digest for folder in archive.folders.values()] == [image.digest for image in IMAGES]
    assert len(archive.files) == (1 if not part_size else len(list(workdir.glob("*.part*"))))
    assert archive.blob(INDEX.digest)["manifests"][0]["digest"] == IMAGES[0].digest
    assert archive.blobs[IMAGES[0].layers[2].digest] == len(IMAGES[0].layers[2].data)


def test_a_sound_directory(workdir: Path) -> None:
    dest = publish(workdir / "images.tar", right_members())
    subprocess.run(["tar", "-xf", dest, "-C", workdir], check=True)
    plain = read_archive(workdir / ROOT)
    assert sorted(plain.names) == sorted(read_archive(dest).names)
    assert plain.blobs == read_archive(dest).blobs


def test_eleven_parts_are_joined_in_the_order_of_their_numbers(workdir: Path) -> None:
    dest = publish(workdir / "images.tar.gz", right_members(), part_size=5_000)
    names = [path.name for path in archive_files(dest)]
    assert names[2].endswith("part2") and names[10].endswith("part10")
    check_archive(dest, part_digits=1)
    with pytest.raises(AssertionError, match="in a wrong order"):
        check_archive(dest)


def replaced(name: str, change: Callable[[bytes], bytes]) -> Members:
    return [(each, change(data) if each == name and data is not None else data) for each, data in right_members()]


LAYER = blob_name(IMAGES[0].layers[2].digest)
WRONG: dict[str, tuple[Callable[[], Members], str]] = {
    "damaged blob": (lambda: replaced(LAYER, lambda data: data[:-1] + bytes([data[-1] ^ 1])), "damaged"),
    "truncated blob": (lambda: replaced(LAYER, lambda data: data[:-1]), "damaged"),
    "missing blob": (lambda: [each for each in right_members() if each[0] != LAYER], "needs sha256:"),
    "missing child": (
        lambda: [each for each in right_members() if each[0] != blob_name(IMAGES[1].digest)],
        "no manifest of that size",
    ),
    "superfluous blob": (
        lambda: [*right_members(), (blob_name("sha256:" + hashlib.sha256(b"more").hexdigest()), b"more")],
        "nothing refers to",
    ),
    "superfluous file": (lambda: [*right_members(), ("oci-put-blob123", b"")], "does not belong here"),
    "unsafe name": (lambda: [*right_members(), ("share/../../etc", b"")], "unsafe name"),
    "file before its directory": (lambda: list(reversed(right_members())), "before its directory"),
    "twice": (lambda: [*right_members(), right_members()[-1]], "comes twice"),
    "time in the list": (
        lambda: replaced("saved-images-list.json", lambda data: data[:-1] + b', "SavedTime": "now"}'),
        "make each archive differ",
    ),
    "name that no OCI reader finds": (
        lambda: replaced("index.json", lambda data: data.replace(INDEX.media_type.encode(), DOCKER_LIST.encode())),
        "do not find that by its name",
    ),
    "index of something else": (
        lambda: replaced("index.json", lambda data: data.replace(INDEX.digest.encode(), b"sha256:" + b"0" * 64)),
        "not in the archive",
    ),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_archive(workdir: Path, name: str) -> None:
    members, text = WRONG[name]
    dest = publish(workdir / "images.tar", members())
    with pytest.raises(AssertionError, match=text):
        check_archive(dest)


def test_wrong_files(workdir: Path) -> None:
    dest = publish(workdir / "images.tar.gz", right_members(), part_size=40_000)
    (workdir / "save-failed.txt").touch()
    check_archive(dest)
    stale = workdir / "images.tar.gz.part9"
    stale.write_bytes(b"x")
    with pytest.raises(AssertionError, match="parts are missing"):
        check_archive(dest)
    stale.rename(workdir / ".images.tar.gz.tmp")
    with pytest.raises(AssertionError, match="not part of the archive"):
        check_archive(dest)
    check_archive(dest, beside=[".images.tar.gz.tmp"])
    first = archive_files(dest)[0]
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(AssertionError, match="sha256sum --check"):
        check_archive(dest, beside=[".images.tar.gz.tmp"])


def test_a_lock_that_is_wrong(workdir: Path) -> None:
    dest = publish(workdir / "images.tar", right_members())
    lock = workdir / "images.tar.lock.json"
    lock.write_text(lock.read_text("utf-8").replace('"size": ', '"size": 1'), encoding="utf-8")
    with pytest.raises(AssertionError, match="the lock is wrong"):
        check_archive(dest)
    lock.unlink()
    with pytest.raises(AssertionError, match="missing or empty"):
        check_archive(dest)


@pytest.mark.parametrize("suffix", COMPANIONS)
def test_report_or_script_that_is_wrong(workdir: Path, suffix: str) -> None:
    dest = publish(workdir / "images.tar", right_members())
    path = workdir / f"images.tar{suffix}"
    path.write_bytes(path.read_bytes().replace(b"0", b"1").replace(b"size", b"Size"))
    with pytest.raises((AssertionError, KeyError)):
        check_archive(dest)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        check_archive(dest)


def test_damage_behind_the_end_of_the_tar(workdir: Path) -> None:
    dest = publish(workdir / "images.tar.gz", right_members())
    dest.write_bytes(dest.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(subprocess.CalledProcessError):
        read_archive(dest)


@pytest.mark.parametrize("part_size", [0, 10_000])
def test_unpacked_and_pushed(workdir: Path, registry: Registry, part_size: int) -> None:
    dest = publish(workdir / "images.tar.gz", right_members(), part_size=part_size, digits=2)
    cache = unpack(dest, workdir / "unpacked")
    assert (cache.parent / SHARE).is_dir()
    assert digests_after_push(cache, NAME, registry) == [INDEX.digest, *(image.digest for image in IMAGES)]
