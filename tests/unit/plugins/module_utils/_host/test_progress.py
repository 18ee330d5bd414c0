# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonObject, parse_object
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host import progress as progress_module
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.progress import Progress, Speed, refuse_foreign, shown


def test_speed_is_of_the_last_half_minute() -> None:
    speed = Speed()
    assert speed.rate == 0
    for second in range(100):
        speed.read(float(second), 0 if second < 50 else (second - 50) * 10)
    assert speed.rate == 10
    assert speed.left(95) == 10
    assert speed.left(0) is None


def test_no_time_left_until_it_is_worth_something() -> None:
    """The first files of a run are small, and what takes days is a guess."""
    speed = Speed()
    for second in range(20):
        speed.read(float(second), second * 10)
    assert speed.rate == 10
    assert speed.left(95) is None
    speed.read(20.0, 200)
    assert speed.left(95) == 10
    assert speed.left(10 * 100 * 3600 - 10) == 100 * 3600 - 1
    assert speed.left(10 * 100 * 3600) is None


def test_what_goes_backwards_has_no_speed() -> None:
    speed = Speed()
    speed.read(0.0, 100)
    speed.read(1.0, 50)
    assert speed.rate == 0
    assert speed.left(10) is None


def test_two_readings_at_one_moment_give_no_speed() -> None:
    speed = Speed()
    speed.read(1.0, 1)
    speed.read(1.0, 2)
    assert speed.rate == 0


def test_bytes_count_while_files_grow() -> None:
    progress, come = Progress(), [10]
    progress.bytes = 100
    progress.measure(lambda: come[0])
    assert progress.as_json()["bytes"] == {"done": 10, "of": 100}
    come[0] = 55
    assert progress.as_json()["bytes"] == {"done": 55, "of": 100}
    come[0] = 1000
    assert progress.as_json()["bytes"] == {"done": 100, "of": 100}


def test_what_is_copied_now_is_named_once_each() -> None:
    progress = Progress()
    with progress.working_on("a"):
        other = threading.Thread(target=_hold, args=(progress, begun := threading.Event(), end := threading.Event()))
        other.start()
        assert begun.wait(10)
        assert progress.as_json()["copying"] == ["a"]
        end.set()
        other.join()
    assert progress.as_json()["copying"] == []


def _hold(progress: Progress, begun: threading.Event, end: threading.Event) -> None:
    with progress.working_on("a"):
        begun.set()
        end.wait(10)


def test_time_left_is_that_of_the_download_and_then_of_the_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    now, come, written = [0.0], [0], [10]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    progress = Progress()
    progress.bytes, progress.archive_bytes = 100, 110
    progress.measure(lambda: come[0])
    progress.measure_archive(lambda: (written[0], 1))
    assert progress.as_json()["seconds_left"] is None
    now[0], come[0] = 20.0, 50
    assert progress.as_json()["seconds_left"] == 25, "the archive waits, and has no speed to tell anything by"
    now[0], come[0], written[0] = 40.0, 100, 50
    assert progress.as_json()["seconds_left"] == 60


def test_parts_are_foreseen() -> None:
    progress = Progress()
    progress.archive_bytes, progress.parts = 101, 3
    progress.measure_archive(lambda: (60, 2))
    assert progress.as_json()["archive"] == {"bytes": 60, "of": 101, "part": 2, "parts": 3}


def test_events_are_numbered_and_only_the_last_are_kept() -> None:
    progress = Progress()
    for number in range(250):
        progress.tell("warning", f"event {number}")
    events = progress.as_json()["events"]
    assert isinstance(events, list)
    assert len(events) == 100
    assert events[-1] == {"number": 250, "kind": "warning", "text": "event 249"}


def test_file_is_whole_at_any_time_and_says_when_the_run_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "INTERVAL", 0.001)
    path = tmp_path / "progress.json"
    progress = Progress()
    with shown(progress, [str(path)], stop=Stop()):
        while not path.exists():
            pass
        for number in range(300):
            progress.tell("image", "x" * number)
            assert parse_object(path.read_bytes()).values()["ended"] is False
    document = json.loads(path.read_bytes())
    assert document["ended"] is True
    assert document["events"][-1]["number"] == 300
    assert [each.name for each in tmp_path.iterdir()] == ["progress.json"]


def test_file_says_that_a_run_ended_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    with pytest.raises(KeyError), shown(Progress(), [str(path)], stop=Stop()):
        raise KeyError
    assert json.loads(path.read_bytes())["ended"] is True


@pytest.mark.parametrize("path", ["/proc/none/such", "nul\0byte", "/"])
def test_a_file_that_cannot_be_written_ends_nothing(path: str) -> None:
    with shown(Progress(), [path], stop=Stop()):
        pass


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine", encoding="utf-8")
    path = tmp_path / "progress.json"
    path.symlink_to(other)
    with shown(Progress(), [str(path)], stop=Stop()):
        pass
    assert other.read_text(encoding="utf-8") == "mine"
    assert not path.is_symlink()


def test_nothing_is_written_where_nobody_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with shown(Progress(), [], stop=Stop()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_several_readers_have_a_file_each(tmp_path: Path) -> None:
    """One that cannot be written disturbs none of the others."""
    paths = [str(tmp_path / "none" / "a"), str(tmp_path / "b"), str(tmp_path / "c")]
    with shown(Progress(), paths, stop=Stop()):
        pass
    assert Path(paths[1]).read_bytes() == Path(paths[2]).read_bytes()


def test_long_texts_are_cut() -> None:
    progress = Progress()
    progress.tell("error", "," * 5000)
    assert len(str(progress.as_json()["events"])) < 1200


def test_only_a_progress_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    refuse_foreign(str(path), [])
    with shown(Progress(), [str(path)], stop=Stop()):
        pass
    refuse_foreign(str(path), [])
    path.write_bytes(b"")
    refuse_foreign(str(path), [])


@pytest.mark.parametrize("content", [b"precious", b'{"version": 1, "options": {}}'])
def test_what_is_of_somebody_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=r"progress_file: .*/mine is not a progress file and would be replaced"):
        refuse_foreign(str(path), [])
    assert path.read_bytes() == content


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")
    for path in (str(pipe), str(link), "/dev/null", str(tmp_path), "nul\0byte"):
        with pytest.raises(OptionError, match="progress_file: "):
            refuse_foreign(path, [])
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_another_file_of_the_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OptionError, match="is also another file of this task"):
        refuse_foreign(f"{tmp_path}/link/images.tar", [f"{tmp_path}/images.tar"])


def test_a_file_beside_it_ends_the_run_as_a_signal_does(tmp_path: Path) -> None:
    """Also one that was there before the run, and where signals are ignored."""
    path, to_end = tmp_path / "progress.json", tmp_path / "progress.json.end"
    for is_early in (True, False):
        stop = Stop()
        if is_early:
            to_end.touch()
        with shown(Progress(), [str(path)], stop=stop, to_end=str(to_end)):
            if not is_early:
                to_end.touch()
            assert stop.wait(60)
        assert stop.reason == "the run was ended from the controller; what was transferred is kept"
        assert not to_end.exists(), "it would end whoever comes next"


def test_retries_are_counted_and_told_as_warnings() -> None:
    progress, log = Progress(), Log(debug=False)
    log.told = progress.tell
    log.warning("a proxy is used")
    log.retry("broken pipe; try 2 of 4 in 2.0 s")
    told = JsonObject(progress.as_json())
    assert told.integer("retries") == 1
    assert [event.text("kind") for event in told.objects("events")] == ["warning", "warning"]
