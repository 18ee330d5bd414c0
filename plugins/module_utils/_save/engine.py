# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow: list, resolve, plan, copy, archive, publish. Fetching to the controller is the role's.

Knows nothing of Ansible: takes typed options, raises :class:`ImageSaveError`, returns a :class:`Result`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypedDict

from .._archive.lock import Lock
from .._archive.name_clashes import (
    refuse_cache_as_archive,
    refuse_name_of_archive,
    refuse_other_spelling,
)
from .._archive.name_lengths import refuse_long_names
from .._archive.names import lacks_links
from .._archive.output import DIR
from .._archive.parts import check_part_count, check_part_fits
from .._base.errors import ImageSaveError, StorageError
from .._base.size import format_count, format_size
from .._base.stop import Stop
from .._cache.cache import Cache
from .._cache.eviction import digests_of, not_fetched, peak
from .._host.attributes import Attributes, is_shared, refuse_protected
from .._host.filesystem import existing, filesystem_of
from .._host.log import Log
from .._host.progress import Progress
from .._host.space import (
    Demand,
    block_bytes,
    bytes_below,
    capacity_bytes,
    ensure_space,
    free_bytes,
    link_leads,
    mount_of,
    same_filesystem,
)
from .._host.verified_files import VerifiedFiles
from .._oci.image import PlatformImage, StoredImage, hex_of
from .._oci.layout import assemble
from .._publish.companions import FILES_PER_FOLDER, bytes_beside
from .._publish.failed_list import refuse_foreign, render, size_of_list, update
from .._publish.published import PublishedArchive, inspect, is_rewritten
from .._publish.staging import is_decided, replaced_paths, staging_path
from .._report.failures import NO_FAILURES, digest_now
from .._skopeo.policy import configuration_now, policy_name
from .content import (
    Content,
    as_recorded,
    sort_out,
    without_failing,
    without_giants,
    without_large_blobs,
)
from .decide import Action, Decision, decide, saved_of, skipped_of, still_holds
from .options import Options, lock_options
from .plan import Plan, make_plan
from .resolve import AskedImage
from .result import Forecast, Result
from .run import Run
from .settle import clear_interrupted, settle
from .tools import Tools, prepared
from .wanted import Wanted, read_wanted


def save(
    options: Options,
    *,
    log: Log,
    stop: Stop,
    attributes: Attributes,
    progress: Progress | None = None,
) -> Result:
    """Save the images that are asked for, or find that nothing has to be done.

    :param stop: end the run as soon as it is set.
    :param attributes: what files are given beside their content.
    :param progress: is told how far the run is.
    :raises ImageSaveError: when the run as a whole cannot go on. Single images that fail are in the result.
    """
    policy = policy_name(options.work)
    cache = Cache(options.work.cache_dir, configuration_now(options.work, os.environ), stop.check)
    run = Run(options, policy, cache, log, stop, attributes, progress=progress or Progress())
    refuse_long_names(options.output, options.work.cache_dir)
    run.cache.refuse_open()
    refuse_other_spelling(options.output)
    refuse_cache_as_archive(options.work.cache_dir, options.output)
    if options.output.failed_list is not None:
        refuse_name_of_archive("failed_list", options.output.failed_list, options.output)
        refuse_foreign(options.output.failed_list, made=options.output.directory)
    with run.stage("list"):
        wanted = read_wanted(options.selection)
        run = replace(run, options=replace(options, selection=wanted.selection))
        run.progress.images = len(wanted.list.images)
    is_known = run.accepted.knows
    with prepared(run.options, wanted, run.cache, log=log, stop=stop, is_known=is_known) as tools:
        return _save(run, _without_secrets(run, wanted), tools, VerifiedFiles(run.cache.root, stop.check))


def _without_secrets(run: Run, wanted: Wanted) -> Wanted:
    """Lines that are no references go into a report that is carried away: they show no secret from here on."""
    hide = run.log.secrets.hide
    invalid = tuple(replace(one, text=hide(one.text), reason=hide(one.reason)) for one in wanted.list.invalid)
    return replace(wanted, list=replace(wanted.list, invalid=invalid))


