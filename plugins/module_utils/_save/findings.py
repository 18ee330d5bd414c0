# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of a run before it decides: the archive at its place, today's digests, and what images are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._archive.lock import Lock
from .._archive.output import DIR
from .._base.errors import ImagesError, TransferError
from .._host.filesystem import filesystem_of
from .._host.space import capacity_bytes
from .._oci.image import PlatformImage
from .._publish.published import PublishedArchive, inspect
from .._publish.ready import is_decided
from .decide import saved_of, skipped_of, still_holds
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
from .run import Run
from .tools import Tools


@dataclass(frozen=True)
class Findings:
    """The findings of a run before it decides anything.

    :param published: the archive that exists, and its state.
    :param images: the images of the list, with their digests of today.
    :param found: the same, with what refers to them where the archive's record lets it be found.
    :param is_current: whether these digests alone show that the archive's content is what is wanted.
    """

    published: PublishedArchive
    images: list[LookedUp]
    found: list[LookedUp]
    is_current: bool


def inspect_dest(run: Run) -> PublishedArchive:
    """Compare what is at the final names with its lock file.

    Of what a killed run has left half in place, nothing is said before the rest is there too.

    :raises OptionError: when something else is there than what may be replaced.
    """
    with run.stages.stage("inspect"):
        published = inspect(run.options.output, run.memory, verify=run.options.work.verify)
    if not is_decided(run.options.output):
        run.base.refuse_other(published)
    return published


def find(run: Run, tools: Tools, published: PublishedArchive, images: list[LookedUp]) -> Findings:
    """Compare the archive that exists with the digests of today.

    :param images: the images of the list, looked up.
    """
    found = with_referrers(run, tools, images, published.lock)
    is_current = still_holds(published.lock, found, run.lock_options) and run.base.is_under(published.lock)
    return Findings(published, images, found, is_current)


def with_referrers(run: Run, tools: Tools, images: list[LookedUp], lock: Lock | None) -> list[LookedUp]:
    """Look up what refers to images, if that is wanted, as far as an archive's record lets it be found."""
    if tools.referrers is None:
        return images
    with run.stages.stage("resolve"):
        found = tools.referrers.look_up(images, lock)
    run.accepted.learn({one.listed.reference: one.repository for one in found})
    return found


def resolve(run: Run, tools: Tools, findings: Findings) -> ResolvedList:
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
    resolutions = without_giants(run.base.left_out_of(resolutions), capacity_bytes(cache), cache)
    for place in (cache, output.directory) if output.compress == DIR else (cache,):
        resolutions = without_large_blobs(resolutions, filesystem_of(place).largest_file, place)
    return _on_base(run, as_resolved_list(resolutions, run.lock_options))


def without_foreseen_failures(run: Run, images: ResolvedList) -> ResolvedList:
    """Move images to those that failed which will most likely fail in a run, as they did in the last."""

    def foreseen(image: PlatformImage) -> ImagesError | None:
        if run.cache.folders.stored(image) is not None and run.accepted.holds(image):
            return None
        reason = run.memory.failure(image.key)
        return TransferError(reason, heals=False) if reason else None

    return _on_base(run, without_failing(images, foreseen))


def _on_base(run: Run, images: ResolvedList) -> ResolvedList:
    return replace(images, lock=run.base.recorded_in(images.lock, images.resolved))
