# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies, archives and publishes: the part of the flow that changes something on disk.

The archive is written while copies run: it takes each image as soon as it is ready, in list order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from .._archive.build import Built, build_archive
from .._archive.compress import library_of
from .._archive.file_table import FileTable
from .._archive.lock import Lock
from .._archive.members import whole_documents
from .._archive.names import path_of
from .._archive.output import DIR
from .._archive.parts import Part, WrittenFile, most_parts
from .._archive.record import lock_image, with_parts
from .._base.errors import DamagedBlobError, ImagesError, NotPulled, StorageError
from .._cache.eviction import NOT_PULLED, Eviction, evict_pulled
from .._oci.image import FailedImage
from .._oci.layout import SAVED_IMAGES, SavedImage, saved_images_list
from .._publish.companions import published_facts
from .._publish.kept import KeptFiles, files_to_keep
from .._publish.parity_files import make_parity, refuse_single_part, wanted_names
from .._publish.published import ReusableFiles
from .._publish.staging import Staging
from .._report.facts import Facts
from .._report.failures import digest_now
from .._report.gather import gather, renewed
from .copies import Copies, Job
from .decide import OTHER_FAILURES, Action, is_as_before, nothing_changed
from .plan import Plan
from .result import Outcome

_BUILD_ROUNDS = 3


def produce(job: Job) -> Outcome:
    """Bring the cache up to date, write the archive and publish it.

    If the archive cannot be written, what can be pulled is pulled all the same, so that the next run has less to do.

    :raises BusyError: when another run has written the archive meanwhile.
    :raises SpaceError: when a filesystem is full.
    :raises StorageError: when a file cannot be written, or the cache does not keep what is written to it.
    :raises Interrupted: when the run was stopped.
    """
    run, copies = job.run, Copies(job)
    outcome: Outcome | None = None
    try:
        if job.decision.action is Action.BUILD:
            outcome = _archive(job, copies)
        else:
            with copies.round(job.plan):
                for _image in copies.ready():
                    pass
    finally:
        if not run.options.work.keep_cache and not run.stop.reason:  # a run that was stopped is meant to be continued
            evict_pulled(run.cache, job.images.resolved, job.puller.downloaded)
    if outcome is None:
        outcome = Outcome(False, job.decision.reason, is_published=False, lock=job.images.lock)
    failed = tuple(copies.failed[number] for number in sorted(copies.failed))
    return replace(outcome, failed=failed, downloaded={**job.plan.fetched, **job.puller.downloaded})


def _archive(job: Job, copies: Copies) -> Outcome | None:
    """Write the archive and publish it; ``None`` if images failed, and so it was left as it was."""
    run, output = job.run, job.run.options.output
    with Staging(output, run.attributes, run.stop.check).opened(run.options.work.lock_timeout) as staging:
        staging.ensure_unchanged(job.published.lock_sha256)
        staging.try_attributes()
        if output.compress != DIR:
            run.progress.archive_bytes = job.plan.archive_bytes
            run.progress.parts = most_parts(job.plan.pieces_of(output.part_at), output.part_size)
            run.progress.measure_archive(staging.written)
        built = build_sound(job, copies, staging)
        run.stop.check()
        if not built.images or (copies.failed and not output.allow_partial):
            return None
        archived = built.size, len(built.written)
        run.progress.measure_archive(lambda: archived)
        lock = _lock_of(job, copies, built, staging.name_parts(built.written))
        lock, parity = _with_parity(job, built, lock, staging)
        with run.stages.stage("publish"):
            return _publish(job, copies, built, lock, staging, parity)


def _with_parity(job: Job, built: Built, lock: Lock, staging: Staging) -> tuple[Lock, Mapping[str, WrittenFile]]:
    """Write the parity files of a new archive, if it is to have any."""
    run, output = job.run, job.run.options.output
    names = wanted_names(output, len(lock.parts))
    if not names:
        if output.parity and not lock.is_bundle:
            refuse_single_part(built.size)
        return lock, {}
    with run.stages.stage("parity"):
        return make_parity(
            lock,
            [file.path for file in built.files],
            staging.data,
            names,
            archive=output.name,
            check=run.stop.check,
        )


def _publish(
    job: Job, copies: Copies, built: Built, lock: Lock, staging: Staging, parity: Mapping[str, WrittenFile]
) -> Outcome:
    """Publish the new archive, or leave the one that exists if it came out the same."""
    run, output = job.run, job.run.options.output
    failed = _failed(job, copies)
    outcome = Outcome(True, job.decision.reason, is_published=True, lock=lock, archive_bytes=built.size)
    _write_cache_layout(job, built)
    written: Sequence[WrittenFile] | FileTable = built.written
    before = _as_before(job, lock)
    if before is not None and not output.force:
        outcome = replace(outcome, lock=before, archive_bytes=sum(part.size for part in before.parts))
        if job.published.tells_of(digest_now(failed, run.images.invalid)):
            return replace(outcome, changed=False, reason=nothing_changed(before))
        outcome, written, parity = replace(outcome, reason=OTHER_FAILURES), (), {}
    facts = _facts(job, built, outcome.lock, failed)
    if run.options.work.keep_cache:  # else they are evicted one by one at the end
        built.images.clear()
        copies.let_go()
    staging.publish(outcome.lock, written, facts, parity, built.new)
    for file in outcome.lock.files:
        if built.new is None or file.name in built.new:
            run.memory.learn(path_of(output, file), file.sha256)
    return outcome


