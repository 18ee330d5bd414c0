# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run: data, and the one sentence at its end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .._archive.lock import Lock, LockedSkip
from .._archive.output import BESIDE
from .._archive.referrers import images_only
from .._base.size import format_count, format_size
from .._oci.image import FailedImage
from .._oci.image_list import ImageList
from .._report.causes import Cause, Share, causes_of, failure_told, why_told


@dataclass(frozen=True)
class Stats:
    """Figures of a run; sizes in bytes.

    :param images: references in the archive that were asked for.
    :param referrers: what was saved with them because it refers to them.
    :param seconds: wall time of each stage; copying and archiving overlap.
    """

    images: int = 0
    referrers: int = 0
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
    :param is_needless: whether there is no archive because the other side has everything already.
    """

    changed: bool
    reason: str
    is_published: bool
    lock: Lock
    failed: tuple[FailedImage, ...] = ()
    archive_bytes: int = 0
    downloaded: Mapping[str, int] = field(default_factory=dict)
    is_needless: bool = False


@dataclass(frozen=True)
class Result:
    """The end of a run, failed or not.

    :param changed: whether anything that the user asked for is different on disk (in check mode: would be).
    :param failed: images in list order.
    :param lock: what the archive holds (in check mode: would hold); ``None`` if there is none.
    :param before: what it held before.
    :param is_published: whether the archive holds what was asked for (in check mode: would hold).
    :param is_as_it_was: whether the archive was left as it was (in check mode: would be), whatever else has changed.
    :param warnings: what went wrong beside the archive.
    :param notes: sentences on what is different because of where the archive or the cache is.
    :param keep_cache: whether what was pulled stays in the cache.
    :param is_needless: whether there is no archive because the other side has everything already.
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
    is_as_it_was: bool = False
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    allow_partial: bool = False
    keep_cache: bool = True
    is_needless: bool = False

    def beside(self, dest: str) -> dict[str, str]:
        """Return the paths of the files beside what was made, by the names of return values.

        :param dest: its path.
        """
        return {name: f"{dest}{suffix}" for name, suffix in BESIDE.items()}

    @property
    def failures(self) -> int:
        """Number of images and lines that were asked for and are not in the archive."""
        return len(self.failed) + len(self.listed.invalid)

    @property
    def is_failure(self) -> bool:
        """True if the task has to fail."""
        return is_failure(self.failures, allow_partial=self.allow_partial, is_published=self.is_published)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """Why images and lines failed, each cause once."""
        return causes_of(self.failed, self.listed.invalid)

    @property
    def share(self) -> Share:
        """How many of the images and lines that were asked for are not in the archive."""
        found = sum(1 for one in self.failed if one.listed.behind)
        return Share(self.failures, len(self.listed.images) + len(self.listed.invalid) + found)

    def hint(self, *, check: bool) -> str:
        """Return what can be done beside removing the causes; empty if the task does not fail because of images."""
        if not self.is_failure or not self.failures or self.allow_partial:
            return ""
        if check:
            return "allow_partial=true would save an archive without the images that fail"
        partial = "allow_partial=true saves an archive without the images that fail"
        return f"What was fetched stays in the cache; {partial}" if self.keep_cache else partial

    def sentence(self, dest: str, *, check: bool, failed_list: str = "") -> str:
        """Return the sentence for the user; several if something failed or is unusual.

        :param failed_list: path of the list of what failed; empty if there is none.
        """
        if self.is_failure and not self.failures:
            return self._failure_of_nothing()
        why = why_told(self.causes, "" if check else failed_list)
        if self.is_failure:
            return failure_told(self.share, dest, why=why, hint=self.hint(check=check), check=check)
        sentences = [self._success(dest, check=check)]
        if self.failures:
            sentences.append(f"{self.share} {'would fail' if check else 'failed'}: {why.rstrip('.')}")
        if self.skipped:
            verb = "would be" if check else ("was" if len(self.skipped) == 1 else "were")
            sentences.append(f"{format_count(len(self.skipped), 'image')} {verb} skipped; see skipped_images")
        return ". ".join([*sentences, *self.notes])

    def _success(self, dest: str, *, check: bool) -> str:
        images = _content(self.lock)
        if self.is_needless:
            listed = "; only the failed list is different" if self.changed else ""
            return f"no bundle {'would be' if check else 'was'} written to {dest}: {self.reason}{listed}"
        if not self.changed or self.is_as_it_was:
            listed = "; only the failed list is different" if self.changed else ""
            return f"{dest} already holds {images}: {self.reason}{listed}"
        if self.forecast is not None and check:
            told = "".join(f" ({spared})" for spared in _spared(self.lock))
            return f"would save {images} to {dest}{told}: {self.reason}. {self.forecast.sentence}"
        files = format_count(len(self.lock.parts) if self.lock else 0, "file")
        sizes = ", ".join([files, format_size(self.stats.bytes_archive), *_spared(self.lock)])
        verb = "would save" if check else "saved"
        return f"{verb} {images} to {dest} ({sizes}): {self.reason}"

    def _failure_of_nothing(self) -> str:
        total = self.share.total
        if total == 1:
            return "the image has none of the wanted platforms, so there is nothing to save; see skipped_images"
        return f"none of the {total} images has a wanted platform, so there is nothing to save; see skipped_images"


@dataclass(frozen=True)
class Answer(Result):
    """The end of a run that has answered a request.

    :param told: what was made, in a sentence.
    :param has_parts: whether parts were made, which have no report and no restore script of their own.
    :param bundle_dest: path of the bundle with blobs; empty: there is none.
    """

    told: str = ""
    has_parts: bool = False
    bundle_dest: str = ""

    def beside(self, dest: str) -> dict[str, str]:
        if not self.has_parts:
            return super().beside(dest)
        of_parts = {name: f"{dest}{BESIDE[name]}" for name in ("checksum_file", "lock_file")}
        return {**super().beside(self.bundle_dest), **of_parts} if self.bundle_dest else of_parts

    def hint(self, *, check: bool) -> str:
        return ""

    def _success(self, dest: str, *, check: bool) -> str:
        return self.told


def _content(lock: Lock | None) -> str:
    """Say how many images an archive has, and that it is a bundle if it is one."""
    images = lock.images if lock is not None else ()
    asked_for = len(images_only(images))
    told = format_count(asked_for, "image")
    found = len(images) - asked_for
    told = f"{told} and {format_count(found, 'referrer')}" if found else told
    return f"a bundle of {told}" if lock is not None and lock.is_bundle else told


def _spared(lock: Lock | None) -> list[str]:
    """Say how many bytes a bundle does not carry; nothing of a full archive."""
    if lock is None or not lock.is_bundle:
        return []
    return [f"without {format_size(sum(one.size for one in lock.requires.values()))} that its base has"]


def is_failure(failures: int, *, allow_partial: bool, is_published: bool) -> bool:
    """Return True if a run has to fail.

    :param failures: images and lines that failed.
    :param allow_partial: whether an archive without them will do.
    :param is_published: whether the archive holds what was asked for.
    """
    return bool(failures and not allow_partial) or not is_published
