# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file by which a load asks for what it lacks: read, compared, written, and removed when nothing is lacking."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from .._archive.request import REQUEST_SUFFIX, Request, read_request, write_request
from .._base.errors import LockFileError, OptionError
from .._host.disk_errors import explained
from .._host.files import make_directories, open_regular, put_whole
from .._source.archive import Archive
from .beside import beside
from .chain import archive_name

_LARGEST = 64 * 1024 * 1024


def refuse_foreign(path: str) -> None:
    """Make sure that nothing is there, or a request, which will be replaced or removed.

    :param path: of a file, or of a directory, in which each archive has a file of its own.
    :raises OptionError: when something else is there.
    :raises StorageError: when it cannot be read.
    """
    if not _is_directory(path):
        _read(path)


def update_requests(
    path: str, requests: Sequence[Request], archives: Sequence[Archive], *, check: bool
) -> tuple[bool, tuple[str, ...]]:
    """Write what is asked for, and remove what nobody lacks any more.

    Of a file, the newest archive has the path itself, and others have files beside it.

    :param path: as :func:`refuse_foreign` has it.
    :param requests: one for each archive, the newest first.
    :param archives: those that a run before may have asked for.
    :param check: only report, change nothing.
    :returns: whether any file is (or would be) different, and the paths of those that are there.
    :raises OptionError: when something else has the place of a request.
    :raises StorageError: when one cannot be written or removed.
    """
    wanted: dict[str, Request | None] = {} if _is_directory(path) else {path: None}
    for one in archives:
        if one.lock_sha256:
            wanted[_place(path, archive_name(one), one.lock_sha256, archives)] = None
    for number, request in enumerate(requests):
        is_first = number == 0 and not _is_directory(path)
        place = path if is_first else _place(path, request.archive, request.lock_sha256, archives)
        wanted[place] = request
    changes = [_update(place, request, check=check) for place, request in wanted.items()]
    return any(changes), tuple(place for place, request in wanted.items() if request is not None)


def _is_directory(path: str) -> bool:
    return path.endswith("/") or os.path.isdir(path)


def _place(path: str, name: str, lock_sha256: str, archives: Sequence[Archive]) -> str:
    """Return the path of the file about an archive that is not the only one, or not the newest."""
    if not _is_directory(path):
        return beside(path, lock_sha256)
    is_shared = sum(archive_name(one) == name for one in archives) > 1
    place = os.path.join(path, f"{name}{REQUEST_SUFFIX}")
    return beside(place, lock_sha256, REQUEST_SUFFIX) if is_shared else place


def _update(path: str, request: Request | None, *, check: bool) -> bool:
    before = _read(path)
    if request is not None and before is not None and before.lock_sha256 == request.lock_sha256 and not request.parts:
        # Nothing was read in this run, so parts that were damaged before still are.
        request = replace(request, parts=before.parts)
    if before == request:
        return False
    try:
        if not check and request is not None:
            make_directories(os.path.dirname(os.path.abspath(path)))
            put_whole(path, write_request(request))
        elif not check:
            os.unlink(path)
    except OSError as error:
        raise explained(f"request_file: cannot write {path}", error) from error
    return True


def _read(path: str) -> Request | None:
    try:
        with open_regular(path) as file:
            return read_request(file.read(_LARGEST), path=path)
    except FileNotFoundError:
        return None
    except LockFileError as error:
        raise OptionError(f"request_file: {path} would be replaced, but {error}; name another file") from error
    except OSError as error:
        raise explained(f"request_file: cannot read {path}", error) from error
