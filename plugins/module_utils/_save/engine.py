# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saves images: list, resolve, plan, copy, archive, publish. Carrying them to the controller is up to the role.

Knows nothing of Ansible: takes typed options, raises :class:`ImagesError`, returns a :class:`Result`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from .._archive.bases import Bases
from .._archive.lock import Lock
from .._archive.name_clashes import (
    refuse_cache_as_archive,
    refuse_name_of_archive,
    refuse_other_spelling,
)
from .._archive.name_lengths import refuse_long_names
from .._archive.output import DIR
from .._base.errors import ImagesError, TransferError
from .._base.size import format_count
from .._base.stop import Stop
from .._cache.cache import Cache
from .._cache.eviction import not_pulled
from .._host.attributes import Attributes
from .._host.filesystem import filesystem_of
from .._host.log import Log
from .._host.progress import Progress
from .._host.space import capacity_bytes
from .._host.stages import Stages
from .._host.verified_files import VerifiedFiles
from .._oci.image import PlatformImage
from .._oci.limits import MAX_MANIFEST_BYTES
from .._publish.failed_list import refuse_foreign
from .._publish.paths import staging_path
from .._publish.published import PublishedArchive, inspect, is_rewritten
from .._publish.ready import is_decided
from .._report.failures import NO_FAILURES, digest_now
from .._skopeo.policy import configuration_now, policy_name
from .accepted import Accepted
from .decide import Action, Decision, decide, nothing_since, saved_of, skipped_of, still_holds
from .finish import finish, kept_by
from .image_set import ImageSet, read_image_set
from .options import Options
from .preflight import Preflight, prepare
from .resolve import LookedUp
from .resolved_list import (
    ResolvedList,
    as_recorded,
    as_resolved_list,
    repositories_of,
    without_failing,
    without_giants,
    without_large_blobs,
)
from .result import Outcome, Result
from .run import Run
from .settle import clear_interrupted, settle
from .tools import Tools, prepared


@dataclass(frozen=True)
class _Findings:
    """The findings of a run, before it decides anything.

    :param published: the archive that exists, and its state.
    :param images: the images of the list, with their digests of today.
    :param found: the same, with what refers to them where the archive's record lets it be found.
    :param is_current: whether these digests alone show that the archive's content is what is wanted.
    """

    published: PublishedArchive
    images: list[LookedUp]
    found: list[LookedUp]
    is_current: bool


def save(
    options: Options,
    *,
    log: Log,
    stop: Stop,
    attributes: Attributes,
    progress: Progress | None = None,
    bases: Bases | None = None,
) -> Result:
    """Save the images that are asked for, or find that nothing has to be done.

    :param stop: ends the run as soon as it is set.
    :param attributes: mode, owner and the like, which files are given.
    :param progress: is told how far the run is.
    :param bases: what the other side has, if it is not read from the files that the options name.
    :raises ImagesError: when the run as a whole cannot go on. Single images that fail are in the result.
    """
    policy = policy_name(options.work)
    cache = Cache(options.work.cache_dir, configuration_now(options.work, os.environ), stop.check)
    stages = Stages(log, progress or Progress())
    _refuse_clashes(options, cache)
    bases, since_note = (bases, "") if bases is not None else _read_bases(options, cache)
    with stages.stage("list"):
        images = read_image_set(options.selection, options.access.source, options.access.mirrors)
        options = replace(options, selection=images.selection)
        stages.progress.images = len(images.images)
    accepted = Accepted(cache, options.output.lock_file, images.repositories)
    with prepared(options, images, cache, log=log, stop=stop, is_known=accepted.knows) as tools:
        run = Run(
            options=options,
            images=_without_secrets(images, tools),
            policy=policy,
            cache=cache,
            accepted=accepted,
            memory=VerifiedFiles(cache.root, stop.check),
            log=log,
            stop=stop,
            attributes=attributes,
            stages=stages,
            bases=bases,
            since_note=since_note,
        )
        return _save(run, tools)


def _read_bases(options: Options, cache: Cache) -> tuple[Bases | None, str]:
    """Read what the other side has; see :func:`since.read_bases`."""
    if not options.since.paths:
        return None, ""
    # Code that most runs would read in vain.
    from .since import read_bases

    return read_bases(options.since, options.output, cache)


def _refuse_clashes(options: Options, cache: Cache) -> None:
    """Refuse paths that are too long or get in each other's way.

    :raises ImagesError: says which, and what to do.
    """
    output = options.output
    refuse_long_names(output, cache.root)
    cache.workspace.refuse_open()
    refuse_other_spelling(output)
    refuse_cache_as_archive(cache.root, output)
    if output.failed_list is not None:
        refuse_name_of_archive("failed_list", output.failed_list, output)
        refuse_foreign(output.failed_list, made=output.directory)


def _without_secrets(images: ImageSet, tools: Tools) -> ImageSet:
    """Return the images with invalid lines as they can be shown, now that all logins are known."""
    invalid = tuple(map(tools.failures.of_line, images.invalid))
    return replace(images, list=replace(images.list, invalid=invalid))


