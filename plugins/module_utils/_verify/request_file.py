# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that ask for what an archive lacks: written, merged with what is there, and removed when it is whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from .._archive.parts import MAX_PARTS
from .._archive.request import REQUEST_SUFFIX, Request, read_request, write_request
from .._base.errors import LockFileError, OptionError
from .._base.json import Json
from .._host.disk_errors import explained
from .._host.files import open_regular, put_whole
from .state import CheckedArchive, named

_LARGEST = 16 * 1024 * 1024
_BLOBS = "share/sha256/"


@dataclass(frozen=True)
class Wish:
    """A request for an archive, which asks for nothing if the archive is whole.

    :param is_tree: whether the archive is a directory: then its own damage makes up all digests of the request. Else
        a file may ask for other digests of the same archive, such as blobs that a registry lost, and they are kept.
    """

    request: Request
    is_tree: bool

    def as_json(self) -> dict[str, Json]:
        """Return it as the module returns it."""
        return {
            "archive": self.request.archive,
            "lock_sha256": self.request.lock_sha256,
            "parts": list(self.request.parts),
            "digests": list(self.request.digests),
            "is_directory": self.is_tree,
        }

    @property
    def asks(self) -> bool:
        """True if it asks for anything."""
        return bool(self.request.parts or self.request.digests)


def wish_of(archive: CheckedArchive) -> Wish | None:
    """Return the request for what is lost of an archive.

    Of a directory, blobs are asked for by their digests, and carried by a small bundle.

    :returns: ``None`` for an archive without a lock file, which cannot be asked for.
    """
    found = archive.found
    if found.lock is None:
        return None
    numbers = {one.part.name: number for number, one in enumerate(archive.parts)}
    bad = [one.part.name for one in archive.bad]
    blobs = {name for name in bad if found.root and name.startswith(_BLOBS)}
    parts = sorted(number for name in bad if name not in blobs and (number := numbers[name]) < MAX_PARTS)
    digests = sorted(f"sha256:{name[len(_BLOBS) :]}" for name in blobs)
    return Wish(Request(archive.name, found.lock_sha256, tuple(parts), tuple(digests)), bool(found.root))


def is_directory(path: str) -> bool:
    """Return True if a path is meant as that of a directory, in which each archive has a file of its own."""
    return path.endswith("/") or os.path.isdir(path)


def check_requests(path: str, wishes: Sequence[Wish]) -> dict[str, Wish]:
    """Find out which file is for which request.

    :param path: of one file, or of a directory.
    :param wishes: also those that ask for nothing.
    :returns: the same by the paths of their files.
    :raises OptionError: when there are several archives and one file, or another file would be replaced.
    """
    files = _in_directory(path, wishes) if is_directory(path) else _in_file(path, wishes)
    for each in files:
        _read(each)
    return files


def update_requests(files: dict[str, Wish], *, check: bool) -> tuple[list[str], bool]:
    """Write the files of requests, and remove those of archives that are whole.

    What else a file asks for of the same archive, such as blobs that a registry lost, it goes on to ask for.

    :param files: as :func:`check_requests` returns it.
    :param check: change nothing.
    :returns: the paths of the files that are (or would be) there, and whether anything is (or would be) different.
    :raises ImagesError: when one cannot be read, written or removed.
    """
    there: list[str] = []
    is_changed = False
    for path, wish in files.items():
        before = _read(path)
        wanted = _merged(wish, before)
        if wanted is not None:
            there.append(path)
        is_obsolete = wanted is None and _is_for(wish, before)
        if is_obsolete or (wanted is not None and wanted != before):
            is_changed = True
            if not check:
                _write(path, wanted)
    return there, is_changed


def _is_for(wish: Wish, request: Request | None) -> bool:
    """Return True if a request is for the archive of a wish."""
    return request is not None and request.lock_sha256 == wish.request.lock_sha256


def _merged(wish: Wish, before: Request | None) -> Request | None:
    """Return what a file is to ask for; ``None`` if that is nothing."""
    request = wish.request
    if before is not None and _is_for(wish, before) and not wish.is_tree:
        request = replace(request, digests=tuple(sorted({*request.digests, *before.digests})))
    return request if request.parts or request.digests else None


def _in_directory(path: str, wishes: Sequence[Wish]) -> dict[str, Wish]:
    names = [wish.request.archive for wish in wishes]
    found: dict[str, Wish] = {}
    for wish in wishes:
        request = wish.request
        # Hosts of a set often have archives of one name.
        mark = f".{request.lock_sha256[:12]}" if names.count(request.archive) > 1 else ""
        found[os.path.join(path, f"{request.archive}{mark}{REQUEST_SUFFIX}")] = wish
    return found


def _in_file(path: str, wishes: Sequence[Wish]) -> dict[str, Wish]:
    if len(wishes) > 1:
        names = named([wish.request.archive for wish in wishes])
        raise OptionError(
            f"request_file: {path} can ask for one archive only, and there are {len(wishes)} ({names}); name a "
            "directory instead, by a slash at the end"
        )
    return dict(zip([path], wishes))


def _read(path: str) -> Request | None:
    """Read a request; ``None`` if there is none.

    :raises OptionError: when something else is there.
    """
    try:
        with open_regular(path) as file:
            return read_request(file.read(_LARGEST), path=path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explained(f"request_file: cannot read {path}", error) from error
    except LockFileError as error:
        raise OptionError(f"request_file: {path} would be replaced, but {error}; name another file") from error


def _write(path: str, request: Request | None) -> None:
    try:
        if request is None:
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        put_whole(path, write_request(request))
    except OSError as error:
        raise explained(f"request_file: cannot write {path}", error) from error