def _save(run: Run, wanted: Wanted, tools: Tools, memory: VerifiedFiles) -> Result:
    """Look first: only a run that has something to do takes hold of the cache and writes."""
    with run.stage("inspect"):
        published = inspect(run.options.output, memory, verify=run.options.work.verify)
    with run.stage("resolve"):
        asked = tools.resolver.ask(wanted.list.images, wanted.pins)
    if run.options.check or _is_all_done(run, wanted, published, asked):
        return _go_on(run, wanted, tools, memory, published, asked, completed=is_decided(run.options.output))
    with run.cache.opened(run.options.work.lock_timeout):
        completed = clear_interrupted(run)
        try:
            if completed or is_rewritten(run.options.output, published.raw_lock):
                with run.stage("inspect"):
                    published = inspect(run.options.output, memory, verify=run.options.work.verify)
            return _go_on(run, wanted, tools, memory, published, asked, completed=completed)
        except ImageSaveError as error:
            error.changed |= completed
            raise


def _is_all_done(run: Run, wanted: Wanted, published: PublishedArchive, asked: Sequence[AskedImage]) -> bool:
    """Whether the archive is what is wanted, and nothing lies about that should be gone."""
    lock, output = published.lock, run.options.output
    if lock is None or published.damage or published.untidy or output.force or wanted.list.invalid:
        return False
    if not published.tells_of(NO_FAILURES):
        return False
    if os.path.lexists(staging_path(output)) or not run.cache.is_clean():
        return False
    if run.options.work.prune_cache and run.cache.superfluous(**_kept_by(lock)):
        return False
    if not run.accepted.covers(lock):
        return False
    return still_holds(lock, asked, wanted.pins, lock_options(run.options, run.policy))


def _go_on(
    run: Run,
    wanted: Wanted,
    tools: Tools,
    memory: VerifiedFiles,
    published: PublishedArchive,
    asked: Sequence[AskedImage],
    *,
    completed: bool,
) -> Result:
    """From the answers of the registries to the archive.

    :param completed: whether an archive of an interrupted run was (in check mode: would be) put in place.
    """
    with run.stage("resolve"):
        content = _resolve(run, wanted, tools, published, asked)
        if run.options.check and run.options.output.allow_partial:
            content = without_failing(content, lambda image: _foreseen_failure(run, memory, image))
    decision = _decide(run, wanted, published, content)
    stays = decision.action in (Action.KEEP, Action.RECORD)
    if stays:
        content, decision = _accept_anew(run, wanted, tools, published, content, decision, memory)
    result = _begin(run, wanted, content, published, decision)
    if decision.action in (Action.KEEP, Action.RECORD):
        settle(run, published, content.lock, decision, result, memory)
    elif decision.action is Action.FETCH and not run.options.work.keep_cache:
        _fetch_nothing(run, content, tools, result)
    elif not stays or decision.action is Action.BUILD:  # of an archive that stays, nothing has to be fetched
        with run.stage("plan"):
            plan = _plan(run, content, tools, decision, result)
        if not run.options.check:
            _make(run, tools, memory, content, plan, published, result)
    if completed and not result.changed:
        result.changed, result.reason = True, "an interrupted run had finished the archive"
    _finish(run, content, tools, result, memory)
    return result


def _fetch_nothing(run: Run, content: Content, tools: Tools, result: Result) -> None:
    """No archive can be made, and what was fetched for it would not be kept: all the rest fails for that."""
    run.stats.blobs_downloaded = len(tools.resolver.fetched)
    run.stats.bytes_downloaded = sum(tools.resolver.fetched.values())
    rest = not_fetched(content.resolved)
    for failed in rest:
        run.progress.image_failed()
        with run.log.about(failed.listed.number):
            run.log.error(f"{failed.listed.reference} failed: {failed.reason}")
    result.failed = sorted([*result.failed, *rest], key=lambda one: one.listed.number)


