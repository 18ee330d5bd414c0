# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject
from ansible_collections.airgap.images.plugins.plugin_utils._display.lines import save_line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._watch import follow as follow_module
from ansible_collections.airgap.images.plugins.plugin_utils._watch.follow import follow
from ansible_collections.airgap.images.plugins.plugin_utils._watch.signals import Orphaned, Signals

DONE = {"changed": True, "msg": "saved"}
LOST = AnsibleConnectionFailure("Connection reset by peer")


class FakeTicker(Ticker):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("host", is_silent=False)
        self.lines: list[str] = []

    def _show(self, text: str, color: str | None) -> None:
        self.lines.append(text)


class FakeJob:
    """A job whose looks give what they are told to, in order; the last one for ever.

    :param start: what its start returns or raises.
    :param is_there: whether the host has a trace of it, or an error.
    """

    def __init__(
        self, looks: Iterable[Any], *, over_after: int = 0, start: Any = None, is_there: bool | Exception = True
    ) -> None:
        self._start = start
        self._is_there = is_there
        self._looks = list(looks)
        self._asked = 0
        self._over_after = over_after
        self.calls: list[str] = []

    def start(self) -> dict[str, Any] | None:
        if isinstance(self._start, BaseException):
            raise self._start
        answer: dict[str, Any] | None = self._start() if callable(self._start) else self._start
        return answer

    def is_there(self) -> bool:
        self.calls.append("is_there")
        if isinstance(self._is_there, Exception):
            raise self._is_there
        return self._is_there

    def progress(self) -> JsonObject | None:
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(look, BaseException):
            raise look
        if callable(look):
            look = look()
        return None if look is None else JsonObject(look)

    def result(self) -> dict[str, Any] | None:
        self._asked += 1
        return DONE if self._asked > self._over_after else None

    def end(self) -> None:
        self.calls.append("end")

    def forget(self) -> None:
        self.calls.append("forget")

    def reconnect(self) -> None:
        self.calls.append("reconnect")


def look(seconds: float = 1.0, *, ended: bool = False, events: Iterable[tuple[int, str, str]] = ()) -> dict[str, Any]:
    """A progress file."""
    return {
        "stage": "archive",
        "seconds": seconds,
        "ended": ended,
        "images": {"done": 1, "failed": 0, "of": 2},
        "bytes": {"done": 1, "of": 2},
        "rate": 0,
        "archive": {"bytes": 0, "of": 0, "part": 0, "parts": 1},
        "events": [{"number": number, "kind": kind, "text": text} for number, kind, text in events],
    }


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_module.time, "sleep", lambda seconds: None)


def test_result_of_the_module_is_returned_and_nothing_stays() -> None:
    job, ticker = FakeJob([look(), look(2.0, ended=True)]), FakeTicker()
    assert follow(job, ticker, Signals(), line_of=save_line) == DONE
    assert job.calls == ["forget"]
    assert ticker.lines == ["1 of 2 images, 1 byte of 2 bytes"]


def test_events_are_shown_once_and_at_once() -> None:
    first = (1, "warning", "try 2 of 4")
    ticker = FakeTicker()
    follow(
        FakeJob(
            [look(1.0, events=[first]), look(2.0, events=[first, (2, "error", "x failed")]), look(3.0, ended=True)]
        ),
        ticker,
        Signals(),
        line_of=save_line,
    )
    assert [line for line in ticker.lines if "images" not in line] == ["try 2 of 4", "ERROR: x failed"]


def test_events_that_were_missed_are_counted() -> None:
    ticker = FakeTicker()
    looks = [look(1.0, events=[(1, "warning", "a")]), look(2.0, ended=True, events=[(8, "warning", "b")])]
    follow(FakeJob(looks), ticker, Signals(), line_of=save_line)
    shown = [line for line in ticker.lines if "images" not in line]
    assert shown == ["a", "6 messages skipped here; set log_file to see all of them", "b"]


