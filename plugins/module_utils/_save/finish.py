# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of every run: the failed list, the record of acceptance, the cache's size, and the result."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypedDict

from .._archive.lock import Lock
from .._archive.names import lacks_links
from .._archive.output import DIR
from .._archive.parity import LEAST_PARTS
from .._archive.referrers import images_only
from .._base.errors import StorageError
from .._oci.image import FailedImage, StoredImage, hex_of
from .._oci.layout import assemble
from .._publish.failed_list import render, update
from .plan import Plan
from .preflight import Preflight
from .resolved_list import ResolvedList
from .result import Outcome, Result, Stats, is_failure
from .run import Run
from .tools import Tools


@dataclass
class _Warnings:
    """Runs steps without which the archive is complete all the same.

    :ivar texts: why some of them failed.
    """

    texts: list[str] = field(default_factory=list)

    def attempt(self, step: Callable[[], int]) -> int:
        """Return what the step returns; 0 if it cannot write."""
        try:
            return step()
        except StorageError as error:
            self.texts.append(str(error))
            return 0


def finish(
    run: Run,
    tools: Tools,
    images: ResolvedList,
    before: Lock | None,
    outcome: Outcome,
    preflight: Preflight | None,
) -> Result:
    """Do what every run does at its end, and return its result.

    :param images: the list as it was resolved.
    :param before: the archive before the run; ``None`` if there was none.
    :param outcome: what was done about the archive.
    :param preflight: the plan; ``None`` if nothing had to be pulled or written.
    """
    options, warnings = run.options, _Warnings()
    failed = tuple(sorted((*images.failed, *outcome.failed), key=lambda one: one.listed.place))
    listed_anew = warnings.attempt(lambda: _write_failed_list(run, failed))
    if outcome.is_published and not outcome.is_needless and not options.check:
        warnings.attempt(lambda: _record_acceptance(run, outcome.lock))
    failures = len(failed) + len(run.images.invalid)
    pruned = 0
    if (
        options.work.prune_cache
        and not outcome.is_needless
        and not is_failure(failures, allow_partial=options.output.allow_partial, is_published=outcome.is_published)
    ):
        pruned = warnings.attempt(lambda: _prune(run, images, outcome.lock))
    if not options.check:
        run.memory.save()
    return Result(
        changed=outcome.changed or bool(listed_anew),
        reason=outcome.reason,
        listed=run.images.list,
        failed=failed,
        skipped=images.lock.skipped,
        stats=_stats(run, tools, outcome, preflight.plan if preflight else None, pruned),
        lock=outcome.lock,
        before=before,
        forecast=preflight.forecast if preflight else None,
        is_published=outcome.is_published,
        is_as_it_was=not outcome.changed,
        warnings=tuple(warnings.texts),
        notes=(
            *_notes(run, outcome.lock, is_published=outcome.is_published and not outcome.is_needless),
            *tools.witnesses.notes(),
        ),
        allow_partial=options.output.allow_partial,
        keep_cache=options.work.keep_cache,
        is_needless=outcome.is_needless,
    )


def _write_failed_list(run: Run, failed: Collection[FailedImage]) -> bool:
    """Write, renew or remove the list; returns whether it was different."""
    output = run.options.output
    if output.failed_list is None:
        return False
    content = render(failed, run.images.invalid)
    return update(output.failed_list, content, run.attributes, made=output.directory, check=run.options.check)


def _record_acceptance(run: Run, lock: Lock) -> int:
    run.accepted.save(lock)
    return 0


def _prune(run: Run, images: ResolvedList, lock: Lock) -> int:
    """Remove what no archive needs; returns the bytes of the blobs (in check mode, of those that would be removed)."""
    if run.options.check:
        return run.cache.prunable(**kept_by(lock, _named_by(run, images)))
    return run.cache.prune(**kept_by(lock))


def _stats(run: Run, tools: Tools, outcome: Outcome, plan: Plan | None, pruned: int) -> Stats:
    lock, count = outcome.lock, tools.registries.count
    saved = lock.images if outcome.is_published and not outcome.is_needless else ()
    return Stats(
        images=len(images_only(saved)),
        referrers=len(saved) - len(images_only(saved)),
        platform_images=len({platform.digest for image in saved for platform in image.platforms}),
        duplicates=run.images.list.duplicates,
        blobs_downloaded=len(outcome.downloaded),
        blobs_reused=len(plan.reused) if plan else 0,
        blobs_repaired=len(run.cache.blobs.repaired),
        bytes_downloaded=sum(outcome.downloaded.values()),
        bytes_reused=sum(plan.reused.values()) if plan else 0,
        bytes_archive=outcome.archive_bytes,
        bytes_pruned=pruned,
        manifest_heads=count.head,
        manifest_gets=count.get,
        seconds=dict(run.stages.seconds),
    )


def _notes(run: Run, lock: Lock, *, is_published: bool) -> tuple[str, ...]:
    """Return how the archive is other than asked for, and what the filesystems of archive and cache do not allow."""
    cache, output = run.options.work.cache_dir, run.options.output
    notes = [f"the archive is full, as since_missing=full was set: {run.since_note}"] if run.since_note else []
    if is_published and output.parity and lock.is_bundle and len(lock.parts) < LEAST_PARTS:
        notes.append(
            f"{output.name} has no parity file: the bundle is in one part, of which a parity file would be a copy"
        )
    if is_published and output.compress == DIR and lacks_links(output.dest):
        notes.append(
            f"{output.dest} has no links blobs, as there are no links on its filesystem; the restore script makes them "
            f"where there are, and skopeo reads it as it is with --src-shared-blob-dir {output.dest}/share"
        )
    if run.options.work.keep_cache and lacks_links(cache):
        notes.append(f"the cache {cache} has no links blobs, as there are no links on its filesystem")
    return tuple(notes)


class Kept(TypedDict):
    """The content of the cache to keep: names of folders, and digests of blobs."""

    folders: set[str]
    blobs: set[str]


def kept_by(lock: Lock, more: Collection[str] = ()) -> Kept:
    """Return what an archive is made of, and what a full one would be.

    :param more: digests that the lock file of an archive does not name which is still to be written.
    """
    platforms = [platform for image in lock.images for platform in image.platforms]
    folders = {hex_of(platform.source_digest) for platform in platforms}
    return Kept(folders=folders, blobs={*lock.blobs, *lock.requires, *more})


def _named_by(run: Run, images: ResolvedList) -> set[str]:
    """Return the digests of everything that images will have in the archive."""
    digests: set[str] = set()
    for image in images.resolved:
        found = ((one, run.cache.folders.stored(one)) for one in image.children)
        stored = [there or StoredImage(one, one.descriptor, one.blobs) for one, there in found]
        digests.update(blob.digest for one in stored for blob in (*one.all_blobs(), *one.source.left_out))
        digests.update(assemble(image, stored).documents)
    return digests