def _decide(run: Run, wanted: Wanted, published: PublishedArchive, content: Content) -> Decision:
    failures = digest_now(run.without_secrets(content.failed), wanted.list.invalid)
    return decide(published, content, wanted.list, run.options.output, failures)


def _foreseen_failure(run: Run, memory: VerifiedFiles, image: PlatformImage) -> str:
    """Why an image will most likely fail in this run, as it did in the last; empty: it will not."""
    is_done = run.cache.stored(image) is not None and run.accepted.holds(image)
    return "" if is_done else memory.failure(image.key)


def _accept_anew(
    run: Run,
    wanted: Wanted,
    tools: Tools,
    published: PublishedArchive,
    content: Content,
    decision: Decision,
    memory: VerifiedFiles,
) -> tuple[Content, Decision]:
    """Have an archive that could stay let through by the configuration of today, where it was not yet.

    :returns: what is left of its content, and what is to be done then.
    """
    lacking = run.accepted.lacking(content.resolved)
    if not lacking:
        return content, decision
    count = format_count(len(lacking), "platform image")
    if run.options.check:
        told, refused = f"{count} to be accepted anew", {image.key: memory.failure(image.key) for image in lacking}
    else:
        from .accept import refusals

        told, refused = f"{count} accepted anew", refusals(run, tools, content, lacking)
        for image in lacking:
            memory.note_copy(image.key, run.log.secrets.hide(refused.get(image.key, "")))
    left = without_failing(content, lambda image: refused.get(image.key, ""))
    if left is content:
        return content, replace(decision, reason=f"{decision.reason}; {told}")
    return left, _decide(run, wanted, published, left)


def _make(
    run: Run,
    tools: Tools,
    memory: VerifiedFiles,
    content: Content,
    plan: Plan,
    published: PublishedArchive,
    result: Result,
) -> None:
    """Copy, archive, publish."""
    # A third of the code, which a run that finds nothing new would read in vain.
    from .produce import produce
    from .transfer import fetcher_of

    tools.log_in(run.cache)
    produce(run, content, plan, fetcher_of(run, tools, content), result, published, memory)


def _resolve(
    run: Run, wanted: Wanted, tools: Tools, published: PublishedArchive, asked: Sequence[AskedImage]
) -> Content:
    """Read manifests, but only where the digests do not show that nothing is new."""
    recorded = lock_options(run.options, run.policy)
    lock, may_stay = published.lock, not published.damage and not run.options.output.force
    if may_stay and lock is not None and still_holds(lock, asked, wanted.pins, recorded):
        if run.accepted.covers(lock):
            return as_recorded(lock)
        resolved = tools.resolver.that_keeps_nothing().resolve(*saved_of(lock, asked))
        return as_recorded(lock, [*resolved, *skipped_of(lock, asked)])
    cache, output = run.options.work.cache_dir, run.options.output
    resolutions = without_giants(tools.resolver.resolve(asked, wanted.pins), capacity_bytes(cache), cache)
    for place in (cache, output.directory) if output.compress == DIR else (cache,):
        resolutions = without_large_blobs(resolutions, filesystem_of(place).largest_file, place)
    return sort_out(resolutions, recorded)


def _begin(run: Run, wanted: Wanted, content: Content, published: PublishedArchive, decision: Decision) -> Result:
    """The result as far as it is known before anything is done."""
    run.stats.duplicates = wanted.list.duplicates
    _log_answers(run, wanted, content)
    return Result(
        changed=decision.action is Action.BUILD,
        reason=decision.reason,
        listed=wanted.list,
        failed=list(content.failed),
        skipped=content.lock.skipped,
        stats=run.stats,
        lock=content.lock,
        before=published.lock,
        is_published=decision.action is not Action.FETCH,
        allow_partial=run.options.output.allow_partial,
        notes=_notes(run.options, is_published=decision.action is not Action.FETCH),
        keep_cache=run.options.work.keep_cache,
    )


