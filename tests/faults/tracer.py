# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracer, strace: which system calls a run changes files with, and faults at single ones of them.

strace(1), "Tampering": a signal is sent when the call begins, so that it does not take place; an error is returned in
place of it. Calls are counted for each thread.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_CHANGING = "mkdir,rmdir,rename,renameat,renameat2,link,linkat,unlink,unlinkat,symlink,symlinkat,fsync,fdatasync,syncfs"
_OPENING = "open,openat"
_WRITING = "write,pwrite64,ftruncate,copy_file_range"
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<call>[a-z0-9]+)\((?P<rest>.*)$")
# The programs that a run starts go their own way.
_FILTERED = [
    "strace",
    "--follow-forks",
    "--detach-on=execve",
    "--seccomp-bpf",
    "--quiet=all",
    "--decode-fds=path",
    "--string-limit=4096",
]


@dataclass(frozen=True)
class Call:
    """A system call of a thread: the ``number``-th of its name, from 1; ``about`` is how the tracer shows it."""

    name: str
    number: int
    about: str = ""

    @property
    def is_writing(self) -> bool:
        """True if it changes the content of a file, and not only which files there are."""
        return self.name in _WRITING.split(",")


def watching(log: Path) -> list[str]:
    """The beginning of a command line that writes down what the rest of it does to files, and to what is in them."""
    return [*_FILTERED, f"--output={log}", f"--trace={_CHANGING},{_OPENING},{_WRITING}", "--string-limit=8", "--"]


def striking(call: Call, how: str, log: Path) -> list[str]:
    """The beginning of a command line that strikes at a call: ``signal=KILL`` or ``error=ENOSPC``."""
    inject = f"--inject={call.name}:{how}:when={call.number}"
    return [*_FILTERED, f"--output={log}", f"--trace={call.name}", inject, "--"]


def struck(log: Path) -> bool:
    """Return True if the strike was dealt."""
    return bool(re.search(r"INJECTED|^\d+ +(---|\+\+\+ killed)", log.read_text("utf-8", "replace"), re.MULTILINE))


def struck_below(log: Path, folder: Path) -> bool:
    """Return True if an error was given to calls about files below a folder, and to no others."""
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.endswith("(INJECTED)")]
    return bool(lines) and all(f"{folder}/" in _without_data(line) for line in lines)


def _without_data(line: str) -> str:
    """A call as the tracer shows it, but for the bytes that are written: these may name any file."""
    match = _LINE.match(line)
    is_writing = match is not None and match["call"] in _WRITING.split(",")
    return line.partition('"')[0] if is_writing else line


def changes(log: Path, folder: Path) -> list[Call]:
    """The calls in a log that changed something below a folder, each once."""
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], Call] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        counts[match["pid"], match["call"]] += 1
        call = Call(match["call"], counts[match["pid"], match["call"]], match["rest"])
        reads = call.name in _OPENING.split(",") and not re.search("O_(CREAT|WRONLY|RDWR)", call.about)
        if f"{folder}/" in call.about and not reads:
            found.setdefault((call.name, call.number), call)
    return list(found.values())


def send(pid: int, number: signal.Signals, *, program: bytes) -> bool:
    """Send a signal to a process if it runs this program, or copies with it."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if not any(os.path.basename(word) == program for word in command):
            return False
        os.kill(pid, number)
    except (OSError, ProcessLookupError):
        return False
    return True
