# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of archives, from docs/archive.md ("Writing a reader"); it knows nothing of the collection's code."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

ROOT = "saved-image-cache"
SHARE = f"{ROOT}/share/sha256"
BLOCK = 512
RECORD = 10_240
DIRECTORY, FILE, LINK = "5", "0", "2"
REF_NAME = "org.opencontainers.image.ref.name"
_FOLDER = re.compile(rf"{ROOT}/[0-9a-f]{{64}}")
_MODES = {DIRECTORY: b"0000755\0", FILE: b"0000644\0", LINK: b"0000777\0"}
_PART_NAME = re.compile(r"[^\x00-\x1f\x7f/]+")


class FormatError(AssertionError):
    """Something is not as the format says."""


@dataclass(frozen=True)
class Member:
    """One member: its name without the slash at the end, its type, its content; a link's content is its target."""

    name: str
    kind: str
    content: bytes = b""


@dataclass(frozen=True)
class Read:
    """The content of an archive; ``raw`` is its parts, joined, and ``stream`` the tar: both empty for a directory."""

    lock: dict[str, Any]
    raw_lock: bytes
    raw: bytes
    stream: bytes
    members: tuple[Member, ...]

    @property
    def blobs(self) -> dict[str, bytes]:
        """The content of ``share`` by digest."""
        return {f"sha256:{m.name[len(SHARE) + 1 :]}": m.content for m in self.members if m.name.startswith(f"{SHARE}/")}

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The descriptors in index.json by reference."""
        index = json.loads(self.content("index.json"))
        return {entry["annotations"][REF_NAME]: entry for entry in index["manifests"]}

    def content(self, name: str) -> bytes:
        """The content of the member ``saved-image-cache/NAME``."""
        return next(member.content for member in self.members if member.name == f"{ROOT}/{name}")


def read(archive: Path) -> Read:
    """Reads an archive that lies at ``archive``, its parts and its lock file beside it.

    :raises FormatError: anything is not as docs/archive.md says
    """
    raw_lock = Path(f"{archive}.lock.json").read_bytes()
    lock = parse_unique(raw_lock)
    ensure(lock["version"] == 1, f"unknown version {lock['version']}")
    if lock["options"]["compress"] == "dir":
        members = _read_directory(archive, lock)
        found = Read(lock, raw_lock, b"", b"", members)
    else:
        raw = _join(archive, lock)
        stream = _decompress(raw, lock["options"]["compress"])
        found = Read(lock, raw_lock, raw, stream, tuple(_read_tar(stream)))
    _check_share(found)
    return found


def read_blob(found: Read, digest: str) -> bytes:
    """Reads one blob by its offset ("Reading one blob"), whatever precedes it.

    :raises FormatError: its bytes have another sha256
    """
    position, skip = found.lock["offsets"][digest]
    end = skip + int(found.lock["blobs"][digest])
    compress, rest = found.lock["options"]["compress"], found.raw[position:]
    if compress == "gzip":
        plain = zlib.decompressobj(-15).decompress(rest, end) if end else b""
    elif compress == "zstd":
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(rest), read_across_frames=True)
        plain = reader.read(end)
    else:
        plain = rest[:end]
    content = plain[skip:end]
    ensure(digest == f"sha256:{hashlib.sha256(content).hexdigest()}", f"{digest} is not at its offset")
    return content


def ensure(holds: bool, what: str) -> None:
    """Raises where something does not hold."""
    if not holds:
        raise FormatError(what)


def parse_unique(raw: bytes) -> dict[str, Any]:
    """JSON in UTF-8, in which no name stands twice in one object."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        ensure(len(dict(pairs)) == len(pairs), "a name stands twice")
        return dict(pairs)

    document: dict[str, Any] = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    return document


def _join(archive: Path, lock: dict[str, Any]) -> bytes:
    pieces: list[bytes] = []
    for part in lock["parts"]:
        ensure(bool(_PART_NAME.fullmatch(part["name"])) and part["name"] not in (".", ".."), part["name"])
        pieces.append(_checked(archive.parent / part["name"], part))
    return b"".join(pieces)


def _checked(path: Path, part: dict[str, Any]) -> bytes:
    raw = path.read_bytes()
    ensure(len(raw) == part["size"], f"{path} has {len(raw)} bytes")
    ensure(hashlib.sha256(raw).hexdigest() == part["sha256"], f"{path} is damaged")
    return raw


