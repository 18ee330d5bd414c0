# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done about an archive that stays: at most what stands beside it is renewed, and mode and owner."""

from __future__ import annotations

from ._decide import Action, Decision
from ._lock import Lock, renew_record
from ._options import DIR
from ._publish import Staging, is_decided, tree_paths
from ._published import Memory, Published, path_of
from ._result import Result
from ._run import Run


def complete_interrupted(run: Run) -> bool:
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
            with Staging(run.options.output, run.apply_attributes).opened(run.options.work.lock_timeout) as staging:
                staging.publish_beside(record)
    if _apply_attributes(run, record, memory) and not result.changed:
        result.changed, result.reason = True, "mode or owner differed"


def _apply_attributes(run: Run, lock: Lock, memory: Memory) -> bool:
    """Give every published file the mode and owner asked for.

    :returns: whether any differed.
    """
    output = run.options.output
    known = {path_of(output, part): part.sha256 for part in lock.parts}
    archive = tree_paths(output.dest) if output.compress == DIR else known
    changed = False
    for path in [*archive, output.checksum_file, output.lock_file]:
        if run.apply_attributes(path):
            changed = True
            if path in known and not run.options.check:
                memory.learn(path, known[path])
    return changed
