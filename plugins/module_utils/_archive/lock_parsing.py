# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a lock file, which may come from anybody, and be large. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Callable, TypeVar

from .._base.errors import LockFileError, printable, quoted
from .._base.json import REPEATED_KEY, Json, JsonError, JsonObject
from .._base.json_stream import Element, JsonStream
from .._base.shared import shared
from .._oci.platform_json import parse_platform
from .._oci.reference import is_digest, parse_reference
from .digest_tables import RepeatedDigest, table_of_offsets, table_of_sizes
from .file_table import FileTable
from .lock import FIRST_WRITER, Lock, LockedBase, LockedImage, LockedPlatform, LockedSkip, Requirement
from .offsets import Offset
from .parts import Part

VERSION = 1
BUNDLE_VERSION = 2
"""The version of a bundle's lock file, which readers of full archives must refuse."""

_LARGEST = 2**63 - 1
_LONGEST_NAME = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# The elements that a lock file has by the hundred thousand. Whatever looks different is read as any JSON, and checked
# then.
_SPACE = r"[ \t\n\r]*"
_COLON, _COMMA = f"{_SPACE}:{_SPACE}", f"{_SPACE},"
_NUMBER = r"(0|[1-9][0-9]{0,18})"
_NAME = rf'{_SPACE}"(sha256:[0-9a-f]{{64}})"{_COLON}'
_USUAL_SIZE = re.compile(rf"{_NAME}{_NUMBER}{_COMMA}")
_USUAL_OFFSET = re.compile(rf"{_NAME}\[{_SPACE}{_NUMBER}{_COMMA}{_SPACE}{_NUMBER}{_SPACE}\]{_COMMA}")
_USUAL_PART = re.compile(
    rf'{_SPACE}\{{{_SPACE}"name"{_COLON}"([A-Za-z0-9._/-]+)"{_COMMA}'
    rf'{_SPACE}"size"{_COLON}{_NUMBER}{_COMMA}'
    rf'{_SPACE}"sha256"{_COLON}"([0-9a-f]{{64}})"{_SPACE}\}}{_COMMA}'
)

Entry = TypeVar("Entry")
Table = TypeVar("Table")


def parse_lock(stream: JsonStream, path: str) -> Lock:
    """Read member by member; of those that grow with the archive, element by element.

    :param path: of the file, for the error.
    :raises JsonError: when it is not a lock file.
    :raises InvalidReferenceError: when a reference is not valid.
    :raises LockFileError: when it has another version.
    """
    images: tuple[LockedImage, ...] = ()
    parts = FileTable()
    blobs: Mapping[str, int] = {}
    offsets: Mapping[str, Offset] = {}
    requires: dict[str, Requirement] = {}
    others: dict[str, Json] = {}
    for name in stream.members():
        if name == "images":
            images = tuple(_parse_images(stream))
        elif name == "parts":
            parts = FileTable(_parse_parts(stream))
        elif name == "blobs":
            blobs = _table(table_of_sizes, _parse_sizes(stream))
        elif name == "offsets":
            offsets = _table(table_of_offsets, _parse_offsets(stream))
        elif name == "requires":
            requires = _parse_requires(stream)
        else:
            others[name] = stream.value()
            if name == "version":
                _refuse_other_version(JsonObject(others), path)
    document = JsonObject(others)
    version = _refuse_other_version(document, path)
    lock = Lock(
        options=_parse_options(document.object("options")),
        images=images,
        skipped=tuple(
            LockedSkip(parse_reference(skip.text("reference")), _digest_if_any(skip, "digest"), skip.text("reason"))
            for skip in document.objects("skipped")
        ),
        failed=document.texts("failed"),
        blobs=blobs,
        parts=parts,
        compressor=document.text("compressor"),
        writer=_writer(document),
        offsets=offsets,
        base=tuple(_parse_base(base) for base in document.objects("base")),
        requires=requires,
        parity=tuple(_parse_part(part) for part in document.objects("parity")),
    )
    if lock.is_bundle != (version == BUNDLE_VERSION):
        raise JsonError(f"base contradicts version {version}")
    return lock


def _refuse_other_version(document: JsonObject, path: str) -> int:
    """Return the version of a lock file that can be read; that of another one explains whatever else is in it."""
    version = document.integer("version")
    if version not in (VERSION, BUNDLE_VERSION):
        raise LockFileError(
            f"{path} is a lock file of version {printable(str(version), 20)}; this release reads versions "
            f"{VERSION} and {BUNDLE_VERSION}"
        )
    return version


def _table(make: Callable[[Iterable[Entry]], Table], entries: Iterable[Entry]) -> Table:
    try:
        return make(entries)
    except RepeatedDigest:
        raise JsonError(REPEATED_KEY) from None


def _parse_images(stream: JsonStream) -> Iterator[LockedImage]:
    for number, element in enumerate(stream.items("images")):
        yield _parse_image(_object_in(element, f"images[{number}]"))


def _parse_parts(stream: JsonStream) -> Iterator[Part]:
    """Read the files of an archive; a directory has as many as blobs."""
    for number, element in enumerate(stream.items("parts", _USUAL_PART)):
        if isinstance(element, tuple):
            yield _parse_part(_object_in(element, f"parts[{number}]"))
        else:
            yield Part(_part_name(element[1]), _number_of_bytes(int(element[2]), "size"), element[3])


def _parse_sizes(stream: JsonStream) -> Iterator[tuple[str, int]]:
    for element in stream.pairs("blobs", _USUAL_SIZE):
        if isinstance(element, tuple):
            name, value = element
            yield _digest(name), _size(JsonObject({name: value}, "blobs"), name)
        else:
            yield element[1], _number_of_bytes(int(element[2]), element[1])


