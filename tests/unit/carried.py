# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that were carried across, for the tests of reading them: with blobs of every kind, in every form."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zstandard

from ansible_collections.airgap.images.plugins.module_utils._archive.build import build_archive
from ansible_collections.airgap.images.plugins.module_utils._archive.compress import library_of
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import checksum_lines, part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.output import AT_IMAGE
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._archive.record import lock_image, with_parts
from ansible_collections.airgap.images.plugins.module_utils._base.json import Json
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop, go_on
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._oci.image import ResolvedImage, StoredImage
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import assemble
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_LIST
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive, open_archive
from ansible_collections.airgap.images.tests.unit.fakes import ARM64, Nothing, Sample, make_options, resolved


def noise(seed: int, size: int) -> bytes:
    """Bytes that nothing compresses, and that no compressor has written."""
    return b"noise" + random.Random(seed).randbytes(size - 5)  # noqa: S311  # the same every time


BASE = gzip.compress(noise(1, 200_000), 1, mtime=0)
SMALL = gzip.compress(b"small" * 100, mtime=0)
LONG = noise(2, 1_200_000)
PLAIN = noise(3, 70_000)
FRAME = zstandard.ZstdCompressor().compress(noise(4, 150_000))
ONE, TWO = Sample(BASE, LONG, SMALL), Sample(BASE, PLAIN, FRAME, platform=ARM64)
THREE = Sample(b"", b"three")
IMAGES = (
    (resolved("reg.lan/a:1", ONE, TWO), (ONE, TWO)),
    (resolved("reg.lan/b:1", TWO, THREE, media_type=DOCKER_LIST), (TWO, THREE)),
    (resolved("reg.lan/c:1", THREE), (THREE,)),
)
FORMS: dict[str, dict[str, Any]] = {
    "gzip": {"compress": "gzip"},
    "zstd": {"compress": "zstd"},
    "none": {"compress": "none"},
    "gzip in parts": {"compress": "gzip", "part_size": "100KB"},
    "zstd in parts": {"compress": "zstd", "part_size": "99999B"},
    "none in parts": {"compress": "none", "part_size": "65537B"},
    "gzip level 6": {"compress": "gzip", "compress_level": 6, "part_size": "300KB"},
    "zstd level 3": {"compress": "zstd", "compress_level": 3, "part_size": "300KB"},
    "gzip by image": {"compress": "gzip", "part_at": "image"},
    "dir": {"compress": "dir"},
}


@dataclass(frozen=True)
class Carried:
    """An archive on the other side.

    :param blobs: what is in it, by digest.
    """

    dest: Path
    lock: Lock
    blobs: dict[str, bytes]

    @property
    def lock_file(self) -> Path:
        return Path(f"{self.dest}.lock.json")

    @property
    def parts(self) -> list[Path]:
        return [self.dest.parent / part.name for part in self.lock.parts]

    def open(self, *sources: Path | str) -> Archive:
        """Open the archive from some paths; from its lock file if none are given."""
        return opened(*(sources or [self.lock_file]))

    def write_lock(self, **changed: Any) -> None:
        """Replace the lock file by one that says something else."""
        self.lock_file.write_bytes(write_lock(replace(self.lock, **changed)))

    def strip_lock(self) -> None:
        """Leave an archive as hangar does: without lock file and checksums."""
        self.lock_file.unlink()
        Path(f"{self.dest}.sha256").unlink()


def opened(*sources: Path | str, stop: Stop | None = None, log: Log | None = None) -> Archive:
    return open_archive([str(source) for source in sources], stop=stop or Stop(), log=log or Log(debug=True))


def carry(folder: Path, form: str = "gzip in parts", **options: Any) -> Carried:
    """Save an archive of :data:`IMAGES`."""
    return carry_images(folder, IMAGES, form, **options)


def carry_images(
    folder: Path,
    images: Sequence[tuple[ResolvedImage, Sequence[Sample]]],
    form: str = "gzip in parts",
    *,
    left_out: Container[str] = (),
    recorded: Callable[[Lock], Lock] = lambda lock: lock,
    **options: Any,
) -> Carried:
    """Save an archive.

    :param images: references, each with its samples.
    :param left_out: digests of layers that are not in it.
    :param recorded: completes the lock file.
    """
    output = make_options(folder, **{**FORMS[form], **options}).output
    place = Path(output.directory)
    place.mkdir(parents=True, exist_ok=True)
    samples = {sample.image.digest: sample for _image, each in images for sample in each}
    with cache_of(*samples.values(), folder=folder / "cache") as cache:
        staging = folder / "staging"
        staging.mkdir()
        saved = [assemble(image, [_without(one.stored, left_out) for one in each]) for image, each in images]
        built = build_archive(iter(saved), cache.blobs, output, str(staging), Nothing(), check=go_on)
    if output.compress == "dir":
        shutil.move(staging / output.name, output.dest)
        parts = [*(built.tree or ())]
    else:
        names = part_names(output.name, len(built.files), split=output.is_split, digits=None)
        parts = [Part(name, file.size, file.sha256) for name, file in zip(names, built.files)]
        for part, file in zip(parts, built.files):
            os.rename(file.path, place / part.name)
    wishes: dict[str, Json] = {"compress": output.compress, "compress_level": output.compress_level}
    if output.part_at == AT_IMAGE:
        wishes["part_at"] = AT_IMAGE
    lock = Lock(wishes, tuple(lock_image(image) for image in saved), blobs=built.blobs, offsets=built.offsets)
    lock = recorded(with_parts(lock, parts, library_of(output.compress)))
    Path(output.lock_file).write_bytes(write_lock(lock))
    Path(output.checksum_file).write_bytes(checksum_lines(output, parts))
    blobs = {digest: data for sample in samples.values() for digest, data in sample.blobs.items()}
    blobs.update({digest: raw for image in saved for digest, raw in image.documents.items()})
    shutil.rmtree(staging)
    shutil.rmtree(folder / "cache")
    blobs = {digest: blobs[digest] for digest in built.blobs}
    return Carried(Path(output.dest), lock, blobs)


def _without(stored: StoredImage, left_out: Container[str]) -> StoredImage:
    return replace(stored, blobs=tuple(blob for blob in stored.blobs if blob.digest not in left_out))


@contextmanager
def cache_of(*samples: Sample, folder: Path) -> Iterator[Cache]:
    """A cache with some samples, while it is open."""
    cache = Cache(str(folder))
    with cache.opened(0):
        for sample in samples:
            sample.put(cache)
        yield cache


def change(path: Path, at: int, function: Callable[[int], int] = lambda byte: byte ^ 1) -> None:
    """Change one byte of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes([function(old)]))