def _notes(options: Options, *, is_published: bool) -> tuple[str, ...]:
    """What cannot be had where the archive and the cache lie."""
    cache, output = options.work.cache_dir, options.output
    notes: list[str] = []
    if is_published and output.compress == DIR and lacks_links(output.dest):
        notes.append(
            f"{output.dest} has no links blobs, as there are no links on its filesystem; the restore script makes them "
            f"where there are, and skopeo reads it as it is with --src-shared-blob-dir {output.dest}/share"
        )
    if options.work.keep_cache and lacks_links(cache):
        notes.append(f"the cache {cache} has no links blobs, as there are no links on its filesystem")
    return tuple(notes)


def _log_answers(run: Run, wanted: Wanted, content: Content) -> None:
    """A line for every line of the list that is not saved."""
    for line in wanted.list.invalid:
        run.log.error(f"{line.origin}: {line.text}: {line.reason}")
    for failed in content.failed:
        with run.log.about(failed.listed.number):
            run.log.error(f"{failed.listed.reference} failed: {failed.reason}")
            run.progress.image_failed()
    for skipped in content.skipped:
        with run.log.about(skipped.listed.number):
            run.log.warning(f"{skipped.listed.reference} skipped: {skipped.reason}")


def _plan(run: Run, content: Content, tools: Tools, decision: Decision, result: Result) -> Plan:
    """Compare with the cache, and refuse what cannot end well before the first byte is fetched."""
    work, output, stats = run.options.work, run.options.output, run.stats
    plan = make_plan(
        content.resolved,
        stored=run.cache.stored,
        is_accepted=run.accepted.holds,
        has_blob=run.cache.has_blob,
        fetched=tools.resolver.fetched,
    )
    stats.blobs_reused, stats.bytes_reused = len(plan.reused), sum(plan.reused.values())
    waiting = {image.digest for image in plan.incomplete}
    result.forecast = Forecast(
        images=sum(1 for one in content.resolved if any(image.digest in waiting for image in one.platforms)),
        platform_images=len(waiting),
        blobs=len(plan.missing),
        bytes=plan.missing_bytes,
        archive_bytes=plan.archive_bytes,
        cache_free=free_bytes(work.cache_dir),
        dest_free=free_bytes(output.directory),
    )
    if plan.incomplete:
        tools.skopeo.check()
    writes_archive = decision.action is Action.BUILD
    if writes_archive:
        check_part_count(plan.archive_bytes, output.part_size)
        refuse_protected(replaced_paths(output))
        if output.compress != DIR:
            largest = filesystem_of(output.directory).largest_file
            check_part_fits(plan.archive_bytes, output.part_size, largest, output.directory)
    if run.ahead is not None:
        result.reason += _told_again(plan, result)
    ensure_space(_demands(run, content, plan, result, writes_archive=writes_archive))
    return plan


def _demands(run: Run, content: Content, plan: Plan, result: Result, *, writes_archive: bool) -> list[Demand]:
    """Where the bytes of a run go."""
    work, output = run.options.work, run.options.output
    cache, archive, beside = plan.missing_bytes, 0, 0
    files = len(plan.missing) + FILES_PER_FOLDER * len(plan.incomplete)
    if writes_archive:
        links, blobs = _links(run), len(plan.missing) + len(plan.reused)
        archive = 0 if links else plan.archive_bytes
        beside = bytes_beside(content.resolved, blobs=blobs)
        if output.compress == DIR:  # of whole blocks each
            files_there = (0 if links else blobs) + FILES_PER_FOLDER * (len(plan.platform_images) + 2)
            beside += files_there * block_bytes(output.directory)
        if run.ahead is not None and not links:  # a link keeps the bytes of what leaves the cache
            cache, files = _lean(run, content, plan), 0
    cache += files * block_bytes(work.cache_dir)
    if run.options.check:  # a run clears away first what a killed one has left
        cache -= bytes_below(run.cache.leftovers())
        if not is_decided(output):
            archive -= bytes_below([staging_path(output)])
    demands = [Demand(work.cache_dir, cache), Demand(output.directory, archive + beside)]
    if writes_archive and output.failed_list is not None:
        size = size_of_list(result.listed)
        demands.append(Demand(os.path.dirname(os.path.abspath(output.failed_list)), size))
    return demands


