# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress: what a task shows while it runs, and what its progress file says."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._progress import (
    KEYS,
    Reader,
    by_way_of,
    jobs,
    layer_path,
    lines,
    measured,
    play,
    read,
    size,
    task,
    to_fetch,
    until,
    whole,
)
from ansible_collections.airgap.images.tests.support.faults import Dole, Hold, Respond, Rule
from ansible_collections.airgap.images.tests.support.module import alive, wait_for_end
from ansible_collections.airgap.images.tests.support.playbook import RunningPlay, start_playbook
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import big, small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

MIB = 1024 * 1024
SLACK = 300_000
"""Bytes that may be on their way: buffers of the proxy, of the kernel and of whoever writes."""

TERMINAL = [sys.executable, "-m", "ansible_collections.airgap.images.tests.support.terminal"]


def left_to_skopeo(home: Path, host: str) -> None:
    """Has skopeo fetch all that comes from a registry."""
    path = home / ".config" / "containers" / "registries.conf"
    path.parent.mkdir(parents=True)
    path.write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n', "utf-8")


def assert_never_back(states: Sequence[dict[str, Any]]) -> None:
    """Figures never go back from state to state, and a count is never more than there is."""
    for before, after in zip(states, states[1:], strict=False):
        assert before["seconds"] <= after["seconds"], (before, after)
        assert before["images"]["done"] <= after["images"]["done"], (before, after)
        assert before["archive"]["bytes"] <= after["archive"]["bytes"], (before, after)
        assert not before["ended"]
        numbers = [each["number"] for each in after["events"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert after["events"][: len(before["events"])] == before["events"]
    for each in states:
        assert each["images"]["done"] + each["images"]["failed"] <= each["images"]["of"], each
        assert each["bytes"]["done"] <= each["bytes"]["of"], each


def test_one_large_layer_moves_whoever_fetches_it(
    registry: Registry, bench: Workbench, home: Path, workdir: Path
) -> None:
    """On a terminal. Two layers come in doses, one by our client and one by skopeo; a third image is there soon."""
    doses = {name: Dole(MIB) for name in ("ours", "theirs")}
    images = {name: push(registry, f"some/{name}", "1", big(seed, [9_000, 3 * MIB])) for seed, name in enumerate(doses)}
    images["quick"] = push(registry, "some/quick", "1", small(9))
    rules = {name: Rule(dose, path=layer_path(images[name].platforms[0])) for name, dose in doses.items()}
    ours, theirs = bench.proxy(registry, rules["ours"]), bench.proxy(registry, rules["theirs"])
    left_to_skopeo(home, theirs.host)
    named = {"ours": by_way_of(ours, images["ours"]), "theirs": by_way_of(theirs, images["theirs"])}
    copying = {f"{each} (linux/amd64)" for each in named.values()}
    references = [*named.values(), images["quick"].reference]
    least, most = to_fetch(list(images.values()))
    file, shown = workdir / "progress.json", workdir / "shown.txt"
    shown.touch()
    arguments = bench.params(references, progress_file=file, part_size="2M")

    def reached(wanted: int) -> bool:
        state = read(file)
        return bool(state) and bool(state["bytes"]["done"] > wanted)

    def seen(*texts: str) -> bool:
        return any(all(text in line for text in texts) for line in lines(shown.read_text("utf-8")))

    with (
        Reader(file) as reader,
        start_playbook([play(task(arguments))], prefix=[*TERMINAL, "0", str(shown)]) as running,
    ):
        # Both have a third of their large layer.
        until(lambda: reached(2 * MIB - SLACK), "the first doses", play=running)
        until(lambda: seen("1 of 3 images"), "the small image", play=running)
        assert not reached(2 * MIB + SLACK)
        state = read(file)
        assert (state["pid"], state["ended"]) == (reader.states[0]["pid"], False)
        assert alive(state["pid"])
        assert state["images"] == {"done": 1, "failed": 0, "of": 3}
        assert least <= state["bytes"]["of"] <= most
        assert set(state["copying"]) == copying
        for number, name in enumerate(doses, start=1):
            doses[name].allow(2 * MIB)
            wanted = (2 + number) * MIB - SLACK
            until(partial(reached, wanted), f"the second dose of {name}", play=running)
        before = len(measured(shown.read_text("utf-8")))
        until(lambda: len(measured(shown.read_text("utf-8"))) > before, "a line on the terminal", 12, play=running)
        for dose in doses.values():
            dose.allow()
        result = running.wait()
    assert result.rc == 0, result.stdout + shown.read_text("utf-8")
    archive = whole(bench.dest)
    assert len(archive.lock["images"]) == 3

    last = measured(shown.read_text("utf-8"))[before]
    assert (last["done"], last["of"], last["failed"]) == ("1", "3", None)
    assert abs(size(last["here"]) - 4 * MIB) < 2 * SLACK and least * 0.95 <= size(last["all"]) <= most * 1.05
    assert last["copying"] in copying and last["more"] == "1"
    final = lines(shown.read_text("utf-8"))[-1]
    assert str(result.task("task").data["msg"]) in shown.read_text("utf-8"), final

    assert_never_back(reader.states)
    assert all(set(each) == KEYS and each["version"] == 1 for each in reader.states)
    assert {each["pid"] for each in reader.states} == {state["pid"]}
    end = read(file)
    assert end == reader.states[-1] and end["ended"] and not end["copying"]
    assert end["images"] == {"done": 3, "failed": 0, "of": 3}
    assert end["bytes"]["done"] == end["bytes"]["of"]
    assert end["archive"]["bytes"] == result.task("task").data["stats"]["bytes_archive"]
    assert not jobs(home)
    # Standard output is as ever.
    assert "of 3 images" not in result.stdout


def test_on_a_terminal_one_line_is_replaced(source: Source, bench: Workbench, home: Path, workdir: Path) -> None:
    """With one host. It is as wide as the terminal at most, the banner of its task is above it, and it is gone then."""
    image, hold, shown, width = source["oci/gzip:1"], Hold(), workdir / "shown.txt", 60
    shown.touch()
    proxy = bench.proxy(source.registry, Rule(hold, path=layer_path(image.platforms[0])))
    missing = f"{proxy.host}/none/such:1"
    arguments = bench.params([by_way_of(proxy, image), missing], allow_partial=True, retries=0)
    tasks = [task(arguments, name="save")]
    with start_playbook([play(*tasks)], prefix=[*TERMINAL, str(width), str(shown)], env={"TERM": "xterm"}) as running:
        until(lambda: shown.read_bytes().count(b"0 of 2 images") > 3, "frames", play=running)
        hold.release()
        result = running.wait()
    text = shown.read_bytes().decode().replace("\r\n", "\n")
    assert result.rc == 0, result.stdout + text
    frames = [each for each in text.split("\r\x1b[K") if each.startswith("localhost: 0 of 2 images")]
    assert len(frames) > 3 and all(len(each.split("\n")[0]) < width for each in frames), frames
    rows = [row.split("\r\x1b[K")[-1] for row in text.strip().split("\n")]
    assert rows[0].startswith("TASK [save] ***")
    assert not [row for row in rows if re.match(r"localhost: \d of 2 images", row)], "what was replaced is seen"
    (failure,) = [row for row in rows if "ERROR: " in row]
    assert missing in failure
    assert [row.partition(": /")[0] for row in rows[-2:]] == ["localhost: the report", "localhost: to unpack it"]


class Troubled:
    """Four images: one is held back, one lacks a layer, one comes at the second try, and one there is not."""

    def __init__(self, registry: Registry, bench: Workbench) -> None:
        names = ("held", "missing", "shaky")
        images = [push(registry, f"some/{name}", "1", small(seed)) for seed, name in enumerate(names)]
        held, missing, shaky = (layer_path(each.platforms[0]) for each in images)
        self.hold = Hold()
        rules = [Rule(self.hold, path=held), Rule(Respond(404), path=missing), Rule(Respond(503), path=shaky, times=1)]
        self.proxy = bench.proxy(registry, *rules)
        self.held, self.missing, self.shaky = (by_way_of(self.proxy, each) for each in images)
        self.file = bench.directory / "progress.json"
        self.arguments = bench.params(
            [self.held, self.missing, self.shaky, f"{self.missing}x"],
            progress_file=self.file,
            retries=1,
            retry_delay=0.01,
        )

    def await_all(self, running: RunningPlay) -> None:
        """Returns once what is not held back has ended, and the task has said so."""
        until(lambda: self.progress() == (1, 2), "the progress of the others", play=running)
        until(lambda: self.told(running, "503"), "the retry", play=running)
        until(lambda: self.told(running, self.missing, "404"), "the failure", play=running)

    def progress(self) -> tuple[int, int]:
        """Images done and failed."""
        images = read(self.file).get("images", {"done": 0, "failed": 0})
        return images["done"], images["failed"]

    def told(self, running: RunningPlay, *texts: str) -> bool:
        """Return True if a line has all of these; what is measured and names it as being copied is no such line."""
        text = running.output()[1]
        counted = {each[0] for each in measured(text)}
        return any(all(each in line for each in texts) for line in lines(text) if line not in counted)


def test_what_goes_wrong_is_told_as_it_happens(registry: Registry, bench: Workbench, home: Path) -> None:
    """In a log, with ``-v``: while the first image is held back, the others' ends are told. Then it ends, too."""
    case = Troubled(registry, bench)
    with start_playbook([play(task(case.arguments))], options=["-v"]) as running:
        case.await_all(running)
        until(lambda: case.told(running, case.shaky, "is there"), "the image that is done", play=running)
        assert not case.told(running, case.held)
        case.hold.release()
        result = running.wait()
        assert case.told(running, case.held, "is there")
    assert result.rc == 2
    end = read(case.file)
    assert end["ended"] and end["images"] == {"done": 2, "failed": 2, "of": 4}
    kinds = {kind: [each["text"] for each in end["events"] if each["kind"] == kind] for kind in ("image", "error")}
    assert len(kinds["image"]) == 2 and any(case.missing in text for text in kinds["error"])
    failed = [each["reference"] for each in result.task("task").data["failed_images"]]
    assert sorted(failed) == [case.missing, f"{case.missing}x"]
    assert not jobs(home)


def test_a_module_that_is_told_to_end(registry: Registry, bench: Workbench, home: Path) -> None:
    """Without ``-v``: no image is told. One line a step, as nobody looks. The file says that it is over."""
    case = Troubled(registry, bench)
    with start_playbook([play(task(case.arguments))]) as running:
        case.await_all(running)
        assert not case.told(running, case.shaky, "is there")
        pid = read(case.file)["pid"]
        os.kill(pid, signal.SIGTERM)
        result = running.wait()
    wait_for_end([pid])
    assert result.rc == 2
    assert "SIGTERM" in result.task("task").data["msg"]
    assert len(measured(result.stderr)) <= 2, result.stderr
    assert read(case.file)["ended"] and read(case.file)["pid"] == pid
    assert not jobs(home)
