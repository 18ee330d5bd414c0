# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares a plan with the machine, and refuses what cannot end well before the first byte is pulled."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._archive.lock import Lock
from .._archive.output import DIR
from .._archive.parts import check_part_count, check_part_fits
from .._base.size import format_size
from .._cache.eviction import digests_of, peak
from .._host.attributes import is_shared, refuse_protected
from .._host.filesystem import existing, filesystem_of
from .._host.space import (
    Demand,
    block_bytes,
    bytes_below,
    ensure_space,
    free_bytes,
    link_leads,
    mount_of,
    same_filesystem,
)
from .._publish.companions import FILES_PER_FOLDER, bytes_beside
from .._publish.failed_list import size_of_list
from .._publish.kept import files_to_keep
from .._publish.parity_files import expected_bytes, refuse_single_part
from .._publish.paths import changed_paths, replaced_paths, staging_path
from .._publish.published import PublishedArchive
from .._publish.ready import is_decided
from .plan import Plan, make_plan
from .resolved_list import ResolvedList
from .result import Forecast
from .run import Run
from .tools import Tools


@dataclass(frozen=True)
class Preflight:
    """A plan that the machine can carry out.

    :param note: what is to be added to the reason of the run; often empty.
    """

    plan: Plan
    forecast: Forecast
    note: str


def prepare(
    run: Run, tools: Tools, images: ResolvedList, published: PublishedArchive, *, writes_archive: bool
) -> Preflight:
    """Compare what is wanted with the cache, and make sure that the rest can be pulled and written.

    :param published: the archive that exists.
    :param writes_archive: whether the archive is to be written, or blobs are pulled only.
    :raises OptionError: when skopeo is missing or too old, or parts would be too many or too large.
    :raises SpaceError: when a filesystem has not enough room.
    :raises StorageError: when a file that is to be replaced is protected.
    """
    output = run.options.output
    plan = plan_of(run, tools, images)
    forecast = _forecast(run, images, plan)
    if plan.incomplete:
        tools.skopeo.check()
    if writes_archive:
        pieces = plan.pieces_of(output.part_at)
        check_part_count(pieces, output.part_size)
        if (
            output.parity
            and not images.lock.is_bundle
            and len(pieces) == 1
            and plan.archive_bytes <= (output.part_size or 0)
        ):
            refuse_single_part(plan.archive_bytes)
        refuse_protected(_to_be_replaced(run, plan, published))
        if output.compress != DIR:
            largest = filesystem_of(output.directory).largest_file
            check_part_fits(pieces, output.part_size, largest, output.directory)
    ensure_space(_demands(run, images, plan, writes_archive=writes_archive))
    return Preflight(plan, forecast, "" if run.ahead is None else _pulled_again(plan, published.lock))


def _to_be_replaced(run: Run, plan: Plan, published: PublishedArchive) -> list[str]:
    """List what the archive to come replaces or removes, as far as that is known."""
    output, lock = run.options.output, published.lock
    if lock is None or files_to_keep(output, published, run.memory, run.attributes) is None:
        return replaced_paths(output)
    folders = {image.folder for image in plan.platform_images}
    return changed_paths(output, lock, blobs={*plan.missing, *plan.reused}, folders=folders)


def plan_of(run: Run, tools: Tools, images: ResolvedList) -> Plan:
    """Compare what is wanted with the cache of a run."""
    return make_plan(
        images.resolved,
        stored=run.cache.folders.stored,
        is_accepted=run.accepted.holds,
        has_blob=run.cache.blobs.has,
        fetched=tools.resolver.fetched,
    )


def _forecast(run: Run, images: ResolvedList, plan: Plan) -> Forecast:
    waiting = {image.digest for image in plan.incomplete}
    return Forecast(
        images=sum(1 for one in images.resolved if any(image.digest in waiting for image in one.children)),
        platform_images=len(waiting),
        blobs=len(plan.missing),
        bytes=plan.missing_bytes,
        archive_bytes=plan.archive_bytes,
        cache_free=free_bytes(run.options.work.cache_dir),
        dest_free=free_bytes(run.options.output.directory),
    )


def _pulled_again(plan: Plan, before: Lock | None) -> str:
    """Return, in words, what is downloaded a second time because the cache was not kept."""
    again = [size for digest, size in plan.missing.items() if before and digest in before.blobs]
    return f"; {len(again)} known blobs ({format_size(sum(again))}) are not in the cache any more" if again else ""


def _demands(run: Run, images: ResolvedList, plan: Plan, *, writes_archive: bool) -> list[Demand]:
    """Return where the bytes of a run go."""
    work, output = run.options.work, run.options.output
    cache, archive, beside = plan.missing_bytes, 0, 0
    files = len(plan.missing) + FILES_PER_FOLDER * len(plan.incomplete)
    if writes_archive:
        links, blobs = _links(run), len(plan.missing) + len(plan.reused)
        archive = 0 if links else plan.archive_bytes
        beside = bytes_beside(images.resolved, blobs=blobs) + expected_bytes(output, plan.pieces_of(output.part_at))
        if output.compress == DIR:  # of whole blocks each
            files_there = (0 if links else blobs) + FILES_PER_FOLDER * (len(plan.platform_images) + 2)
            beside += files_there * block_bytes(output.directory)
        if run.ahead is not None and not links:  # a link keeps the bytes of what leaves the cache
            cache, files = _lean(run, images, plan), 0
    cache += files * block_bytes(work.cache_dir)
    if run.options.check:  # a run removes first what a killed one has left
        cache -= bytes_below(run.cache.workspace.leftovers())
        if not is_decided(output):
            archive -= bytes_below([staging_path(output)])
    demands = [Demand(work.cache_dir, cache), Demand(output.directory, archive + beside)]
    if writes_archive and output.failed_list is not None:
        size = size_of_list(run.images.list)
        demands.append(Demand(os.path.dirname(os.path.abspath(output.failed_list)), size))
    return demands


def _lean(run: Run, images: ResolvedList, plan: Plan) -> int:
    """Return the bytes that a cache takes at most that is not kept.

    If the archive is on the same filesystem, what both take, less the archive.
    """
    sizes = {**plan.missing, **plan.reused}
    path = run.cache.blobs.path
    freed = {digest: size for digest, size in plan.reused.items() if not is_shared(path(digest))}
    most = peak(images.resolved, plan.missing, ahead=run.ahead or 0, freed=freed, archived=sizes)
    if not same_filesystem(run.options.work.cache_dir, run.options.output.directory):
        return most.cache
    # The archive also has headers, documents, and what is in it beside the blobs of images.
    return most.together - sum(sizes[digest] for digest in digests_of(images.resolved) & sizes.keys())


def _links(run: Run) -> bool:
    """Return True if the archive shares its blobs with the cache."""
    cache, output = run.options.work.cache_dir, run.options.output
    if output.compress != DIR or output.has_attributes:
        return False
    if run.options.check:  # which creates nothing, and so cannot try; without symbolic links, there are no hard links
        is_one = mount_of(existing(cache)).number == mount_of(existing(output.directory)).number
        return is_one and filesystem_of(output.directory).has_symlinks
    return link_leads(run.cache.workspace.run_directory, output.directory)
