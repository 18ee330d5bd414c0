# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs trials in several processes, each with a ground of its own."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue, SimpleQueue
from pathlib import Path

from .ground import Ground, private_temporary_files
from .trial import VIOLATED, Outcome, Trial, Violation
from .workload import Workload

_LONGEST = 3700.0
"""Seconds that any trial may take."""


def run_all(
    trials: Sequence[Trial], load: Workload, *, seed: int, jobs: int, work: Path, told: Callable[[Outcome], None]
) -> list[Outcome]:
    """Runs every trial once.

    :param load: the images that they save.
    :param jobs: processes at once.
    :param work: a folder for what they write; it is removed again.
    :param told: is called with each outcome as it comes.
    """
    folder = Path(tempfile.mkdtemp(prefix="airgap-images-faults-", dir=work))
    context = multiprocessing.get_context("fork")  # trials hold functions; nothing runs yet that a fork could break
    todo: SimpleQueue[int | None] = context.SimpleQueue()
    done: Queue[Outcome] = context.Queue()
    workers = [
        context.Process(target=_work, args=(folder / f"worker-{number}", load, trials, seed, todo, done))
        for number in range(min(jobs, len(trials)))
    ]
    try:
        for worker in workers:
            worker.start()
        for index in [*range(len(trials)), *(None for _worker in workers)]:
            todo.put(index)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(trials):
            outcomes.append(done.get(timeout=_LONGEST))
            told(outcomes[-1])
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.kill()
        shutil.rmtree(folder, ignore_errors=True)
    order = {(trial.group, trial.number): place for place, trial in enumerate(trials)}
    return sorted(outcomes, key=lambda each: order[each.group, each.number])


def _work(
    folder: Path,
    load: Workload,
    trials: Sequence[Trial],
    seed: int,
    todo: SimpleQueue[int | None],
    done: Queue[Outcome],
) -> None:
    private_temporary_files(folder / "tmp")
    for number in (signal.SIGINT, signal.SIGHUP):  # what a shell or nohup has ignored, the module ignores too
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)
    with Ground.made(folder, load) as ground:
        while (index := todo.get()) is not None:
            done.put(run_one(trials[index], ground, seed))


def run_one(trial: Trial, ground: Ground, seed: int) -> Outcome:
    """Runs a trial; whatever it raises is a violation."""
    started = time.monotonic()
    outcome, told = VIOLATED, ""
    try:
        outcome = trial.run(ground, trial.chance(seed))
    except Violation as violation:
        told = str(violation)
    except Exception:
        told = traceback.format_exc(limit=-6)
    return Outcome(trial.group, trial.fault, trial.number, outcome, round(time.monotonic() - started, 2), told)
