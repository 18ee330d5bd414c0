# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merges the lock files of several hosts' archives into a record of the whole set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import numbers_json, read_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_parsing import BUNDLE_VERSION, VERSION
from ansible_collections.airgap.images.plugins.module_utils._archive.output import LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, printable
from ansible_collections.airgap.images.plugins.module_utils._base.json import Json, JsonObject, canonical, parse_object
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count, format_size
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import Origin, parse_lines
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD, MOST_VALUES
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import names_of, parity_names_of


def merge(raw_locks: Mapping[str, bytes], lines: Iterable[str] = ()) -> bytes:
    """Merge lock files into one that has the same members, so that it can be read as a lock file again.

    Images, what was skipped and what failed come from all hosts, sorted by reference, each with its C(host); parts are
    named by their paths below the directory of the set.

    :param raw_locks: the lock files by their paths below the directory of the set, C(HOST/NAME.lock.json).
    :param lines: the list that all of them together have to cover.
    :raises LockFileError: when one is not a lock file, two name the same image, or the list is not covered.
    """
    if not raw_locks:
        raise LockFileError("no lock file to merge was given")
    archives = {path: _archive_of(path) for path in sorted(raw_locks)}
    _refuse_seconds(archives)
    locks = {archives[path]: _read(raw_locks[path], path=path) for path in archives}
    names = {item: names_of(lock, item.name, where=item.path) for item, lock in locks.items()}
    documents = {archives[path].host: parse_object(raw_locks[path]) for path in archives}
    _refuse_overlap(locks)
    _refuse_gaps(locks.values(), lines)
    return canonical(
        {
            **numbers_json(min(lock.writer for lock in locks.values()), version=_version(locks.values())),
            **_bases(documents.values()),
            "options": _common(document.object("options").values() for document in documents.values()),
            "images": _with_host(documents, "images"),
            "skipped": _with_host(documents, "skipped"),
            "failed": [*sorted({name for lock in locks.values() for name in lock.failed})],
            "blobs": _blobs(locks.values()),
            **_requires(documents.values()),
            "compressor": ", ".join(sorted({lock.compressor for lock in locks.values() if lock.compressor})),
            "parts": [
                {"name": f"{item.host}/{name}", "size": part.size, "sha256": part.sha256}
                for item, lock in locks.items()
                for part, name in zip(lock.parts, names[item])
            ],
            **_parity(locks),
            "hosts": [*documents],
        }
    )


def _parity(locks: Mapping[_Archive, Lock]) -> dict[str, Json]:
    """Return the parity files of all archives, if any has one."""
    files: list[Json] = [
        {"name": f"{item.host}/{name}", "size": file.size, "sha256": file.sha256}
        for item, lock in locks.items()
        for file, name in zip(lock.parity, parity_names_of(lock, item.name, where=item.path))
    ]
    return {"parity": files} if files else {}


@dataclass(frozen=True)
class _Archive:
    path: str
    host: str
    name: str


def _archive_of(path: str) -> _Archive:
    host, _slash, name = path.partition("/")
    if not host or "/" in name or not name.endswith(LOCK_SUFFIX):
        raise LockFileError(
            f"{printable(path)} is not the path of a lock file below the directory of the set (HOST/NAME{LOCK_SUFFIX})"
        )
    return _Archive(path, host, name[: -len(LOCK_SUFFIX)])


def _read(raw: bytes, *, path: str) -> Lock:
    """Read a lock file, which a host has written.

    :raises LockFileError: when it is not valid, or larger than any that is fetched.
    """
    if len(raw) > LARGEST_RECORD:
        raise LockFileError(
            f"{path} has {format_size(len(raw))}; lock files are read up to {format_size(LARGEST_RECORD)}"
        )
    return read_lock(raw, path=path, most=MOST_VALUES)


def _refuse_seconds(archives: Mapping[str, _Archive]) -> None:
    path_of: dict[str, str] = {}
    for path, archive in archives.items():
        first = path_of.setdefault(archive.host, path)
        if first != path:
            raise LockFileError(f"{first} and {path} are both of {archive.host}; expected one lock file of each host")


def covered(lock: Lock) -> list[str]:
    """Return the references that a lock file accounts for: saved, skipped or failed."""
    return [
        *(str(image.reference) for image in lock.images),
        *(str(skip.reference) for skip in lock.skipped),
        *lock.failed,
    ]


def _refuse_overlap(locks: Mapping[_Archive, Lock]) -> None:
    holder: dict[str, str] = {}
    for archive, lock in locks.items():
        # What refers to an image is found again with each image that has the same manifests.
        found = {str(image.reference) for image in lock.images if image.refers_to}
        for reference in (name for name in covered(lock) if name not in found):
            other = holder.setdefault(reference, archive.host)
            if other != archive.host:
                raise LockFileError(
                    f"{printable(reference)} is in the archives of both {other} and {archive.host}; run again on all "
                    "hosts"
                )


def _refuse_gaps(locks: Iterable[Lock], lines: Iterable[str]) -> None:
    wanted = parse_lines((Origin(file=None, line=number), line) for number, line in enumerate(lines, start=1))
    known = {reference for lock in locks for reference in covered(lock)}
    missing = [str(image.reference) for image in wanted.images if str(image.reference) not in known]
    if missing:
        raise LockFileError(
            f"{format_count(len(missing), 'image')} of the list not found in any host's archive: "
            f"{printable(', '.join(missing), 5000)}; run again on all hosts"
        )


def _with_host(documents: Mapping[str, JsonObject], key: str) -> list[Json]:
    entries = [
        ({**entry.values(), "host": host}, entry.text("reference"))
        for host in documents
        for entry in documents[host].objects(key)
    ]
    return [dict(entry) for entry, _reference in sorted(entries, key=lambda one: one[1])]


def _common(options: Iterable[dict[str, Json]]) -> dict[str, Json]:
    """Return the options that are the same everywhere."""
    first, *others = options
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _version(locks: Iterable[Lock]) -> int:
    return BUNDLE_VERSION if any(lock.is_bundle for lock in locks) else VERSION


def _bases(documents: Iterable[JsonObject]) -> dict[str, Json]:
    """Return the base of all bundles together."""
    found = {
        (one.text("name"), one.text("lock_sha256")): one.values()
        for document in documents
        for one in document.objects("base")
    }
    return {"base": [found[key] for key in sorted(found)]} if found else {}


def _requires(documents: Iterable[JsonObject]) -> dict[str, Json]:
    """Return what none of the archives carries that one of them needs."""
    found: dict[str, Json] = {}
    carried: set[str] = set()
    is_bundle = False
    for document in documents:
        found.update(document.object("requires").values())
        carried.update(document.object("blobs").names())
        is_bundle = is_bundle or "base" in document
    left = {digest: found[digest] for digest in sorted(found) if digest not in carried}
    return {"requires": left} if is_bundle else {}


def _blobs(locks: Iterable[Lock]) -> dict[str, Json]:
    sizes: dict[str, Json] = {}
    for lock in locks:
        sizes.update(lock.blobs)
    return {digest: sizes[digest] for digest in sorted(sizes)}
