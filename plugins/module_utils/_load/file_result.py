# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of writing a file of images: data, its sentence, and what the module returns. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from .._base.json import Json
from .._base.size import format_count, format_size
from .._oci.image import FailedImage
from .._oci.image_list import ImageList
from .._report.causes import Cause, Share, cause_json, causes_of, failure_told, why_told
from .lacking import LackingBlob
from .result import Loaded, notice_of_requests

WRITTEN, PRESENT, FAILED, NOT_WRITTEN = "written", "present", "failed", "not_written"


@dataclass(frozen=True)
class FileResult:
    """The end of a run, failed or not.

    :param dest: the file.
    :param size: its bytes.
    :param changed: whether the file or the list of what failed is different (in check mode: would be).
    :param images: in the order of the archives or the list; those that no archive has at the end.
    :param failed: those of them that failed.
    :param left_out: number of images of the archives that were not asked for.
    :param blobs: number of blobs in the file.
    :param lacking: blobs that images need and that no archive has; nothing was written for that reason.
    :param lacking_told: the sentences about them.
    :param requests: paths of the files that ask for them.
    :param fulfilled: sha256 of the lock files of the archives that nothing is asked for any more, as far as is known.
    :param notes: sentences on what is unusual.
    :param warnings: what went wrong beside the images.
    :param seconds: wall time of each stage.
    """

    dest: str
    size: int
    changed: bool
    images: tuple[Loaded, ...]
    failed: tuple[FailedImage, ...]
    listed: ImageList
    left_out: int
    blobs: int
    lacking: tuple[LackingBlob, ...] = ()
    lacking_told: str = ""
    requests: tuple[str, ...] = ()
    fulfilled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_failure(self) -> bool:
        """True if the task has to fail."""
        return bool(self.failed or self.listed.invalid)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """Why images and lines failed, each cause once."""
        return causes_of(self.failed, self.listed.invalid)

    @property
    def is_written(self) -> bool:
        """True if the file is new (in check mode: would be)."""
        return any(one.action == WRITTEN for one in self.images)

    def sentence(self, *, check: bool, failed_list: str = "") -> str:
        """Return the sentence for the user.

        :param failed_list: path of the list of what failed; empty if there is none.
        """
        if self.lacking_told:
            return self.lacking_told
        if self.is_failure:
            total = len(self.images) + len(self.listed.invalid)
            share = Share(len(self.failed) + len(self.listed.invalid), total)
            why = why_told(self.causes, "" if check else failed_list)
            told = failure_told(share, self.dest, why=why, hint="", check=check)
            return f"{told.rstrip('.')}. {notice_of_requests(self.requests)}" if self.requests else told
        count = format_count(len(self.images), "image")
        if not self.is_written:
            return f"{self.dest} already has {count}"
        return f"{'would write' if check else 'wrote'} {count} to {self.dest}: {format_size(self.size)}"

    def as_returned(self, *, check: bool, failed_list: str = "") -> dict[str, Json]:
        """Return the values that RETURN documents."""
        return {
            "changed": self.changed,
            "msg": self.sentence(check=check, failed_list=failed_list),
            "succeeded": not self.is_failure,
            "dest": self.dest,
            "size": self.size,
            "notes": list(self.notes),
            "images": [one.as_json() for one in self.images],
            "failed_images": [
                {"reference": str(one.listed.reference), "origin": str(one.listed.origin), "reason": one.reason}
                for one in self.failed
            ],
            "invalid_lines": [
                {"origin": str(line.origin), "line": line.text, "reason": line.reason} for line in self.listed.invalid
            ],
            "causes": [cause_json(cause) for cause in self.causes],
            "left_out": self.left_out,
            "lacking": [one.as_json() for one in self.lacking],
            "request_files": list(self.requests),
            "fulfilled": list(self.fulfilled),
            "stats": {"images": len(self.images), "blobs": self.blobs, "bytes": self.size, "seconds": {**self.seconds}},
        }

    def as_diff(self) -> dict[str, Json]:
        """Return what Ansible shows in diff mode: the images of the file, if it is (or would be) different."""
        written = self.images if self.is_written else ()
        after = "".join(f"{one.target} {one.digest}\n" for one in written)
        return {"before_header": self.dest, "after_header": self.dest, "before": "", "after": after}
