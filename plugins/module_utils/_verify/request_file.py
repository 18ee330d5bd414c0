# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that ask for what an archive lacks: written, merged with what is there, and removed when it is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._archive.request import Request, request_for
from .._archive.request_file import is_directory, place_in, put_request_file, read_request_file
from .._base.errors import OptionError
from .._base.json import Json
from .._source.find import FoundArchive
from .state import CheckedArchive, named


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


def wish_of(archive: CheckedArchive) -> Wish | None:
    """Return the request for what is lost of an archive.

    :returns: ``None`` for an archive without a lock file, which cannot be asked for.
    """
    found = archive.found
    if found.lock is None:
        return None
    request = request_for(
        archive.name,
        found.lock_sha256,
        [one.part.name for one in archive.parts],
        {one.part.name for one in archive.bad},
        is_directory=bool(found.root),
    )
    return Wish(request, bool(found.root))


def check_requests(path: str, wishes: Sequence[Wish]) -> dict[str, Wish]:
    """Find out which file is for which request.

    :param path: of one file, or of a directory.
    :param wishes: also those that ask for nothing.
    :returns: the same by the paths of their files.
    :raises OptionError: when there are several archives and one file, or another file would be replaced.
    """
    files = _in_directory(path, wishes) if is_directory(path) else _in_file(path, wishes)
    for each in files:
        read_request_file(each)
    return files


def refuse_request_file(path: str, archives: Sequence[FoundArchive]) -> None:
    """Find out before any part is read whether a path can take the requests for some archives.

    :param path: of one file, or of a directory.
    :raises OptionError: when there are several archives and one file, or another file would be replaced.
    """
    wishes = [wish for found in archives if (wish := wish_of(CheckedArchive(found, ()))) is not None]
    check_requests(path, wishes)


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
        before = read_request_file(path)
        wanted = _merged(wish, before)
        if wanted is not None:
            there.append(path)
        is_obsolete = wanted is None and _is_for(wish, before)
        if is_obsolete or (wanted is not None and wanted != before):
            is_changed = True
            if not check:
                put_request_file(path, wanted)
    return there, is_changed


def _is_for(wish: Wish, request: Request | None) -> bool:
    """Return True if a request is for the archive of a wish."""
    return request is not None and request.lock_sha256 == wish.request.lock_sha256


def _merged(wish: Wish, before: Request | None) -> Request | None:
    """Return what a file is to ask for; ``None`` if that is nothing."""
    request = wish.request
    if before is not None and _is_for(wish, before) and not wish.is_tree:
        request = replace(request, digests=tuple(sorted({*request.digests, *before.digests})))
    return request if request.asks else None


def _in_directory(path: str, wishes: Sequence[Wish]) -> dict[str, Wish]:
    requests = [wish.request for wish in wishes]
    names = Counter(request.archive for request in requests)
    places = [place_in(path, one.archive, one.lock_sha256, is_alone=names[one.archive] == 1) for one in requests]
    return dict(zip(places, wishes))


def _in_file(path: str, wishes: Sequence[Wish]) -> dict[str, Wish]:
    if len(wishes) > 1:
        names = named([wish.request.archive for wish in wishes])
        raise OptionError(
            f"request_file: {path} can ask for one archive only, and there are {len(wishes)} ({names}); name a "
            "directory instead, by a slash at the end"
        )
    return dict(zip([path], wishes))
