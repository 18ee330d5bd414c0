# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pushes the blobs of archives that can only be read from their beginning to their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from .._base.errors import ImagesError, TransferError
from .._oci.descriptor import Descriptor
from .._oci.reference import Repository
from .._source.archive import Archive
from .carrier import ArchiveCarrier
from .chain import carrier_of
from .inquiry import Answer
from .ledger import PUSHED, BlobLedger


def push_in_stream_order(
    archives: Sequence[Archive],
    todo: Sequence[Answer],
    carrier: ArchiveCarrier,
    ledger: BlobLedger,
    *,
    ends_run: Callable[[ImagesError], bool],
    warn: Callable[[str], None],
) -> None:
    """Push the blobs of archives that can only be read from their beginning to their end, in one pass over each.

    What fails here is tried again with its image, which then fails by name.

    :param warn: is told what keeps an archive from being read to its end.
    :raises ImagesError: an error after which no image can do better.
    """
    for archive in archives:
        needed = {} if archive.has_offsets else _needed_from(archive, archives, todo, ledger)
        if not needed:
            continue
        try:
            for digest, source in archive.in_stream_order(needed):
                with carrier.reading(source):
                    _bring_to_all(needed[digest], ledger, ends_run)
        except ImagesError as error:
            if ends_run(error):
                raise
            warn(f"{archive.path} cannot be read to its end in one pass: {error}")


def _bring_to_all(
    places: Sequence[tuple[Repository, Descriptor]], ledger: BlobLedger, ends_run: Callable[[ImagesError], bool]
) -> None:
    """Bring a blob to the repositories that need it, as long as it can be read."""
    for repository, blob in places:
        try:
            ledger.bring(repository, blob)
        except TransferError as error:
            if ends_run(error):
                raise


def _needed_from(
    archive: Archive, archives: Sequence[Archive], todo: Sequence[Answer], ledger: BlobLedger
) -> dict[str, list[tuple[Repository, Descriptor]]]:
    """Return the blobs that images lack and that come from an archive, each with the repositories that need it."""
    needed: dict[str, dict[Repository, Descriptor]] = {}
    for answer in todo:
        repository = answer.image.target.repository
        for blob in (blob for child in answer.lacking for blob in child.blobs):
            is_from_here = carrier_of(blob.digest, answer.image.archive, archives) is archive
            if is_from_here and ledger.way_of(repository, blob.digest) == PUSHED:
                needed.setdefault(blob.digest, {})[repository] = blob
    return {digest: list(places.items()) for digest, places in needed.items()}
