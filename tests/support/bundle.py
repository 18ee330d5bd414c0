# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that nobody has made: lock files and all that a report tells, with the references of a real release.

Sizes and digests are made up, but always the same, and as they are in life: a few bases that many share, a few large
layers of each image's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._archive.record import lock_image, lock_skips
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.module_utils._base.json import Json
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.image import (
    FailedImage,
    PlatformImage,
    ResolvedImage,
    SkippedImage,
    StoredImage,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import (
    InvalidLine,
    ListedImage,
    Origin,
    read_image_list,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import SavedImage, assemble
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import Manifest
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import Platform
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository, parse_reference
from ansible_collections.airgap.images.plugins.module_utils._report.facts import Facts
from ansible_collections.airgap.images.plugins.module_utils._report.gather import gather

RANCHER = Path(__file__).parents[1] / "data" / "rancher-images-v2.7.9.txt"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")
WINDOWS = Platform("windows", "amd64", os_version="10.0.17763.5329")
GIB = 1024**3

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_BASES = (("bci-base", 47_100_000), ("bci-micro", 12_300_000), ("alpine", 3_400_000), ("distroless", 1_100_000))


@dataclass(frozen=True)
class Bundle:
    """An archive as its report sees it.

    :param before: the lock file of the archive before.
    """

    name: str
    lock: Lock
    before: Lock | None
    images: tuple[SavedImage, ...]
    failed: tuple[FailedImage, ...]
    invalid: tuple[InvalidLine, ...]

    @property
    def raw_lock(self) -> bytes:
        return write_lock(self.lock)

    @property
    def lock_sha256(self) -> str:
        return hashlib.sha256(self.raw_lock).hexdigest()

    @property
    def facts(self) -> Facts:
        return gather(self.lock, self.before, self.images, self.failed, self.invalid)


def references_of_rancher() -> list[str]:
    """The references of a Rancher release."""
    return [str(image.reference) for image in read_image_list([], [str(RANCHER)]).images]


def saved_image(reference: str, platforms: Sequence[Platform | None] = (AMD64, ARM64), edition: str = "") -> SavedImage:
    """An image with layers of its own, and a base that others have too.

    :param edition: another one gives the same reference another content.
    """
    parsed = parse_reference(reference)
    repository = Repository(parsed.registry, parsed.repository)
    images = [_platform_image(f"{reference} {edition}", repository, platform) for platform in platforms]
    stored = [StoredImage(image, image.descriptor, image.blobs) for image in images]
    listed = ListedImage(1, parsed, Origin(None, 1))
    if len(images) == 1:
        only = images[0].descriptor
        resolved = ResolvedImage(listed, only.digest, only.media_type, None, tuple(images), True, ())
    else:
        index = json.dumps([image.digest for image in images]).encode()
        resolved = ResolvedImage(listed, digest_of(index), OCI_INDEX, index, tuple(images), True, ())
    return assemble(resolved, stored)


def lock_of(images: Sequence[SavedImage], name: str, **changed: Json) -> Lock:
    """The lock file of an archive with these images, in parts of 4 GiB.

    :param changed: options.
    """
    options: dict[str, Json] = {
        "arch": ["amd64", "arm64"],
        "os": ["linux", "windows"],
        "fail_on_missing_platform": False,
        "include_foreign_layers": False,
        "compress": "gzip",
        "compress_level": None,
        "part_size": 4 * GIB,
        "part_digits": None,
        "signature_policy": "system",
        **changed,
    }
    blobs = {blob.digest: blob.size for image in images for stored in image.stored for blob in stored.all_blobs()}
    for image in images:
        blobs.update((digest, len(raw)) for digest, raw in image.documents.items())
    return Lock(
        options=options,
        images=tuple(lock_image(image) for image in images),
        blobs=blobs,
        parts=tuple(_parts(name, sum(blobs.values()) + 1024 * len(blobs), options)),
        compressor="zlib 1.2.13",
    )


def bundle(name: str, references: Iterable[str], **changed: Json) -> Bundle:
    """The first archive of some references, with everything in it."""
    images = tuple(saved_image(reference) for reference in references)
    return Bundle(name, lock_of(images, name, **changed), None, images, (), ())


def of_rancher(count: int = 0, *, failures: bool = True, name: str = "rancher-v2.7.9.tar.gz") -> Bundle:
    """The archive of a release beside the one before.

    :param count: how many of its references; 0: all.
    :param failures: whether some of them failed.
    """
    wanted = references_of_rancher()[: count or None]
    skipped = [name for name in wanted if _draw(name, "skip", 150) == 0]
    failed = [name for name in wanted if failures and name not in skipped and _draw(name, "fail", 240) == 0]
    kept = [name for name in wanted if name not in skipped and name not in failed]
    images = [saved_image(name, _platforms(name)) for name in kept]
    noted = [_with_note(image) if _draw(str(image.reference), "note", 190) == 0 else image for image in images]
    lost = "registry-1.docker.io answered 503 (Service Unavailable) to 6 requests in 4 minutes; try again later"
    lock = replace(
        lock_of(noted, name),
        skipped=lock_skips(
            SkippedImage(_listed(name), "has none of the wanted platforms: windows/arm64", _hash(name, "index"))
            for name in skipped
        ),
        failed=tuple(failed),
    )
    reason = "blanks are not allowed in a reference"
    invalid = [InvalidLine(Origin("/srv/lists/rancher-images.txt", 212), "rancher/shell v0.1.20", reason)]
    return Bundle(
        name,
        lock,
        _before(kept, name),
        tuple(noted),
        tuple(FailedImage(_listed(name), ImagesError(lost)) for name in failed),
        tuple(invalid) if failures else (),
    )


def _before(kept: Sequence[str], name: str) -> Lock:
    """An archive that lacks some references, has others in an older edition, and some that are gone."""
    images: list[SavedImage] = []
    for reference in kept:
        fate = _draw(reference, "fate", 40)
        if fate in (0, 1):
            continue
        images.append(saved_image(reference, _platforms(reference), "old" if fate == 2 else ""))
    gone = (
        "docker.io/rancher/rancher:v2.7.8",
        "docker.io/rancher/rancher-agent:v2.7.8",
        "docker.io/rancher/shell:v0.1.19",
    )
    return lock_of([*images, *(saved_image(reference) for reference in gone)], name)


def _with_note(image: SavedImage) -> SavedImage:
    note = "2 foreign layers were left out; set include_foreign_layers to save them"
    return replace(image, resolved=replace(image.resolved, notes=(note,)))


def _platforms(reference: str) -> tuple[Platform, ...]:
    if _draw(reference, "windows", 30) == 0:
        return (AMD64, WINDOWS)
    return (AMD64,) if _draw(reference, "arm", 5) == 0 else (AMD64, ARM64)


def _platform_image(seed: str, repository: Repository, platform: Platform | None) -> PlatformImage:
    seed = f"{seed} {platform}"
    layers = [_base(seed, platform)]
    for number in range(1 + _draw(seed, "layers", 5)):
        scale = 2 ** _draw(seed, f"scale {number}", 16)
        layers.append(
            Descriptor(_LAYER, _hash(seed, f"layer {number}"), 900 + scale * 2300 + _draw(seed, f"{number}", 900))
        )
    config = Descriptor(_CONFIG, _hash(seed, "config"), 2000 + _draw(seed, "config", 4000))
    content = Manifest(OCI_MANIFEST, config, tuple(layers))
    descriptor = Descriptor(OCI_MANIFEST, _hash(seed, "manifest"), 500 + 160 * len(layers), platform)
    return PlatformImage(descriptor, repository, content, tuple(content.blobs()))


def _base(seed: str, platform: Platform | None) -> Descriptor:
    name, size = _BASES[_draw(seed.partition(" ")[0], "base", len(_BASES))]
    return Descriptor(_LAYER, _hash(name, str(platform)), size + _draw(name, str(platform), 100_000))


def _parts(name: str, size: int, options: dict[str, Json]) -> list[Part]:
    limit, digits = options["part_size"], options["part_digits"]
    each = limit if isinstance(limit, int) else size
    sizes = [min(each, size - start) for start in range(0, size, max(1, each))]
    width = digits if isinstance(digits, int) else None
    names = part_names(name, len(sizes), split=limit is not None, digits=width)
    return [Part(part, length, _hash(part, "sum")[7:]) for part, length in zip(names, sizes)]


def _listed(reference: str) -> ListedImage:
    return ListedImage(1, parse_reference(reference), Origin(None, 1))


def _draw(seed: str, about: str, sides: int) -> int:
    """A die that falls the same way every time."""
    return int(_hash(seed, about)[7:23], 16) % sides


def _hash(seed: str, about: str) -> str:
    return "sha256:" + hashlib.sha256(f"{seed}\n{about}".encode()).hexdigest()
