# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report says beyond the lock file. Pure.

The lock file has what an archive holds; it has not what the archive before held, which layers images share, and why an
image failed. That is known while an archive is made, is kept in the report, and is read from there when the report has
to be written again.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Callable

from .._archive.lock import Lock, LockedImage, image_key
from .._base.errors import printable
from .._base.json import Json, JsonError, JsonObject, compact, parse_object
from .._oci.image import FailedImage, StoredImage
from .._oci.image_list import InvalidLine, Origin
from .._oci.layout import SavedImage
from .._oci.manifest import IMAGE_CONFIG_TYPES, Descriptor, Manifest
from .seal import failures_digest, unbroken

LISTED_LAYERS = 25
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Changed:
    """A reference that stands for something else than in the archive before.

    :param digest: what it stood for.
    :param platforms: those that it had, as the report shows them.
    """

    reference: str
    digest: str
    platforms: tuple[str, ...]


@dataclass(frozen=True)
class Removed:
    """A reference that the archive before had, and this one has not.

    :param size: bytes of its platform images.
    """

    reference: str
    digest: str
    platforms: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Comparison:
    """This archive beside the one before.

    :param blobs: number of blobs that the one before did not hold.
    :param bytes: of those blobs.
    """

    added: tuple[str, ...]
    changed: tuple[Changed, ...]
    removed: tuple[Removed, ...]
    blobs: int
    bytes: int


@dataclass(frozen=True)
class Layer:
    """A layer and who uses it.

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
        """Bytes that are not there again because it is shared."""
        return self.size * (self.uses - 1)


@dataclass(frozen=True)
class Holding:
    """A repository's share of the archive.

    :param bytes: of its blobs; one that several repositories have counts for the first in the list.
    :param new: those of them that the archive before did not hold; 0 where there was none.
    :param references: how many the archive has of it.
    """

    name: str
    bytes: int
    new: int
    references: int


@dataclass(frozen=True)
class Failure:
    """A reference that was asked for and is not in the archive.

    :param digest: what it stands for, where that is known.
    """

    reference: str
    digest: str
    reason: str


@dataclass(frozen=True)
class Invalid:
    """A line of a list that is no reference.

    :param origin: the file's name without its path, and the line.
    """

    origin: str
    text: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """What a report says beyond the lock file.

    :param content: fingerprint of the images and blobs that this is about.
    :param before: ``None``: there was no archive before.
    :param named: bytes of all platform images, each as if it were alone.
    :param unique: bytes of the same, each blob once.
    :param layers: how many different ones there are.
    :param largest: the largest layers, by size.
    :param shared: the layers that spare most, by that.
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

    def is_about(self, lock: Lock) -> bool:
        """Whether these are facts about the content that a lock file records."""
        return self.content == fingerprint(lock)

    @property
    def failures(self) -> str:
        """A digest over what failed, as a report's seal has it."""
        return failures_digest(
            ((one.reference, one.reason) for one in self.failed),
            ((one.origin, one.text, one.reason) for one in self.invalid),
        )


def gather(
    lock: Lock,
    before: Lock | None,
    images: Sequence[SavedImage],
    failed: Sequence[FailedImage],
    invalid: Sequence[InvalidLine],
) -> Facts:
    """Take down what the lock file of an archive does not say.

    :param lock: of the archive.
    :param before: of the one that stood there until now.
    :param images: everything that the archive holds, in list order.
    """
    layers = _layers(images)
    blobs = {blob.digest: blob.size for image in images for stored in image.stored for blob in stored.all_blobs()}
    return Facts(
        content=fingerprint(lock),
        before=None if before is None else compare(lock, before),
        named=sum(stored.size for image in images for stored in _each_once(image)),
        unique=sum(blobs.values()),
        layers=len(layers),
        largest=_first(layers, lambda layer: layer.size),
        shared=_first([layer for layer in layers if layer.saved], lambda layer: layer.saved),
        holdings=_holdings(images, before),
        failed=_failures(failed),
        invalid=_invalid(invalid),
    )


def with_failures(facts: Facts, failed: Sequence[FailedImage], invalid: Sequence[InvalidLine]) -> Facts:
    """The same archive, after a run in which other references failed."""
    return replace(facts, failed=_failures(failed), invalid=_invalid(invalid))


