# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an archive as its description says, without any of the collection's own code."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .skopeo import digests_after_push

__all__ = [
    "Archive",
    "Folder",
    "Member",
    "archive_files",
    "digests_after_push",
    "file_sha256",
    "read_archive",
    "unpack",
]

ROOT = "saved-image-cache"
SHARE = f"{ROOT}/share/sha256"

_CHUNK = 1024 * 1024
_DOCUMENT_LIMIT = 4 * 1024 * 1024
_PART = re.compile(r"\.part(\d+)$")
_COMPRESSORS = {".gz": ["gzip", "-dc"], ".tgz": ["gzip", "-dc"], ".zst": ["zstd", "-dcq"]}


@dataclass(frozen=True)
class Member:
    """One member of the tar, or one path of an archive that is a directory; ``size`` in bytes.

    ``kind`` is dir, file, symlink or other; ``target`` that of a link; ``sha256`` that of a file's content.
    """

    name: str
    kind: str
    size: int
    mode: int
    mtime: int
    owner: tuple[int, int, str, str]
    target: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Folder:
    """The OCI layout of one platform image: the digest, media type and size that its index.json names."""

    name: str
    digest: str
    media_type: str
    size: int


@dataclass(frozen=True)
class Archive:
    """The content of an archive: its ``files`` on disk in order, its members in order, and what they say.

    ``blobs`` has the size in bytes of each blob by its name's digest; ``documents`` the content of every JSON file, by
    member name, blobs among them.
    """

    files: tuple[Path, ...]
    members: tuple[Member, ...]
    blobs: dict[str, int]
    documents: dict[str, bytes] = field(repr=False)
    lock: dict[str, Any] = field(repr=False)

    @property
    def whole_blobs(self) -> dict[str, int]:
        """The blobs, and of a bundle those that its lock file says are in its base."""
        return {**{digest: one["size"] for digest, one in self.lock.get("requires", {}).items()}, **self.blobs}

    @property
    def names(self) -> list[str]:
        """The names of the members, in order."""
        return [member.name for member in self.members]

    @property
    def index(self) -> dict[str, Any]:
        """The archive's index.json."""
        return self.document(f"{ROOT}/index.json")

    @property
    def saved_images(self) -> dict[str, Any]:
        """The archive's saved-images-list.json."""
        return self.document(f"{ROOT}/saved-images-list.json")

    @property
    def references(self) -> dict[str, str]:
        """The digest that index.json names for each reference (org.opencontainers.image.ref.name), in order."""
        name = "org.opencontainers.image.ref.name"
        return {str(each["annotations"][name]): str(each["digest"]) for each in self.index["manifests"]}

    @property
    def folders(self) -> dict[str, Folder]:
        """The platform images by the name of their folder, in order."""
        found: dict[str, Folder] = {}
        for member in self.members:
            parts = member.name.split("/")
            if len(parts) == 3 and parts[2] == "index.json":
                (entry,) = self.document(member.name)["manifests"]
                found[parts[1]] = Folder(parts[1], entry["digest"], entry["mediaType"], entry["size"])
        return found

    def document(self, name: str) -> dict[str, Any]:
        """A JSON member.

        :raises KeyError: there is none of that name
        """
        parsed: dict[str, Any] = json.loads(self.documents[name])
        return parsed

    def blob(self, digest: str) -> dict[str, Any]:
        """A JSON blob.

        :raises KeyError: it is not in the archive, or no JSON
        """
        return self.document(f"{SHARE}/{digest.partition(':')[2]}")


def archive_files(dest: Path) -> list[Path]:
    """The archive ``dest``, or its parts in the order of their numbers.

    :raises FileNotFoundError: there is neither
    """
    if dest.exists():
        return [dest]
    found = [(int(match[1]), path) for path in dest.parent.iterdir() if (match := part_of(path, dest))]
    if not found:
        raise FileNotFoundError(f"neither {dest} nor a part of it")
    return [path for _number, path in sorted(found)]


def part_of(path: Path, dest: Path) -> re.Match[str] | None:
    """Matches ``path`` if it is a part of ``dest``; the group is the number."""
    match = _PART.search(path.name)
    return match if match and path.name[: match.start()] == dest.name else None


