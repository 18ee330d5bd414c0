# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of a run, line by line."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) \[(.*?)\] (.*)$")


def parts(lines: list[str]) -> list[tuple[str, ...]]:
    found = [LINE.match(line) for line in lines]
    return [match.groups() for match in found if match is not None]


def test_lines_have_time_level_and_place() -> None:
    log = Log(debug=True)
    log.debug("one")
    with log.about(2):
        log.info("two")
        with log.about(2, 1):
            log.warning("three")
        log.error("four")
    log.info("five")
    assert parts(log.lines) == [
        ("DEBUG", "-", "one"),
        ("INFO", "image 2", "two"),
        ("WARNING", "image 2.1", "three"),
        ("ERROR", "image 2", "four"),
        ("INFO", "-", "five"),
    ]


def test_each_thread_has_its_own_place() -> None:
    log = Log(debug=True)
    count = 8
    barrier = threading.Barrier(count)

    def work(number: int) -> None:
        with log.about(number, number):
            barrier.wait(timeout=60)
            log.info(f"about {number}.{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, count + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.lines) == count
    assert all(message == f"about {place[6:]}" for _level, place, message in parts(log.lines))


def test_the_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    log = Log(debug=False)
    log.info("before there is a file")
    log.append_to(str(path))
    log.info("é")
    log.debug("not asked for")
    written = path.read_text(encoding="utf-8").splitlines()
    assert written[0] == "before"
    assert parts(written[1:]) == [("INFO", "-", "é")]
    log.close()


def test_lines_are_kept_only_for_debug() -> None:
    log = Log(debug=False)
    log.info("one")
    log.close()
    assert log.lines == []


def test_a_message_is_one_line() -> None:
    log = Log(debug=True)
    log.info("one\ntwo\x1b[31m" + "x" * 3000)
    assert log.lines[0].count("\n") == 0
    assert "one\\x0atwo\\x1b[31m" in log.lines[0]
    assert len(log.lines[0]) < 2100


def test_the_last_lines_are_kept() -> None:
    log = Log(debug=True)
    for number in range(2100):
        log.info(str(number))
    assert len(log.lines) == 2000
    assert log.lines[-1].endswith(" 2099")


def test_the_place_is_right_again_after_an_error() -> None:
    log = Log(debug=True)
    with pytest.raises(ValueError, match="x"), log.about(1):
        raise ValueError("x")
    log.info("after")
    assert parts(log.lines) == [("INFO", "-", "after")]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"log_file: cannot write .*Is a directory"):
        Log(debug=False).append_to(str(tmp_path))


def test_a_full_disk_does_not_end_the_run() -> None:
    log = Log(debug=True)
    log.append_to("/dev/full")
    log.info("one")
    log.info("two")
    log.close()
    assert len(log.lines) == 2
    assert log.problem.startswith("log_file: /dev/full is incomplete: No space left on device. Free some space there")


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OptionError, match="log_file: cannot write "):
        Log(debug=False).append_to(str(tmp_path / "log"))