def _lean(run: Run, content: Content, plan: Plan) -> int:
    """What a cache that is not kept takes at most; where the archive is there too, what both take, less the archive."""
    sizes = {**plan.missing, **plan.reused}
    freed = {digest: size for digest, size in plan.reused.items() if not is_shared(run.cache.blob_path(digest))}
    most = peak(content.resolved, plan.missing, ahead=run.ahead or 0, freed=freed, archived=sizes)
    if not same_filesystem(run.options.work.cache_dir, run.options.output.directory):
        return most.cache
    # Of the archive there is the rest too: headers, documents, and what is in it beside the blobs of images.
    return most.together - sum(sizes[digest] for digest in digests_of(content.resolved) & sizes.keys())


def _told_again(plan: Plan, result: Result) -> str:
    """What is downloaded a second time because the cache was not kept, in words."""
    again = [size for digest, size in plan.missing.items() if result.before and digest in result.before.blobs]
    return f"; {len(again)} known blobs ({format_size(sum(again))}) are not in the cache any more" if again else ""


def _links(run: Run) -> bool:
    """Whether the archive shares its blobs with the cache."""
    cache, output = run.options.work.cache_dir, run.options.output
    if output.compress != DIR or output.has_attributes:
        return False
    if run.options.check:  # which makes nothing, and so cannot try; without symbolic links, there are no others either
        is_one = mount_of(existing(cache)).number == mount_of(existing(output.directory)).number
        return is_one and filesystem_of(output.directory).has_symlinks
    return link_leads(run.cache.run_directory, output.directory)


def _finish(run: Run, content: Content, tools: Tools, result: Result, memory: VerifiedFiles) -> None:
    """What comes after every run: figures, the failed list, the cache's size, the memory of what was verified."""
    options, stats = run.options, run.stats
    result.failed = run.without_secrets(result.failed)
    stats.blobs_repaired = len(run.cache.repaired)
    stats.manifest_heads, stats.manifest_gets = tools.registries.count.head, tools.registries.count.get
    if result.lock is not None and result.is_published:
        platforms = {platform.digest for image in result.lock.images for platform in image.platforms}
        stats.images, stats.platform_images = len(result.lock.images), len(platforms)
    if options.output.failed_list is not None:
        listed = render(result.failed, result.listed.invalid)
        try:
            made = options.output.directory
            result.changed |= update(options.output.failed_list, listed, run.attributes, made=made, check=options.check)
        except StorageError as error:
            result.warnings.append(str(error))
    if result.lock is not None and result.is_published and not options.check:
        try:
            run.accepted.save(result.lock)
        except StorageError as error:
            result.warnings.append(str(error))
    if options.work.prune_cache and not result.is_failure and result.lock is not None:
        try:
            if options.check:
                stats.bytes_pruned = run.cache.prunable(**_kept_by(result.lock, _named_by(run, content)))
            else:
                stats.bytes_pruned = run.cache.prune(**_kept_by(result.lock))
        except StorageError as error:  # the archive stands all the same
            result.warnings.append(str(error))
    if not options.check:
        memory.save()


class _Kept(TypedDict):
    folders: set[str]
    blobs: set[str]


def _kept_by(lock: Lock, more: Collection[str] = ()) -> _Kept:
    """What of the cache an archive is made of.

    :param more: digests that the lock file of an archive does not name which is still to be made.
    """
    platforms = [platform for image in lock.images for platform in image.platforms]
    folders = {hex_of(platform.source_digest) for platform in platforms}
    return _Kept(folders=folders, blobs={*lock.blobs, *more})


def _named_by(run: Run, content: Content) -> set[str]:
    """The digests of all that images will have in the archive."""
    digests: set[str] = set()
    for image in content.resolved:
        stored = [run.cache.stored(one) or StoredImage(one, one.descriptor, one.blobs) for one in image.platforms]
        digests.update(blob.digest for one in stored for blob in one.all_blobs())
        digests.update(assemble(image, stored).documents)
    return digests
