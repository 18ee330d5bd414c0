# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file by which a load asks for what it lacks: read, compared, written, and removed when nothing is lacking."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from .._archive.names import archive_name
from .._archive.request import Request
from .._archive.request_file import is_directory, place_in, put_request_file, read_request_file
from .._source.archive import Archive
from .beside import beside
from .still_asked import StillOpen


def refuse_foreign(path: str) -> None:
    """Make sure that nothing is there, or a request, which will be replaced or removed.

    :param path: of a file, or of a directory, in which each archive has a file of its own.
    :raises OptionError: when something else is there.
    :raises StorageError: when it cannot be read.
    """
    if not is_directory(path):
        read_request_file(path)


@dataclass(frozen=True)
class KeptRequests:
    """The files of requests after a run (in check mode: as they would be).

    :param is_changed: whether any is different.
    :param paths: of those that are there.
    :param fulfilled: sha256 of the lock files of archives that nothing is asked for, as far as is known; sorted.
    """

    is_changed: bool = False
    paths: tuple[str, ...] = ()
    fulfilled: tuple[str, ...] = ()


def update_requests(
    path: str, requests: Sequence[Request], archives: Sequence[Archive], still_open: StillOpen, *, check: bool
) -> KeptRequests:
    """Write what is asked for, and remove what asks for something of these archives that nobody lacks any more.

    Of a file, the newest archive has the path itself, and others have files beside it.

    :param path: as :func:`refuse_foreign` has it.
    :param requests: one for each archive, the newest first.
    :param archives: those that a run before may have asked for, in the order of their chain.
    :param still_open: what of that the run leaves open.
    :param check: only report, change nothing.
    :raises OptionError: when something else has the place of a request.
    :raises StorageError: when one cannot be written or removed.
    :raises Interrupted: when the run was stopped.
    """
    locks = [one.lock_sha256 for one in reversed(archives) if one.lock_sha256]
    usual = {one.lock_sha256: _place(path, one, archives) for one in archives if one.lock_sha256}
    places = [*usual.values()] if is_directory(path) else [path, *usual.values()]
    before = {place: read_request_file(place) for place in places}
    known = [one for one in before.values() if one is not None and one.lock_sha256 in locks]
    asked = _together([*requests, *map(still_open.still_asked, known), *_unread(requests, known)])
    wanted: dict[str, Request | None] = dict.fromkeys(places)
    for number, request in enumerate(sorted(asked, key=lambda one: locks.index(one.lock_sha256))):
        is_first = number == 0 and not is_directory(path)
        wanted[path if is_first else usual[request.lock_sha256]] = request
    changes = [_update(place, before[place], request, locks, check=check) for place, request in wanted.items()]
    resolved = {*locks} if still_open.is_complete else {one.lock_sha256 for one in known}
    return KeptRequests(
        is_changed=any(changes),
        paths=tuple(place for place, request in wanted.items() if request is not None),
        fulfilled=tuple(sorted(resolved - {one.lock_sha256 for one in asked})),
    )


def _unread(requests: Sequence[Request], before: Sequence[Request]) -> list[Request]:
    """Return the parts that were asked for of archives of which only blobs are asked for now.

    No part of them was read in this run, so those that were damaged before still are.
    """
    blobs_only = {one.lock_sha256 for one in requests if not one.parts}
    return [replace(one, digests=()) for one in before if one.lock_sha256 in blobs_only]


def _together(requests: Sequence[Request]) -> list[Request]:
    """Put requests for the same archive together; what asks for nothing is left out."""
    found: dict[str, Request] = {}
    for one in requests:
        first = found.setdefault(one.lock_sha256, one)
        found[one.lock_sha256] = replace(
            first,
            parts=tuple(sorted({*first.parts, *one.parts})),
            digests=tuple(sorted({*first.digests, *one.digests})),
        )
    return [one for one in found.values() if one.asks]


def _place(path: str, archive: Archive, archives: Sequence[Archive]) -> str:
    """Return the path of the file about an archive that is not the only one, or not the newest."""
    if not is_directory(path):
        return beside(path, archive.lock_sha256)
    name = archive_name(archive.path)
    is_alone = sum(archive_name(one.path) == name for one in archives) == 1
    return place_in(path, name, archive.lock_sha256, is_alone=is_alone)


def _update(place: str, before: Request | None, request: Request | None, locks: Container[str], *, check: bool) -> bool:
    if request is None and before is not None and before.lock_sha256 not in locks:
        return False  # another archive may still lack that
    if before == request:
        return False
    if not check:
        put_request_file(place, request)
    return True
