# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verifies archives that were carried across: find, compare, repair, name the images, ask for what is lost.

Knows nothing of Ansible: takes typed options, raises :class:`ImagesError`, returns a :class:`Result`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from .._archive.output import DIR
from .._base.errors import ImagesError, Interrupted
from .._base.stop import Stop
from .._host.log import Log
from .._host.progress import Progress
from .._host.stages import Stages
from .._source.archive import open_found
from .._source.find import FoundArchive, find_archives
from .compare import Counter, Reading, compare_files
from .content import files_of_tree, look_into
from .options import Options
from .repair import Plan, Plans, make_again, plan_repairs
from .request_file import check_requests, refuse_request_file, update_requests, wish_of
from .result import Repaired, Result, Verdict
from .state import OK, UNCHECKED, Checked, CheckedArchive
from .touched import Harm, harm_of


def verify(options: Options, *, log: Log, stop: Stop, progress: Progress | None = None) -> Result:
    """Compare the files of archives with what is recorded of them, and repair them if that is asked for.

    :param stop: ends the run as soon as it is set.
    :param progress: is told how far the run is.
    :raises ImagesError: when the run as a whole cannot go on. What is damaged or missing is in the result.
    """
    progress = progress or Progress()
    stages, reading = Stages(log, progress), Reading(stop, log, progress, Counter())
    progress.measure(lambda: reading.counter.value)
    with stages.stage("read"):
        archives = [_with_files(found) for found in find_archives(options.src, check=stop.check)]
        if options.request_file:
            refuse_request_file(options.request_file, archives)
    with stages.stage("verify"):
        verdicts = [_look_inside(archive, reading) for archive in _compared(archives, reading)]
    has_changed = False
    try:
        if options.repair:
            is_any_lost = any(plan_repairs(verdict.archive).plans for verdict in verdicts)
            with stages.stage("repair") if is_any_lost else nullcontext():
                verdicts = [_repaired(verdict, reading, check=options.check) for verdict in verdicts]
                has_changed = any(verdict.repaired for verdict in verdicts)
        is_whole = all(verdict.archive.is_whole for verdict in verdicts)
        with nullcontext() if is_whole else stages.stage("images"):
            verdicts = [_with_images(verdict, reading) for verdict in verdicts]
        request_files, is_request_new = _ask(options, verdicts)
    except ImagesError as error:
        error.changed = error.changed or (has_changed and not options.check)
        raise
    return Result(
        tuple(verdicts),
        has_changed or is_request_new,
        tuple(request_files),
        reading.counter.value,
        stages.seconds,
    )


def _with_files(found: FoundArchive) -> FoundArchive:
    """Add the blobs of a directory without a lock file, whose names are their checksums."""
    return replace(found, parts=files_of_tree(found)) if found.root and found.lock is None else found


def _compared(archives: Sequence[FoundArchive], reading: Reading) -> list[CheckedArchive]:
    """Compare all files of all archives, those of several disks at once."""
    files = [file for found in archives for file in (*found.parts, *found.parity)]
    checked = compare_files(files, reading)
    return [
        CheckedArchive(
            found, tuple(checked[part] for part in found.parts), tuple(checked[part] for part in found.parity)
        )
        for found in archives
    ]


def _look_inside(archive: CheckedArchive, reading: Reading) -> Verdict:
    """Check the content of an archive of which nothing is recorded."""
    is_recorded = archive.found.lock is not None or any(one.part.sha256 for one in archive.parts)
    is_tree = archive.found.compress == DIR
    if is_recorded and not (is_tree and archive.found.lock is None):
        return Verdict(archive)
    bad = [f"sha256:{one.part.sha256}" for one in archive.bad]
    damage, harm = look_into(archive.found, reading, bad=bad)
    if damage and not is_tree:
        parts = tuple(replace(one, state=UNCHECKED) if one.state == OK else one for one in archive.parts)
        archive = replace(archive, parts=parts)
    return Verdict(replace(archive, damage=damage), harm)


def _repaired(verdict: Verdict, reading: Reading, *, check: bool) -> Verdict:
    """Make again what can be made again."""
    archive = verdict.archive
    plans = plan_repairs(archive)
    repaired: list[Repaired] = []
    problems = [*plans.problems]
    for plan in plans.plans:
        try:
            now = _as_foreseen(plan) if check else make_again(plan, reading)
        except Interrupted as error:
            error.changed = error.changed or bool(repaired)
            raise
        except ImagesError as error:
            problems.append(str(error).rstrip("."))
            continue
        repaired.append(Repaired(plan.path, plan.parity))
        if not check:
            reading.log.info(f"made {plan.path} again from {plan.parity}")
        archive = _with_file(archive, plan.lost, now)
    return replace(verdict, archive=archive, repaired=tuple(repaired), plans=Plans((), tuple(problems)))


def _as_foreseen(plan: Plan) -> Checked:
    """Return the file as it would be."""
    part = replace(plan.lost.part, path=plan.path)
    return Checked(part, OK, found_size=part.size, found_sha256=part.sha256)


def _with_file(archive: CheckedArchive, before: Checked, now: Checked) -> CheckedArchive:
    """Put a file that was made again in the place of the lost one."""

    def newest(files: Sequence[Checked]) -> tuple[Checked, ...]:
        return tuple(now if one is before else one for one in files)

    parts, parity = newest(archive.parts), newest(archive.parity)
    found = replace(archive.found, parts=tuple(one.part for one in parts), parity=tuple(one.part for one in parity))
    return replace(archive, found=found, parts=parts, parity=parity)


def _with_images(verdict: Verdict, reading: Reading) -> Verdict:
    """Find the images that need what is lost, and what could be made again."""
    archive = verdict.archive
    plans = verdict.plans if verdict.plans != Plans() or verdict.repaired else plan_repairs(archive)
    harm = verdict.harm
    if archive.bad and archive.found.lock is not None:
        opened = open_found(archive.found, stop=reading.stop, log=reading.log)
        harm = harm_of(opened, [one.part.name for one in archive.bad])
    elif archive.bad and archive.found.compress != DIR:
        harm = Harm(is_known=False)
    return replace(verdict, plans=plans, harm=harm, wish=wish_of(archive))


def _ask(options: Options, verdicts: Sequence[Verdict]) -> tuple[list[str], bool]:
    """Write the request files, or remove them."""
    if not options.request_file:
        return [], False
    wishes = [verdict.wish for verdict in verdicts if verdict.wish is not None]
    return update_requests(check_requests(options.request_file, wishes), check=options.check)
