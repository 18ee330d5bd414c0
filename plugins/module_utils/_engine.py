# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow: list, resolve, plan, copy, archive, publish. Fetching to the controller is the role's.

Knows nothing of Ansible: takes typed options, raises :class:`ImageSaveError`, returns a :class:`Result`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from ._cache import Cache
from ._content import Content, sort_out
from ._decide import Action, Decision, decide, still_holds
from ._failed_list import render, update
from ._fetch import Fetcher
from ._lock import Lock, lock_options, renew_record
from ._log import Log
from ._options import DIR, Options
from ._parts import check_part_count
from ._plan import Plan, make_plan
from ._produce import produce
from ._publish import Staging, is_decided, tree_paths
from ._published import Memory, Published, inspect, path_of
from ._result import Forecast, Result
from ._run import Run
from ._space import ensure_space, free_bytes
from ._stop import Stop
from ._tools import Tools, prepared
from ._wanted import Wanted, read_wanted


def save(options: Options, *, log: Log, stop: Stop, apply_attributes: Callable[[str], bool]) -> Result:
    """Save the images that are asked for, or find that nothing has to be done.

    :param stop: end the run as soon as it is set.
    :param apply_attributes: gives a file the mode and owner that the user asked for; tells whether they differed.
    :raises ImageSaveError: when the run as a whole cannot go on. Single images that fail are in the result.
    """
    run = Run(options, Cache(options.work.cache_dir), log, stop, apply_attributes)
    with run.stage("list"):
        wanted = read_wanted(options.selection)
        run.stats.duplicates = wanted.list.duplicates
        run = replace(run, options=replace(options, selection=wanted.selection))
    with prepared(run.options, wanted, run.cache, log=log, stop=stop) as tools:
        completed = _complete_interrupted(run)
        memory = Memory(run.cache.root)
        result = _save(run, wanted, tools, memory)
        result.changed |= completed
        _tidy_up(run, result, memory)
        run.stats.manifest_heads, run.stats.manifest_gets = tools.registries.count.head, tools.registries.count.get
    return result


def _save(run: Run, wanted: Wanted, tools: Tools, memory: Memory) -> Result:
    options = run.options
    recorded = lock_options(options)
    with run.stage("inspect"):
        published = inspect(options.output, memory, verify=options.work.verify)

    with run.stage("resolve"):
        asked = tools.resolver.ask(wanted.list.images, wanted.pins)
        if published.lock is not None and still_holds(published.lock, asked, wanted.pins, recorded):
            decision = decide(published, published.lock, force=options.output.force)
            if decision.action is not Action.BUILD:
                return _settle(run, wanted, published, published.lock, decision, memory)
        content = sort_out(tools.resolver.resolve(asked, wanted.pins), recorded)

    with run.stage("plan"):
        plan = make_plan(
            content.resolved,
            stored=run.cache.stored,
            has_blob=run.cache.has_blob,
            fetched=tools.resolver.fetched,
        )
        decision = decide(published, content.lock, force=options.output.force)
        result = _first_result(run, wanted, content, plan, published, decision)
        if not content.resolved or (result.is_failure and options.check):
            result.is_published = False
            return result
        if decision.action is not Action.BUILD and not result.is_failure:
            return _settle(run, wanted, published, content.lock, decision, memory, result)
        check_part_count(plan.archive_bytes, options.output.part_size)
        if plan.incomplete:
            tools.skopeo.check()
        _ensure_space(run, plan, archive=not result.is_failure)
        if options.check:
            return result

    fetcher = Fetcher(tools, run.cache, run.log, places=content.places, timeout=options.work.timeout, stop=run.stop)
    produce(run, content, plan, fetcher, result, published, memory)
    return result


def _complete_interrupted(run: Run) -> bool:
    """Put an archive in place that a killed run had finished.

    :returns: whether there was one (in check mode: is one).
    """
    output = run.options.output
    if not is_decided(output):
        return False
    if not run.options.check:
        run.log.info(f"an earlier run was killed while it put {output.dest} in place; going on from there")
        with Staging(output, run.apply_attributes).opened(run.options.work.lock_timeout):
            pass
    return True


