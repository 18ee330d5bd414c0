# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asserts what has to hold for every archive, whatever is in it."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .archive import ROOT, SHARE, Archive, Folder, archive_files, file_sha256, part_of, read_archive
from .images import OCI_INDEX, OCI_MANIFEST
from .report_check import report_fits

COMPANIONS = (".report.html", ".report.csv", ".report.json", ".restore.sh")
_FOLDER = re.compile(r"[0-9a-f]{64}")
_FOLDER_MEMBERS = ([], ["index.json"], ["oci-layout"], ["blobs"])
_FILES = {"index.json", "oci-layout", "saved-images-list.json"}


def check_archive(dest: Path, *, beside: Collection[str] = (), part_digits: int = 0) -> Archive:
    """Reads the archive and asserts that it is whole, sound and alone.

    ``beside`` are names of files that may lie beside it although their names begin like its own. With
    ``part_digits`` 0 the parts' names have to be in the order of their numbers when a shell sorts them.

    :raises AssertionError: it is not; the text says what
    """
    check_files(dest, beside=beside, part_digits=part_digits)
    archive = read_archive(dest)
    check_members(archive, directory=dest.is_dir())
    check_blobs(archive)
    check_folders(archive)
    check_index(archive)
    check_saved_images(archive)
    check_nothing_extra(archive)
    check_lock(dest, archive)
    check_companions(dest, archive)
    return archive


def check_files(dest: Path, *, beside: Collection[str] = (), part_digits: int = 0) -> None:
    """The parts are numbered without a gap and of one size; the checksums are right; nothing else lies there."""
    files = archive_files(dest)
    if part_of(files[0], dest):
        check_parts(dest, files, part_digits=part_digits)
    checksums = dest.parent / f"{dest.name}.sha256"
    assert checksums.is_file(), f"{checksums} is missing"
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", checksums.name],
        cwd=dest.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"sha256sum --check: {done.stdout}{done.stderr}"
    if not dest.is_dir():
        listed = [line.split(maxsplit=1)[1].lstrip("*") for line in checksums.read_text("utf-8").splitlines()]
        assert set(listed) >= {path.name for path in files}, f"a file has no checksum: {listed}"
    companions = {f"{dest.name}{suffix}" for suffix in COMPANIONS}
    parity = check_parity(dest, files)
    known = {path.name for path in files} | {checksums.name, f"{dest.name}.lock.json", *companions, *parity, *beside}
    strange = [path.name for path in dest.parent.iterdir() if dest.name in path.name and path.name not in known]
    assert not strange, f"files that are not part of the archive: {strange}"


