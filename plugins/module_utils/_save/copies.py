# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of a list while they are copied: which are ready, which have failed, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .._base.errors import ImagesError, Interrupted, NotPulled
from .._cache.eviction import NOT_PULLED
from .._cache.pool import CopyPool
from .._cache.tally import Tally
from .._oci.image import (
    FailedImage,
    PlatformImage,
    ResolvedImage,
    StoredImage,
    as_named_by,
)
from .._oci.layout import SavedImage, assemble
from .._publish.published import PublishedArchive
from .decide import Decision
from .plan import Plan
from .pull import Puller
from .resolved_list import ResolvedList
from .run import Run


@dataclass(frozen=True)
class Job:
    """An archive to be written, or to be left as it is while its images are pulled.

    :param images: the list as it is resolved.
    :param plan: what has to be pulled.
    :param puller: pulls it.
    :param published: the archive that exists.
    :param decision: what is to be done, and why.
    """

    run: Run
    images: ResolvedList
    plan: Plan
    puller: Puller
    published: PublishedArchive
    decision: Decision


@dataclass
class Copies:
    """The images of a job as they become ready, and those that fail.

    :ivar pool: of the round that is under way, as is ``tally``.
    :ivar failed: by number in the list; each once the archive has come to it.
    """

    job: Job
    tally: Tally = field(init=False)
    pool: CopyPool = field(init=False)
    failed: dict[int, FailedImage] = field(default_factory=dict)
    _errors: dict[int, Exception] = field(default_factory=dict)
    _told: set[int] = field(default_factory=set)

    @property
    def is_in_vain(self) -> bool:
        """True if it is known that no archive will be published."""
        return bool(self.failed or self._errors) and not self.job.run.options.output.allow_partial

    @contextmanager
    def round(self, plan: Plan) -> Iterator[None]:
        """Copy in the background during the block; at its end, wait for what is left.

        :param plan: what is missing, in this round.
        """
        run, images, puller = self.job.run, self.job.images, self.job.puller
        with run.stages.stage("copy_and_archive"):
            self.tally = Tally(images.resolved, plan.stored)
            run.progress.images = len(images.resolved) + len(images.failed)
            run.progress.images_done = self.tally.done
            already = sum(plan.fetched.values())
            run.progress.bytes = plan.missing_bytes
            run.progress.measure(lambda: already + puller.arrived_bytes())
            jobs = run.options.work.jobs
            self.pool = CopyPool(puller, plan.stored, jobs=jobs, stop=run.stop, ahead=run.ahead, ended=self._ended)
            try:
                with self.pool:
                    self.pool.add(self._incomplete(plan))
                    yield
            finally:
                arrived = already + puller.arrived_bytes()
                run.progress.measure(lambda: arrived)

    def ready(self) -> Iterator[tuple[ResolvedImage, SavedImage | None]]:
        """Wait for each image in list order; one that fails is recorded, and the others are waited for all the same.

        :raises Interrupted: when the run was stopped.
        """
        for image in self.job.images.resolved:
            # What refers to an image that failed is of no use, and is left out with it.
            stored = None if image.listed.behind in self.failed else self._wait(image)
            yield image, None if stored is None else assemble(image, stored)

    def let_go(self) -> None:
        """Drop all images, once the record of the archive is made and nobody asks for them any more."""
        del self.pool, self.tally
        self.job.images.let_go()
        self.job.plan.let_go()

    def _incomplete(self, plan: Plan) -> list[PlatformImage]:
        """Return what has to be copied for images that have not failed, in list order."""
        wanted = [image for image in self.job.images.resolved if image.listed.number not in self._errors]
        keys = {child.key for image in wanted for child in image.children}
        return [image for image in plan.incomplete if image.key in keys]

    def _ended(self, image: PlatformImage, failure: Exception | None) -> None:
        """Report the images of the list that are ready now, or never will be, as it happens."""
        if isinstance(failure, Interrupted):
            return
        self.job.run.memory.note_copy(image.key, str(failure or ""))
        if failure is None:
            for one in self.tally.arrived(image.key):
                self.job.run.progress.image_ended(str(one.listed.reference))
            return
        for one in self.tally.failed(image.key):
            self._errors.setdefault(one.listed.number, failure)
            self._tell(one, failure)
        if self.is_in_vain and not self.job.run.options.work.keep_cache:
            self.pool.give_up(NotPulled(NOT_PULLED))

    def _tell(self, image: ResolvedImage, failure: Exception) -> None:
        number = image.listed.number
        if number not in self._told:
            self._told.add(number)
            error = failure if isinstance(failure, ImagesError) else ImagesError(str(failure))
            self.job.run.tell_failed(FailedImage(image.listed, error, image.digest))

    def _wait(self, image: ResolvedImage) -> list[StoredImage] | None:
        number = image.listed.number
        try:
            if number in self._errors:
                raise self._errors[number]
            return [as_named_by(child, self.pool.result(child)) for child in image.children]
        except Interrupted:
            raise  # the run ends; the image has not failed
        except ImagesError as error:
            known = self._errors.get(number)
            reason = known if isinstance(known, ImagesError) else error
            self._tell(image, reason)
            self.failed[number] = FailedImage(image.listed, reason, image.digest)
            return None
