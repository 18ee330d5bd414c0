# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a load asks for: the parts that were damaged or missing, and the blobs that are nowhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .._archive.names import archive_name
from .._archive.request import Request, request_for
from .._base.errors import ImagesError, Interrupted
from .._source.archive import Archive
from .._source.errors import SourceError, SourceGone
from .chain import carrier_of
from .inquiry import Answer
from .lacking import LackingBlob
from .ledger import BlobLedger
from .result import Loaded


def requests_for_blobs(lacking: Sequence[LackingBlob], archives: Sequence[Archive]) -> list[Request]:
    """Return what asks for blobs that are nowhere, for the newest archive that needs each, the newest first."""
    found: list[Request] = []
    for archive in reversed(archives):
        digests = sorted(one.digest for one in lacking if one.bundle is archive)
        if digests and archive.lock_sha256:
            found.append(Request(archive_name(archive.path), archive.lock_sha256, digests=tuple(digests)))
    return found


def requests_for_failures(
    answers: Sequence[Answer], loaded: Sequence[Loaded], ledger: BlobLedger, archives: Sequence[Archive]
) -> list[Request] | None:
    """Return what asks for the parts by which images failed, the newest archive first. Reads these parts once more.

    So all of them are found, and not only the first one of each image.

    :param loaded: the outcome of each answer.
    :param archives: in the order of their chain.
    :returns: ``None`` if it is not known what is lacking, as images failed for other reasons.
    :raises Interrupted: when the run was stopped.
    """
    needed: list[tuple[Archive, str]] = []
    for answer, outcome in zip(answers, loaded):
        if isinstance(outcome.error, SourceError) and not isinstance(outcome.error, SourceGone):
            needed += _parts_for(answer, ledger, archives)
    found = _requests_for_wrong(needed, archives)
    are_known = all(one.error is None or isinstance(one.error, SourceError) for one in loaded)
    return found if found or are_known else None


def requests_for_digests(
    digests: Iterable[tuple[Archive, str]], unread: Iterable[Archive], archives: Sequence[Archive]
) -> list[Request] | None:
    """Return what asks for the parts by which blobs could not be read, the newest archive first.

    :param digests: each with the archive of an image that needs it.
    :param unread: archives with documents that could not be read, so that nobody knows what is needed.
    :returns: ``None`` if it is not known what is lacking.
    :raises Interrupted: when the run was stopped.
    """
    needed = [part for own, digest in digests for part in _parts_of(digest, own, archives)]
    needed += [(archive, part.name) for archive in unread for part in archive.lock.parts]
    return _requests_for_wrong(needed, archives)


def _requests_for_wrong(needed: Iterable[tuple[Archive, str]], archives: Sequence[Archive]) -> list[Request] | None:
    """Return what asks for those of some parts that are damaged or missing; ``None`` if they cannot be read now."""
    names: dict[int, set[str]] = {}
    for archive, part in needed:
        names.setdefault(id(archive), set()).add(part)
    try:
        wrong = {id(one): one.wrong_among(names[id(one)]) for one in archives if id(one) in names}
    except Interrupted:
        raise
    except ImagesError:
        return None  # it is gone now, and the next run will tell
    return requests_for_parts(wrong, archives)


def requests_for_parts(wrong: Mapping[int, Collection[str]], archives: Sequence[Archive]) -> list[Request]:
    """Return what asks for parts, the newest archive first.

    :param wrong: the names of parts that are damaged or missing, by the identity of their archive.
    """
    found: list[Request] = []
    for archive in reversed(archives):
        files = [part.name for part in archive.lock.parts]
        lost = wrong.get(id(archive), ())
        request = request_for(
            archive_name(archive.path), archive.lock_sha256, files, lost, is_directory=archive.is_directory
        )
        if request.asks and archive.lock_sha256:
            found.append(request)
    return found


def _parts_for(answer: Answer, ledger: BlobLedger, archives: Sequence[Archive]) -> Iterator[tuple[Archive, str]]:
    """Yield the parts that may hold what an image still needs."""
    own, repository = answer.image.archive, answer.image.target.repository
    if answer.content is None:  # its documents could not be read, so nobody knows what it needs
        yield from ((own, part.name) for part in own.lock.parts)
        return
    documents = [answer.content.top.digest, *(child.descriptor.digest for child in answer.content.children)]
    blobs = [blob.digest for child in answer.lacking for blob in child.blobs]
    for digest in (*documents, *(one for one in blobs if not ledger.answer(repository, one))):
        yield from _parts_of(digest, own, archives)


def _parts_of(digest: str, own: Archive, archives: Sequence[Archive]) -> list[tuple[Archive, str]]:
    """Return the parts that a blob may be in, of the archive that it is read from."""
    archive = carrier_of(digest, own, archives)
    return [(archive, name) for name in archive.part_of(digest)] if archive.has_blob(digest) else []
