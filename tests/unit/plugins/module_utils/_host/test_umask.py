# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.umask import TO_NOTE, settle_umask


@pytest.fixture(autouse=True)
def starter() -> Iterator[None]:
    """The umask that Ansible's starter of jobs sets."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def current() -> int:
    """The umask of this process."""
    found = os.umask(0o077)
    os.umask(found)
    return found


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ("0077", 0o077),
        ("77", 0o077),
        ("027", 0o027),
        ("0002", 0o002),
        ("0000", 0o002),  # nobody else may write, whatever the user's own is
        ("0", 0o002),
        ("", 0o022),
        ("u=rwx,g=,o=", 0o022),
        ("0o77", 0o022),
        ("08", 0o022),
        ("-77", 0o022),
        ("17777", 0o022),
    ],
)
def test_what_was_noted_counts(noted: str, expected: int) -> None:
    environ = {"AIRGAP_IMAGES_UMASK": noted, "HOME": "/root"}
    settle_umask(environ)
    assert current() == expected
    assert environ == {"HOME": "/root"}, "what runs for us has no use for it"


def test_without_a_note_the_own_counts() -> None:
    os.umask(0o000)
    settle_umask({})
    assert current() == 0o002


@pytest.mark.parametrize("shell", ["sh", "bash", "busybox sh"])
def test_a_shell_notes_its_umask(shell: str) -> None:
    """Before a command, as Ansible runs it."""
    command = f"umask 037; {TO_NOTE} {shlex.quote(sys.executable)} -c 'import os; print(os.environ)'"
    done = subprocess.run([*shell.split(), "-c", command], check=True, capture_output=True, text=True)
    assert "'AIRGAP_IMAGES_UMASK': '0037'" in done.stdout
