# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy, archive and publish: the part of the flow that changes something on disk.

The archive is written while copies run: it takes each image as soon as it is there, in list order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from .._archive.build import Built, build_archive
from .._archive.compress import library_of
from .._archive.lock import Lock, lock_image, with_parts
from .._archive.members import whole_documents
from .._archive.names import path_of
from .._archive.output import DIR
from .._archive.parts import Part, WrittenFile
from .._base.errors import DamagedBlobError, ImageSaveError, Interrupted, StorageError
from .._cache.eviction import NOT_FETCHED, Release, release_fetched
from .._cache.pool import CopyPool
from .._cache.tally import Tally
from .._host.verified_files import VerifiedFiles
from .._oci.image import (
    FailedImage,
    PlatformImage,
    ResolvedImage,
    StoredImage,
    as_named_by,
)
from .._oci.layout import SAVED_IMAGES, SavedImage, assemble, saved_images_list
from .._publish.companions import published_facts
from .._publish.published import PublishedArchive, ReusableFiles
from .._publish.staging import Staging
from .._report.facts import Facts
from .._report.failures import digest_now
from .._report.gather import gather, with_failures
from .content import Content
from .decide import OTHER_FAILURES, is_as_before, nothing_changed
from .plan import Plan
from .result import Result
from .run import Run
from .transfer import Fetcher

_BUILD_ROUNDS = 3


@dataclass
class _Copies:
    """The images as they become ready, and those that do not.

    :ivar tally: of the round that is under way, as is ``pool``.
    :ivar failed: by number in the list, as far as their turn has come.
    :ivar copied: why copies of platform images failed, as they ended; empty for those that did not.
    :ivar reasons: why images cannot be saved, by number, as soon as that is known.
    """

    run: Run
    content: Content
    tally: Tally = field(init=False)
    pool: CopyPool = field(init=False)
    failed: dict[int, FailedImage] = field(default_factory=dict)
    copied: list[tuple[PlatformImage, str]] = field(default_factory=list)
    reasons: dict[int, Exception] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)

    @property
    def is_in_vain(self) -> bool:
        """Whether it is known that no archive comes of this."""
        return bool(self.failed or self.reasons) and not self.run.options.output.allow_partial

    def incomplete(self, plan: Plan) -> list[PlatformImage]:
        """What has to be copied for images that have not failed, in list order."""
        wanted = [image for image in self.content.resolved if image.listed.number not in self.reasons]
        keys = {platform.key for image in wanted for platform in image.platforms}
        return [image for image in plan.incomplete if image.key in keys]

    def ended(self, image: PlatformImage, failure: Exception | None) -> None:
        """Tell of the images of the list that are there now, or never will be, as it happens."""
        if not isinstance(failure, Interrupted):
            self.copied.append((image, str(failure or "")))
        if failure is None:
            for one in self.tally.arrived(image.key):
                self.run.progress.image_ended(str(one.listed.reference))
        elif not isinstance(failure, Interrupted):
            for one in self.tally.failed(image.key):
                self.reasons.setdefault(one.listed.number, failure)
                self._tell(one, failure)
            if self.is_in_vain and not self.run.options.work.keep_cache:
                self.pool.give_up(ImageSaveError(NOT_FETCHED))

    def _tell(self, image: ResolvedImage, failure: Exception) -> None:
        number = image.listed.number
        if number not in self.told:
            self.told.add(number)
            self.run.progress.image_failed()
            with self.run.log.about(number):
                self.run.log.error(f"{image.listed.reference} failed: {failure}")

    def ready(self) -> Iterator[tuple[ResolvedImage, SavedImage | None]]:
        """Wait for each image in list order; one that fails is noted, and the others are waited for all the same."""
        for image in self.content.resolved:
            stored = self._wait(image)
            yield image, None if stored is None else assemble(image, stored)

    def _wait(self, image: ResolvedImage) -> list[StoredImage] | None:
        number = image.listed.number
        try:
            if number in self.reasons:
                raise self.reasons[number]
            return [as_named_by(platform, self.pool.result(platform)) for platform in image.platforms]
        except Interrupted:
            raise  # the run's end is no failure of an image
        except ImageSaveError as error:
            reason = self.reasons.get(number, error)
            self._tell(image, reason)
            self.failed[number] = FailedImage(image.listed, str(reason), image.digest)
            return None


