# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the fuzzer over targets, each in a process of its own, and counts what libFuzzer says that it did."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .targets import Target

KEPT_SEEDS = 60
_LARGEST_SEED = 2048
_SECONDS_PER_INPUT = 5
_MEGABYTES = 1024
_STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_PROGRESS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")
_SHOWN_LINES = 60


@dataclass(frozen=True)
class Outcome:
    """The result of one target's run, in libFuzzer's own figures.

    :ivar executions: inputs that the parser was given.
    :ivar edges: of the bytecode of the engine that were reached.
    :ivar corpus: inputs that reach something which no other one does.
    :ivar findings: files that hold an input which breaks a property, takes too long or too much memory.
    :ivar complaint: why the run does not count; empty where it does.
    """

    target: str
    executions: int
    seconds: float
    edges: int
    corpus: int
    megabytes: int
    findings: tuple[str, ...]
    complaint: str


@dataclass(frozen=True)
class Campaign:
    """Options of a run.

    :ivar seed: equal ones give equal runs, on the same Python and the same corpora.
    :ivar work: the folder of growing corpora and findings.
    """

    jobs: int
    seed: int
    work: Path

    def run(self, targets: Sequence[Target], runs: dict[str, int]) -> list[Outcome]:
        """Fuzz the targets, the longest first; the outcomes come in the order given.

        :raises RuntimeError: Not all of them were fuzzed.
        """
        findings, logs = self.work / "findings", self.work / "logs"
        for folder in (findings, logs):
            folder.mkdir(parents=True, exist_ok=True)
        before = set(findings.iterdir())
        longest_first = sorted(targets, key=lambda target: -runs[target.name])
        begun = [
            {
                "target": target.name,
                "options": self._options(target, runs[target.name]),
                "log": str(logs / f"{target.name}.txt"),
            }
            for target in longest_first
        ]
        outcomes: dict[str, Outcome] = {}
        for end in _several(self.jobs, begun):
            target = next(each for each in targets if each.name == end["target"])
            said = (logs / f"{target.name}.txt").read_bytes().decode("utf-8", "replace")
            new = {path for path in findings.iterdir() if path.name.startswith(f"{target.name}-")} - before
            outcome = _outcome(target, runs[target.name], end, said, sorted(new))
            outcomes[target.name] = outcome
            print(
                f"{outcome.target}: {outcome.executions} executions in {outcome.seconds:.1f} s, "
                f"{outcome.edges} edges{'; ' + outcome.complaint if outcome.complaint else ''}",
                flush=True,
            )
        missing = [target.name for target in targets if target.name not in outcomes]
        if missing:
            raise RuntimeError(f"not fuzzed: {', '.join(missing)}")
        return [outcomes[target.name] for target in targets]

    def _options(self, target: Target, runs: int) -> list[str]:
        corpus = self.work / "corpus" / target.name
        corpus.mkdir(parents=True, exist_ok=True)
        prefix = f"{self.work / 'findings'}/{target.name}-"
        options = [f"-runs={runs}", f"-seed={self.seed}", f"-artifact_prefix={prefix}", "-print_final_stats=1"]
        return [*_limits(target), *options, str(corpus), str(target.seeds)]

    def keep_seeds(self, target: Target, folder: Path) -> int:
        """Put the smallest inputs that reach all edges into a folder, beside the seeds made by hand; their number."""
        merged = self.work / "merged" / target.name
        shutil.rmtree(merged, ignore_errors=True)
        merged.mkdir(parents=True)
        by_hand = [path for path in target.seeds.iterdir() if not path.name.startswith("found-")]
        for path in by_hand:
            shutil.copyfile(path, merged / path.name)
        corpus = self.work / "corpus" / target.name
        status, said = _merge(target, ["-merge=1", "-use_counters=0", str(merged), str(corpus), str(target.seeds)])
        # libFuzzer merges in a process of its own, and ends well where that cannot be started.
        if status != 0 or "MERGE-INNER" not in said:
            raise RuntimeError(f"{target.name}: the corpora cannot be merged:\n{said[-2000:]}")
        names = {path.name for path in by_hand}
        new = [path for path in merged.iterdir() if path.name not in names and path.stat().st_size <= _LARGEST_SEED]
        for old in folder.glob("found-*"):
            old.unlink()
        chosen = sorted(new, key=lambda path: (path.stat().st_size, path.name))[: KEPT_SEEDS - len(by_hand)]
        for path in chosen:
            shutil.copyfile(path, folder / f"found-{path.name[:12]}.bin")
        return len(by_hand) + len(chosen)


def _outcome(target: Target, runs: int, end: Mapping[str, Any], said: str, found: Sequence[Path]) -> Outcome:
    """Count what libFuzzer says that it did.

    :param runs: executions that were asked for.
    :param end: of the process: its status, and how long it took.
    :param found: files of findings.
    """
    numbers = {name: int(number) for name, number in _STATISTIC.findall(said)}
    edges, _features, size = (_PROGRESS.findall(said) or [("0", "0", "0")])[-1]
    executions = numbers.get("number_of_executed_units", 0)
    complaint = ""
    if end["status"] != 0 or found:
        _show(target, said, found)
        complaint = f"the fuzzer ended with status {end['status']}, {len(found)} findings"
    elif executions < runs:
        complaint = f"{executions} executions instead of {runs}"
    return Outcome(
        target=target.name,
        executions=executions,
        seconds=round(end["seconds"], 1),
        edges=int(edges),
        corpus=int(size),
        megabytes=numbers.get("peak_rss_mb", 0),
        findings=tuple(path.name for path in found),
        complaint=complaint,
    )


def _several(jobs: int, begun: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Do these runs, as ``several`` describes them, and yield the end of each as it comes."""
    command = [sys.executable, "-m", f"{__package__}.several", str(jobs)]
    with subprocess.Popen(command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(begun).encode())
        process.stdin.close()
        for line in process.stdout:
            yield json.loads(line)


def _merge(target: Target, options: Sequence[str]) -> tuple[int, str]:
    """Have libFuzzer merge corpora; returns its exit status and all it said."""
    command = [sys.executable, "-m", f"{__package__}.one", target.name]
    with tempfile.TemporaryDirectory(prefix="airgap-images-fuzz-") as folder:
        # What libFuzzer calls itself by.
        program = Path(folder) / "fuzz"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', "utf-8")
        program.chmod(0o755)
        done = subprocess.run(
            [*command, *_limits(target), *options],
            env=_environment(FUZZ_PROGRAM=str(program)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")


def _limits(target: Target) -> list[str]:
    limits = [f"-timeout={_SECONDS_PER_INPUT}", f"-rss_limit_mb={_MEGABYTES}", f"-max_len={target.longest}"]
    return [*limits, f"-dict={target.dictionary}"]


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", **more}


def _show(target: Target, said: str, found: Sequence[Path]) -> None:
    """Print what happened, the input that did it, and how to do it again."""
    lines = [line for line in said.splitlines() if not line.startswith("#")]
    print(f"------ {target.name}", *lines[-_SHOWN_LINES:], sep="\n")
    for path in found:
        print(f"input: {path.read_bytes()!r}")
        print(f"again: tests/fuzz.sh --again {target.name} {path}")
    print("------", flush=True)
