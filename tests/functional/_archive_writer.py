# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer of archives, from docs/archive.md ("Writing the same bytes"): lock file and blobs in, files out.

It is to give the same bytes as the module, and knows nothing of the collection's code.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import zstandard

from ._archive_format import BLOCK, DIRECTORY, FILE, LINK, RECORD, REF_NAME, ROOT, SHARE, Member

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
STORED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"\x04\x22\x4d\x18")
PLATFORM = ("architecture", "os", "os.version", "os.features", "variant")
_PIECE = 16 * 65_535
_LONG = 1_048_576
MODES = {DIRECTORY: "0000755", FILE: "0000644", LINK: "0000777"}

Json = dict[str, Any]
Pieces = Iterator[tuple[bytes, bool]]
Starts = list[tuple[int, int]]
"""Where stretches begin: in the tar stream, and in the archive."""


def members_of(lock: Json, blobs: Mapping[str, bytes]) -> list[Member]:
    """The members of an archive in their order."""
    return [member for group in groups_of(lock, blobs) for member in group]


def groups_of(lock: Json, blobs: Mapping[str, bytes]) -> list[list[Member]]:
    """The members in groups: the directories, those of each reference, the documents of the whole."""
    layout = compact({"imageLayoutVersion": "1.0.0"})
    members = [Member(name, DIRECTORY) for name in (ROOT, f"{ROOT}/share", SHARE)]
    groups = [members]
    names: set[str] = set()

    def blob(digest: str) -> None:
        if digest in blobs and digest not in names:
            names.add(digest)
            members.append(Member(f"{SHARE}/{digest[7:]}", FILE, blobs[digest]))

    for image in lock["images"]:
        members = []
        groups.append(members)
        for platform in image["platforms"]:
            folder = f"{ROOT}/{_source(platform)[7:]}"
            if folder not in names:
                names.add(folder)
                entry = {**_descriptor(platform, blobs), **_platform(platform)}
                members.append(Member(folder, DIRECTORY))
                members.append(Member(f"{folder}/oci-layout", FILE, layout))
                members.append(
                    Member(f"{folder}/index.json", FILE, compact({"schemaVersion": 2, "manifests": [entry]}))
                )
                if lock.get("writer", 1) >= 2:
                    members.append(Member(f"{folder}/blobs", LINK, b"../share"))
            manifest = json.loads(blobs[platform["digest"]])
            for digest in [platform["digest"], *(d["digest"] for d in (manifest["config"], *manifest["layers"]))]:
                blob(digest)
        if _is_index(image):
            blob(image["digest"])
        blob(_entry_of(image, blobs)["digest"])
    members = []
    groups.append(members)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_named_entry(i, blobs) for i in lock["images"]]}
    members.append(Member(f"{ROOT}/index.json", FILE, compact(index)))
    members.append(Member(f"{ROOT}/oci-layout", FILE, layout))
    members.append(Member(f"{ROOT}/blobs", LINK, b"share"))
    members.append(Member(f"{ROOT}/saved-images-list.json", FILE, indented(saved_images(lock, blobs))))
    return groups


def ends_of(groups: Iterable[Iterable[Member]]) -> list[int]:
    """Where each group but the last ends in the tar stream, each place once."""
    ends: dict[int, None] = {}
    at = 0
    for group in groups:
        ends[at] = None
        sizes = [len(member.content) if member.kind == FILE else 0 for member in group]
        at += sum(BLOCK + size + -size % BLOCK for size in sizes)
    return [*ends][1:]


def compact(value: Json) -> bytes:
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def indented(value: Json) -> bytes:
    """JSON with two blanks for each level and one LF at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _source(platform: Json) -> str:
    return str(platform.get("source_digest", platform["digest"]))


def _is_index(image: Json) -> bool:
    return image["media_type"] in (OCI_INDEX, DOCKER_LIST)


def _descriptor(platform: Json, blobs: Mapping[str, bytes]) -> Json:
    digest = platform["digest"]
    return {"mediaType": platform["media_type"], "digest": digest, "size": len(blobs[digest])}


def _platform(platform: Json) -> Json:
    return {"platform": platform["platform"]} if "platform" in platform else {}


def _said_of(image: Json, platform: Json, blobs: Mapping[str, bytes]) -> Json:
    """``artifactType`` and ``annotations`` in the source's index; of several entries the last counts."""
    if not _is_index(image):
        return {}
    entries = json.loads(blobs[image["digest"]])["manifests"]
    entry = [one for one in entries if _is_entry_for(one, platform)][-1]
    said = {
        "artifactType": entry.get("artifactType"),
        "annotations": dict(sorted(entry.get("annotations", {}).items())),
    }
    return {name: value for name, value in said.items() if value}


