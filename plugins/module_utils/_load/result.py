# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a load: data, and the sentences at its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from .._base.errors import ImagesError
from .._base.json import Json
from .._base.size import format_count, format_size
from .._oci.image import FailedImage
from .._oci.image_list import ImageList, ListedImage
from .._oci.reference import Reference
from .._report.causes import Cause, Share, causes_of, why_told
from .cluster_files import ClusterFiles
from .lacking import LackingBlob
from .naming import Target

PUSHED, TAGGED, PRESENT, KEPT, FAILED = "pushed", "tagged", "present", "kept", "failed"
ACTIONS = (PUSHED, TAGGED, PRESENT, KEPT, FAILED)
"""Outcomes of an image: manifests were pushed; only its tag was; it was there; its tag was left; it failed."""


@dataclass(frozen=True)
class Loaded:
    """The outcome of one image (in check mode: what it would be).

    :param listed: the reference, and its place in the list or the archive.
    :param target: its name in the registry; ``None`` if the archive does not have it.
    :param digest: of what its tag names, or was to name.
    :param before: the digest that the tag named before; empty: it did not exist.
    :param error: why it failed; ``None`` if it did not.
    """

    listed: ListedImage
    target: Target | None
    digest: str
    action: str
    before: str = ""
    error: ImagesError | None = None

    @property
    def reference(self) -> Reference:
        """The reference as the archive has it."""
        return self.listed.reference

    @property
    def is_there(self) -> bool:
        """True if the registry has the image now (in check mode: would have)."""
        return self.action in (PUSHED, TAGGED, PRESENT)

    def as_json(self) -> dict[str, Json]:
        """Return the outcome as the module returns it."""
        return {
            "reference": str(self.reference),
            "target": str(self.target) if self.target is not None else "",
            "digest": self.digest,
            "action": self.action,
            "reason": str(self.error) if self.error is not None else "",
        }

    @property
    def is_moved(self) -> bool:
        """True if the tag named another image before."""
        return self.action in (PUSHED, TAGGED) and self.before not in ("", self.digest)


def notice_of_requests(requests: Sequence[str]) -> str:
    """Return the sentence about files that ask for parts."""
    files = " and ".join(requests)
    return f"What has to be carried again is named in {files}: image_save makes it from that, with its option request"


@dataclass(frozen=True)
class Stats:
    """Figures of a run; sizes in bytes.

    :param heads: requests that only asked.
    :param seconds: wall time of each stage.
    """

    images: int = 0
    heads: int = 0
    blobs_pushed: int = 0
    blobs_mounted: int = 0
    blobs_present: int = 0
    bytes_pushed: int = 0
    bytes_mounted: int = 0
    bytes_present: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The end of a run, failed or not.

    :param registry: the target, with its prefix.
    :param changed: whether the registry, the receipt or a list is different (in check mode: would be).
    :param images: in the order of the archives or the list; those that no archive has at the end.
    :param failed: those of them that failed.
    :param left_out: number of images of the archives that were not asked for.
    :param receipts: what is kept for each archive, the newest first, as the module returns it.
    :param confirmation: the line that confirms the newest archive over the telephone; empty if it did not all arrive.
    :param lacking: blobs that images need and that are nowhere; nothing was loaded for that reason.
    :param lacking_told: the sentences about them.
    :param requests: paths of the files that ask for what is lacking.
    :param fulfilled: sha256 of the lock files of the archives that nothing is asked for any more, as far as is known.
    :param remarks: sentences on what may surprise about names and digests.
    :param warnings: what went wrong beside the images.
    """

    registry: str
    changed: bool
    images: tuple[Loaded, ...]
    failed: tuple[FailedImage, ...]
    listed: ImageList
    left_out: int
    stats: Stats
    cluster: ClusterFiles
    receipt: str = ""
    receipts: tuple[Json, ...] = ()
    confirmation: str = ""
    report: str = ""
    lacking: tuple[LackingBlob, ...] = ()
    lacking_told: str = ""
    requests: tuple[str, ...] = ()
    fulfilled: tuple[str, ...] = ()
    projects_created: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_failure(self) -> bool:
        """True if the task has to fail."""
        return bool(self.failed or self.listed.invalid)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """Why images and lines failed, each cause once."""
        return causes_of(self.failed, self.listed.invalid)

    @property
    def moved(self) -> tuple[Loaded, ...]:
        """The images whose tag named another image before."""
        return tuple(one for one in self.images if one.is_moved)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what is unusual."""
        return (*self.remarks, *self.cluster.notes)

    def sentence(self, *, check: bool, failed_list: str = "") -> str:
        """Return the sentence for the user; several if something failed.

        :param failed_list: path of the list of what failed; empty if there is none.
        """
        if self.lacking_told:
            return self.lacking_told
        if not self.is_failure:
            return self._success(check=check)
        total = len(self.images) + len(self.listed.invalid)
        share = Share(len(self.failed) + len(self.listed.invalid), total)
        why = why_told(self.causes, "" if check else failed_list).rstrip(".")
        verb = "would not be loaded" if check else ("was not loaded" if share.failed == 1 else "were not loaded")
        others = self._success(check=check, others=True) if share.failed < share.total else ""
        told = f"{share} {verb}: {why}. {others}".removesuffix(". ")
        return f"{told}. {notice_of_requests(self.requests)}" if self.requests else told

    def _success(self, *, check: bool, others: bool = False) -> str:
        there = sum(one.is_there for one in self.images)
        count = format_count(there, "other image" if others else "image")
        count_new = sum(one.action == PUSHED for one in self.images)
        tagged = sum(one.action == TAGGED for one in self.images)
        kept = sum(one.action == KEPT for one in self.images)
        told = [f"{count_new} pushed"] if count_new else []
        told += [f"{tagged} tagged"] if tagged else []
        told += [f"{format_count(len(self.moved), 'tag')} moved"] if self.moved else []
        told += [f"{format_count(kept, 'tag')} left as found"] if kept else []
        if not there:
            return f"nothing to load into {self.registry}" + (f" ({', '.join(told)})" if told else "")
        if not count_new and not tagged:
            return f"{self.registry} already has {count}" + (f" ({', '.join(told)})" if told else "")
        sizes = f"{format_size(self.stats.bytes_pushed)} in {format_count(self.stats.blobs_pushed, 'blob')}"
        return f"{'would load' if check else 'loaded'} {count} into {self.registry} ({', '.join(told)}): {sizes}"
