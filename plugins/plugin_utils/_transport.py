# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection of one task, made fit for large files that are compressed already."""

from __future__ import annotations

import os
import re
import shlex
from typing import Protocol

# Dead connections are noticed after two minutes, unless the inventory says otherwise: of several, ssh takes the first.
_KEEP_ALIVE = "-o ServerAliveInterval=30 -o ServerAliveCountMax=4"
_PLAIN = "-o Compression=no"


class Connection(Protocol):
    """What is needed of a connection plugin (``ansible.plugins.connection.ConnectionBase``)."""

    @property
    def transport(self) -> str:
        """Name of the plugin."""

    def get_option(self, option: str) -> object:
        """The value of an option."""

    def set_option(self, option: str, value: object) -> None:
        """Change an option for this task only."""


def without_compression(connection: Connection) -> None:
    """Turn off the compression of ssh, which Ansible turns on (C(-C)): it makes such transfers several times slower.

    A connection that is shared with earlier tasks (C(ControlPersist)) is compressed already, so there is another one.
    """
    if connection.transport != "ssh":
        return
    arguments = _text(connection, "ssh_args")
    if _PLAIN in arguments:
        return
    others = {option: _text(connection, option) for option in ("ssh_common_args", "ssh_extra_args")}
    first = _PLAIN
    if _has_own_control_path(connection, " ".join([arguments, *others.values()])):
        first += " -o ControlMaster=no -o ControlPath=none"
    connection.set_option("ssh_args", f"{first} {without_flag(arguments)} {_KEEP_ALIVE}")
    for option, text in others.items():
        connection.set_option(option, without_flag(text))
    connection.set_option("control_path_dir", os.path.join(_text(connection, "control_path_dir"), "plain"))


def _has_own_control_path(connection: Connection, arguments: str) -> bool:
    """Whether the inventory says where the socket is, so that another directory gives no other socket."""
    path = _text(connection, "control_path")
    return "controlpath" in arguments.lower() or bool(path and "%(directory)s" not in path)


def without_flag(arguments: str) -> str:
    """Arguments of ssh without C(-C), which would count for more than C(Compression=no)."""
    return shlex.join(word for word in shlex.split(arguments) if not re.fullmatch(r"-[C46]*C[C46]*", word))


def _text(connection: Connection, option: str) -> str:
    return str(connection.get_option(option) or "")
