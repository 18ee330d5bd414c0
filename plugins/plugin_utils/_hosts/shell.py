# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions that the shell of a host can answer.

A module costs a second or two: its files are packed and sent, and Python is started. Where nothing has changed, a
command can show that. Whenever its answer is anything but plain, the module is asked instead.
"""

from __future__ import annotations

import re
import shlex
import uuid
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

_HOME = re.compile(r"(~[A-Za-z0-9_.-]*/)(.*)", re.DOTALL)


def ask_shell(action: ActionBase, command: str) -> str | None:
    """Run a command on the host.

    :param action: of the task; the command runs as the user of its connection.
    :returns: its output; ``None`` if the shell is not of the sh family, or did not answer.
    :raises AnsibleError: when the host cannot be reached.
    """
    if getattr(action._connection._shell, "SHELL_FAMILY", "") != "sh":
        return None
    # Shells, and sudo on a terminal, may print more than they are asked, before and after.
    mark = uuid.uuid4().hex
    done: Mapping[str, Any] = action._low_level_execute_command(
        f"{{ printf %s {mark}; {command}; printf %s {mark}; }} 2>/dev/null"
    )
    answer, end, _after = str(done.get("stdout", "")).partition(mark)[2].rpartition(mark)
    return answer if end else None


def shell_path(path: str) -> str | None:
    """Quote a path for the shell, which resolves ``~`` as a module does.

    :returns: ``None`` for a path that is relative, or that a module would expand in another way.
    """
    if "$" in path:
        return None
    if path.startswith("/"):
        return shlex.quote(path)
    home = _HOME.fullmatch(path)
    return f"{home[1]}{shlex.quote(home[2])}" if home else None