def read_archive(dest: Path) -> Archive:
    """Reads an archive whole: a file, parts of one, or a directory. Every file in it is hashed.

    :raises FileNotFoundError: there is none
    :raises subprocess.CalledProcessError: it can't be decompressed
    :raises tarfile.TarError: it is no tar
    """
    files = archive_files(dest)
    lock_file = dest.parent / f"{dest.name}.lock.json"
    lock = json.loads(lock_file.read_bytes()) if lock_file.exists() else {}
    members: list[Member] = []
    documents: dict[str, bytes] = {}
    for member, document in _read_directory(dest) if dest.is_dir() else _read_tar(files, dest):
        members.append(member)
        if document:
            documents[member.name] = document
    blobs = {
        f"sha256:{member.name.rpartition('/')[2]}": member.size
        for member in members
        if member.kind == "file" and member.name.startswith(f"{SHARE}/")
    }
    return Archive(tuple(files), tuple(members), blobs, documents, lock)


def unpack(dest: Path, into: Path) -> Path:
    """Unpacks an archive the way the documentation tells users to; returns the cache's folder.

    An archive that is a directory stays where it is.

    :raises subprocess.CalledProcessError: a command failed
    """
    if dest.is_dir():
        return dest / ROOT if (dest / ROOT).is_dir() else dest
    into.mkdir(parents=True, exist_ok=True)
    quoted = shlex.quote(str(dest))
    pattern = quoted if dest.exists() else f"{quoted}.part*"
    decompress = " ".join(_COMPRESSORS.get(dest.suffix, ["cat"]))
    script = f'set -eo pipefail; cat {pattern} | {decompress} | tar -x -C "$1"'
    subprocess.run(["bash", "-c", script, "unpack", str(into)], check=True, capture_output=True)
    return into / ROOT


@contextmanager
def _stream(files: Sequence[Path], dest: Path) -> Iterator[IO[bytes]]:
    """The tar inside: ``files`` joined and decompressed, as a pipe."""
    commands = [["cat", *map(str, files)], _COMPRESSORS.get(dest.suffix, ["cat"])]
    joined = subprocess.Popen(commands[0], stdout=subprocess.PIPE)
    plain = subprocess.Popen(commands[1], stdin=joined.stdout, stdout=subprocess.PIPE)
    assert joined.stdout is not None
    assert plain.stdout is not None
    joined.stdout.close()
    try:
        yield plain.stdout
        # What follows the end of the tar has to be decompressed too, or damage in it would not show.
        while plain.stdout.read(_CHUNK):
            pass
    except BaseException:
        plain.kill()
        raise
    finally:
        plain.stdout.close()
        codes = (joined.wait(), plain.wait())
    for command, code in zip(commands, codes):
        if code:
            raise subprocess.CalledProcessError(code, command[0])


def _read_tar(files: Sequence[Path], dest: Path) -> Iterator[tuple[Member, bytes]]:
    with _stream(files, dest) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for entry in tar:
            kind = "dir" if entry.isdir() else "file" if entry.isreg() else "symlink" if entry.issym() else "other"
            content = tar.extractfile(entry) if kind == "file" else None
            digest, document = _hash(content) if content else ("", b"")
            owner = (entry.uid, entry.gid, entry.uname, entry.gname)
            name = entry.name.rstrip("/")
            yield (
                Member(name, kind, entry.size, entry.mode, int(entry.mtime), owner, entry.linkname, digest),
                document,
            )


def _read_directory(dest: Path) -> Iterator[tuple[Member, bytes]]:
    top = dest / ROOT if (dest / ROOT).is_dir() else dest
    for path in [top, *sorted(top.rglob("*"))]:
        stat = path.lstat()
        name = "/".join([ROOT, *path.relative_to(top).parts])
        digest, document, target = "", b"", ""
        if path.is_symlink():
            kind, target = "symlink", str(path.readlink())
        elif path.is_dir():
            kind = "dir"
        else:
            kind = "file" if path.is_file() else "other"
            with path.open("rb") as content:
                digest, document = _hash(content)
        size = stat.st_size if kind == "file" else 0
        owner = (stat.st_uid, stat.st_gid, "", "")
        yield Member(name, kind, size, stat.st_mode & 0o7777, int(stat.st_mtime), owner, target, digest), document


def file_sha256(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as content:
        return _hash(content)[0].partition(":")[2]


def _hash(content: IO[bytes]) -> tuple[str, bytes]:
    """The digest of a file and, if it may be JSON and is small, its bytes."""
    digest = hashlib.sha256()
    data = content.read(_DOCUMENT_LIMIT)
    document = data if data[:1] == b"{" and len(data) < _DOCUMENT_LIMIT else b""
    while data:
        digest.update(data)
        data = content.read(_CHUNK)
    return f"sha256:{digest.hexdigest()}", document
