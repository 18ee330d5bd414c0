# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run: its options, what it works with, and how long its stages took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .._base.json import Json
from .._base.stop import Stop
from .._cache.cache import Cache
from .._host.attributes import Attributes
from .._host.log import Log
from .._host.progress import Progress
from .._host.stages import Stages
from .._host.verified_files import VerifiedFiles
from .._oci.image import FailedImage
from .._oci.image_list import InvalidLine
from .._report.causes import Cause, causes_of
from .accepted import Accepted
from .base import Base, NoBase
from .image_set import ImageSet
from .options import Options, lock_options


@dataclass(frozen=True)
class Run:
    """The state that all steps of a run share.

    :param options: with the selection of a lock file, if one takes the place of a list.
    :param images: what is to be saved.
    :param policy: name of the signature policy in force.
    :param accepted: which images were accepted, from which repository.
    :param memory: which files were verified, and which images failed last time.
    :param stop: set when the run is to end.
    :param attributes: mode, owner and the like, which files are given.
    :param stages: times the stages.
    :param base: of the archive; that of a full archive if none was given.
    :param since_note: why the archive is full although a base was given; empty if it is not.
    :param seen: the causes of failures that were told, by kind and pattern.
    """

    options: Options
    images: ImageSet
    policy: str
    cache: Cache
    accepted: Accepted
    memory: VerifiedFiles
    log: Log
    stop: Stop
    attributes: Attributes
    stages: Stages
    base: Base = field(default_factory=NoBase)
    since_note: str = ""
    seen: set[tuple[str, str]] = field(default_factory=set)

    def tell_failed(self, one: FailedImage) -> None:
        """Log that an image failed, and count it. Those who watch the run are told of each cause once."""
        with self.log.about(one.listed.number):
            text = f"{one.listed.origin}: {one.listed.reference} failed: {one.reason}"
            self._tell(causes_of([one], ()), text)
        self.progress.image_failed()

    def tell_invalid(self, line: InvalidLine) -> None:
        """Log that a line is not a valid reference; see :meth:`tell_failed`. Whoever merged lists has told it."""
        causes = causes_of([], [line])
        if self.options.selection.origins:
            self.seen.update(_keys(causes))
        self._tell(causes, f"{line.origin}: {line.text}: {line.reason}")

    def _tell(self, causes: Sequence[Cause], text: str) -> None:
        keys = _keys(causes)
        self.log.failure(text, is_known=keys <= self.seen)
        self.seen.update(keys)

    @property
    def progress(self) -> Progress:
        """Progress of the run, for those who watch it."""
        return self.stages.progress

    @property
    def ahead(self) -> int | None:
        """Number of images that may be pulled before the archive has come to them; ``None``: all."""
        return None if self.options.work.keep_cache else 2 + self.options.work.jobs // 4

    @property
    def lock_options(self) -> dict[str, Json]:
        """The options as a lock file records them."""
        return lock_options(self.options, self.policy)


def _keys(causes: Sequence[Cause]) -> set[tuple[str, str]]:
    return {(cause.kind, cause.pattern) for cause in causes}
