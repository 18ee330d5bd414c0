# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a run: receipts, requests, the list of what failed, the report, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._archive.request import Request
from .._base.errors import ImagesError
from .._host.stages import Stages
from .._oci.image import FailedImage
from .._source.archive import Archive
from .._source.errors import SourceError, SourceGone
from .choice import Chosen
from .cluster_files import cluster_files
from .lacking import LackingBlob, failure_of_load
from .ledger import MOUNTED, PRESENT, PUSHED, Moved
from .options import Options
from .receipts import notice_of_other_target, write_receipts
from .report_file import facts_of, update_report
from .request_file import update_requests
from .result import FAILED, Loaded, Result, Stats
from .run_files import RunFiles, update_failed_list
from .still_asked import OpenAfterLoading


@dataclass(frozen=True)
class Outcome:
    """The end of the work itself.

    :param loaded: the outcome of each chosen image (in check mode: what it would be).
    :param moved: what became of blobs.
    :param is_changed: whether the registry is different (in check mode: would be).
    :param lacking: what is nowhere, so that nothing was begun.
    :param requests: what is asked for, the newest archive first; ``None``: not known, so files stay as they are.
    :param projects_created: the Harbor projects that were created (in check mode: would be).
    """

    loaded: Sequence[Loaded]
    moved: Moved
    is_changed: bool = False
    lacking: Sequence[LackingBlob] = ()
    requests: Sequence[Request] | None = ()
    projects_created: tuple[str, ...] = ()


def finish(
    options: Options,
    archives: Sequence[Archive],
    chosen: Chosen,
    outcome: Outcome,
    *,
    heads: int,
    is_plain: bool,
    stages: Stages,
) -> Result:
    """Do what every run does at its end, and return its result.

    :param archives: in the order of their chain.
    :param heads: requests that only asked.
    :param is_plain: whether the target registry is spoken to by HTTP.
    """
    loaded = outcome.loaded
    images = (*loaded, *(Loaded(one.listed, None, "", FAILED, error=one.error) for one in chosen.absent))
    failed = [FailedImage(one.listed, one.error, one.digest) for one in images if one.error is not None]
    files = RunFiles(outcome.is_changed or bool(outcome.projects_created))
    remark = notice_of_other_target(options, archives) if outcome.lacking else ""
    files.attempt(lambda: _write_receipts(files, options, archives, outcome))
    files.attempt(lambda: _write_requests(files, options, archives, outcome))
    files.attempt(lambda: update_failed_list(options.failed_list, failed, chosen.listed.invalid, check=options.check))
    registry = str(options.naming.registry)
    result = Result(
        registry=registry,
        changed=files.is_changed,
        images=images,
        failed=tuple(failed),
        listed=chosen.listed,
        left_out=len(chosen.left_out),
        stats=_stats(loaded, outcome.moved, heads, stages),
        cluster=cluster_files([one.reference.name for one in loaded], options.naming, is_plain=is_plain),
        receipt=options.receipt or "",
        receipts=tuple(one.as_json() for one in files.receipts),
        confirmation=next((one.confirmation for one in files.receipts if one.path == options.receipt), ""),
        report=options.report or "",
        lacking=tuple(outcome.lacking),
        lacking_told=(
            failure_of_load(outcome.lacking, registry, files.requests.paths, remark, check=options.check)
            if outcome.lacking
            else ""
        ),
        requests=files.requests.paths,
        fulfilled=files.requests.fulfilled,
        projects_created=outcome.projects_created,
        remarks=chosen.remarks,
        warnings=tuple(files.warnings),
    )
    return _with_report(options, archives, result)


def _with_report(options: Options, archives: Sequence[Archive], result: Result) -> Result:
    """Write or renew the report of a result; returns the result with whether it was different."""
    if options.report is None:
        return result
    try:
        is_changed = update_report(options.report, facts_of(result, archives), check=options.check)
    except ImagesError as error:
        return replace(result, warnings=(*result.warnings, str(error)))
    return replace(result, changed=result.changed or is_changed)


def _write_receipts(files: RunFiles, options: Options, archives: Sequence[Archive], outcome: Outcome) -> bool:
    """Write or renew the receipts; returns whether any was different.

    A run that lost its archive on the way leaves them alone, and so does one that began nothing.
    """
    is_cut_short = any(isinstance(one.error, SourceGone) for one in outcome.loaded)
    if options.receipt is None or outcome.lacking or is_cut_short:
        return False
    is_changed, files.receipts = write_receipts(options, archives, outcome.loaded)
    return is_changed


def _write_requests(files: RunFiles, options: Options, archives: Sequence[Archive], outcome: Outcome) -> bool:
    """Write, renew or remove what asks for parts and blobs; returns whether any of it was different."""
    is_cut_short = any(isinstance(one.error, SourceGone) for one in outcome.loaded)
    if options.request_file is None or outcome.requests is None or is_cut_short:
        return False
    # What failed for another reason than its archive was not read either.
    read = {one.reference for one in outcome.loaded if one.error is None or isinstance(one.error, SourceError)}
    left_out = OpenAfterLoading(archives, read)
    files.requests = update_requests(options.request_file, outcome.requests, archives, left_out, check=options.check)
    return files.requests.is_changed


def _stats(loaded: Sequence[Loaded], moved: Moved, heads: int, stages: Stages) -> Stats:
    return Stats(
        images=sum(one.is_there for one in loaded),
        heads=heads,
        blobs_pushed=moved.blobs[PUSHED],
        blobs_mounted=moved.blobs[MOUNTED],
        blobs_present=moved.blobs[PRESENT],
        bytes_pushed=moved.bytes[PUSHED],
        bytes_mounted=moved.bytes[MOUNTED],
        bytes_present=moved.bytes[PRESENT],
        seconds=dict(stages.seconds),
    )
