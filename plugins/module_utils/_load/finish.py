# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a run: the receipt, the list of what failed, and the result."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from .._archive.receipt import receipt_of
from .._base.errors import ImagesError, OptionError
from .._host.attributes import NoAttributes
from .._host.stages import Stages
from .._oci.image import FailedImage
from .._publish.failed_list import render, update
from .._source.archive import Archive
from .._source.errors import SourceGone
from .choice import Chosen
from .cluster_files import cluster_files
from .ledger import MOUNTED, PRESENT, PUSHED, Moved
from .options import Options
from .receipt_file import read_receipt, update_receipt
from .report_file import facts_of, update_report
from .result import FAILED, Loaded, Result, Stats


def finish(
    options: Options,
    archives: Sequence[Archive],
    chosen: Chosen,
    loaded: Sequence[Loaded],
    moved: Moved,
    *,
    is_changed: bool,
    heads: int,
    projects_created: tuple[str, ...],
    is_plain: bool,
    stages: Stages,
) -> Result:
    """Do what every run does at its end, and return its result.

    :param loaded: the outcome of each chosen image (in check mode: what it would be).
    :param moved: what became of blobs.
    :param is_changed: whether the registry is different (in check mode: would be).
    :param heads: requests that only asked.
    :param projects_created: the Harbor projects that were created (in check mode: would be).
    :param is_plain: whether the target registry is spoken to by HTTP.
    """
    warnings: list[str] = []
    images = (*loaded, *(Loaded(one.listed, None, "", FAILED, error=one.error) for one in chosen.absent))
    failed = [FailedImage(one.listed, one.error, one.digest) for one in images if one.error is not None]
    steps = (
        partial(_write_receipt, options, archives, chosen, loaded),
        partial(_write_failed_list, options, chosen, failed),
    )
    for step in steps:
        try:
            is_changed = step() or is_changed
        except ImagesError as error:
            warnings.append(str(error))
    result = Result(
        registry=str(options.naming.registry),
        changed=is_changed,
        images=images,
        failed=tuple(failed),
        listed=chosen.listed,
        left_out=len(chosen.left_out),
        stats=_stats(loaded, moved, heads, stages),
        cluster=cluster_files([one.reference.name for one in loaded], options.naming, is_plain=is_plain),
        receipt=options.receipt or "",
        report=options.report or "",
        projects_created=projects_created,
        remarks=chosen.remarks,
        warnings=tuple(warnings),
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


def _write_receipt(options: Options, archives: Sequence[Archive], chosen: Chosen, loaded: Sequence[Loaded]) -> bool:
    """Write or renew the receipt; returns whether it was different.

    A run that lost its archive on the way leaves it alone. So does one that saw nothing, unless one is there that says
    more.
    """
    if options.receipt is None or any(isinstance(one.error, SourceGone) for one in loaded):
        return False
    locks = [(os.path.basename(one.path), one.lock_sha256) for one in archives if one.lock_sha256]
    if not locks:
        raise OptionError(
            f"receipt: {options.receipt} was not written, as no archive in src has a lock file that it could name"
        )
    is_there = {str(one.reference) for one in loaded if one.is_there}
    lacking = {str(one.reference) for one in loaded} - is_there | {str(one) for one in chosen.left_out}
    receipt = receipt_of(
        locks,
        checked=options.rules.check_target,
        target=options.target_key,
        loaded=is_there,
        lacking=lacking,
    )
    if not is_there and read_receipt(options.receipt) is None:
        return False
    return update_receipt(options.receipt, receipt, check=options.check)


def _write_failed_list(options: Options, chosen: Chosen, failed: Sequence[FailedImage]) -> bool:
    """Write, renew or remove the list; returns whether it was different."""
    path = options.failed_list
    if path is None:
        return False
    content = render(failed, chosen.listed.invalid, done="loaded")
    return update(path, content, NoAttributes(), made=os.path.dirname(path), check=options.check)


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