def _save(run: Run, tools: Tools) -> Result:
    """Look first: only a run that has something to do takes hold of the cache and writes."""
    published = _inspect(run)
    with run.stages.stage("resolve"):
        images = tools.resolver.look_up(run.images.images)
    if published.is_new and run.bases is not None and not run.images.invalid and not run.options.output.force:
        from .since_bundle import unchanged_since

        same = unchanged_since(run.bases, lambda lock: _with_referrers(run, tools, images, lock), run.lock_options)
        if same is not None and not os.path.lexists(staging_path(run.options.output)):
            return _write_nothing(run, tools, replace(same.lock, options=run.lock_options, base=run.bases.recorded))
    findings = _findings(run, tools, published, images)
    if run.options.check or _is_all_done(run, findings):
        return _go_on(run, tools, findings, completed=is_decided(run.options.output))
    with run.cache.opened(run.options.work.lock_timeout):
        completed = clear_interrupted(run)
        try:
            if completed or is_rewritten(run.options.output, published.raw_lock):
                published = _inspect(run)
                findings = _findings(run, tools, published, images)
            return _go_on(run, tools, findings, completed=completed)
        except ImagesError as error:
            error.changed |= completed
            raise


def _write_nothing(run: Run, tools: Tools, lock: Lock) -> Result:
    """End a run in which the other side has everything already.

    :param lock: of the bundle that is not written.
    """
    images = as_recorded(replace(lock, blobs={}, offsets={}, parts=(), requires={}, parity=()))
    return finish(run, tools, images, None, _needless(images), None)


def _needless(images: ResolvedList) -> Outcome:
    return Outcome(False, nothing_since(images.lock), is_published=True, lock=images.lock, is_needless=True)


def _inspect(run: Run) -> PublishedArchive:
    """Compare what is at the final names with its lock file.

    :raises OptionError: when something else is there than what may be replaced.
    """
    with run.stages.stage("inspect"):
        published = inspect(run.options.output, run.memory, verify=run.options.work.verify)
    if run.bases is not None:
        from .since import refuse_other

        refuse_other(published, run.bases, run.options.output)
    return published


def _findings(run: Run, tools: Tools, published: PublishedArchive, images: list[LookedUp]) -> _Findings:
    found = _with_referrers(run, tools, images, published.lock)
    is_current = still_holds(published.lock, found, run.lock_options) and _has_right_base(run, published.lock)
    return _Findings(published, images, found, is_current)


def _with_referrers(run: Run, tools: Tools, images: list[LookedUp], lock: Lock | None) -> list[LookedUp]:
    """Look up what refers to images, if that is wanted, as far as an archive's record lets it be found."""
    if tools.referrers is None:
        return images
    with run.stages.stage("resolve"):
        found = tools.referrers.look_up(images, lock)
    run.accepted.learn({one.listed.reference: one.repository for one in found})
    return found


def _has_right_base(run: Run, lock: Lock | None) -> bool:
    """Return True if an archive leaves out what it should, as far as its lock file shows that."""
    if run.bases is None:
        return lock is None or not lock.is_bundle
    from .since_bundle import rests_on

    return lock is not None and rests_on(lock, run.bases, document_size=MAX_MANIFEST_BYTES)


def _is_all_done(run: Run, findings: _Findings) -> bool:
    """Return True if the archive is what is wanted, and there is nothing to be removed."""
    published, output = findings.published, run.options.output
    lock = published.lock
    if lock is None or published.damage or published.untidy or output.force or run.images.invalid:
        return False
    if not published.tells_of(NO_FAILURES):
        return False
    if os.path.lexists(staging_path(output)) or not run.cache.workspace.is_clean():
        return False
    if run.options.work.prune_cache and run.cache.superfluous(**kept_by(lock)):
        return False
    return findings.is_current and run.accepted.covers(lock)


def _go_on(run: Run, tools: Tools, findings: _Findings, *, completed: bool) -> Result:
    """Go from the digests to the archive.

    :param completed: whether an archive of an interrupted run was (in check mode: would be) published.
    """
    published = findings.published
    with run.stages.stage("resolve"):
        images = _resolve(run, tools, findings)
        if run.options.check and run.options.output.allow_partial:
            images = _without_foreseen_failures(run, images)
    decision = _decide(run, published, images)
    stayed = decision.is_kept
    if stayed:
        images, decision = _accept_again(run, tools, published, images, decision)
    _log_answers(run, images)
    preflight: Preflight | None = None
    if decision.is_kept:
        outcome = settle(run, published, images.lock, decision, images.failed)
    elif decision.action is Action.NOTHING:
        outcome = _needless(images)
    elif decision.action is Action.PULL and not run.options.work.keep_cache:
        outcome = _pull_nothing(run, tools, images, decision)
    elif decision.action is Action.PULL and stayed:  # of an archive that was right, nothing has to be pulled
        outcome = _untouched(images, decision)
    else:
        with run.stages.stage("plan"):
            writes_archive = decision.action is Action.BUILD
            preflight = prepare(run, tools, images, published.lock, writes_archive=writes_archive)
            decision = replace(decision, reason=decision.reason + preflight.note)
        outcome = _produce(run, tools, images, published, decision, preflight)
    if completed and not outcome.changed:
        outcome = replace(outcome, changed=True, reason="an interrupted run had finished the archive")
    return finish(run, tools, images, published.lock, outcome, preflight)


