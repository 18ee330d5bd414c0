# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a task's connection for large files that are already compressed."""

from __future__ import annotations

import os
import re
import shlex
from typing import Protocol

# Dead connections are noticed after two minutes. Of several values, ssh takes the first: that of the inventory.
_KEEP_ALIVE = "-o ServerAliveInterval=30 -o ServerAliveCountMax=4"
# The directory of the sockets of connections without compression, which keeps them apart from others.
_SOCKETS = "plain"
_ARGUMENTS = ("ssh_args", "ssh_common_args", "ssh_extra_args", "sftp_extra_args", "scp_extra_args")
# Flags of ssh, sftp and scp that take no value, so that several can be in one word.
_FLAGS = re.compile(r"-[46AaCfGgKkMNnqsTtVvXxYy]+")


class Connection(Protocol):
    """The part of a connection plugin that is used (``ansible.plugins.connection.ConnectionBase``)."""

    @property
    def transport(self) -> str:
        """The name of the plugin."""

    def get_option(self, option: str) -> object:
        """Return the value of an option."""

    def set_option(self, option: str, value: object) -> None:
        """Change an option, for this task only."""


def without_compression(connection: Connection) -> None:
    """Turn off the compression of ssh, which Ansible turns on (C(-C)): it makes such transfers several times slower.

    A connection shared with earlier tasks (C(ControlPersist)) is compressed already, so another one is opened.
    """
    if connection.transport != "ssh":
        return
    directory = _text(connection, "control_path_dir")
    if os.path.basename(directory) == _SOCKETS:
        return
    texts = {option: _text(connection, option) for option in _ARGUMENTS}
    first = "-o Compression=no"
    if _has_own_control_path(connection, " ".join(texts.values())):
        first += " -o ControlMaster=no -o ControlPath=none"
    for option, text in texts.items():
        connection.set_option(option, _without_flag(text))
    connection.set_option("ssh_args", f"{first} {_without_flag(texts['ssh_args'])} {_KEEP_ALIVE}")
    connection.set_option("control_path_dir", os.path.join(directory, _SOCKETS))


def transfer_methods(connection: Connection) -> tuple[str, ...]:
    """Return the methods of transferring files, in the order to try; empty if there is no choice.

    Ansible's own choice ends with piping, which holds whole files in memory, so it is not left to Ansible.
    """
    if connection.transport != "ssh":
        return ()
    return ("scp",) if _text(connection, "ssh_transfer_method") == "scp" else ("sftp", "scp")


def _has_own_control_path(connection: Connection, arguments: str) -> bool:
    """Return True if the inventory sets the path of the socket, so that another directory would not change it."""
    path = _text(connection, "control_path")
    names_one = re.search(r"controlpath|(?:^|\s)-S", arguments, re.IGNORECASE) is not None
    return names_one or bool(path and "%(directory)s" not in path)


def _without_flag(arguments: str) -> str:
    """Return arguments of ssh without C(-C), which would override C(Compression=no)."""
    words = [re.sub("C", "", word) if _FLAGS.fullmatch(word) else word for word in shlex.split(arguments)]
    return shlex.join(word for word in words if word != "-")


def _text(connection: Connection, option: str) -> str:
    return str(connection.get_option(option) or "")