def _parse_offsets(stream: JsonStream) -> Iterator[tuple[str, tuple[int, int]]]:
    for element in stream.pairs("offsets", _USUAL_OFFSET):
        if isinstance(element, tuple):
            name, value = element
            yield _digest(name), _offset(JsonObject({name: value}, "offsets").integers(name), name)
        else:
            yield element[1], _offset((int(element[2]), int(element[3])), element[1])


def _parse_requires(stream: JsonStream) -> dict[str, Requirement]:
    requires: dict[str, Requirement] = {}
    for element in stream.pairs("requires"):
        name = _digest(element[0])
        if name in requires:
            raise JsonError(REPEATED_KEY)
        requires[name] = _parse_requirement(_object_in(element, f"requires.{name}"))
    return requires


def _object_in(element: Element, place: str) -> JsonObject:
    value = element[1]
    if not isinstance(value, dict):
        raise JsonError(f"{place} must be an object")
    return JsonObject(value, place)


def _parse_base(document: JsonObject) -> LockedBase:
    sha256 = document.text("lock_sha256")
    _digest(f"sha256:{sha256}")
    return LockedBase(_name(document, "name"), sha256, document.values().get("receipt") is True)


def _parse_requirement(document: JsonObject) -> Requirement:
    carried = document.object("from")
    return Requirement(
        size=_size(document, "size"),
        repositories=tuple(_repository(name) for name in document.texts("in")),
        archive=_name(carried, "archive"),
        parts=tuple(_part_name(name) for name in carried.texts("parts")),
    )


@lru_cache(maxsize=4096)
def _repository(text: str) -> str:
    """Check the name of a repository, of which a lock file has few, and each very often."""
    found = parse_reference(text).name
    if found != text:
        raise JsonError(f"{quoted(text, 100)} is not a repository")
    return found


def _name(document: JsonObject, key: str) -> str:
    name = document.text(key)
    if not _stays_inside(name) or "/" in name:
        raise JsonError(f"{quoted(name, 100)} is not the name of an archive")
    return name


def _writer(document: JsonObject) -> int:
    writer = document.integer("writer") if "writer" in document else FIRST_WRITER
    if not FIRST_WRITER <= writer <= _LARGEST:
        raise JsonError(f"writer is {printable(str(writer), 30)}, expected 1 or more")
    return writer


def _parse_options(document: JsonObject) -> dict[str, Json]:
    """Read options: plain values and lists of those. Deeper ones could be read, but not written again."""
    options = document.values()
    for name, value in options.items():
        inner = value if isinstance(value, list) else [value]
        if any(isinstance(one, (dict, list)) for one in inner):
            raise JsonError(f"options.{name} must be a plain value or a list of those")
    return options


def _parse_image(document: JsonObject) -> LockedImage:
    digest = _digest(document.text("digest"))
    return LockedImage(
        reference=parse_reference(document.text("reference")),
        digest=digest,
        media_type=shared(document.text("media_type")),
        platforms=tuple(_parse_platform(platform) for platform in document.objects("platforms")),
        notes=document.texts("notes"),
        entry=_one_of(digest, _digest_if_any(document, "entry")),
        loaded_digest=_one_of(digest, _digest_if_any(document, "loaded_digest")),
        refers_to=_digest_if_any(document, "refers_to"),
        artifact_type=shared(document.text("artifact_type")),
    )


def _parse_platform(document: JsonObject) -> LockedPlatform:
    digest = _digest(document.text("digest"))
    return LockedPlatform(
        digest=digest,
        source_digest=_one_of(digest, _digest(document.text("source_digest") or digest)),
        media_type=shared(document.text("media_type")),
        size=_size(document, "size"),
        platform=parse_platform(document.object("platform")) if "platform" in document else None,
        is_attestation=document.values().get("attestation") is True,
    )


def _parse_part(document: JsonObject) -> Part:
    name, sha256 = _part_name(document.text("name")), document.text("sha256")
    _digest(f"sha256:{sha256}")
    return Part(name=name, size=_size(document, "size"), sha256=sha256)


def _part_name(name: str) -> str:
    if not _stays_inside(name):
        raise JsonError(f"{quoted(name, 100)} is not a valid part name")
    return name


def _stays_inside(name: str) -> bool:
    """Return True if a name stays in or below the archive's directory, and fits on one line of a list."""
    return not _CONTROL.search(name) and all(
        part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_NAME for part in name.split("/")
    )


def _size(document: JsonObject, key: str) -> int:
    return _number_of_bytes(document.integer(key), key)


def _number_of_bytes(size: int, key: str) -> int:
    if not 0 <= size <= _LARGEST:
        raise JsonError(f"{quoted(key, 100)} is {printable(str(size), 30)}, which is not a number of bytes")
    return size


def _offset(numbers: tuple[int, ...], key: str) -> tuple[int, int]:
    if len(numbers) != 2 or not all(0 <= number <= _LARGEST for number in numbers):
        raise JsonError(f"offsets of {quoted(key, 100)} are not two numbers of bytes")
    return numbers[0], numbers[1]


def _digest(text: str) -> str:
    if not is_digest(text):
        raise JsonError(f"{quoted(text, 100)} is not a sha256 digest")
    return text


def _one_of(digest: str, other: str) -> str:
    """Return the other digest, as the same object if it is equal: most are."""
    return digest if other == digest else other


def _digest_if_any(document: JsonObject, key: str = "digest") -> str:
    """Return a digest, or an empty text where none is known."""
    return _digest(document.text(key)) if document.text(key) else ""
