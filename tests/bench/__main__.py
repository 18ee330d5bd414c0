# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's command line; see ``tests/bench.sh``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ..support.module import COLLECTION
from ..support.registry import Registry
from . import (
    archiving,
    bundles,
    copying,
    disk,
    fetching,
    growing,
    growth,
    haul,
    hosts,
    http_stacks,
    live,
    loading,
    machine,
    memory,
    parity,
    play,
    reloading,
    report,
    rerun,
    shaped,
    startup,
    through,
    verifying,
    whole,
)
from .context import SHORT, Bench, Sizes, say
from .figures import Figure
from .plot import as_svg
from .process import module_start

_MODULES = (
    whole,
    copying,
    shaped,
    live,
    archiving,
    rerun,
    bundles,
    growth,
    growing,
    memory,
    disk,
    loading,
    reloading,
    verifying,
    parity,
    startup,
    hosts,
    play,
    fetching,
    http_stacks,
    through,
    haul,
)

GROUPS: dict[str, Callable[[Bench], list[Figure]]] = {module.GROUP: module.measure for module in _MODULES}
"""The groups of measurements, in the order of the table."""

LONG = (hosts.GROUP, play.GROUP, growing.GROUP, haul.GROUP)
"""Groups that are measured only when they are named: they take up to twenty minutes, and some need earlier commits."""

_WORK = "on the disk to be measured"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the files; returns 1 where a ratio misses its bound."""
    options = _options(arguments)
    groups = options.only or [group for group in GROUPS if group not in LONG]
    done = measure(_sizes(options), groups, options.work, options.checkout)
    print(report.as_text(done))
    write(done, options.output)
    say(f"written to {options.output}: results.json, results.md, plot.svg")
    return 1 if done.missed else 0


def measure(sizes: Sizes, groups: Sequence[str], work: Path, checkout: Path = COLLECTION) -> report.Report:
    """Takes all figures of these groups.

    :param work: a folder on the disk that is measured; what is made in it is removed.
    :param checkout: the repository of the collection.
    """
    figures: list[Figure] = []
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="airgap-images-bench-", dir=work) as made:
        folder = Path(made)
        # Neither credentials nor settings of whoever runs this.
        os.environ["HOME"] = str(folder)
        with Registry(folder / "registry") as registry:
            bench = Bench(folder, registry, sizes, checkout)
            module_start()  # compiles what later starts find compiled
            for group in groups:
                started, worked = time.monotonic(), sum(os.times()[:4])
                figures += GROUPS[group](bench)
                seconds[group] = time.monotonic() - started
                say(f"{group}: {seconds[group]:.0f} s, {sum(os.times()[:4]) - worked:.0f} CPU s")
        return report.Report(machine.describe(folder), asdict(sizes), seconds, figures)


def write(done: report.Report, output: Path) -> None:
    """Writes the three files."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "results.json").write_text(report.as_json(done), encoding="utf-8")
    (output / "results.md").write_text(report.as_markdown(done), encoding="utf-8")
    (output / "plot.svg").write_text(as_svg(done.figures), encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench.sh", description="Measures the collection beside references.")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is measured; 3")
    parser.add_argument("--megabytes", type=float, metavar="N", help="unique blobs of the main workload; 480")
    parser.add_argument("--loaded", type=float, metavar="N", help="unique blobs of the load; 1700")
    parser.add_argument("--references", type=int, metavar="N", help="the most that growth is measured at; 2000")
    parser.add_argument("--full", action="store_true", help="peak of memory at 1 and 8 GB instead of 0.1 and 0.8")
    parser.add_argument("--short", action="store_true", help="tiny sizes that only show that it works")
    parser.add_argument("--only", action="append", choices=list(GROUPS), metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--output", type=Path, default=COLLECTION / "docs/performance", metavar="DIR")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), metavar="DIR", help=_WORK)
    parser.add_argument("--checkout", type=Path, default=COLLECTION, metavar="DIR", help="the repository")
    return parser.parse_args(arguments)


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = SHORT if options.short else Sizes()
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    if options.megabytes:
        sizes = replace(sizes, megabytes=options.megabytes)
    if options.loaded:
        sizes = replace(sizes, loaded=options.loaded)
    if options.references:
        steps = [each for each in sizes.references if each < options.references]
        sizes = replace(sizes, references=(*steps, options.references))
    if options.full:
        sizes = replace(sizes, huge=(1000.0, 8000.0))
    return sizes


if __name__ == "__main__":
    sys.exit(main())
