# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers a request from the closed side: exactly the parts that it asks for, and a small bundle of blobs.

The archive is written once more, as its bytes depend on its content alone, and all parts but those that were asked for
are thrown away as they come. A part counts only if its sha256 is that of the lock file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from .._archive.lock import Lock
from .._archive.parts import WrittenFile
from .._base.errors import StorageError
from .._base.size import format_count, format_size
from .._base.stop import Stop
from .._cache.cache import Cache
from .._host.attributes import Attributes
from .._host.log import Log
from .._host.progress import Progress
from .._host.space import Demand, ensure_space
from .._host.stages import Stages
from .._host.verified_files import VerifiedFiles
from .._oci.image import FailedImage, PlatformImage, Resolution, ResolvedImage
from .._publish.published import PublishedArchive
from .._publish.staging import Staging
from .._skopeo.policy import configuration_now, policy_name
from .accepted import Accepted
from .copies import Copies, Job
from .decide import Action, Decision
from .engine import save
from .image_set import ImageSet, read_image_set
from .options import Options, Since
from .plan import Plan
from .preflight import plan_of
from .produce import build_sound
from .pull import Puller
from .request import Asked
from .requested_files import is_there, prepare_directory, publish_parts
from .resolved_list import as_resolved_list
from .result import Answer, Result, Stats
from .run import Run
from .since import document_in
from .tools import Tools, prepared


def answer(
    asked: Asked,
    options: Options,
    *,
    log: Log,
    stop: Stop,
    attributes: Attributes,
    progress: Progress | None = None,
) -> Answer:
    """Make what a request asks for, in a directory of its own beside the archive.

    :param options: of the run. Those that decide over bytes are the lock file's.
    :raises ImagesError: when it cannot be made.
    """
    cache = Cache(options.work.cache_dir, configuration_now(options.work, os.environ), stop.check)
    memory = VerifiedFiles(cache.root, stop.check)
    prepare_directory(asked, check=options.check)
    selection = replace(options.selection, images=(), list_files=(), from_lock=asked.lock_path, origins=())
    options = replace(options, selection=selection, since=Since(), request=None)
    images = read_image_set(selection, options.access.source, options.access.mirrors)
    stages = Stages(log, progress or Progress())
    if asked.parts and not is_there(asked, memory):
        own = replace(options, selection=images.selection, output=_with_attributes(asked, options).output)
        accepted = Accepted(cache, options.output.lock_file, images.repositories)
        # What the archive holds came from there once, and is asked for by its digest.
        held = {*asked.lock.blobs, *(image.digest for image in asked.lock.images)}
        with prepared(own, images, cache, log=log, stop=stop, is_known=lambda _place, digest: digest in held) as tools:
            run = Run(
                options=own,
                images=images,
                policy=policy_name(own.work),
                cache=cache,
                accepted=accepted,
                memory=memory,
                log=log,
                stop=stop,
                attributes=attributes,
                stages=stages,
            )
            made = _make_parts(asked, run, tools)
    else:
        made = _answered(asked, images, changed=False, told=_told(asked, "already holds") if asked.parts else "")
    if not options.check:
        memory.save()
    if made.failed or not asked.request.digests:
        return made
    bundle = save(
        replace(options, output=replace(asked.bundle_output, has_attributes=options.output.has_attributes)),
        log=log,
        stop=stop,
        attributes=attributes,
        progress=progress,
        bases=asked.bases(lambda digest: document_in(cache, digest)),
    )
    return _with_bundle(asked, made, bundle, check=options.check)


def _with_attributes(asked: Asked, options: Options) -> Options:
    return replace(options, output=replace(asked.output, has_attributes=options.output.has_attributes))


def _make_parts(asked: Asked, run: Run, tools: Tools) -> Answer:
    if run.options.check:
        return _make_while_open(asked, run, tools)
    with run.cache.opened(run.options.work.lock_timeout):
        return _make_while_open(asked, run, tools)


def _make_while_open(asked: Asked, run: Run, tools: Tools) -> Answer:
    """Make the parts; in check mode, find out if they can be made."""
    with run.stages.stage("resolve"):
        found = tools.resolver.look_up(run.images.images)
        resolutions = _as_in_archive(tools.resolver.resolve(found), asked.lock)
        images = as_resolved_list(resolutions, asked.lock.options)
    for failed in images.failed:
        run.tell_failed(failed)
    if images.failed:
        return _failed(asked, run, images.failed)
    plan = plan_of(run, tools, images)
    if plan.incomplete:
        tools.skopeo.check()
    size = sum(part.size for part in asked.parts)
    ensure_space([Demand(run.options.work.cache_dir, plan.missing_bytes), Demand(asked.directory, size)])
    if run.options.check:
        return _answered(asked, run.images, changed=True, told=_told(asked, "would hold"))
    note = _announce_lost(run, plan)
    tools.log_in(run.cache)
    job = Job(
        run=run,
        images=images,
        plan=plan,
        puller=Puller(run, tools, images),
        published=PublishedArchive(None),
        decision=Decision(Action.BUILD, "a request is answered"),
    )
    return _build(asked, job, note)


