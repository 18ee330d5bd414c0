# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file by which a load asks for what it lacks: read, compared, written, and removed when nothing is lacking."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from .._archive.names import archive_name
from .._archive.request import Request
from .._archive.request_file import is_directory, place_in, put_request_file, read_request_file
from .._source.archive import Archive
from .beside import beside


def refuse_foreign(path: str) -> None:
    """Make sure that nothing is there, or a request, which will be replaced or removed.

    :param path: of a file, or of a directory, in which each archive has a file of its own.
    :raises OptionError: when something else is there.
    :raises StorageError: when it cannot be read.
    """
    if not is_directory(path):
        read_request_file(path)


def update_requests(
    path: str, requests: Sequence[Request], archives: Sequence[Archive], *, check: bool
) -> tuple[bool, tuple[str, ...]]:
    """Write what is asked for, and remove what asks for something of these archives that nobody lacks any more.

    Of a file, the newest archive has the path itself, and others have files beside it.

    :param path: as :func:`refuse_foreign` has it.
    :param requests: one for each archive, the newest first.
    :param archives: those that a run before may have asked for.
    :param check: only report, change nothing.
    :returns: whether any file is (or would be) different, and the paths of those that are there.
    :raises OptionError: when something else has the place of a request.
    :raises StorageError: when one cannot be written or removed.
    """
    wanted: dict[str, Request | None] = {} if is_directory(path) else {path: None}
    for one in archives:
        if one.lock_sha256:
            wanted[_place(path, archive_name(one.path), one.lock_sha256, archives)] = None
    for number, request in enumerate(requests):
        is_first = number == 0 and not is_directory(path)
        place = path if is_first else _place(path, request.archive, request.lock_sha256, archives)
        wanted[place] = request
    locks = {one.lock_sha256 for one in archives}
    changes = [_update(place, request, locks, check=check) for place, request in wanted.items()]
    return any(changes), tuple(place for place, request in wanted.items() if request is not None)


def fulfilled_by(requests: Sequence[Request], archives: Sequence[Archive]) -> tuple[str, ...]:
    """Return the sha256 of the lock files of archives that nothing is asked for, sorted.

    :param requests: as :func:`update_requests` has them.
    """
    locks = {one.lock_sha256 for one in archives if one.lock_sha256}
    return tuple(sorted(locks - {one.lock_sha256 for one in requests}))


def _place(path: str, name: str, lock_sha256: str, archives: Sequence[Archive]) -> str:
    """Return the path of the file about an archive that is not the only one, or not the newest."""
    if not is_directory(path):
        return beside(path, lock_sha256)
    is_alone = sum(archive_name(one.path) == name for one in archives) == 1
    return place_in(path, name, lock_sha256, is_alone=is_alone)


def _update(path: str, request: Request | None, locks: Container[str], *, check: bool) -> bool:
    before = read_request_file(path)
    if request is None and before is not None and before.lock_sha256 not in locks:
        return False  # another archive may still lack that
    if request is not None and before is not None and before.lock_sha256 == request.lock_sha256 and not request.parts:
        # Nothing was read in this run, so parts that were damaged before still are.
        request = replace(request, parts=before.parts)
    if before == request:
        return False
    if not check:
        put_request_file(path, request)
    return True