def build_sound(job: Job, copies: Copies, staging: Staging) -> Built:
    """Write the archive, and write it anew if something that it rests on is lost meanwhile.

    That is a blob in the cache, which is pulled again, or a file that was to stay in the published directory.

    :raises BusyError: when another run has written the archive meanwhile.
    :raises StorageError: when blobs are damaged again and again.
    """
    run, plan = job.run, job.plan
    damaged, may_keep = 0, True
    while damaged < _BUILD_ROUNDS:
        staging.clear()
        kept = files_to_keep(run.options.output, job.published, run.memory, run.attributes) if may_keep else None
        built = _build(job, copies, staging, plan, kept)
        if built is None:
            damaged += 1
            run.cache.blobs.distrust()
            plan = _repaired(job, copies, plan)
            continue
        if kept is None or copies.is_in_vain:
            return built
        staging.ensure_unchanged(job.published.lock_sha256)
        missing = kept.missing()
        if not missing:
            return built
        run.log.warning(f"{missing} was changed or removed during the run; the archive is written as a whole")
        may_keep, plan = False, _with_what_is_stored(job, copies, plan)
    raise StorageError(
        f"the cache {run.cache.root} does not keep what is written to it: blobs were damaged {_BUILD_ROUNDS} times. "
        "Check the disk, or use another cache_dir"
    )


def _build(job: Job, copies: Copies, staging: Staging, plan: Plan, kept: KeptFiles | None) -> Built | None:
    """Write the archive once, while what it lacks is pulled; ``None`` if a blob in the cache is damaged."""
    run = job.run
    with copies.round(plan):
        try:
            with run.stages.stage("archive"):
                return build_archive(
                    _usable(job, copies),
                    run.cache.blobs,
                    run.options.output,
                    staging.data,
                    ReusableFiles(run.options.output, run.memory, run.attributes),
                    check=run.stop.check,
                    kept=kept,
                )
        except DamagedBlobError as error:
            run.log.warning(f"{error}; it is fetched again, and the archive is written anew")
            copies.pool.give_up(ImagesError("the archive is written anew"))
            return None


def _usable(job: Job, copies: Copies) -> Iterator[SavedImage]:
    """Yield the images for the archive; after a failure none, unless a partial archive is wanted."""
    cache = job.run.cache
    eviction = None if job.run.options.work.keep_cache else Eviction(cache, job.images.resolved)
    for image, saved in copies.ready():
        if saved is not None and not copies.is_in_vain:
            yield saved
            if eviction is not None:  # the archive has it, as it asks for the next one
                eviction.archived(image)
        elif eviction is not None:
            copies.pool.give_up(NotPulled(NOT_PULLED), eviction.superfluous(image))
            eviction.failed(image, job.puller.downloaded)


def _repaired(job: Job, copies: Copies, plan: Plan) -> Plan:
    """Read every blob of the cache that the archive needs, and remove those that are damaged.

    :returns: the plan for what is missing now.
    """
    run = job.run
    checked: set[str] = set()
    for image in plan.platform_images:
        stored = run.cache.folders.stored(image)
        for blob in (stored or image).all_blobs():
            if blob.digest not in checked and run.cache.blobs.has_entry(blob.digest):
                checked.add(blob.digest)
                run.stop.check()
                run.cache.blobs.drop_damaged(blob)
    return _with_what_is_stored(job, copies, plan)


def _with_what_is_stored(job: Job, copies: Copies, plan: Plan) -> Plan:
    """Return the plan for what is missing now, for another round."""
    run = job.run
    copies.failed.clear()
    accepted = (image for image in plan.platform_images if run.accepted.holds(image))
    found = ((image.key, run.cache.folders.stored(image)) for image in accepted)
    return replace(plan, stored={key: stored for key, stored in found if stored is not None})


def _lock_of(job: Job, copies: Copies, built: Built, parts: Sequence[Part]) -> Lock:
    foreseen = job.images.lock
    lock = replace(
        foreseen,
        images=tuple(lock_image(image) for image in built.images),
        failed=tuple(str(one.listed.reference) for one in _failed(job, copies)),
        blobs=built.blobs,
        offsets=built.offsets,
    )
    # An image that failed leaves nothing out.
    lock = job.run.base.recorded_in(lock, (image.resolved for image in built.images))
    return with_parts(lock, parts, library_of(job.run.options.output.compress))


def _facts(job: Job, built: Built, lock: Lock, failed: Sequence[FailedImage]) -> Facts:
    """Return the facts for the report. An archive that is written again keeps what it was compared with."""
    invalid = job.run.images.invalid
    known = published_facts(job.run.options.output, lock)
    if known is not None:
        return renewed(known, lock, failed, invalid)
    before = job.run.base.compared_with(job.published.lock)
    return gather(lock, before, built.images, failed, invalid)


def _failed(job: Job, copies: Copies) -> list[FailedImage]:
    """Return the images that could not be resolved or copied, in list order."""
    return sorted([*job.images.failed, *copies.failed.values()], key=lambda one: one.listed.place)


def _as_before(job: Job, lock: Lock) -> Lock | None:
    """Return the lock file that exists, if a partial archive came out the same because the same images failed again."""
    published = job.published
    before = published.lock
    if before is None or published.damage or published.untidy or not is_as_before(before, lock):
        return None
    return before


def _write_cache_layout(job: Job, built: Built) -> None:
    images = built.images if job.run.options.work.keep_cache else []
    job.run.cache.write_layout({**whole_documents(images), SAVED_IMAGES: saved_images_list(images)})
