# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes to the connection of a task that transfers large files."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.plugin_utils._hosts.transport import _without_flag, without_compression

# What Ansible takes if the inventory says nothing.
DEFAULTS: dict[str, object] = {
    "ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s",
    "ssh_common_args": "",
    "ssh_extra_args": None,
    "sftp_extra_args": "",
    "scp_extra_args": "",
    "control_path": None,
    "control_path_dir": "~/.ansible/cp",
}
ALIVE = "-o ServerAliveInterval=30 -o ServerAliveCountMax=4"


class FakeConnection:
    """Holds the options of a connection, and can count how often they were set."""

    def __init__(self, transport: str = "ssh", **options: object) -> None:
        self._transport = transport
        self.options = {**DEFAULTS, **options}
        self.changes = 0

    @property
    def transport(self) -> str:
        return self._transport

    def get_option(self, option: str) -> object:
        return self.options[option]

    def set_option(self, option: str, value: object) -> None:
        self.options[option] = value
        self.changes += 1

    @property
    def words(self) -> list[str]:
        """The arguments in the order in which ssh gets them."""
        texts = (self.options[name] for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"))
        return [word for text in texts for word in shlex.split(str(text or ""))]


FLAGS: dict[str, tuple[str, list[str]]] = {
    "alone": ("-C", []),
    "first": ("-C -o A=b", ["-o", "A=b"]),
    "last": ("-o A=b -C", ["-o", "A=b"]),
    "between": ("-o A=b -C -4", ["-o", "A=b", "-4"]),
    "twice": ("-CC -C", []),
    "absent": ("-o A=b -c aes128-ctr", ["-o", "A=b", "-c", "aes128-ctr"]),
    "nothing": ("", []),
    "in a command of its own": (
        "-o ProxyCommand='ssh -C -W %h:%p gate' -C",
        ["-o", "ProxyCommand=ssh -C -W %h:%p gate"],
    ),
    "in a command in double quotes": (
        "-o ProxyCommand=\"nc -C '%h' %p\"",
        ["-o", "ProxyCommand=nc -C '%h' %p"],
    ),
    "with a family": ("-4C", ["-4"]),
    "before a family": ("-C6", ["-6"]),
    "after another flag": ("-vC", ["-v"]),
    "before another flag": ("-CA", ["-A"]),
    "between others": ("-qCT -x", ["-qT", "-x"]),
    "another option's name": ("-o Compression=yes -F -config", ["-o", "Compression=yes", "-F", "-config"]),
}


@pytest.mark.parametrize(("arguments", "expected"), FLAGS.values(), ids=FLAGS)
def test_the_flag_is_taken_out(arguments: str, expected: list[str]) -> None:
    assert shlex.split(_without_flag(arguments)) == expected


@given(st.lists(st.sampled_from(["-o", "A=b c", "-v", "it's", "ProxyCommand=ssh -C x", "", "%h", '"', "\\", "$HOME"])))
def test_all_other_words_stay_as_they_are(words: list[str]) -> None:
    assert shlex.split(_without_flag(shlex.join([*words, "-C"]))) == words


def test_the_defaults() -> None:
    connection = FakeConnection()
    without_compression(connection)
    assert connection.options == {
        "ssh_args": f"-o Compression=no -o ControlMaster=auto -o ControlPersist=60s {ALIVE}",
        "ssh_common_args": "",
        "ssh_extra_args": "",
        "sftp_extra_args": "",
        "scp_extra_args": "",
        "control_path": None,
        "control_path_dir": "~/.ansible/cp/plain",
    }


def test_arguments_in_every_place() -> None:
    connection = FakeConnection(
        ssh_args="-o ControlPersist=5m -C",
        ssh_common_args="-o ProxyCommand='ssh -C -W %h:%p gate' -C",
        ssh_extra_args="-C -R 1:2:3",
    )
    without_compression(connection)
    assert "-C" not in connection.words
    assert connection.words[:2] == ["-o", "Compression=no"], "of several, ssh takes the first"
    assert "ProxyCommand=ssh -C -W %h:%p gate" in connection.words
    assert connection.options["ssh_extra_args"] == "-R 1:2:3"


@pytest.mark.parametrize("option", ["sftp_extra_args", "scp_extra_args"])
def test_the_flag_is_taken_from_what_transfers_files(option: str) -> None:
    connection = FakeConnection(**{option: "-C -q"})
    without_compression(connection)
    assert connection.options[option] == "-q"


def test_the_users_own_word_on_compression_is_no_mark_of_ours() -> None:
    connection = FakeConnection(ssh_args="-o Compression=no", ssh_common_args="-C")
    without_compression(connection)
    assert "-C" not in connection.words


def test_the_users_word_on_keep_alive_comes_first() -> None:
    connection = FakeConnection(ssh_args="-o ServerAliveInterval=5")
    without_compression(connection)
    found = [word for word in connection.words if word.startswith("ServerAliveInterval=")]
    assert found == ["ServerAliveInterval=5", "ServerAliveInterval=30"]


OWN_SOCKETS: dict[str, tuple[dict[str, object], bool]] = {
    "none": ({}, False),
    "a name in Ansible's directory": ({"control_path": "%(directory)s/%%h-%%r"}, False),
    "a path of its own": ({"control_path": "/run/ssh/%%h"}, True),
    "in the arguments": ({"ssh_args": "-o ControlPath=/run/ssh/%h"}, True),
    "in the arguments, in other letters": ({"ssh_args": "-o controlpath=/run/ssh/%h"}, True),
    "in the common arguments": ({"ssh_common_args": "-o 'ControlPath /run/ssh/%h'"}, True),
    "in the extra arguments": ({"ssh_extra_args": "-oControlPath=/run/ssh/%h"}, True),
    "after its flag": ({"ssh_args": "-S /run/ssh/%h"}, True),
    "after its flag, among others": ({"ssh_common_args": "-4 -S/run/ssh/%h"}, True),
}


@pytest.mark.parametrize(("options", "own"), OWN_SOCKETS.values(), ids=OWN_SOCKETS)
def test_a_socket_of_the_users_own_is_not_used(options: dict[str, object], own: bool) -> None:
    connection = FakeConnection(**options)
    without_compression(connection)
    assert str(connection.options["ssh_args"]).startswith(
        "-o Compression=no -o ControlMaster=no -o ControlPath=none " if own else "-o Compression=no "
    )
    assert ("ControlPath=none" in connection.words) is own


@pytest.mark.parametrize("options", [options for options, own in OWN_SOCKETS.values()], ids=OWN_SOCKETS)
def test_a_second_time_changes_nothing_more(options: dict[str, object]) -> None:
    connection = FakeConnection(**options)
    without_compression(connection)
    once, changes = dict(connection.options), connection.changes
    without_compression(connection)
    assert connection.options == once
    assert connection.changes == changes


@pytest.mark.parametrize("transport", ["local", "paramiko", "community.docker.docker", "winrm"])
def test_other_connections_are_left_alone(transport: str) -> None:
    connection = FakeConnection(transport)
    connection.options = {}  # they know none of these options
    without_compression(connection)
    assert connection.options == {}