@pytest.mark.parametrize("kind", ["image", "repeated"])
def test_images_that_end_and_causes_that_are_known_are_shown_with_v(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [look(1.0, ended=True, events=[(1, kind, "a is there")])]
    ticker = FakeTicker()
    monkeypatch.setattr(ticker._display, "verbosity", 0)
    follow(FakeJob(looks), ticker, Signals(), line_of=save_line)
    assert "a is there" not in ticker.lines
    monkeypatch.setattr(ticker._display, "verbosity", 1)
    follow(FakeJob(looks), ticker, Signals(), line_of=save_line)
    assert "a is there" in ticker.lines


def test_lost_connection_ends_nothing() -> None:
    job, ticker = FakeJob([LOST, LOST, look(), look(2.0, ended=True)]), FakeTicker()
    assert follow(job, ticker, Signals(), line_of=save_line) == DONE
    assert job.calls == ["reconnect", "reconnect", "forget"]
    assert [line.split(",")[0] for line in ticker.lines[:2]] == ["the connection is lost", "the connection is restored"]


def test_a_connection_that_is_lost_while_a_run_starts() -> None:
    """Then nobody knows whether it does, until the host is asked."""
    job, ticker = FakeJob([look(), look(2.0, ended=True)], start=LOST), FakeTicker()
    assert follow(job, ticker, Signals(), line_of=save_line) == DONE
    assert job.calls == ["reconnect", "is_there", "forget"]
    assert [line.split(",")[0] for line in ticker.lines[:2]] == ["the connection is lost", "the connection is restored"]


@pytest.mark.parametrize("is_there", [False, AnsibleConnectionFailure("No route to host")])
def test_a_host_that_cannot_be_reached_is_no_lost_connection(is_there: bool | Exception) -> None:
    job, ticker = FakeJob([], start=LOST, is_there=is_there), FakeTicker()
    with pytest.raises(AnsibleConnectionFailure, match="Connection reset by peer"):
        follow(job, ticker, Signals(), line_of=save_line)
    assert job.calls == ["reconnect", "is_there"] and ticker.lines == []


def test_a_module_that_cannot_be_packed_is_not_asked_to_end() -> None:
    job = FakeJob([], start=AnsibleError("Could not find imported module support code"))
    with pytest.raises(AnsibleError, match="support code"):
        follow(job, FakeTicker(), Signals(), line_of=save_line)
    assert job.calls == []


def test_a_module_that_is_no_job_is_not_watched() -> None:
    job = FakeJob([], start={"failed": True, "msg": "missing required arguments"})
    assert follow(job, FakeTicker(), Signals(), line_of=save_line) == {
        "failed": True,
        "msg": "missing required arguments",
    }
    assert job.calls == []


def test_sudo_that_does_not_answer_is_asked_again() -> None:
    """Ansible raises another error for that than for a connection."""
    job = FakeJob([AnsibleError("timed out waiting for privilege escalation prompt"), look(2.0, ended=True)])
    assert follow(job, FakeTicker(), Signals(), line_of=save_line) == DONE
    assert job.calls == ["reconnect", "forget"]


def test_what_cannot_be_removed_is_no_failure() -> None:
    class Stubborn(FakeJob):
        def forget(self) -> None:
            raise AnsibleError("sudo")

    assert follow(Stubborn([look(2.0, ended=True)]), FakeTicker(), Signals(), line_of=save_line) == DONE


class TaskTimeoutError(BaseException):
    """The error that Ansible raises then is not an Exception either."""


@pytest.mark.parametrize(("start", "looks"), [(None, [TaskTimeoutError()]), (TaskTimeoutError(), [])])
def test_a_timeout_of_the_task_ends_the_run(start: BaseException | None, looks: list[Any]) -> None:
    """Also while it starts."""
    job = FakeJob([*looks, look(2.0, ended=True)], start=start)
    with pytest.raises(TaskTimeoutError):
        follow(job, FakeTicker(), Signals(), line_of=save_line)
    assert job.calls == ["end", "forget"]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([KeyError(), None], "the run was asked to end, but has not ended yet"),
        ([KeyError(), look(1.0)], "the run was asked to end, but has not ended yet"),
        ([KeyError(), LOST], "the run could not be asked to end, and may continue on the host"),
    ],
)
def test_a_run_that_does_not_end_is_not_waited_for_long(
    looks: list[Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is forgotten: it writes its record still."""
    job, ticker, seconds = FakeJob(looks, over_after=1000), FakeTicker(), iter(range(1000))
    monkeypatch.setattr(follow_module.time, "monotonic", lambda: float(next(seconds)))
    with pytest.raises(KeyError):
        follow(job, ticker, Signals(), line_of=save_line)
    assert job.calls == ["end"]
    assert ticker.lines == [expected]
    assert next(seconds) < 60


def test_no_run_is_waited_for_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    days = iter(range(100))
    monkeypatch.setattr(follow_module.time, "monotonic", lambda: next(days) * 86400.0)
    with pytest.raises(AnsibleConnectionFailure, match="neither ended within its time limit"):
        follow(FakeJob([None], over_after=1000), FakeTicker(), Signals(), line_of=save_line)


def test_a_host_that_stays_away_is_given_up_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def later() -> float:
        now[0] += 60.0
        return now[0]

    monkeypatch.setattr(follow_module.time, "monotonic", later)
    with pytest.raises(AnsibleConnectionFailure, match=r"for 60 minutes\. The run may continue there"):
        follow(FakeJob([LOST]), FakeTicker(), Signals(), line_of=save_line)


def test_a_run_that_was_killed_is_noticed() -> None:
    """Its file says for ever what it said last."""
    assert follow(FakeJob([look(1.0)]), FakeTicker(), Signals(), line_of=save_line) == DONE


def test_a_run_that_never_says_anything_is_noticed() -> None:
    assert follow(FakeJob([None], over_after=2), FakeTicker(), Signals(), line_of=save_line) == DONE


@pytest.mark.parametrize("wrong", [{"seconds": 1}, {"stage": 7, "events": "none"}, {"events": [{"number": "x"}]}])
def test_what_cannot_be_shown_ends_nothing(wrong: dict[str, Any]) -> None:
    assert follow(FakeJob([wrong, look(2.0, ended=True)]), FakeTicker(), Signals(), line_of=save_line) == DONE


def test_nobody_waits_once_the_controller_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([7, 7, 1])
    monkeypatch.setattr(follow_module.os, "getppid", lambda: next(parents))
    job = FakeJob([look()])
    with pytest.raises(Orphaned):
        follow(job, FakeTicker(), Signals(), line_of=save_line)
    assert job.calls == []


SCRIPT = """
import os, signal
from {here} import LOST, FakeJob, FakeTicker, look, save_line
from ansible_collections.airgap.images.plugins.plugin_utils._watch import follow as follow_module
from ansible_collections.airgap.images.plugins.plugin_utils._watch.signals import Signals

def die():
    os.kill(os.getpid(), signal.{name})
    return look()

def start():
    die()

def lose():
    die()
    raise LOST

class Job(FakeJob):
    def forget(self):
        super().forget()
        print(self.calls, flush=True)

class Ticker(FakeTicker):
    def _show(self, text, color):
        print(text, flush=True)

try:
    with Signals() as signals:
        job = Job([look(), {late}, look(2.0, ended=True)], start={early})
        follow_module.follow(job, Ticker(), signals, line_of=save_line)
finally:
    print("not ended as the signal would")
"""


@pytest.mark.each_value
@pytest.mark.parametrize(
    ("early", "late"), [("start", "look()"), ("lose", "look()"), ("None", "die"), ("None", "lose")]
)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_stop_of_the_controller_ends_the_run(name: str, early: str, late: str) -> None:
    """In a process of its own, which dies of the signal once the run has ended, be it just being started or not.

    The signal may also end the command that waits on the host: that is no lost connection.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(here=__name__, name=name, early=early, late=late)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    assert done.returncode == -getattr(signal, name), done.stderr
    assert "['end', 'forget']\nthe run was ended; what was transferred is kept\n" in done.stdout
    assert "not ended" not in done.stdout
    assert "the connection is lost" not in done.stdout


def test_many_failures_do_not_fill_the_screen() -> None:
    events = [(number, "error", f"image {number} failed") for number in range(1, 21)]
    ticker = FakeTicker()
    follow(FakeJob([look(1.0, ended=True, events=events)]), ticker, Signals(), line_of=save_line)
    shown = [line for line in ticker.lines if "of 2 images" not in line]
    assert shown[:5] == [f"ERROR: image {number} failed" for number in range(1, 6)]
    assert shown[5:] == ["more failed; the lines count them, and -v shows all of them"]