def _decompress(raw: bytes, compress: str) -> bytes:
    if compress == "gzip":
        return gzip.decompress(raw)
    if compress == "zstd":
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw), read_across_frames=True)
        plain: bytes = reader.read()
        return plain
    ensure(compress == "none", f"unknown compression {compress}")
    return raw


def _read_tar(stream: bytes) -> list[Member]:
    """Reads and checks every byte of the stream: headers, filling, end."""
    ensure(len(stream) % RECORD == 0, "no whole records")
    members: list[Member] = []
    at = 0
    while any(header := stream[at : at + BLOCK]):
        member, size = _read_header(header)
        content = stream[at + BLOCK : at + BLOCK + size]
        at += BLOCK + size
        filling = stream[at : at + -size % BLOCK]
        ensure(not any(filling), f"{member.name} is not filled up with zeros")
        at += len(filling)
        members.append(member if member.kind == LINK else Member(member.name, member.kind, content))
    ensure(not any(stream[at:]) and 2 * BLOCK <= len(stream) - at < 2 * BLOCK + RECORD, "a wrong end")
    return members


def _read_header(header: bytes) -> tuple[Member, int]:
    """Checks a header field by field, as the table has them."""
    kind = chr(header[156])
    ensure(kind in _MODES, f"type {kind!r}")
    name = _text(header[:100])
    ensure(name.endswith("/") == (kind == DIRECTORY), f"slash of {name}")
    ensure(header[100:108] == _MODES[kind], f"mode of {name}")
    ensure(header[108:124] == 2 * b"0000000\0", f"owner of {name}")
    size = header[124:136]
    ensure(bool(re.fullmatch(rb"[0-7]{11}\0", size)), f"size of {name}: {size!r}")
    ensure(kind == FILE or int(size[:11], 8) == 0, f"{name} has a size")
    ensure(header[136:148] == b"02263523000\0", f"time of {name}")
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    ensure(header[148:156] == f"{total:06o}\0 ".encode(), f"checksum of {name}")
    target = _text(header[157:257])
    ensure(target == (_target(name) if kind == LINK else ""), f"target of {name}")
    ensure(header[257:265] == b"ustar  \0", f"magic of {name}")
    ensure(not any(header[265:]), f"more in the header of {name}")
    return Member(name.rstrip("/"), kind, target.encode()), int(size[:11], 8)


def _target(name: str) -> str:
    """The target of a link of this name."""
    folder, _slash, last = name.rpartition("/")
    ensure(last == "blobs" and (folder == ROOT or bool(_FOLDER.fullmatch(folder))), f"{name} is a link")
    return "share" if folder == ROOT else "../share"


def _text(field: bytes) -> str:
    text = field.rstrip(b"\0")
    ensure(b"\0" not in text, "NUL in a name")
    return text.decode("ascii")


def _read_directory(archive: Path, lock: dict[str, Any]) -> tuple[Member, ...]:
    """The members in the order of the lock file, which has the regular files; the others in the order of a stream."""
    files = [Member(f"{ROOT}/{part['name']}", FILE, _checked(archive / part["name"], part)) for part in lock["parts"]]
    there = {path for path in archive.rglob("*") if path.is_file() and not path.is_symlink()}
    ensure(there == {archive / part["name"] for part in lock["parts"]}, "other files than the lock file says")
    links = {f"{ROOT}/{path.relative_to(archive)}": path for path in archive.rglob("*") if path.is_symlink()}
    members = [Member(name, DIRECTORY) for name in (ROOT, f"{ROOT}/share", SHARE)]
    expected = {f"{ROOT}/blobs"}
    for file in files[:-1]:
        folder, _slash, last = file.name.rpartition("/")
        in_folder = bool(_FOLDER.fullmatch(folder))
        if in_folder and last == "oci-layout":
            members.append(Member(folder, DIRECTORY))
        members.append(file)
        if in_folder and last == "index.json" and lock.get("writer", 1) >= 2:
            expected.add(f"{folder}/blobs")
            members.append(Member(f"{folder}/blobs", LINK, b"../share"))
    ensure(set(links) == expected, f"links: {sorted(links)}")
    for name, path in links.items():
        ensure(str(path.readlink()) == _target(name), f"target of {name}")
    return (*members, Member(f"{ROOT}/blobs", LINK, b"share"), files[-1])


def _check_share(found: Read) -> None:
    sizes = {digest: len(content) for digest, content in found.blobs.items()}
    ensure(found.lock["blobs"] == sizes, "other blobs than the lock file says")
    for digest, content in found.blobs.items():
        ensure(digest == f"sha256:{hashlib.sha256(content).hexdigest()}", f"{digest} is damaged")