def digest_of_failures(failed: Sequence[FailedImage], invalid: Sequence[InvalidLine]) -> str:
    """The digest that a report has in its seal where these are its failures."""
    return failures_digest(
        ((one.reference, one.reason) for one in _failures(failed)),
        ((one.origin, one.text, one.reason) for one in _invalid(invalid)),
    )


def fingerprint(lock: Lock) -> str:
    """A digest over the images and blobs of an archive, whatever its options, parts and notes."""
    keys: list[Json] = [
        [str(image.reference), image.digest, *(one.source_digest for one in image.platforms)] for image in lock.images
    ]
    blobs: list[Json] = [[digest, lock.blobs[digest]] for digest in sorted(lock.blobs)]
    return hashlib.sha256(compact([keys, blobs])).hexdigest()


def compare(lock: Lock, before: Lock) -> Comparison:
    """What is different from the archive before."""
    old = {str(image.reference): image for image in before.images}
    new = {str(image.reference): image for image in lock.images}
    fresh = [size for digest, size in lock.blobs.items() if digest not in before.blobs]
    return Comparison(
        added=tuple(name for name in new if name not in old),
        changed=tuple(
            Changed(name, old[name].digest, platform_names(old[name]))
            for name, image in new.items()
            if name in old and image_key(image) != image_key(old[name])
        ),
        removed=tuple(
            Removed(name, image.digest, platform_names(image), image_size(image))
            for name, image in old.items()
            if name not in new
        ),
        blobs=len(fresh),
        bytes=sum(fresh),
    )


def platform_names(image: LockedImage) -> tuple[str, ...]:
    """The platforms of a reference, in its order."""
    return tuple(str(one.platform) if one.platform is not None else "artefact" for one in image.platforms)


def image_size(image: LockedImage) -> int:
    """Bytes of all platform images of a reference, each once and as if it were alone."""
    return sum({platform.digest: platform.size for platform in image.platforms}.values())


def _failures(failed: Iterable[FailedImage]) -> tuple[Failure, ...]:
    return tuple(Failure(str(one.listed.reference), one.digest, printable(one.reason)) for one in failed)


def _invalid(lines: Iterable[InvalidLine]) -> tuple[Invalid, ...]:
    return tuple(Invalid(_place(line.origin), printable(line.text), printable(line.reason)) for line in lines)


def _layers(images: Iterable[SavedImage]) -> list[Layer]:
    """All layers in the order in which they come."""
    sizes: dict[str, int] = {}
    firsts: dict[str, str] = {}
    uses: Counter[str] = Counter()
    references: Counter[str] = Counter()
    for image in images:
        here: set[str] = set()
        for stored in _each_once(image):
            for blob in _layers_of(stored):
                sizes.setdefault(blob.digest, blob.size)
                firsts.setdefault(blob.digest, str(image.reference))
                uses[blob.digest] += 1
                here.add(blob.digest)
        references.update(here)
    return [Layer(name, size, uses[name], references[name], firsts[name]) for name, size in sizes.items()]


def _each_once(image: SavedImage) -> Iterable[StoredImage]:
    """The platform images of a reference; its index may name one for several platforms."""
    return {stored.source.digest: stored for stored in image.stored}.values()


def _layers_of(stored: StoredImage) -> list[Descriptor]:
    """The blobs of a platform image but for its configuration."""
    content = stored.source.content
    config = content.config.digest if isinstance(content, Manifest) and content.config is not None else ""
    return [blob for blob in stored.blobs if blob.digest != config and blob.media_type not in IMAGE_CONFIG_TYPES]


def _first(layers: Iterable[Layer], key: Callable[[Layer], int]) -> tuple[Layer, ...]:
    return tuple(sorted(layers, key=lambda layer: (-key(layer), layer.digest))[:LISTED_LAYERS])


def _holdings(images: Iterable[SavedImage], before: Lock | None) -> tuple[Holding, ...]:
    """Every blob of the archive, indexes included, with the first repository that has it."""
    seen: set[str] = set()
    sizes: Counter[str] = Counter()
    new: Counter[str] = Counter()
    references: Counter[str] = Counter()
    for image in images:
        name = image.reference.name
        references[name] += 1
        sizes[name] += 0
        named = [(blob.digest, blob.size) for stored in image.stored for blob in stored.all_blobs()]
        for digest, size in [*named, *((digest, len(raw)) for digest, raw in image.documents.items())]:
            if digest not in seen:
                seen.add(digest)
                sizes[name] += size
                if before is not None and digest not in before.blobs:
                    new[name] += size
    found = [Holding(name, size, new[name], references[name]) for name, size in sizes.items()]
    return tuple(sorted(found, key=lambda holding: (-holding.bytes, holding.name)))


