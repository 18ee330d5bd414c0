# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done about an archive that stays: at most what stands beside it is renewed, and mode and owner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ._decide import Action, Decision
from ._for_people import standing_facts
from ._lock import Lock, renew_record
from ._options import DIR
from ._publish import Staging, is_damaged, is_decided, staging_path, tree_paths
from ._published import Memory, Published, path_of
from ._result import Result
from ._run import Run

if TYPE_CHECKING:
    from ._facts import Facts


def clear_interrupted(run: Run) -> bool:
    """Put an archive in place that a killed run had finished, or remove what it had begun.

    :returns: whether there was a finished one (in check mode: is one).
    :raises BusyError: when that run is not dead but at work.
    """
    output = run.options.output
    decided = is_decided(output)
    if os.path.isdir(staging_path(output)) and not run.options.check:
        run.log.info(f"an earlier run did not end well; {'completing' if decided else 'removing'} what it left")
        if not decided and is_damaged(output):
            run.log.warning("the archive that it had finished is damaged, and is not put in place")
        with Staging(output, run.apply_attributes, run.stop.check).opened(run.options.work.lock_timeout):
            pass
    return decided


def settle(run: Run, published: Published, wanted: Lock, decision: Decision, result: Result, memory: Memory) -> None:
    """Leave the archive as it is, and make right what stands beside it.

    :param wanted: the content asked for, which is the archive's.
    """
    record = renew_record(published.lock, wanted) if published.lock is not None else wanted
    result.lock = record
    run.stats.bytes_archive = sum(part.size for part in record.parts)
    if decision.action is Action.RECORD:
        result.changed = True
        if not run.options.check:
            with Staging(run.options.output, run.apply_attributes, run.stop.check).opened(
                run.options.work.lock_timeout
            ) as staging:
                staging.ensure_unchanged(published.raw_lock)
                staging.publish_beside(record, _facts(run, published, record, result))
    if _apply_attributes(run, record, memory) and not result.changed:
        result.changed, result.reason = True, "mode or owner differed"


def _facts(run: Run, published: Published, record: Lock, result: Result) -> Facts | None:
    """What the report that stands says of the archive, with what failed in this run."""
    from ._facts import with_failures

    facts = standing_facts(run.options.output, record)
    return None if facts is None else with_failures(facts, run.without_secrets(result.failed), result.listed.invalid)


def _apply_attributes(run: Run, lock: Lock, memory: Memory) -> bool:
    """Give every published file the mode and owner asked for.

    :returns: whether any differed.
    """
    output = run.options.output
    parts = (path_of(output, part) for part in lock.parts)
    archive = tree_paths(output.dest) if output.compress == DIR else parts
    changed = False
    for path in [*archive, output.checksum_file, *output.for_people, output.lock_file]:
        sha256 = memory.known(path)
        if run.apply_attributes(path):
            changed = True
            if sha256 and not run.options.check:
                memory.learn(path, sha256)
    return changed
