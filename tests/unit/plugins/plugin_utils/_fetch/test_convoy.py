# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._display.line import Line
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import convoy as convoy_module
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.convoy import Convoy
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item

ITEMS = [Item(f"/srv/{name}", name, size, "ab" * 32) for name, size in (("a.part0", 100), ("a.part1", 50))]


class Recorder(Ticker):
    """Keeps every line, whether one is due or not, and says when there are so many."""

    def __init__(self) -> None:
        super().__init__("host", is_silent=False)
        self.lines: list[str] = []
        self._come = threading.Condition()

    def tick(self, make: Callable[[], Line | None], step: str = "") -> None:
        with self._come:
            self.lines.append(str(make()))
            self._come.notify_all()

    def wait_for(self, beginning: str) -> None:
        with self._come:
            assert self._come.wait_for(lambda: any(line.startswith(beginning) for line in self.lines), 30), self.lines


@pytest.fixture
def ticker(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setattr(convoy_module, "INTERVAL", 0.001)
    return Recorder()


def test_files_are_shown_as_they_grow(tmp_path: Path, ticker: Recorder) -> None:
    convoy = Convoy(ITEMS, ticker)
    path = tmp_path / "a.part0"
    with convoy.shown([ITEMS[0]], str(path)):
        ticker.wait_for("fetching file 1 of 2, a.part0, 0 bytes of 150 bytes")
        path.write_bytes(b"x" * 70)
        ticker.wait_for("fetching file 1 of 2, a.part0, 70 bytes of 150 bytes")
    with convoy.shown([ITEMS[1]], str(tmp_path / "a.part1")):
        ticker.wait_for("fetching file 2 of 2, a.part1, 100 bytes of 150 bytes")


def test_a_transfer_that_fails_counts_for_nothing(tmp_path: Path, ticker: Recorder) -> None:
    convoy = Convoy(ITEMS, ticker)
    path = tmp_path / "a.part0"
    path.write_bytes(b"x" * 100)
    with pytest.raises(KeyError), convoy.shown([ITEMS[0]], str(path)):
        raise KeyError
    with convoy.shown([ITEMS[0]], str(tmp_path / "none")):
        ticker.wait_for("fetching file 1 of 2, a.part0, 0 bytes of 150 bytes")


def test_what_is_there_already_is_no_part_of_it(tmp_path: Path, ticker: Recorder) -> None:
    """A file that is longer than it should be shows no more than there is."""
    path = tmp_path / "a.part0"
    path.write_bytes(b"x" * 1000)
    with Convoy(ITEMS, ticker).shown([ITEMS[0]], str(path)):
        ticker.wait_for("fetching file 1 of 2, a.part0, 100 bytes of 150 bytes")


def test_what_came_before_in_the_same_run_is_counted(tmp_path: Path, ticker: Recorder) -> None:
    """The lock file comes first: it says what else there is."""
    convoy = Convoy(ITEMS[1:], ticker, arrived=ITEMS[:1])
    with convoy.shown([ITEMS[1]], str(tmp_path / "a.part1")):
        ticker.wait_for("fetching file 2 of 2, a.part1, 100 bytes of 150 bytes")


def test_files_in_a_bundle_are_shown_one_after_another(tmp_path: Path, ticker: Recorder) -> None:
    """Before each there are 512 bytes of a header, and behind it what makes its length a multiple of 512."""
    convoy = Convoy(ITEMS, ticker)
    path = tmp_path / "bundle"
    path.write_bytes(b"x" * 50)
    with convoy.shown(ITEMS, str(path)):
        ticker.wait_for("fetching file 1 of 2, a.part0, 50 bytes of 150 bytes")
        path.write_bytes(b"x" * 1023)
        ticker.wait_for("fetching file 1 of 2, a.part0, 100 bytes of 150 bytes")
        path.write_bytes(b"x" * 1030)
        ticker.wait_for("fetching file 2 of 2, a.part1, 106 bytes of 150 bytes")
        path.write_bytes(b"x" * 9000)
        ticker.wait_for("fetching file 2 of 2, a.part1, 150 bytes of 150 bytes")


def test_what_did_not_arrive_with_the_others_is_not_counted(tmp_path: Path, ticker: Recorder) -> None:
    convoy = Convoy(ITEMS, ticker)
    with convoy.shown(ITEMS, str(tmp_path / "bundle")):
        pass
    convoy.miss(ITEMS[:1])
    with convoy.shown(ITEMS[:1], str(tmp_path / "a.part0")):
        ticker.wait_for("fetching file 1 of 2, a.part0, 50 bytes of 150 bytes")
