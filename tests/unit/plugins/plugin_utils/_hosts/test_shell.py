# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.plugin_utils._hosts.shell import ask_shell, shell_path
from ansible_collections.airgap.images.tests.unit.host_shell import run_in_shell


def action(family: str = "sh") -> Any:
    connection = SimpleNamespace(_shell=SimpleNamespace(SHELL_FAMILY=family))
    return SimpleNamespace(
        _connection=connection, _low_level_execute_command=lambda command: {"stdout": run_in_shell(command)}
    )


def test_the_answer_is_what_the_command_says() -> None:
    assert ask_shell(action(), "printf 'a b'; echo error >&2") == "a b"
    assert ask_shell(action(), "false") == ""


def test_a_command_that_does_not_reach_its_end_has_no_answer() -> None:
    assert ask_shell(action(), "printf x; exit 0") is None


@pytest.mark.parametrize("family", ["csh", "fish", "powershell", ""])
def test_other_shells_are_not_asked(family: str) -> None:
    assert ask_shell(action(family), "echo x") is None


@pytest.mark.parametrize("path", ["/a/b", "/it's", "/a b/$", "~/a b", "~/it's; x", "~root/x", "~/", "/~/x"])
def test_a_path_is_resolved_as_a_module_does(path: str) -> None:
    quoted = shell_path(path)
    if "$" in path:
        assert quoted is None
    else:
        assert ask_shell(action(), f"printf %s {quoted}") == os.path.expanduser(path)


@pytest.mark.parametrize("path", ["", "a", "./a", "$HOME/a", "/srv/${X}", "~", "~a b/c", "-x"])
def test_other_paths_are_left_to_the_module(path: str) -> None:
    assert shell_path(path) is None