def _is_entry_for(entry: Json, platform: Json) -> bool:
    """Return True if an entry of the source's index has this platform, or none, or an empty one."""
    said = entry.get("platform", {})
    own = {name: said[name] for name in PLATFORM if said.get(name)}
    is_named = bool(own.get("os") and own.get("architecture"))
    return entry["digest"] == _source(platform) and (not is_named or own == platform.get("platform"))


def _entry_of(image: Json, blobs: Mapping[str, bytes]) -> Json:
    """The entry of index.json for a reference, without the annotation."""
    platforms = image["platforms"]
    converted = any("source_digest" in platform for platform in platforms)
    if not _is_index(image) and platforms[0]["media_type"] == OCI_MANIFEST:
        return {**_descriptor(platforms[0], blobs), **_platform(platforms[0])}
    entries = json.loads(blobs[image["digest"]])["manifests"] if image["media_type"] == OCI_INDEX else []
    is_whole = all(any(_is_entry_for(entry, one) for one in platforms) for entry in entries)
    if entries and is_whole and not converted:
        return {"mediaType": OCI_INDEX, "digest": image["digest"], "size": len(blobs[image["digest"]])}
    raw = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*_children(image, blobs)]})
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert blobs.get(digest) == raw, f"the generated index of {image['reference']} is another"
    return {"mediaType": OCI_INDEX, "digest": digest, "size": len(raw)}


def _children(image: Json, blobs: Mapping[str, bytes]) -> Iterable[Json]:
    for platform in image["platforms"]:
        yield {**_descriptor(platform, blobs), **_platform(platform), **_said_of(image, platform, blobs)}


def _named_entry(image: Json, blobs: Mapping[str, bytes]) -> Json:
    return {**_entry_of(image, blobs), "annotations": {REF_NAME: image["reference"]}}


def saved_images(lock: Json, blobs: Mapping[str, bytes]) -> Json:
    """hangar's list."""
    listed: list[Json] = []
    for image in lock["images"]:
        images = [one for one in image["platforms"] if _is_for_hangar(image, one, blobs)]
        if images:
            name, tag = _split(image["reference"])
            platforms = [one["platform"] for one in images]
            listed.append(
                {
                    "Source": name,
                    "Tag": tag,
                    "ArchList": list(dict.fromkeys(platform["architecture"] for platform in platforms)),
                    "OsList": list(dict.fromkeys(platform["os"] for platform in platforms)),
                    "Images": [_for_hangar(one) for one in images],
                }
            )
    return {"List": listed, "Version": "v1.1.0"}


def _is_for_hangar(image: Json, platform: Json, blobs: Mapping[str, bytes]) -> bool:
    if "platform" not in platform or (platform["platform"]["os"], platform["platform"]["architecture"]) == 2 * (
        "unknown",
    ):
        return False
    said = _said_of(image, platform, blobs).get("annotations", {})
    attests = said.get("vnd.docker.reference.type") == "attestation-manifest"
    return not (attests and said.get("vnd.docker.reference.digest"))


def _for_hangar(image: Json) -> Json:
    platform = image["platform"]
    values = {
        "Digest": image["digest"],
        "Arch": platform["architecture"],
        "OS": platform["os"],
        "OsVersion": platform.get("os.version"),
        "Variant": platform.get("variant"),
        "Folder": _source(image)[7:],
    }
    return {name: value for name, value in values.items() if value}


def _split(reference: str) -> tuple[str, str]:
    bare, _at, digest = reference.partition("@")
    name, colon, tag = bare.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (bare, f"digest-{digest[7:]}")


def tar_of(members: Iterable[Member]) -> Pieces:
    """The tar stream in the writer's pieces, each with whether it is of a blob that may be stored.

    Behind the filling of each blob comes an empty piece that says it may be stored.
    """
    size = 0
    for member in members:
        content = member.content if member.kind == FILE else b""
        filling = bytes(-len(content) % BLOCK)
        pieces = [(_header(member), False)]
        if member.name.startswith(f"{SHARE}/"):
            stored = content.startswith(STORED)
            pieces += [(content[at : at + _PIECE], stored) for at in range(0, len(content), _PIECE)]
            pieces += [(filling, False), BLOB_END]
        elif content:
            pieces.append((content + filling, False))
        size += BLOCK + len(content) + len(filling)
        yield from pieces
    yield bytes(2 * BLOCK + -(size + 2 * BLOCK) % RECORD), False


BLOB_END = (b"", True)


def contents_of(members: Iterable[Member]) -> dict[str, int]:
    """Where the content of each blob begins in the tar stream, by digest."""
    found: dict[str, int] = {}
    at = 0
    for member in members:
        at += BLOCK
        if member.name.startswith(f"{SHARE}/"):
            found[f"sha256:{member.name[len(SHARE) + 1 :]}"] = at
        size = len(member.content) if member.kind == FILE else 0
        at += size + -size % BLOCK
    return found


