# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settles an archive that stays: renews the files beside it, and mode and owner, where they differ."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._archive.lock import Lock
from .._archive.names import path_of
from .._archive.output import Output
from .._archive.parity import LEAST_PARTS
from .._archive.parts import WrittenFile
from .._archive.record import renew_record
from .._base.errors import ImagesError
from .._base.size import format_count
from .._host.attributes import is_shared, refuse_protected
from .._host.space import free_bytes, require
from .._oci.image import FailedImage
from .._publish.companions import published_facts
from .._publish.parity_files import bytes_of, make_parity, refuse_single_part, wanted_names
from .._publish.paths import beside_paths, final_paths, staging_path
from .._publish.published import PublishedArchive
from .._publish.ready import is_damaged, is_decided
from .._publish.staging import Staging
from .decide import Action, Decision
from .result import Outcome
from .run import Run

if TYPE_CHECKING:
    from .._report.facts import Facts


def clear_interrupted(run: Run) -> bool:
    """Publish an archive that a killed run had finished, or remove what it had begun.

    :returns: whether there was a finished one (in check mode: whether there is).
    :raises BusyError: when that run is still at work.
    """
    output = run.options.output
    decided = is_decided(output)
    if os.path.isdir(staging_path(output)) and not run.options.check:
        run.log.info(f"an earlier run did not end well; {'completing' if decided else 'removing'} what it left")
        if not decided and is_damaged(output):
            run.log.warning("the archive that it had finished is damaged, and is not put in place")
        with _staging(run):
            pass
    return decided


def _staging(run: Run) -> AbstractContextManager[Staging]:
    return Staging(run.options.output, run.attributes, run.stop.check).opened(run.options.work.lock_timeout)


def settle(
    run: Run, published: PublishedArchive, wanted: Lock, decision: Decision, failed: Sequence[FailedImage]
) -> Outcome:
    """Leave the archive as it is, and correct the files beside it, and mode and owner.

    :param published: the archive that exists.
    :param wanted: the lock file to come; its images are the archive's.
    :param failed: the images that failed in this run.
    :returns: what was done; in check mode, what would be done.
    :raises BusyError: when another run has written the archive meanwhile.
    :raises StorageError: when a file cannot be written, or is protected.
    """
    output = run.options.output
    record = renew_record(published.lock, wanted) if published.lock is not None else wanted
    todo = _check_attributes(run, record)
    is_renewed, reason = decision.action is Action.RECORD, decision.reason
    if is_renewed:
        names = _parity_to_make(output, record, published.unfit)
        replaced = [*beside_paths(output, record.files), *(os.path.join(output.directory, name) for name in names)]
        refuse_protected(replaced)
        if not run.options.check:
            with _staging(run) as staging:
                staging.ensure_unchanged(published.lock_sha256)
                record, parity = _with_parity(run, record, staging, names)
                staging.publish_beside(record, _facts(run, record, failed), parity)
            for name in names:
                run.memory.learn(os.path.join(output.directory, name), parity[name].sha256)
            todo = todo.without(replaced)
    if todo and not run.options.check:
        _give_attributes(run, record, todo)
    if todo and not is_renewed:
        reason = "mode or owner differed"
    return Outcome(
        changed=is_renewed or bool(todo),
        reason=reason,
        is_published=True,
        lock=record,
        archive_bytes=sum(part.size for part in record.parts),
    )


def _parity_to_make(output: Output, record: Lock, unfit: Collection[str]) -> list[str]:
    """Name the parity files that are to be made from parts that stay.

    :param record: the lock file to come, with the parity files that are there.
    :param unfit: names of those that are damaged or missing.
    :raises OptionError: when a full archive has one part only.
    :raises SpaceError: when there is not enough space for them.
    """
    if not output.parity:
        return []
    if len(record.parts) < LEAST_PARTS and not record.is_bundle:
        refuse_single_part(sum(part.size for part in record.parts))
    fit = {file.name for file in record.parity} - {*unfit}
    names = [name for name in wanted_names(output, len(record.parts)) if name not in fit]
    size = bytes_of(record.parts, names, output.name)
    require(output.directory, free_bytes(output.directory), size, otherwise="or leave parity out")
    return names


def _with_parity(run: Run, record: Lock, staging: Staging, names: Sequence[str]) -> tuple[Lock, dict[str, WrittenFile]]:
    if not names:
        return record, {}
    output = run.options.output
    with run.stages.stage("parity"):
        paths = [path_of(output, part) for part in record.parts]
        return make_parity(record, paths, staging.data, names, archive=output.name, check=run.stop.check)


def _facts(run: Run, record: Lock, failed: Sequence[FailedImage]) -> Facts | None:
    """Return the facts of the report that exists, with the failures of this run."""
    from .._report.gather import renewed

    facts = published_facts(run.options.output, record)
    return None if facts is None else renewed(facts, record, failed, run.images.invalid)


@dataclass(frozen=True)
class _Todo:
    """Published files without the attributes asked for.

    :param differing: paths of files whose mode, owner or the like differ.
    :param bare: paths of files that lack flags that protect them, which come last.
    """

    differing: tuple[str, ...]
    bare: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.differing or self.bare)

    def without(self, paths: Collection[str]) -> _Todo:
        """Return the rest, when some files are right by now."""
        differing = tuple(path for path in self.differing if path not in paths)
        return _Todo(differing, tuple(path for path in self.bare if path not in paths))


def _check_attributes(run: Run, lock: Lock) -> _Todo:
    """Find the files whose attributes differ.

    :raises StorageError: when the attributes of a file cannot be changed.
    :raises SpaceError: when there is not enough space for copies of the files that have other names.
    """
    output, attributes = run.options.output, run.attributes
    paths = final_paths(output, lock)
    differing = tuple(path for path in paths if attributes.differ(path))
    shared = [path for path in differing if is_shared(path)]
    refuse_protected([*differing, *{os.path.dirname(path) for path in shared}], attributes)
    size = sum(os.lstat(path).st_size for path in shared)
    require(output.directory, free_bytes(output.directory), size, otherwise="or leave the attributes as they are")
    return _Todo(differing, tuple(path for path in paths if attributes.lack_protection(path)))


def _give_attributes(run: Run, lock: Lock, todo: _Todo) -> None:
    """Give files their attributes, and remember that their content is unchanged.

    :raises ImagesError: when that fails; its ``changed`` says whether any file was changed before.
    """
    known = {path: run.memory.known(path) for path in {*todo.differing, *todo.bare}}
    given = 0
    try:
        for _path in _given(run, lock, todo):
            given += 1
    except ImagesError as error:
        error.changed = given > 0
        raise
    for path, sha256 in known.items():
        if sha256:
            run.memory.learn(path, sha256)


def _given(run: Run, lock: Lock, todo: _Todo) -> Iterator[str]:
    """Yield each file once it has its attributes. A file with other names is copied first, for these to keep theirs."""
    shared = [path for path in todo.differing if is_shared(path)]
    for path in sorted({*todo.differing}.difference(shared)):
        run.attributes.give(path)
        yield path
    if shared:
        run.log.info(f"{format_count(len(shared), 'file')} with other names get attributes, and so are copied first")
        sums = {path_of(run.options.output, part): part.sha256 for part in lock.files}
        with _staging(run) as staging:
            for path in shared:
                staging.give(path, sums.get(path, ""))
                yield path
    for path in todo.bare:
        run.attributes.protect(path)
        yield path