def _resolve(run: Run, tools: Tools, findings: _Findings) -> ResolvedList:
    """Read manifests, but only if the digests do not show that nothing is new."""
    lock, output, cache = findings.published.lock, run.options.output, run.options.work.cache_dir
    may_stay = findings.is_current and not findings.published.damage and not output.force
    if may_stay and lock is not None:
        if run.accepted.covers(lock):
            return as_recorded(lock)
        resolved = tools.resolver.that_keeps_nothing().resolve(saved_of(lock, findings.found))
        return as_recorded(lock, [*resolved, *skipped_of(lock, findings.images)])
    resolutions = tools.resolver.resolve(findings.images)
    if tools.referrers is not None:
        resolutions = tools.referrers.resolve(resolutions)
        run.accepted.learn(repositories_of(resolutions))
    if run.bases is not None:
        from .since_bundle import without_base

        resolutions = without_base(resolutions, run.bases)
    resolutions = without_giants(resolutions, capacity_bytes(cache), cache)
    for place in (cache, output.directory) if output.compress == DIR else (cache,):
        resolutions = without_large_blobs(resolutions, filesystem_of(place).largest_file, place)
    return _with_base(run, as_resolved_list(resolutions, run.lock_options))


def _with_base(run: Run, images: ResolvedList) -> ResolvedList:
    """Record in the lock file to come what a bundle rests on."""
    if run.bases is None:
        return images
    from .since_bundle import as_bundle

    return replace(images, lock=as_bundle(images.lock, images.resolved, run.bases))


def _is_needless(run: Run, images: ResolvedList) -> bool:
    if run.bases is None:
        return False
    from .since_bundle import is_needless

    return is_needless(images, run.bases)


def _without_foreseen_failures(run: Run, images: ResolvedList) -> ResolvedList:
    """Move images to those that failed which will most likely fail in a run, as they did in the last."""

    def foreseen(image: PlatformImage) -> ImagesError | None:
        if run.cache.folders.stored(image) is not None and run.accepted.holds(image):
            return None
        reason = run.memory.failure(image.key)
        return TransferError(reason, heals=False) if reason else None

    return _with_base(run, without_failing(images, foreseen))


def _decide(run: Run, published: PublishedArchive, images: ResolvedList) -> Decision:
    failures = digest_now(images.failed, run.images.invalid)
    is_needless = published.is_new and _is_needless(run, images)
    return decide(published, images, run.images.invalid, run.options.output, failures, is_needless=is_needless)


def _accept_again(
    run: Run, tools: Tools, published: PublishedArchive, images: ResolvedList, decision: Decision
) -> tuple[ResolvedList, Decision]:
    """Have an archive that could stay accepted under today's configuration, where it was not yet.

    :returns: the images without those that are refused, and what is to be done then.
    """
    lacking = run.accepted.lacking(images.resolved)
    if not lacking:
        return images, decision
    # As produce.py, code that a run that finds nothing new would read in vain.
    from .reaccept import without_refused

    left = without_refused(run, tools, images, lacking)
    if left is not images:
        return left, _decide(run, published, left)
    told = "to be accepted anew" if run.options.check else "accepted anew"
    return images, replace(decision, reason=f"{decision.reason}; {format_count(len(lacking), 'platform image')} {told}")


def _log_answers(run: Run, images: ResolvedList) -> None:
    """Log a line for every line of the list that is not saved."""
    for line in run.images.invalid:
        run.tell_invalid(line)
    for failed in images.failed:
        run.tell_failed(failed)
    for skipped in images.skipped:
        with run.log.about(skipped.listed.number):
            run.log.warning(f"{skipped.listed.reference} skipped: {skipped.reason}")


def _untouched(images: ResolvedList, decision: Decision) -> Outcome:
    """Return the outcome for an archive that is left alone, or in check mode would be written."""
    is_written = decision.action is Action.BUILD
    return Outcome(is_written, decision.reason, is_published=is_written, lock=images.lock)


def _pull_nothing(run: Run, tools: Tools, images: ResolvedList, decision: Decision) -> Outcome:
    """Fail all images that are left: no archive can be written, and what is pulled for it would not be kept."""
    failed = tuple(not_pulled(images.resolved))
    for one in failed:
        run.tell_failed(one)
    return replace(_untouched(images, decision), failed=failed, downloaded=tools.resolver.fetched)


def _produce(
    run: Run, tools: Tools, images: ResolvedList, published: PublishedArchive, decision: Decision, preflight: Preflight
) -> Outcome:
    """Copy, archive and publish; in check mode, return what that would do."""
    if run.options.check:
        return _untouched(images, decision)
    # A third of the code, which a run that finds nothing new would read in vain.
    from .copies import Job
    from .produce import produce
    from .pull import Puller

    tools.log_in(run.cache)
    puller = Puller(run, tools, images)
    return produce(
        Job(run=run, images=images, plan=preflight.plan, puller=puller, published=published, decision=decision)
    )
