# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault bench's command line; see ``tests/faults.sh``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..bench import machine
from . import damage, disk, in_full, kill, load, load_bundles, network, repair, report, signals, together, walk
from .runner import run_all
from .trial import SHORT, VIOLATED, Outcome, Report, Scale, Trial

OF_THEIR_OWN = (load.GROUP, load_bundles.GROUP, repair.GROUP)
"""The groups with a table in the page for a run of their own."""

GROUPS: dict[str, Callable[[Scale], list[Trial]]] = {
    module.GROUP: module.trials
    for module in (network, kill, load, load_bundles, repair, signals, together, disk, damage, walk, in_full)
}
"""The groups of trials, in the order of the table."""

SEED = 20261122

_WORK = Path(tempfile.gettempdir())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials, print the table, and write it if everything was tried.

    :return: 1 if something did not hold.
    """
    options = _options(arguments)
    scale = _scale(options)
    found = [trial for group in options.only or GROUPS for trial in GROUPS[group](scale)]
    trials = [trial for trial in found if not options.trial or trial.name in options.trial]
    started = time.monotonic()
    outcomes = run_all(trials, scale.load, seed=options.seed, jobs=options.jobs, work=options.work, told=_say)
    seconds = time.monotonic() - started
    done = Report(options.seed, machine.describe(options.work), seconds, outcomes)
    print(report.as_text(done))
    is_whole = not (options.trial or options.short)
    if options.output is not None and is_whole:
        if not options.only:
            write(done, options.output)
        elif len(options.only) == 1 and options.only[0] in OF_THEIR_OWN:
            write_table(done, options.output, group=options.only[0])
    return 1 if done.violations or not outcomes else 0


def write(done: Report, output: Path) -> None:
    """Writes ``faults.json``, and the table into the page beside the folder if there is one."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "faults.json").write_text(report.as_json(done), encoding="utf-8")
    write_table(done, output)


def write_table(done: Report, output: Path, *, group: str = "") -> None:
    """Writes the table into the page beside the folder, if there is one.

    :param group: of the trials, if there was only one.
    """
    page = output.with_suffix(".md")
    if page.exists():
        table = report.as_markdown(done)
        page.write_text(report.in_page(page.read_text("utf-8"), table, group=group), encoding="utf-8")


def _say(outcome: Outcome) -> None:
    told = f": {outcome.told}" if outcome.outcome == VIOLATED else ""
    name = f"{outcome.group}:{outcome.number}"
    print(
        f"{name:14} {outcome.seconds:6.1f} s  {outcome.outcome:14}  {outcome.fault}{told}", file=sys.stderr, flush=True
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/faults.sh", description="Does harm to runs of the module.")
    parser.add_argument("--short", action="store_true", help="few images, each main kind of fault once")
    parser.add_argument("--times", type=int, metavar="N", help=f"how often each fault is made; {Scale().times}")
    parser.add_argument("--kills", type=int, metavar="N", help=f"runs that are killed or ended; {Scale().kills}")
    parser.add_argument("--loads", type=int, metavar="N", help=f"loads that meet a fault; {Scale().loads}")
    parser.add_argument("--repairs", type=int, metavar="N", help=f"parts that are lost, and kills; {Scale().repairs}")
    parser.add_argument("--signals", type=int, metavar="N", help=f"signals in a process; {Scale().signals}")
    parser.add_argument("--module-signals", type=int, metavar="N", help=f"on the module; {Scale().module_signals}")
    parser.add_argument("--steps", type=int, metavar="N", help=f"steps of the walk over options; {Scale().steps}")
    parser.add_argument("--only", action="append", choices=list(GROUPS), metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--trial", action="append", metavar="GROUP:NUMBER", help="a single one, as the output names it")
    parser.add_argument("--seed", type=int, default=SEED, metavar="N", help="decides all that is random; %(default)s")
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="trials at once; %(default)s")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where faults.json of a run of everything goes")
    parser.add_argument("--work", type=Path, default=_WORK, metavar="DIR", help="temporary files")
    return parser.parse_args(arguments)


def _scale(options: argparse.Namespace) -> Scale:
    scale = SHORT if options.short else Scale()
    asked = {
        name: getattr(options, name)
        for name in ("times", "kills", "loads", "repairs", "signals", "module_signals", "steps")
    }
    return replace(scale, **{name: number for name, number in asked.items() if number})


if __name__ == "__main__":
    sys.exit(main())