def _as_in_archive(resolutions: Sequence[Resolution], lock: Lock) -> list[Resolution]:
    """Return what resolving gave, with the layers left out that the archive leaves out, if it is a bundle."""

    def reduced(image: PlatformImage) -> PlatformImage:
        if image.is_converted:
            return image
        left_out = tuple(blob for blob in image.blobs if blob.digest in lock.requires)
        kept = tuple(blob for blob in image.blobs if blob.digest not in lock.requires)
        return replace(image, blobs=kept, left_out=left_out)

    return [
        replace(one, children=tuple(map(reduced, one.children))) if isinstance(one, ResolvedImage) else one
        for one in resolutions
    ]


def _announce_lost(run: Run, plan: Plan) -> str:
    """Say before anything begins what the cache has lost: it is fetched again by its digest."""
    if not plan.missing:
        return ""
    lost = f"{format_count(len(plan.missing), 'blob')} ({format_size(plan.missing_bytes)})"
    run.log.warning(f"{lost} of the archive not in the cache any more; fetched again by digest")
    return f"; {lost} were not in the cache any more and were fetched again"


def _build(asked: Asked, job: Job, note: str) -> Answer:
    run, copies = job.run, Copies(job)
    with Staging(run.options.output, run.attributes, run.stop.check).opened(run.options.work.lock_timeout) as staging:
        staging.try_attributes()
        built = build_sound(job, copies, staging)
        run.stop.check()
        failed = [copies.failed[number] for number in sorted(copies.failed)]
        if failed:
            return _failed(asked, run, failed)
        _refuse_others(asked, built.files)
        with run.stages.stage("publish"):
            publish_parts(asked, built.files, run.attributes, run.memory)
    made = _answered(asked, run.images, changed=True, told=_told(asked, "holds") + note)
    downloaded = {**job.plan.fetched, **job.puller.downloaded}
    stats = replace(
        made.stats,
        blobs_downloaded=len(downloaded),
        bytes_downloaded=sum(downloaded.values()),
        blobs_reused=len(job.plan.reused),
        bytes_reused=sum(job.plan.reused.values()),
        seconds=dict(run.stages.seconds),
    )
    return replace(made, stats=stats)


def _refuse_others(asked: Asked, files: Sequence[WrittenFile]) -> None:
    """Make sure that the parts are those of the archive.

    :raises StorageError: when one is not.
    """
    for part, file in zip(asked.parts, files):
        if (file.size, file.sha256) != (part.size, part.sha256):
            raise StorageError(
                f"{part.name} came out with the sha256 {file.sha256}, and the lock file has {part.sha256}; nothing was "
                f"kept. This build of {asked.lock.compressor} writes other bytes than the one that made the archive. "
                "Use the host that made it, or save a full archive and carry that"
            )
    if len(files) != len(asked.parts):
        raise StorageError(
            f"{asked.parts[len(files)].name} did not come out again; nothing was kept. Save a full archive and carry "
            "that"
        )


def _answered(asked: Asked, images: ImageSet, *, changed: bool, told: str) -> Answer:
    size = sum(part.size for part in asked.parts)
    return Answer(
        changed=changed,
        reason="parts were asked for" if changed else "what was asked for is there",
        listed=images.list,
        failed=(),
        skipped=(),
        stats=Stats(images=len(asked.lock.images), bytes_archive=size),
        lock=replace(asked.lock, parts=asked.parts, parity=()),
        told=told,
        has_parts=bool(asked.parts),
    )


def _failed(asked: Asked, run: Run, failed: Sequence[FailedImage]) -> Answer:
    made = _answered(asked, run.images, changed=False, told="")
    return replace(made, failed=tuple(failed), is_published=False, lock=None)


def _told(asked: Asked, verb: str) -> str:
    count = f"{len(asked.parts)} of {format_count(len(asked.lock.parts), 'part')} of {asked.request.archive}"
    size = format_size(sum(part.size for part in asked.parts))
    return f"{asked.directory} {verb} {count} ({size}). Carry it, and add it to src on the other side"


def _with_bundle(asked: Asked, made: Answer, bundle: Result, *, check: bool) -> Answer:
    """Put the results of the parts and of the bundle together."""
    parts = [*asked.parts, *(bundle.lock.parts if bundle.lock else ())]
    lock = replace(bundle.lock, parts=tuple(parts)) if bundle.lock else None
    told = bundle.sentence(asked.bundle_output.dest, check=check)
    return replace(
        made,
        changed=made.changed or bundle.changed,
        reason=bundle.reason,
        failed=bundle.failed,
        is_published=bundle.is_published,
        stats=replace(
            bundle.stats,
            bytes_archive=made.stats.bytes_archive + bundle.stats.bytes_archive,
            bytes_downloaded=made.stats.bytes_downloaded + bundle.stats.bytes_downloaded,
            blobs_downloaded=made.stats.blobs_downloaded + bundle.stats.blobs_downloaded,
        ),
        warnings=(*made.warnings, *bundle.warnings),
        lock=lock,
        told=f"{made.told}. {told}" if made.told else told,
        bundle_dest=asked.bundle_output.dest,
    )