def produce(
    run: Run,
    content: Content,
    plan: Plan,
    fetcher: Fetcher,
    result: Result,
    published: PublishedArchive,
    memory: VerifiedFiles,
) -> None:
    """Bring the cache up to date, write the archive and put it in place; take down in the result what happened.

    :param published: the archive that stands.
    """
    copies = _Copies(run, content)
    try:
        if result.is_published:
            _archive(run, copies, plan, fetcher, result, published, memory)
        else:
            # What can be fetched is fetched all the same, so that the next run has less to do.
            with _copying(copies, plan, fetcher):
                for _image in copies.ready():
                    pass
    finally:
        if not run.options.work.keep_cache and not run.stop.reason:  # who stops a run means to go on
            release_fetched(run.cache, content.resolved, fetcher.downloaded)
    for image, reason in copies.copied:
        memory.note_copy(image.key, run.log.secrets.hide(reason))
    _count(run, plan, fetcher)
    _take_down_failures(result, copies)


def _archive(
    run: Run,
    copies: _Copies,
    plan: Plan,
    fetcher: Fetcher,
    result: Result,
    published: PublishedArchive,
    memory: VerifiedFiles,
) -> None:
    output = run.options.output
    with Staging(output, run.attributes, run.stop.check).opened(run.options.work.lock_timeout) as staging:
        staging.ensure_unchanged(published.raw_lock)
        staging.try_attributes()
        if output.compress != DIR:
            run.progress.archive_bytes, run.progress.part_size = plan.archive_bytes, output.part_size or 0
            run.progress.measure_archive(staging.written)
        standing = ReusableFiles(output, memory, run.attributes)
        built = _build_sound(run, copies, plan, fetcher, staging, standing)
        run.stop.check()
        _publish(run, copies, built, staging, result, published, memory)


@contextmanager
def _copying(copies: _Copies, plan: Plan, fetcher: Fetcher) -> Iterator[None]:
    run, content = copies.run, copies.content
    jobs = run.options.work.jobs
    with run.stage("copy_and_archive"):
        copies.tally = Tally(content.resolved, plan.stored)
        run.progress.images = len(content.resolved) + len(content.failed)
        run.progress.images_done = copies.tally.done
        already = sum(plan.fetched.values())
        run.progress.bytes = plan.missing_bytes
        run.progress.measure(lambda: already + fetcher.arrived_bytes())
        pool = CopyPool(fetcher, plan.stored, jobs=jobs, stop=run.stop, ahead=run.ahead, ended=copies.ended)
        copies.pool = pool
        try:
            with pool:
                pool.add(copies.incomplete(plan))
                yield
        finally:
            arrived = already + fetcher.arrived_bytes()
            run.progress.measure(lambda: arrived)


def _publish(
    run: Run,
    copies: _Copies,
    built: Built,
    staging: Staging,
    result: Result,
    published: PublishedArchive,
    memory: VerifiedFiles,
) -> None:
    """Put the new archive in place, unless it lacks what it must not lack, or is just the one that stands."""
    output = run.options.output
    if not built.images or (copies.failed and not output.allow_partial):
        return
    run.progress.measure_archive(lambda: (built.size, len(built.files)))
    lock = _lock_of(run, copies, built, staging.name_parts(built.files))
    result.lock = lock
    run.stats.bytes_archive = built.size
    with run.stage("publish"):
        _write_cache_layout(run, built)
        written: Sequence[WrittenFile] = built.files
        before = _as_before(published, lock)
        if before is not None and not output.force:
            result.lock = lock = before
            run.stats.bytes_archive = sum(part.size for part in before.parts)
            if published.tells_of(digest_now(_failed(run, copies, result), result.listed.invalid)):
                result.changed, result.reason = False, nothing_changed(before)
                return
            written, result.reason = (), OTHER_FAILURES
        facts = _facts(run, copies, built, lock, published, result)
        staging.publish(lock, written, facts)
        for part in lock.parts:
            memory.learn(path_of(output, part), part.sha256)


def _build_sound(
    run: Run, copies: _Copies, plan: Plan, fetcher: Fetcher, staging: Staging, standing: ReusableFiles
) -> Built:
    """Write the archive; when the cache turns out to be damaged, repair it from the registry and write it again."""
    for _round in range(_BUILD_ROUNDS):
        staging.clear()
        with _copying(copies, plan, fetcher):
            try:
                with run.stage("archive"):
                    return build_archive(
                        _usable(run, copies, fetcher),
                        run.cache,
                        run.options.output,
                        staging.data,
                        standing,
                        check=run.stop.check,
                    )
            except DamagedBlobError as error:
                run.log.warning(f"{error}; it is fetched again, and the archive is written anew")
                copies.pool.give_up(ImageSaveError("the archive is written anew"))
        plan = _repaired(run, copies, plan)
    raise StorageError(
        f"the cache {run.cache.root} does not keep what is written to it: blobs were damaged {_BUILD_ROUNDS} times. "
        "Check the disk, or use another cache_dir"
    )