def _settle(
    run: Run,
    wanted: Wanted,
    published: Published,
    lock: Lock,
    decision: Decision,
    memory: Memory,
    result: Result | None = None,
) -> Result:
    """Leave the archive as it is; at most renew what stands beside it."""
    output, before = run.options.output, published.lock
    assert before is not None  # only a lock file can show that nothing has to be built
    record = renew_record(before, lock)
    if result is None:
        result = Result(False, decision.reason, wanted.list, [], record.skipped, run.stats)
    result.lock, result.before, result.reason = record, before, decision.reason
    result.allow_partial = output.allow_partial
    run.stats.bytes_archive = sum(part.size for part in record.parts)
    if result.is_failure:
        result.changed = False
        return result
    if decision.action is Action.RECORD:
        result.changed = True
        if not run.options.check:
            with Staging(output, run.apply_attributes).opened(run.options.work.lock_timeout) as staging:
                staging.publish_beside(record)
    if _apply_attributes(run, record, memory) and not result.changed:
        result.changed, result.reason = True, "mode or owner differed"
    return result


def _apply_attributes(run: Run, lock: Lock, memory: Memory) -> bool:
    """Give every published file the mode and owner asked for.

    :returns: whether any differed.
    """
    output = run.options.output
    paths = {path_of(output, part): part.sha256 for part in lock.parts}
    archive = tree_paths(output.dest) if output.compress == DIR else paths
    changed = False
    for path in [*archive, output.checksum_file, output.lock_file]:
        if run.apply_attributes(path):
            changed = True
            if path in paths and not run.options.check:
                memory.learn(path, paths[path])
    return changed


def _first_result(
    run: Run, wanted: Wanted, content: Content, plan: Plan, published: Published, decision: Decision
) -> Result:
    """What is known once the plan stands; in check mode that is all."""
    work, output = run.options.work, run.options.output
    waiting = {image.digest for image in plan.incomplete}
    forecast = Forecast(
        images=sum(1 for one in content.resolved if any(image.digest in waiting for image in one.platforms)),
        platform_images=len(waiting),
        blobs=len(plan.missing),
        bytes=plan.missing_bytes,
        archive_bytes=plan.archive_bytes,
        cache_free=free_bytes(work.cache_dir),
        dest_free=free_bytes(output.directory),
    )
    result = Result(
        changed=decision.action is not Action.KEEP,
        reason=decision.reason,
        listed=wanted.list,
        failed=list(content.failed),
        skipped=content.lock.skipped,
        stats=run.stats,
        lock=content.lock,
        before=published.lock,
        forecast=forecast,
        allow_partial=output.allow_partial,
    )
    run.stats.blobs_reused, run.stats.bytes_reused = len(plan.reused), sum(plan.reused.values())
    return result


def _ensure_space(run: Run, plan: Plan, *, archive: bool) -> None:
    work, output = run.options.work, run.options.output
    ensure_space(
        cache=work.cache_dir,
        cache_bytes=plan.missing_bytes,
        dest=output.directory,
        dest_bytes=plan.archive_bytes if archive and output.compress != DIR else 0,
    )


def _tidy_up(run: Run, result: Result, memory: Memory) -> None:
    """What comes after every run: the failed list, the cache's size, the memory of what was verified."""
    options = run.options
    if result.lock is not None and result.is_published:
        platforms = {platform.digest for image in result.lock.images for platform in image.platforms}
        run.stats.images, run.stats.platform_images = len(result.lock.images), len(platforms)
    if options.output.failed_list is not None:
        content = render(result.failed, result.listed.invalid)
        result.changed |= update(options.output.failed_list, content, check=options.check)
    if options.check:
        return
    if options.work.prune_cache and not result.is_failure and result.lock is not None:
        folders = {platform.source_digest.partition(":")[2] for i in result.lock.images for platform in i.platforms}
        run.stats.bytes_pruned = run.cache.prune(folders=folders, blobs=set(result.lock.blobs))
    memory.save()
