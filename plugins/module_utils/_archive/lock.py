# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of an archive: what it holds, and how a run sees whether anything changed.

:mod:`lock_file` reads and writes it; :mod:`record` makes it from what was saved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .._base.json import Json
from .._base.slots import slotted
from .._oci.layout import links_of
from .._oci.platform import Platform
from .._oci.reference import Reference
from .offsets import Offset
from .output import AT_SIZE
from .parts import Part

WRITER = 4
"""Rises whenever equal input gives other archive bytes than before; docs/archive.md says what each brought."""

FIRST_WRITER = 1
PARITY = "parity"
"""The option of a lock file that is there if the archive has parity files."""

_WRITER_WITH_FOLDER_LINKS = 2
_FOLDER = re.compile(r"([0-9a-f]{64})/index\.json")


@slotted
@dataclass(frozen=True)
class LockedPlatform:
    """One platform image of an archive.

    :param digest: of its manifest as the archive holds it.
    :param source_digest: of its manifest in the registry; another one only where skopeo had to convert it.
    :param size: bytes of manifest, configuration and layers.
    :param platform: ``None`` for artefacts.
    :param is_attestation: whether its index says that it attests another one.
    """

    digest: str
    source_digest: str
    media_type: str
    size: int
    platform: Platform | None
    is_attestation: bool = field(default=False, compare=False)


@slotted
@dataclass(frozen=True)
class LockedImage:
    """One reference of an archive.

    :param digest: the one that its tag named in the registry.
    :param entry: digest of the manifest or index that the archive's ``index.json`` names; empty if it is not known,
        before the archive is made, and in lock files of early releases.
    :param loaded_digest: the one that its tag is to name in another registry: that of the source, or of an index of
        what was saved. Empty where writers up to 3 did not record it.
    :param refers_to: for what was found with an image that it refers to, as signatures are: the digest of that manifest
        or index; else empty.
    :param artifact_type: the kind of artefact that it says it is; only where ``refers_to`` is not empty.
    """

    reference: Reference
    digest: str
    media_type: str
    platforms: tuple[LockedPlatform, ...]
    notes: tuple[str, ...]
    entry: str = field(default="", compare=False)
    loaded_digest: str = ""
    refers_to: str = ""
    artifact_type: str = ""


@dataclass(frozen=True)
class LockedSkip:
    """A reference that was left out on purpose."""

    reference: Reference
    digest: str
    reason: str


@dataclass(frozen=True)
class LockedBase:
    """An earlier archive that a bundle rests on.

    :param name: of the archive.
    :param lock_sha256: hex digits of the sha256 of its lock file.
    :param has_receipt: whether a receipt said that it arrived; else that is assumed.
    """

    name: str
    lock_sha256: str
    has_receipt: bool

    @property
    def key(self) -> tuple[str, str]:
        """Name and sha256, which tell the archive from any other."""
        return self.name, self.lock_sha256


@dataclass(frozen=True)
class Requirement:
    """A blob that a bundle leaves out, as its base has it.

    :param size: bytes.
    :param repositories: those of the base that have it: ``registry/path``; sorted.
    :param archive: name of the archive that carried it.
    :param parts: names of that archive's parts that it may be in.
    """

    size: int
    repositories: tuple[str, ...]
    archive: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Lock:
    """The record of an archive. An archive with a base is a bundle: it leaves out layers that the base has.

    :param options: those that determine its content and its bytes.
    :param failed: references that a partial archive lacks.
    :param blobs: bytes of everything in ``share``, by digest.
    :param offsets: where each of them can be read from, by digest; empty if only the whole stream can be read.
    :param compressor: the library that made its bytes.
    :param writer: number of the writer that made them.
    :param base: the earlier archives that a bundle rests on; empty: the archive is full.
    :param requires: what a bundle leaves out, by digest.
    :param parity: the files from which a lost part can be made again; they are not parts.
    """

    options: dict[str, Json]
    images: tuple[LockedImage, ...]
    skipped: tuple[LockedSkip, ...] = ()
    failed: tuple[str, ...] = ()
    blobs: Mapping[str, int] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    compressor: str = ""
    writer: int = WRITER
    offsets: Mapping[str, Offset] = field(default_factory=dict)
    base: tuple[LockedBase, ...] = ()
    requires: Mapping[str, Requirement] = field(default_factory=dict)
    parity: tuple[Part, ...] = ()

    @property
    def files(self) -> Sequence[Part]:
        """The parts and the parity files."""
        return (*self.parts, *self.parity) if self.parity else self.parts

    @property
    def is_bundle(self) -> bool:
        """True if the archive needs what an earlier one carried."""
        return bool(self.base)

    @property
    def whole_size(self) -> int:
        """Bytes of everything that its images consist of, in this archive or an earlier one."""
        return sum(self.blobs.values()) + sum(one.size for one in self.requires.values())

    def is_of_same_writer(self, other: Lock) -> bool:
        """Return True if equal input gives equal bytes for both."""
        return self.writer == other.writer

    def holds_same(self, other: Lock) -> bool:
        """Return True if both list the same content in the same form, so that one archive serves both."""
        key = image_key if self.is_of_same_writer(other) else _manifests_of
        return (
            [key(image) for image in self.images] == [key(image) for image in other.images]
            and form_of(self.options) == form_of(other.options)
            and self.rests_on_same(other)
            and self.requires.keys() == other.requires.keys()
        )

    def rests_on_same(self, other: Lock) -> bool:
        """Return True if both have the same base, whether it was confirmed or not; also if neither has one."""
        return [one.key for one in self.base] == [one.key for one in other.base]


def without_parity(lock: Lock) -> Lock:
    """Return the record of the same archive as it is without parity files."""
    options = {name: value for name, value in lock.options.items() if name != PARITY}
    return replace(lock, options=options, parity=())


def image_key(image: LockedImage) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Return what determines an image's share of the archive's bytes."""
    platforms = tuple((one.source_digest, str(one.platform or "")) for one in image.platforms)
    return str(image.reference), image.digest, platforms


def _manifests_of(image: LockedImage) -> tuple[str, str, frozenset[str]]:
    """Return what all writers agree about: the first listed a manifest once, whatever platforms it is for."""
    return str(image.reference), image.digest, frozenset(one.source_digest for one in image.platforms)


def form_of(options: Mapping[str, Json]) -> dict[str, Json]:
    """Return the options that determine the archive's bytes, given its images, or what may be in it."""
    names = (
        "compress",
        "compress_level",
        "part_size",
        "part_digits",
        "include_foreign_layers",
        "signature_policy",
    )
    return {**{name: options.get(name) for name in names}, "part_at": options.get("part_at", AT_SIZE)}


def links_in(lock: Lock) -> dict[str, str]:
    """Return the links of an archive that is a directory: their targets by their names below it."""
    with_link = lock.parts if lock.writer >= _WRITER_WITH_FOLDER_LINKS else ()
    return links_of(found.group(1) for part in with_link if (found := _FOLDER.fullmatch(part.name)))