def _usable(run: Run, copies: _Copies, fetcher: Fetcher) -> Iterator[SavedImage]:
    """The images for the archive; after a failure none, where a partial archive is not wanted."""
    release = None if run.options.work.keep_cache else Release(run.cache, copies.content.resolved)
    for image, saved in copies.ready():
        if saved is not None and not copies.is_in_vain:
            yield saved
            if release is not None:  # the archive has it, as it asks for the next one
                release.archived(image)
        elif release is not None:
            copies.pool.give_up(ImageSaveError(NOT_FETCHED), release.superfluous(image))
            release.failed(image, fetcher.downloaded)


def _repaired(run: Run, copies: _Copies, plan: Plan) -> Plan:
    """Look at every blob of the cache that the archive needs, and drop those that are damaged.

    :returns: what is to be copied now: with them, what the cache did not keep.
    """
    checked: set[str] = set()
    for image in plan.platform_images:
        stored = run.cache.stored(image)
        for blob in (stored or image).all_blobs():
            if blob.digest not in checked and run.cache.holds(blob.digest):
                checked.add(blob.digest)
                run.stop.check()
                run.cache.drop_damaged(blob)
    copies.failed.clear()
    accepted = (image for image in plan.platform_images if run.accepted.holds(image))
    found = ((image.key, run.cache.stored(image)) for image in accepted)
    return replace(plan, stored={key: stored for key, stored in found if stored is not None})


def _lock_of(run: Run, copies: _Copies, built: Built, parts: list[Part]) -> Lock:
    foreseen = copies.content.lock
    failed = [*foreseen.failed, *(str(one.listed.reference) for one in copies.failed.values())]
    order = {str(one.listed.reference): one.listed.number for one in copies.content.failed}
    order.update({str(one.listed.reference): number for number, one in copies.failed.items()})
    lock = replace(
        foreseen,
        images=tuple(lock_image(image) for image in built.images),
        failed=tuple(sorted(failed, key=lambda reference: order[reference])),
        blobs=built.blobs,
    )
    return with_parts(lock, parts, library_of(run.options.output.compress))


def _facts(run: Run, copies: _Copies, built: Built, lock: Lock, published: PublishedArchive, result: Result) -> Facts:
    """What the report says. An archive that is only made again keeps what it was compared with."""
    failed = _failed(run, copies, result)
    known = published_facts(run.options.output, lock)
    if known is not None:
        return with_failures(known, failed, result.listed.invalid)
    return gather(lock, published.lock, built.images, failed, result.listed.invalid)


def _failed(run: Run, copies: _Copies, result: Result) -> list[FailedImage]:
    """What failed before, and what failed to be copied, as it is shown."""
    return run.without_secrets(_in_order([*result.failed, *copies.failed.values()]))


def _in_order(failed: Iterable[FailedImage]) -> list[FailedImage]:
    return sorted(failed, key=lambda one: one.listed.number)


def _as_before(published: PublishedArchive, lock: Lock) -> Lock | None:
    """The lock file that stands, where a partial archive came out as it is there: the same images failed again."""
    before = published.lock
    if before is None or published.damage or published.untidy or not is_as_before(before, lock):
        return None
    return before


def _write_cache_layout(run: Run, built: Built) -> None:
    images = built.images if run.options.work.keep_cache else []
    run.cache.write_layout({**whole_documents(images), SAVED_IMAGES: saved_images_list(images)})


def _count(run: Run, plan: Plan, fetcher: Fetcher) -> None:
    downloaded = {**plan.fetched, **fetcher.downloaded}
    run.stats.blobs_downloaded = len(downloaded)
    run.stats.bytes_downloaded = sum(downloaded.values())


def _take_down_failures(result: Result, copies: _Copies) -> None:
    result.failed = _in_order([*result.failed, *copies.failed.values()])
    if result.is_failure or len(copies.failed) == len(copies.content.resolved):
        result.is_published, result.changed = False, False
