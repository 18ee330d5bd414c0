# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzzer's command line; see ``tests/fuzz.sh``."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from . import report
from .campaign import Campaign, Outcome
from .targets import TARGETS, Target

SHORT_RUNS = 50_000
SEED = 20261122


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 where something was found, or fewer inputs were tried than asked for."""
    options = _options(arguments)
    if options.again:
        return _again(*options.again)
    targets = [TARGETS[name] for name in options.only or TARGETS]
    total = options.runs or (SHORT_RUNS if options.short else sum(target.runs for target in targets))
    runs = _shares(targets, total)
    work = options.work or Path(tempfile.mkdtemp(prefix="airgap-images-fuzz-"))
    begin = time.monotonic()
    try:
        campaign = Campaign(options.jobs, options.seed, work)
        outcomes = campaign.run(targets, runs)
        seconds = time.monotonic() - begin
        if options.keep_seeds:
            kept = {target.name: campaign.keep_seeds(target, options.seeds / target.name) for target in targets}
        else:
            kept = {target.name: len(list(target.seeds.iterdir())) for target in targets}
    finally:
        if not options.work and not any((work / "findings").iterdir()):
            shutil.rmtree(work)
    if len(targets) == len(TARGETS) and not options.short:
        report.write(outcomes, kept, options.output, seconds=seconds)
    return _sum_up(outcomes, seconds)


def _shares(targets: Sequence[Target], total: int) -> dict[str, int]:
    """Executions of each target, in proportion to those of a full run."""
    weight = sum(target.runs for target in targets)
    return {target.name: max(1, total * target.runs // weight) for target in targets}


def _sum_up(outcomes: Sequence[Outcome], seconds: float) -> int:
    executions = sum(outcome.executions for outcome in outcomes)
    complaints = [f"{outcome.target}: {outcome.complaint}" for outcome in outcomes if outcome.complaint]
    print(f"{executions} executions of {len(outcomes)} targets in {seconds:.0f} s, {len(complaints)} complaints")
    for complaint in complaints:
        print(f"fuzz: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _again(name: str, path: str) -> int:
    """Give one input to one target, without the fuzzer: what is wrong with it is raised."""
    TARGETS[name].check(Path(path).read_bytes())
    print(f"{name}: nothing is wrong with {path}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/fuzz.sh", description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_RUNS} executions in all, and no report")
    parser.add_argument("--runs", type=int, metavar="N", help="as many executions in all")
    parser.add_argument("--only", action="append", choices=TARGETS, metavar="TARGET", help="one of: %(choices)s")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of libFuzzer (default: %(default)s)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where corpora grow and findings are kept")
    parser.add_argument("--keep-seeds", action="store_true", help="keep the smallest corpus that reaches everything")
    parser.add_argument("--seeds", type=Path, required=True, metavar="DIR", help="where that is kept")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where a full run puts its figures")
    parser.add_argument("--again", nargs=2, metavar=("TARGET", "FILE"), help="try one input, without the fuzzer")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
