# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that the benchmark saves: made from seeds, so the same at every run."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from random import Random

from ..support.images import (
    AMD64,
    ARM64,
    OCI_CONFIG,
    OCI_MANIFEST,
    Index,
    Platform,
    build_image,
    build_index,
    encode,
)
from ..support.layers import GZIP, OCI_LAYER, PLAIN, Layer, files_layer, sha256
from .process import MEGA
from .storage import Storage, Stored

PLATFORMS = (AMD64, ARM64)
FAMILY = 4
"""References that stand next to each other in the list and share a base layer, as an image's versions do."""

_GZIP_MAGIC = b"\x1f\x8b\x08\x00"
_SHARED = 0.40
_PLAIN = 0.01


def noise(seed: str, size: int) -> bytes:
    """``size`` bytes that no compressor makes smaller."""
    return hashlib.shake_256(seed.encode("utf-8")).digest(size)


@lru_cache(maxsize=4)
def layer(seed: str, size: int) -> Layer:
    """A gzipped layer with one file of noise."""
    return files_layer({f"srv/{seed}.bin": noise(seed, size)}, level=0)


def bare_layer(seed: str, size: int) -> Layer:
    """Gzipped noise without a tar in it, as making thousands of tars takes long."""
    data = noise(seed, size)
    return Layer(gzip.compress(data, compresslevel=0, mtime=0), GZIP, sha256(data))


def plain_layer(seed: str, size: int) -> Layer:
    """A layer that is a bare tar with one file of words, which compress about as well as programs and texts do."""
    words = [noise(f"word {number}", 4).hex()[: 3 + number % 6].encode("ascii") for number in range(4096)]
    text = b" ".join(Random(seed).choices(words, k=size // 6))  # noqa: S311  # no secret hangs on it
    return files_layer({f"srv/{seed}.txt": text}, compression=PLAIN)


def add_images(storage: Storage, megabytes: float, references: int, *, name: str = "bench") -> list[Stored]:
    """Stores ``references`` of two platform images each, ``megabytes`` of unique blobs in all.

    40 % of the bytes are base layers, each shared by the references of a family; 1 % are plain tars of text, which is
    more than lists of real images have.
    """
    families = -(-references // FAMILY)
    base_size = round(megabytes * MEGA * _SHARED / (families * len(PLATFORMS)))
    plain_size = round(megabytes * MEGA * _PLAIN / families)
    own_size = round(megabytes * MEGA * (1 - _SHARED - _PLAIN) / (references * len(PLATFORMS)))
    return [
        storage.add(
            f"{name}/app-{number // FAMILY}", f"v1.{number}", _image(name, number, base_size, plain_size, own_size)
        )
        for number in range(references)
    ]


def _image(name: str, number: int, base_size: int, plain_size: int, own_size: int) -> Index:
    def build(platform: Platform) -> list[Layer]:
        family, arch = number // FAMILY, platform.architecture
        layers = [layer(f"{name}-base-{family}-{arch}", base_size), layer(f"{name}-own-{number}-{arch}", own_size)]
        return [*layers, plain_layer(f"{name}-text-{family}", plain_size)] if number % FAMILY == 0 else layers

    return build_index([build_image(build(each), platform=each) for each in PLATFORMS])


def add_tiny_images(storage: Storage, references: int) -> list[Stored]:
    """Stores many small ones: four blobs of their own each, about 2 kB of layers."""
    return [storage.add(f"tiny/app-{n // 3}", f"v1.{n}", small_index(f"tiny-{n}", 1000)) for n in range(references)]


def small_index(seed: str, size: int) -> Index:
    """An image for two platforms: a base layer that all of these share, and one of ``size`` bytes for each."""
    base = layer("tiny-base", 4000)
    images = [build_image([base, bare_layer(f"{seed}-{each.architecture}", size)], platform=each) for each in PLATFORMS]
    return build_index(images)


def add_huge_images(storage: Storage, name: str, megabytes: float, images: int) -> list[Stored]:
    """Stores images of one layer each, ``megabytes`` of blobs in all, that take no room on disk.

    A layer is the magic number of gzip, so that it goes for compressed, and then zeros: a sparse file.
    """
    size = round(megabytes * MEGA / images)
    return [_huge(storage, f"huge/{name}", number, size) for number in range(images)]


def _huge(storage: Storage, repository: str, number: int, size: int) -> Stored:
    head = _GZIP_MAGIC + f"{repository}/{number}".encode("ascii")
    digest = _digest_with_zeros(head, size)
    path = storage.path(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    storage.link_blob(repository, digest)
    config = json.dumps({**AMD64.json(), "rootfs": {"type": "layers", "diff_ids": [digest]}}).encode("ascii")
    config_digest = storage.put_blob(repository, config)
    raw = encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": config_digest, "size": len(config)},
            "layers": [{"mediaType": f"{OCI_LAYER}+gzip", "digest": digest, "size": size}],
        }
    )
    manifest = storage.put_manifest(repository, raw)
    storage.put_tag(repository, f"v{number}", manifest)
    blobs = {digest: size, config_digest: len(config)}
    return Stored(repository, f"v{number}", manifest, {manifest: OCI_MANIFEST}, {manifest: len(raw)}, blobs)


def _digest_with_zeros(head: bytes, size: int) -> str:
    hasher = hashlib.sha256(head)
    zeros = memoryview(bytes(MEGA))
    left = size - len(head)
    while left > 0:
        hasher.update(zeros[:left])
        left -= len(zeros)
    return f"sha256:{hasher.hexdigest()}"


def blobs_of(images: Sequence[Stored]) -> dict[str, int]:
    """Sizes in bytes of all configurations and layers, each once."""
    return {digest: size for image in images for digest, size in image.blobs.items()}
