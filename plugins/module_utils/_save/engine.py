# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saves images: list, resolve, plan, copy, archive, publish. Carrying them to the controller is up to the role.

Knows nothing of Ansible: takes typed options, raises :class:`ImagesError`, returns a :class:`Result`.
"""

from __future__ import annotations

import os
from dataclasses import replace

from .._archive.bases import Bases
from .._archive.name_clashes import (
    refuse_cache_as_archive,
    refuse_name_of_archive,
    refuse_other_spelling,
)
from .._archive.name_lengths import refuse_long_names
from .._base.errors import ImagesError
from .._base.size import format_count
from .._base.stop import Stop
from .._cache.cache import Cache
from .._cache.eviction import not_pulled
from .._host.attributes import Attributes
from .._host.log import Log
from .._host.progress import Progress
from .._host.stages import Stages
from .._host.verified_files import VerifiedFiles
from .._publish.failed_list import refuse_foreign
from .._publish.paths import staging_path
from .._publish.published import PublishedArchive, is_rewritten
from .._publish.ready import is_decided
from .._report.failures import NO_FAILURES, digest_now
from .._skopeo.policy import configuration_now, policy_name
from .accepted import Accepted
from .decide import Action, Decision, decide, nothing_since
from .findings import Findings, find, inspect_dest, resolve, with_referrers, without_foreseen_failures
from .finish import finish, kept_by
from .image_set import ImageSet, read_image_set
from .options import Options
from .preflight import Preflight, prepare
from .read_base import read_base
from .resolved_list import (
    ResolvedList,
    as_recorded,
)
from .result import Outcome, Result
from .run import Run
from .settle import clear_interrupted, settle
from .tools import Tools, prepared


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
    base, since_note = read_base(bases, options, cache)
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
            base=base,
            since_note=since_note,
        )
        return _save(run, tools)


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
    published = inspect_dest(run)
    with run.stages.stage("resolve"):
        images = tools.resolver.look_up(run.images.images)
    if published.is_new and not _has_more_to_do(run):
        lock = run.base.lock_of_nothing(lambda lock: with_referrers(run, tools, images, lock), run.lock_options)
        if lock is not None:
            recorded = as_recorded(lock)
            return finish(run, tools, recorded, None, _needless(recorded), None)
    findings = find(run, tools, published, images)
    if run.options.check or _is_all_done(run, findings):
        return _go_on(run, tools, findings, completed=is_decided(run.options.output))
    with run.cache.opened(run.options.work.lock_timeout):
        completed = clear_interrupted(run)
        try:
            if completed or is_rewritten(run.options.output, published.lock_sha256):
                published = inspect_dest(run)
                findings = find(run, tools, published, images)
            return _go_on(run, tools, findings, completed=completed)
        except ImagesError as error:
            error.changed |= completed
            raise


def _has_more_to_do(run: Run) -> bool:
    """Return True if a run ends in another way than with nothing to be carried, whatever the digests are."""
    output = run.options.output
    return bool(run.images.invalid) or output.force or os.path.lexists(staging_path(output))


def _needless(images: ResolvedList) -> Outcome:
    """Return the outcome of a run in which the other side has everything already."""
    return Outcome(False, nothing_since(images.lock), is_published=True, lock=images.lock, is_needless=True)


def _is_all_done(run: Run, findings: Findings) -> bool:
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


def _go_on(run: Run, tools: Tools, findings: Findings, *, completed: bool) -> Result:
    """Go from the digests to the archive.

    :param completed: whether an archive of an interrupted run was (in check mode: would be) published.
    """
    published = findings.published
    with run.stages.stage("resolve"):
        images = resolve(run, tools, findings)
        if run.options.check and run.options.output.allow_partial:
            images = without_foreseen_failures(run, images)
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
            preflight = prepare(run, tools, images, published, writes_archive=writes_archive)
            decision = replace(decision, reason=decision.reason + preflight.note)
        outcome = _produce(run, tools, images, published, decision, preflight)
    if completed and not outcome.changed:
        outcome = replace(outcome, changed=True, reason="an interrupted run had finished the archive")
    return finish(run, tools, images, published.lock, outcome, preflight)


def _decide(run: Run, published: PublishedArchive, images: ResolvedList) -> Decision:
    failures = digest_now(images.failed, run.images.invalid)
    is_needless = published.is_new and run.base.is_enough(images)
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
