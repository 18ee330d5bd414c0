# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a report that the lock file does not record. Pure.

The lock file records what an archive holds. It does not record what the archive before held, which layers images share,
or why an image failed. That is known while an archive is made, and kept beside it in ``NAME.report.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from .._archive.digest_tables import in_order
from .._archive.lock import Lock
from .._base.json import Json
from .._base.json_pieces import compact_list
from .._base.slots import slotted
from .comparison import Comparison
from .failures import Failure, Invalid, failures_digest


@slotted
@dataclass(frozen=True)
class Layer:
    """A layer and its uses.

    :param uses: platform images that have it, counted for each reference.
    :param references: references that have it.
    :param first: the first of those.
    """

    digest: str
    size: int
    uses: int
    references: int
    first: str

    @property
    def saved(self) -> int:
        """Bytes that sharing it saves."""
        return self.size * (self.uses - 1)


@slotted
@dataclass(frozen=True)
class Holding:
    """A repository's share of the archive.

    :param bytes: of its blobs; a blob that several repositories have counts for the first in the list.
    :param new: those of them that the archive before did not have; 0 where there was none.
    :param references: number of its references in the archive.
    """

    name: str
    bytes: int
    new: int
    references: int


@dataclass(frozen=True)
class Referrer:
    """A signature, SBOM or the like that was saved because it refers to an image.

    :param image: the reference of that image; of what refers to another one of these, that of the same image.
    :param kind: what it is, in words or by its media type.
    :param refers_to: the digest that it refers to.
    """

    reference: str
    image: str
    kind: str
    refers_to: str
    size: int


@dataclass(frozen=True)
class BundleSize:
    """The size of a bundle, and of the full archive that it spares.

    :param bytes: of the blobs in it.
    :param full: bytes of the blobs of a full archive.
    """

    bytes: int
    full: int


@dataclass(frozen=True)
class Facts:
    """The facts of one archive.

    :param content: fingerprint of the images and blobs that they are about.
    :param before: ``None``: there was no archive before.
    :param named: bytes of all platform images, each as if it were alone.
    :param unique: bytes of the same, each blob once.
    :param layers: how many different ones there are.
    :param largest: the largest layers, by size.
    :param shared: the layers that save most bytes by being shared, by that.
    :param bundle: ``None``: the archive is full.
    """

    content: str
    before: Comparison | None
    named: int
    unique: int
    layers: int
    largest: tuple[Layer, ...]
    shared: tuple[Layer, ...]
    holdings: tuple[Holding, ...]
    failed: tuple[Failure, ...]
    invalid: tuple[Invalid, ...]
    referrers: tuple[Referrer, ...] = ()
    bundle: BundleSize | None = None

    def is_about(self, lock: Lock) -> bool:
        """Return True if these are facts about the content that a lock file records."""
        return self.content == fingerprint(lock)

    @property
    def failures(self) -> str:
        """A digest of what failed, as :func:`failures_digest` makes it."""
        return failures_digest(self.failed, self.invalid)


def fingerprint(lock: Lock) -> str:
    """Hash the images and blobs of an archive; its options, parts and notes do not count.

    :returns: hex digits.
    """
    keys: Iterator[Json] = (
        [str(image.reference), image.digest, *(one.source_digest for one in image.platforms)] for image in lock.images
    )
    blobs: Iterator[Json] = ([digest, size] for digest, size in in_order(lock.blobs))
    hasher = hashlib.sha256()
    for piece in chain([b"["], compact_list(keys), [b","], compact_list(blobs), [b"]"]):
        hasher.update(piece)
    return hasher.hexdigest()