def _place(origin: Origin) -> str:
    """Where a line stands, without the path: a report has none."""
    if origin.file is None:
        return str(origin)
    return printable(f"{posixpath.basename(origin.file)}:{origin.line}")


# As JSON, in the report


def facts_json(facts: Facts) -> Json:
    """The facts as a report carries them."""
    return {
        "content": facts.content,
        "before": None if facts.before is None else _comparison_json(facts.before),
        "named": facts.named,
        "unique": facts.unique,
        "layers": facts.layers,
        "largest": [_layer_json(layer) for layer in facts.largest],
        "shared": [_layer_json(layer) for layer in facts.shared],
        "holdings": [
            {"name": one.name, "bytes": one.bytes, "new": one.new, "references": one.references}
            for one in facts.holdings
        ],
        "failed": [{"reference": one.reference, "digest": one.digest, "reason": one.reason} for one in facts.failed],
        "invalid": [{"origin": one.origin, "text": one.text, "reason": one.reason} for one in facts.invalid],
    }


def _comparison_json(comparison: Comparison) -> Json:
    return {
        "added": list(comparison.added),
        "changed": [
            {"reference": one.reference, "digest": one.digest, "platforms": list(one.platforms)}
            for one in comparison.changed
        ],
        "removed": [
            {"reference": one.reference, "digest": one.digest, "platforms": list(one.platforms), "size": one.size}
            for one in comparison.removed
        ],
        "blobs": comparison.blobs,
        "bytes": comparison.bytes,
    }


def _layer_json(layer: Layer) -> Json:
    return {
        "digest": layer.digest,
        "size": layer.size,
        "uses": layer.uses,
        "references": layer.references,
        "first": layer.first,
    }


def read_facts(document: JsonObject) -> Facts:
    """Read the facts that a report carries.

    :raises JsonError: when they are none.
    """
    return Facts(
        content=document.text("content"),
        before=_read_comparison(document.object("before")) if "before" in document else None,
        named=_number(document, "named"),
        unique=_number(document, "unique"),
        layers=_number(document, "layers"),
        largest=tuple(_read_layer(layer) for layer in document.objects("largest")),
        shared=tuple(_read_layer(layer) for layer in document.objects("shared")),
        holdings=tuple(
            Holding(one.text("name"), _number(one, "bytes"), _number(one, "new"), _number(one, "references"))
            for one in document.objects("holdings")
        ),
        failed=tuple(
            Failure(one.text("reference"), one.text("digest"), one.text("reason")) for one in document.objects("failed")
        ),
        invalid=tuple(
            Invalid(one.text("origin"), one.text("text"), one.text("reason")) for one in document.objects("invalid")
        ),
    )


def _read_comparison(document: JsonObject) -> Comparison:
    return Comparison(
        added=document.texts("added"),
        changed=tuple(
            Changed(one.text("reference"), one.text("digest"), one.texts("platforms"))
            for one in document.objects("changed")
        ),
        removed=tuple(
            Removed(one.text("reference"), one.text("digest"), one.texts("platforms"), _number(one, "size"))
            for one in document.objects("removed")
        ),
        blobs=_number(document, "blobs"),
        bytes=_number(document, "bytes"),
    )


def _read_layer(document: JsonObject) -> Layer:
    return Layer(
        digest=document.text("digest"),
        size=_number(document, "size"),
        uses=_number(document, "uses"),
        references=_number(document, "references"),
        first=document.text("first"),
    )


def _number(document: JsonObject, key: str) -> int:
    number = document.integer(key)
    if not 0 <= number <= _LARGEST:
        raise JsonError(f"{key} is out of range")
    return number


_MOST_VALUES = 4_000_000
_FACTS = re.compile(rb'<script type="application/json" id="facts">([^<]*)</script>')


def facts_of(page: bytes) -> Facts | None:
    """The facts in an undamaged page, also in one that fits no lock file and no table any more.

    :returns: ``None`` where there are none that can be read, and where the page is not as it was written: it would be
        sealed again as sound.
    """
    match = _FACTS.search(page) if unbroken(page) is not None else None
    if match is None:
        return None
    try:
        return read_facts(parse_object(match.group(1), most=_MOST_VALUES))
    except JsonError:
        return None