def check_parity(dest: Path, files: list[Path]) -> list[str]:
    """The parity files are those that the lock file names, and the XOR of their parts; returns their names."""
    lock = _lock_beside(dest)
    recorded = lock.get("parity", [])
    is_wanted = lock.get("options", {}).get("parity", False)
    assert bool(recorded) == (is_wanted and len(files) > 1), "parity is wanted, and not there"
    count = max(1, len(files) // 20)
    for number, one in enumerate(recorded):
        assert one["name"] == f"{dest.name}.parity{number if len(files) >= 20 else ''}"
        path = dest.parent / one["name"]
        members = [file.read_bytes() for file in files[number::count]]
        whole = 0
        for member in members:
            whole ^= int.from_bytes(member, "little")
        assert path.read_bytes() == whole.to_bytes(max(map(len, members)), "little"), f"{path} is not the XOR"
        assert (one["size"], one["sha256"]) == (path.stat().st_size, file_sha256(path))
    assert len(recorded) in (0, count)
    return [one["name"] for one in recorded]


def check_parts(dest: Path, parts: list[Path], *, part_digits: int = 0) -> None:
    """The parts are numbered without a gap, in an order that a shell keeps, and all but the last of one size.

    Where a part ends with each image, they have any size.
    """
    numbers = [int(match[1]) for path in parts if (match := part_of(path, dest))]
    assert numbers == list(range(len(parts))), f"parts are missing: {numbers}"
    if part_digits != 1:
        assert sorted(parts) == parts, "cat NAME.part* would join the parts in a wrong order"
    sizes = [path.stat().st_size for path in parts]
    if _lock_beside(dest).get("options", {}).get("part_at") == "image":
        assert all(sizes), f"an empty part: {sizes}"
        return
    assert len(set(sizes[:-1])) <= 1, f"parts of different sizes: {sizes}"
    assert 0 < sizes[-1] <= sizes[0], f"the last part is too large or empty: {sizes}"


def _lock_beside(dest: Path) -> dict[str, Any]:
    """The lock file of an archive; empty if there is none."""
    lock_file = dest.parent / f"{dest.name}.lock.json"
    found: dict[str, Any] = json.loads(lock_file.read_bytes()) if lock_file.is_file() else {}
    return found


def check_members(archive: Archive, *, directory: bool = False) -> None:
    """Every name is safe and unique, every directory comes before what is in it, owners and times are fixed."""
    names = archive.names
    assert len(set(names)) == len(names), "a name comes twice"
    directories: set[str] = set()
    for member in archive.members:
        parts = member.name.split("/")
        assert parts[0] == ROOT, f"outside of {ROOT}: {member.name}"
        assert not {"", ".", ".."} & set(parts), f"unsafe name: {member.name}"
        assert len(parts) == 1 or "/".join(parts[:-1]) in directories, f"before its directory: {member.name}"
        assert member.kind != "other", f"neither file nor directory: {member.name}"
        if member.kind == "dir":
            directories.add(member.name)
        if member.kind == "symlink":
            target = "share" if len(parts) == 2 else "../share"
            assert (parts[-1], member.target) == ("blobs", target), f"a strange link: {member}"
    if not directory:
        assert len({(member.mtime, member.owner) for member in archive.members}) == 1, "times or owners differ"


def check_blobs(archive: Archive) -> None:
    """Every blob is what its name says."""
    for member in archive.members:
        if member.name.startswith(f"{SHARE}/"):
            assert member.sha256 == f"sha256:{member.name.rpartition('/')[2]}", f"damaged: {member.name}"


def check_folders(archive: Archive) -> None:
    """Every platform image has its folder, and every blob that its manifest names is there with the right size."""
    assert archive.folders, "no image in the archive"
    for folder in archive.folders.values():
        assert _FOLDER.fullmatch(folder.name), f"not named by a digest: {folder.name}"
        assert archive.document(f"{ROOT}/{folder.name}/oci-layout") == {"imageLayoutVersion": "1.0.0"}
        linked = f"{ROOT}/{folder.name}/blobs" in archive.names
        assert linked == (archive.lock.get("writer", 1) >= 2), f"{folder.name} is no layout by itself"
        assert archive.blobs.get(folder.digest) == folder.size, f"no manifest of that size: {folder}"
        for descriptor in _content(archive, folder):
            digest, size = descriptor["digest"], descriptor["size"]
            assert archive.whole_blobs.get(digest) == size, f"{folder.digest} needs {digest} of {size} bytes"


def check_index(archive: Archive) -> None:
    """index.json names manifests that are there and, where one is an index, whose children all are."""
    assert archive.document(f"{ROOT}/oci-layout") == {"imageLayoutVersion": "1.0.0"}
    assert archive.index["schemaVersion"] == 2
    digests = {folder.digest for folder in archive.folders.values()}
    for entry in archive.index["manifests"]:
        assert archive.blobs.get(entry["digest"]) == entry["size"], f"not in the archive: {entry}"
        assert entry["mediaType"] in (OCI_INDEX, OCI_MANIFEST), f"OCI readers do not find that by its name: {entry}"
        if entry["mediaType"] == OCI_INDEX:
            for child in archive.blob(entry["digest"])["manifests"]:
                assert archive.blobs.get(child["digest"]) == child["size"], f"{entry} lacks {child}"
        else:
            assert entry["digest"] in digests, f"no folder for {entry}"
    assert len(archive.references) == len(archive.index["manifests"]), "a reference comes twice"


def check_saved_images(archive: Archive) -> None:
    """saved-images-list.json is as hangar's load reads it and agrees with the folders."""
    document = archive.saved_images
    assert document["Version"] == "v1.1.0"
    assert "SavedTime" not in document, "the time would make each archive differ"
    for listed in document["List"]:
        assert listed["Source"] and listed["Tag"], f"nameless: {listed}"
        assert listed["Images"], f"nothing saved of {listed['Source']}"
        for image in listed["Images"]:
            assert archive.folders[image["Folder"]].digest == image["Digest"], f"another image in {image['Folder']}"
            assert "" not in image.values(), f"an empty value: {image}"
            assert image["Arch"] in listed["ArchList"] and image["OS"] in listed["OsList"], f"not listed: {image}"


def check_nothing_extra(archive: Archive) -> None:
    """Nothing is in the archive that nothing refers to."""
    wanted = {descriptor["digest"] for folder in archive.folders.values() for descriptor in _content(archive, folder)}
    wanted |= {folder.digest for folder in archive.folders.values()}
    wanted |= {str(entry["digest"]) for entry in archive.index["manifests"]}
    # The source's own index is stored beside the one made of it, and only the lock names it.
    text = str(archive.lock)
    strange = [digest for digest in archive.blobs if digest not in wanted and digest not in text]
    assert not strange, f"blobs that nothing refers to: {strange}"
    for member in archive.members:
        parts = member.name.split("/")[1:]
        known = not parts or member.name.startswith(SHARE) or parts[0] in {"share", "blobs", *_FILES}
        known = known or (parts[0] in archive.folders and parts[1:] in _FOLDER_MEMBERS)
        assert known, f"does not belong here: {member.name}"


def check_lock(dest: Path, archive: Archive) -> None:
    """The lock is there and names the archive's files with the sizes and checksums that they have."""
    assert archive.lock, f"{dest.name}.lock.json is missing or empty"
    if dest.is_dir():
        return
    for path in archive.files:
        digest = file_sha256(path)
        (part,) = [each for each in archive.lock["parts"] if each["name"] == path.name]
        assert (part["size"], part["sha256"]) == (path.stat().st_size, digest), f"the lock is wrong about {path.name}"
    assert len(archive.lock["parts"]) == len(archive.files), "the lock names a file that is not there"


def _content(archive: Archive, folder: Folder) -> list[dict[str, Any]]:
    """The descriptors of config and layers of a platform image, but for foreign layers that are elsewhere."""
    manifest = archive.blob(folder.digest)
    if "blobs" in manifest:  # an OCI artifact manifest
        return list(manifest["blobs"])
    layers = [each for each in manifest["layers"] if "urls" not in each or each["digest"] in archive.blobs]
    return [manifest["config"], *layers]


def check_companions(dest: Path, archive: Archive) -> None:
    """The report is about this lock file, its table names what the lock does, and the script knows all parts."""
    page, table, facts, script = ((dest.parent / f"{dest.name}{suffix}").read_bytes() for suffix in COMPANIONS)
    raw_lock = (dest.parent / f"{dest.name}.lock.json").read_bytes()
    assert report_fits(page, table, facts, raw_lock), "the report is damaged, or another archive's"
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8"), newline="")))
    saved = [(row["reference"], row["manifest_digest"], int(row["size"])) for row in rows if row["status"] == "saved"]
    assert saved == [
        (image["reference"], platform["digest"], platform["size"])
        for image in archive.lock["images"]
        for platform in image["platforms"]
    ]
    assert all(part["sha256"].encode() in script for part in archive.lock["parts"]), "the script lacks a part"
