# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._display import screen as screen_module
from ansible_collections.airgap.images.plugins.plugin_utils._display.screen import Screen, can_redraw, heading_of


@dataclass
class FakePlay:
    strategy: str = "linear"


@dataclass
class FakeTask:
    play: FakePlay = field(default_factory=FakePlay)
    _uuid: str = "uuid"

    def get_name(self) -> str:
        return "airgap.images.image_save : Save the images"


HEADING = "\n" + "TASK [airgap.images.image_save : Save the images] ".ljust(79, "*")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Ansible's settings; whatever is not in there is not known."""
    found: dict[str, Any] = {"DEFAULT_STDOUT_CALLBACK": "default"}

    def value(name: str, **plugin: str) -> Any:
        if name not in found:
            raise screen_module.AnsibleError(name)
        return found[name]

    monkeypatch.setattr(screen_module.constants.config, "get_config_value", value)
    monkeypatch.setattr(screen_module, "_IS_SHARED", True)
    return found


def heading(task: FakeTask) -> str:
    return Screen.of(task, {"ansible_play_batch": ["north"]}).heading  # type: ignore[arg-type]


def test_a_heading_is_that_of_ansible() -> None:
    assert heading_of("airgap.images.image_save : Save the images") == HEADING
    assert heading_of("x" * 90).endswith("] ***")
    assert "\x1b" not in heading_of("\x1b[2J")


def test_what_ansible_has_shown_is_not_shown_again(settings: dict[str, Any]) -> None:
    assert heading(FakeTask()) == ""
    settings["DEFAULT_STDOUT_CALLBACK"] = "somebody.elses.callback"
    assert heading(FakeTask()) == ""


@pytest.mark.parametrize("option", ["display_ok_hosts", "display_skipped_hosts"])
def test_a_banner_that_waits_for_a_result_is_shown_before(settings: dict[str, Any], option: str) -> None:
    settings[option] = False
    assert heading(FakeTask()) == HEADING
    settings[option] = True
    assert heading(FakeTask()) == ""


@pytest.mark.parametrize("strategy", ["free", "ansible.builtin.host_pinned"])
def test_strategies_without_order_have_no_banner_before(settings: dict[str, Any], strategy: str) -> None:
    assert heading(FakeTask(FakePlay(strategy))) == HEADING


@pytest.mark.parametrize("callback", ["minimal", "ansible.builtin.oneline", "ansible.posix.json"])
def test_callbacks_without_banners(settings: dict[str, Any], callback: str) -> None:
    settings["DEFAULT_STDOUT_CALLBACK"] = callback
    assert heading(FakeTask()) == HEADING


def test_a_banner_that_goes_elsewhere_is_shown(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_module, "_IS_SHARED", False)
    assert heading(FakeTask()) == HEADING


def test_one_host_of_a_task_shows_the_heading(tmp_path: Path) -> None:
    first = Screen(HEADING, str(tmp_path / "mark"))
    assert [first.take_heading(), Screen(HEADING, str(tmp_path / "mark")).take_heading()] == [HEADING, ""]
    assert Screen(HEADING, str(tmp_path / "none" / "mark")).take_heading() == HEADING
    assert Screen("", str(tmp_path / "other")).take_heading() == ""
    assert [path.name for path in tmp_path.iterdir()] == ["mark"]


@pytest.mark.parametrize(
    ("changed", "can"),
    [
        ({}, True),
        ({"hosts": 3}, False),
        ({"hosts": 0}, False),
        ({"terminal": "dumb"}, False),
        ({"terminal": ""}, False),
        ({"callback": "dense"}, False),
        ({"callback": "minimal"}, True),
    ],
)
def test_a_line_is_replaced_where_nobody_else_prints(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], can: bool
) -> None:
    asked: dict[str, Any] = {"callback": "default", "hosts": 1, "terminal": "xterm", **changed}
    monkeypatch.setattr(screen_module, "IS_TERMINAL", True)
    assert can_redraw(**asked) is can
    monkeypatch.setattr(screen_module.Display(), "verbosity", 3)
    assert not can_redraw(**asked)
    monkeypatch.setattr(screen_module.Display(), "verbosity", 0)
    monkeypatch.setattr(screen_module, "IS_TERMINAL", False)
    assert not can_redraw(**asked)


def test_the_width_is_that_of_the_terminal_now() -> None:
    """With a terminal of our own."""
    master, terminal = pty.openpty()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screen_module, "_TERMINAL", terminal)
        assert screen_module.columns() is None, "its size is not known"
        for columns in (80, 132):
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            assert screen_module.columns() == columns
        patch.setattr(screen_module, "_TERMINAL", -1)
        assert screen_module.columns() is None
    os.close(master)
    os.close(terminal)
