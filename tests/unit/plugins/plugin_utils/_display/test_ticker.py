# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._display import screen as screen_module
from ansible_collections.airgap.images.plugins.plugin_utils._display import ticker as ticker_module
from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line, Piece
from ansible_collections.airgap.images.plugins.plugin_utils._display.screen import Screen
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker

ERASE = "\r\x1b[K"


class Terminal:
    """The lines written to the screen and to the log, as Ansible does it, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.screen, self.log, self.now, self.colors = "", "", 0.0, set[Any]()
        self.columns: int | None = None
        monkeypatch.setattr("ansible.utils.display.Display.display", lambda _display, *a, **k: self._show(*a, **k))
        monkeypatch.setattr("ansible.utils.display.Display.warning", lambda _display, text: self._show(f"[W] {text}"))
        monkeypatch.setattr(ticker_module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(screen_module, "columns", lambda: self.columns)
        monkeypatch.setattr(screen_module, "IS_TERMINAL", True)

    def _show(self, text: str, color: Any = None, **how: bool) -> None:
        self.colors.add(color)
        if not how.get("log_only"):
            self.screen += text + ("\n" if how.get("newline", True) else "")
        if not how.get("screen_only"):
            self.log += text + "\n"

    @property
    def seen(self) -> list[str]:
        """The rows that can be seen in the end."""
        return [row.split(ERASE)[-1] for row in self.screen.split("\n")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


def line(done: int, of: int = 9) -> Line:
    return Line((Piece(f"{done} of {of} images"), Piece("copying ", 5, name="docker.io/rancher/rancher")), news=done)


def run(ticker: Ticker, terminal: Terminal, seconds: int, moves: bool = True) -> None:
    """A run that is looked at every second."""
    for _second in range(seconds):
        terminal.now += 1
        done = int(terminal.now) if moves else 0
        ticker.tick(lambda done=done: line(done), "copy")  # type: ignore[misc]


def test_an_hour_with_three_hosts_is_some_hundred_lines(terminal: Terminal) -> None:
    for name in ("north", "east", "west"):
        terminal.now = 0.0
        run(Ticker(name, is_silent=False), terminal, 3600)
    assert 100 < terminal.screen.count("\n") < 300


def test_what_stands_still_says_so(terminal: Terminal) -> None:
    run(Ticker("north", is_silent=False), terminal, 1000, moves=False)
    assert terminal.seen == [
        "north: 0 of 9 images, copying docker.io/rancher/rancher",
        "north: 0 of 9 images, nothing has moved for 5 min, copying docker.io/rancher/rancher",
        "north: 0 of 9 images, nothing has moved for 10 min, copying docker.io/rancher/rancher",
        "north: 0 of 9 images, nothing has moved for 15 min, copying docker.io/rancher/rancher",
        "",
    ]


def test_a_line_has_the_width_of_the_terminal(terminal: Terminal) -> None:
    terminal.columns = 38
    ticker = Ticker("north", is_silent=False)
    run(ticker, terminal, 1)
    terminal.columns = 30
    run(ticker, terminal, 5)
    ticker.warn("a warning is shown however long it is")
    assert terminal.seen == [
        "north: 1 of 9 images",
        "north: 6 of 9 images",
        "north: a warning is shown however long it is",
        "",
    ]


def test_a_line_is_replaced_and_gone_in_the_end(terminal: Terminal) -> None:
    ticker = Ticker("north", is_silent=False, place=Screen(redraws=True))
    run(ticker, terminal, 100)
    ticker.fail("x failed")
    run(ticker, terminal, 100)
    assert [row.partition(",")[0] for row in terminal.seen] == ["north: ERROR: x failed", "north: 200 of 9 images"]
    ticker.warning("of Ansible")
    run(ticker, terminal, 1)
    ticker.say("done")
    ticker.end()
    assert terminal.seen == ["north: ERROR: x failed", "[W] of Ansible", "north: done", ""]
    assert "\r" not in terminal.log and "\x1b" not in terminal.log
    assert 10 < terminal.log.count("north: ") < 50, "the log of Ansible has the lines as on a screen without this"


def test_the_heading_comes_first_and_once(terminal: Terminal, tmp_path: Any) -> None:
    place = Screen(heading="\nTASK [x] ***", mark=str(tmp_path / "mark"))
    for name in ("north", "east"):
        ticker = Ticker(name, is_silent=False, place=place)
        ticker.warn("first")
        ticker.say("second")
    assert terminal.screen == "\nTASK [x] ***\nnorth: first\nnorth: second\neast: first\neast: second\n"


def test_what_is_secret_is_silent(terminal: Terminal, tmp_path: Any) -> None:
    ticker = Ticker("north", is_silent=True, place=Screen("heading", str(tmp_path / "mark"), redraws=True))
    run(ticker, terminal, 10)
    ticker.say("x")
    ticker.fail("x")
    ticker.end()
    assert terminal.screen == terminal.log == ""


def test_failures_have_a_colour_of_their_own(terminal: Terminal) -> None:
    ticker = Ticker("north", is_silent=False)
    ticker.say("x")
    ticker.warn("x")
    ticker.fail("x")
    assert len(terminal.colors) == 3


def test_paths_say_where_they_are(terminal: Terminal) -> None:
    ticker = Ticker("north", is_silent=False)
    returned = {"report_file": "/srv/a.report.html", "restore_file": "/srv/a.restore.sh"}
    ticker.say_paths(returned, "the host")
    ticker.say_paths({**returned, "report_file": None})
    assert terminal.seen == [
        "north: the report, on the host: /srv/a.report.html",
        "north: to unpack it, on the host: /srv/a.restore.sh",
        "north: to unpack it: /srv/a.restore.sh",
        "",
    ]
