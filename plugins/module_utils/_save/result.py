# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run: data, and the one sentence at its end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .._archive.lock import Lock, LockedSkip
from .._base.errors import quoted
from .._base.size import format_count, format_size
from .._oci.image import FailedImage
from .._oci.image_list import ImageList

_NAMED_FAILURES = 5


@dataclass(frozen=True)
class Stats:
    """Figures of a run; sizes in bytes.

    :param seconds: wall time of each stage; copying and archiving overlap.
    """

    images: int = 0
    platform_images: int = 0
    duplicates: int = 0
    blobs_downloaded: int = 0
    blobs_reused: int = 0
    blobs_repaired: int = 0
    bytes_downloaded: int = 0
    bytes_reused: int = 0
    bytes_archive: int = 0
    bytes_pruned: int = 0
    manifest_heads: int = 0
    manifest_gets: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Forecast:
    """The figures of a plan, before anything is done; sizes in bytes.

    :param images: references with something to download.
    :param archive_bytes: an upper estimate of the archive's size.
    """

    images: int
    platform_images: int
    blobs: int
    bytes: int
    archive_bytes: int
    cache_free: int
    dest_free: int

    @property
    def sentence(self) -> str:
        """The sizes, to be shown."""
        return (
            f"To download: {format_count(self.blobs, 'blob')}, {format_size(self.bytes)}; archive: up to "
            f"{format_size(self.archive_bytes)}; free: {format_size(self.cache_free)} for the cache, "
            f"{format_size(self.dest_free)} for the archive"
        )


@dataclass(frozen=True)
class Outcome:
    """The outcome of a step for the archive (in check mode: what it would be).

    :param changed: whether anything that the user asked for is different on disk.
    :param reason: why, in words.
    :param is_published: whether the archive holds what was asked for.
    :param lock: what the archive holds; if it is not published, what it was to hold.
    :param failed: images that failed after they were resolved.
    :param archive_bytes: size of the archive, where it is known.
    :param downloaded: bytes of what came from registries, by digest.
    """

    changed: bool
    reason: str
    is_published: bool
    lock: Lock
    failed: tuple[FailedImage, ...] = ()
    archive_bytes: int = 0
    downloaded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The end of a run, failed or not.

    :param changed: whether anything that the user asked for is different on disk (in check mode: would be).
    :param failed: images in list order.
    :param lock: what the archive holds (in check mode: would hold); ``None`` if there is none.
    :param before: what it held before.
    :param is_published: whether the archive holds what was asked for (in check mode: would hold).
    :param warnings: what went wrong beside the archive.
    :param notes: sentences on what is different because of where the archive or the cache is.
    :param keep_cache: whether what was pulled stays in the cache.
    """

    changed: bool
    reason: str
    listed: ImageList
    failed: tuple[FailedImage, ...]
    skipped: tuple[LockedSkip, ...]
    stats: Stats
    lock: Lock | None = None
    before: Lock | None = None
    forecast: Forecast | None = None
    is_published: bool = True
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    allow_partial: bool = False
    keep_cache: bool = True

    @property
    def failures(self) -> int:
        """Number of images and lines that were asked for and are not in the archive."""
        return len(self.failed) + len(self.listed.invalid)

    @property
    def is_failure(self) -> bool:
        """True if the task has to fail."""
        return is_failure(self.failures, allow_partial=self.allow_partial, is_published=self.is_published)

    def sentence(self, dest: str, *, check: bool) -> str:
        """Return the sentence for the user; several if something failed or is unusual."""
        if self.is_failure:
            return self._failure_in_check_mode(dest) if check else self._failure(dest)
        return ". ".join([self._success(dest, check=check), *self.notes])

    def _success(self, dest: str, *, check: bool) -> str:
        images = format_count(len(self.lock.images) if self.lock else 0, "image")
        if self.failures:
            images += f", {self.failures} failed"
        if self.skipped:
            images += f", {len(self.skipped)} skipped"
        if not self.changed:
            return f"{dest} already holds {images}: {self.reason}"
        if self.forecast is not None and check:
            return f"would save {images} to {dest}: {self.reason}. {self.forecast.sentence}"
        files = format_count(len(self.lock.parts) if self.lock else 0, "file")
        verb = "would save" if check else "saved"
        return f"{verb} {images} to {dest} ({files}, {format_size(self.stats.bytes_archive)}): {self.reason}"

    def _failure(self, dest: str) -> str:
        total, told = self._total, self._reasons()
        if not told:
            return self._nothing()
        if self.allow_partial:
            return f"none of the {total} images could be saved, so {dest} was left as it was: {told}"
        if not self.keep_cache:
            return (
                f"{self.failures} of {total} images failed, so {dest} was left as it was: {told}. allow_partial=true "
                "saves an archive without the images that fail"
            )
        return (
            f"{self.failures} of {total} images failed, so {dest} was left as it was: {told}. What was fetched stays "
            "in the cache; allow_partial=true saves an archive without the images that fail"
        )

    def _failure_in_check_mode(self, dest: str) -> str:
        """Return the same for what is foreseen. Nothing was pulled."""
        total, told = self._total, self._reasons()
        if not told:
            return self._nothing()
        if self.allow_partial:
            return f"none of the {total} images could be saved, so {dest} would be left as it is: {told}"
        return (
            f"{self.failures} of {total} images would fail, so {dest} would be left as it is: {told}. "
            "allow_partial=true would save an archive without the images that fail"
        )

    def _nothing(self) -> str:
        return (
            f"none of the {self._total} images has a wanted platform, so there is nothing to save; see skipped_images"
        )

    @property
    def _total(self) -> int:
        return len(self.listed.images) + len(self.listed.invalid)

    def _reasons(self) -> str:
        """Return why images and lines failed; an empty string if none did."""
        reasons = [f"{one.listed.reference}: {one.reason}" for one in self.failed]
        for line in self.listed.invalid:
            reasons.append(f"{line.origin}: {quoted(line.text)} is not a valid reference: {line.reason}")
        told = "; ".join(reasons[:_NAMED_FAILURES])
        if len(reasons) > _NAMED_FAILURES:
            told += f"; and {len(reasons) - _NAMED_FAILURES} more, see failed_images and invalid_lines"
        return told


def is_failure(failures: int, *, allow_partial: bool, is_published: bool) -> bool:
    """Return True if a run has to fail.

    :param failures: images and lines that failed.
    :param allow_partial: whether an archive without them will do.
    :param is_published: whether the archive holds what was asked for.
    """
    return bool(failures and not allow_partial) or not is_published
