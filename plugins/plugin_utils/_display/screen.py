# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen that lines appear on: how wide it is, and what Ansible prints there itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ansible import constants
from ansible.errors import AnsibleError
from ansible.playbook.task import Task
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable

# Workers have no terminal, but Ansible loads action plugins before it starts a worker.
IS_TERMINAL = os.isatty(2)
_TERMINAL = os.dup(2) if IS_TERMINAL else -1


def _is_shared() -> bool:
    """Return True if standard output and standard error are the same."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(1), os.fstat(2))
    return False


_IS_SHARED = _is_shared()

_WITH_BANNERS = frozenset({"default", "debug", "yaml"})
_WITHOUT_BANNERS = frozenset({"minimal", "oneline", "json", "jsonl"})
_LINE_BY_LINE = _WITH_BANNERS | _WITHOUT_BANNERS
"""Callbacks, by the last component of their names, that print lines and never move the cursor."""

_HIDING = ("display_ok_hosts", "display_skipped_hosts")
_FREE = frozenset({"free", "host_pinned"})
_STARS = 79
_LONGEST = 1000


@dataclass(frozen=True)
class Screen:
    """The place of a task's lines.

    :param heading: to be shown above the first line; empty if Ansible has shown one.
    :param mark: path of a file by which the hosts of a task agree who shows it.
    :param redraws: whether a line may replace the one before.
    """

    heading: str = ""
    mark: str = ""
    redraws: bool = False

    @classmethod
    def of(cls, task: Task, variables: Mapping[str, object]) -> Screen:
        """Find out what the screen of a task is like.

        :param variables: of the task on one host.
        """
        batch = variables.get("ansible_play_batch")
        hosts = [str(name) for name in batch] if isinstance(batch, (list, tuple)) else []
        callback = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK")).rpartition(".")[2]
        name = hashlib.sha256("\n".join([str(task._uuid), *hosts]).encode()).hexdigest()[:16]
        return cls(
            heading="" if _has_banner(task, callback) else heading_of(task.get_name()),
            mark=os.path.join(str(constants.DEFAULT_LOCAL_TMP), f"airgap-images-{name}"),  # type: ignore[attr-defined]
            redraws=can_redraw(callback, hosts=len(hosts), terminal=os.environ.get("TERM", "")),
        )

    def take_heading(self) -> str:
        """Return the heading to the first host of the task that asks, and nothing to the others."""
        if not self.heading:
            return ""
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return ""
        except OSError:  # better twice than never
            pass
        return self.heading


def columns() -> int | None:
    """Return the width of the terminal as it is now; ``None`` if it is not known, or there is none."""
    if _TERMINAL >= 0:
        with suppress(OSError):
            return os.get_terminal_size(_TERMINAL).columns or None
    return None


def heading_of(name: str) -> str:
    """Return the heading of a task as Ansible writes it."""
    heading = f"TASK [{printable(name.strip(), _LONGEST)}] "
    return f"\n{heading}{'*' * max(3, _STARS - len(heading))}"


def can_redraw(callback: str, *, hosts: int, terminal: str) -> bool:
    """Return True if nobody else prints while a task runs, so that a line can replace the one before.

    :param callback: the one that prints to standard output.
    :param hosts: number of hosts that run the task.
    :param terminal: the kind of terminal; empty if that is not known.
    """
    is_able = IS_TERMINAL and terminal not in ("", "dumb")
    return is_able and hosts == 1 and callback in _LINE_BY_LINE and Display().verbosity <= 1


def _has_banner(task: Task, callback: str) -> bool:
    """Return True if Ansible has shown the banner of a task before the task began, where the lines are."""
    if not _IS_SHARED or callback in _WITHOUT_BANNERS:
        return False
    if callback not in _WITH_BANNERS:
        return True  # it may do as it likes
    strategy = str(getattr(task.play, "strategy", "")).rpartition(".")[2]
    # It waits for the first result that is to be shown.
    return strategy not in _FREE and all(_option(callback, option) for option in _HIDING)


def _option(callback: str, option: str) -> bool:
    """Return an option of a callback; True if it is not known."""
    for name in (callback, f"ansible.builtin.{callback}", "default", "ansible.builtin.default"):
        with suppress(AnsibleError):
            return bool(constants.config.get_config_value(option, plugin_type="callback", plugin_name=name))
    return True