def offsets_of(members: list[Member], compress: str, starts: Starts) -> Json:
    """``offsets`` of the lock file."""
    contents = contents_of(members)
    if compress == "none":
        return {digest: [contents[digest], 0] for digest in sorted(contents)}
    offsets: Json = {}
    for digest in sorted(contents):
        plain, position = [start for start in starts if start[0] <= contents[digest]][-1]
        offsets[digest] = [position, contents[digest] - plain]
    return offsets


def _header(member: Member) -> bytes:
    name = member.name + ("/" if member.kind == DIRECTORY else "")
    size = len(member.content) if member.kind == FILE else 0
    target = member.content if member.kind == LINK else b""
    head = name.encode().ljust(100, b"\0") + f"{MODES[member.kind]}\0".encode() + 2 * b"0000000\0"
    head += f"{size:011o}\0".encode() + b"02263523000\0"
    tail = member.kind.encode() + target.ljust(100, b"\0") + b"ustar  \0" + bytes(247)
    total = sum(head) + 8 * ord(" ") + sum(tail)
    return head + f"{total:06o}\0 ".encode() + tail


def compressed(pieces: Pieces, compress: str, level: int | None, ends: Collection[int] = ()) -> tuple[bytes, Starts]:
    """The bytes of an archive, and where its stretches begin.

    :param ends: places of the tar stream where they end in any case.
    """
    if compress == "none":
        return b"".join(piece for piece, _stored in pieces), [(end, end) for end in ends]
    return _gzip(pieces, level, ends) if compress == "gzip" else _zstd(pieces, level, ends)


def _stretches(pieces: Pieces, level: int | None, ends: Collection[int]) -> Iterator[tuple[bool, list[bytes]]]:
    """Neighbours that are stored, or not, together; what is deflated up to the end of a blob where it is long."""
    current: tuple[bool, list[bytes]] | None = None
    size = 0
    for piece, may_store in pieces:
        if piece and size in ends and current is not None:
            yield current
            current = None
        size += len(piece)
        if (piece, may_store) == BLOB_END:
            if level is None and current is not None and sum(map(len, current[1])) > _LONG:
                yield current
                current = None
            continue
        stored = may_store and level is None
        if current is None or current[0] != stored:
            if current is not None:
                yield current
            current = (stored, [])
        current[1].append(piece)
    if current is not None:
        yield current


def _gzip(pieces: Pieces, level: int | None, ends: Collection[int]) -> tuple[bytes, Starts]:
    out = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    starts: Starts = []
    crc = size = 0
    for stored, stretch in _stretches(pieces, level, ends):
        starts.append((size, sum(map(len, out))))
        deflater = zlib.compressobj(4 if level is None else level, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY)
        for piece in stretch:
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            if stored:
                for at in range(0, len(piece), 65_535):
                    block = piece[at : at + 65_535]
                    out += [struct.pack("<BHH", 0, len(block), 0xFFFF - len(block)), block]
            else:
                out.append(deflater.compress(piece))
        if not stored:
            out.append(deflater.flush(zlib.Z_SYNC_FLUSH))
    return b"".join([*out, b"\x01\0\0\xff\xff", struct.pack("<II", crc, size % 2**32)]), starts


def _zstd(pieces: Pieces, level: int | None, ends: Collection[int]) -> tuple[bytes, Starts]:
    out: list[bytes] = []
    starts: Starts = []
    size = 0
    for stored, stretch in _stretches(pieces, level, ends):
        starts.append((size, sum(map(len, out))))
        size += sum(map(len, stretch))
        if stored:
            out.append(bytes.fromhex("28b52ffd0038"))
            for piece in stretch:
                for at in range(0, len(piece), 131_072):
                    block = piece[at : at + 131_072]
                    out += [(8 * len(block)).to_bytes(3, "little"), block]
            out.append(b"\x01\0\0")
        else:
            frame = zstandard.ZstdCompressor(level=1 if level is None else level, write_checksum=True).compressobj()
            out += [*(frame.compress(piece) for piece in stretch), frame.flush()]
    return b"".join(out), starts


def cut(
    name: str, raw: bytes, part_size: int | None, digits: int | None, places: Collection[int] = ()
) -> dict[str, bytes]:
    """The files of an archive by name.

    :param places: where parts end in any case.
    """
    if part_size is None and not places:
        return {name: raw}
    edges = [0, *places, len(raw)]
    pieces = [raw[start:end] for start, end in zip(edges, edges[1:])]
    most = part_size or len(raw)
    parts = [piece[at : at + most] for piece in pieces for at in range(0, len(piece), most)]
    width = digits or len(str(len(parts) - 1))
    return {f"{name}.part{number:0{width}}": part for number, part in enumerate(parts)}
