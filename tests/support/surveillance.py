# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces of a run that others on a host could see while it lasts: processes, files and the system's log."""

from __future__ import annotations

import base64
import ctypes
import os
import re
import select
import shutil
import socket
import stat
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, quote_plus

_PAUSE = 0.01
_TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}")
_EVENT = struct.Struct("iIII")
# inotify(7)
ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_IS_DIRECTORY, _ONLY_DIRECTORIES, _DO_NOT_FOLLOW = 0x40000000, 0x01000000, 0x02000000
_ALL = ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | 0x2  # and what is modified


def forms(secret: str, *, username: str = "") -> list[str]:
    """A secret as it may be written: itself, in an address, in JSON, in base64, and with its user as Basic sends it."""
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    found.add(secret.encode("ascii", "backslashreplace").decode().replace("\\x", "\\u00"))
    for text in (secret, f"{username}:{secret}"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(text.encode()).decode().rstrip("="))
    return sorted(found)


@dataclass(frozen=True)
class Needles:
    """Texts that must not be seen: forms of secrets and, with ``tokens``, every JSON web token."""

    texts: tuple[str, ...]
    tokens: bool = True

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and bool(self.seen(text))

    def seen(self, text: str) -> list[str]:
        """The forms that are in a text, each with a little of what stands around it."""
        places = [text.find(form) for form in self.texts if form in text]
        if self.tokens:
            places += [match.start() for match in _TOKEN.finditer(text)]
        return [text[max(0, place - 100) : place + 100] for place in places]

    def in_file(self, path: Path) -> bool:
        """True if they are in a regular file that can be read."""
        with suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                return path.read_bytes().decode("utf-8", "replace") in self
        return False

    def below(self, *roots: Path) -> list[Path]:
        """The files that hold one."""
        return [path for root in roots for path in root.rglob("*") if self.in_file(path)]


class _Watch:
    """A thread that looks again and again, for as long as the context lasts; an error of its own is raised there."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Looks no more.

        :raises RuntimeError: the watch ended before
        """
        self.ended.set()
        self._thread.join()
        if self._error is not None:
            raise RuntimeError("the watch did not last") from self._error

    def _run(self) -> None:
        try:
            self.watch()
        except BaseException as error:  # the test has to hear of it
            self._error = error

    def watch(self) -> None:
        """Watch, in the thread."""
        raise NotImplementedError


class ProcessWatch(_Watch):
    """Reads command lines and environments of processes: all that ``pids`` gives, every hundredth of a second."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        super().__init__()
        self._pids = pids
        self.command_lines: set[str] = set()
        self.environments: set[str] = set()

    def watch(self) -> None:
        """Once more at the end, so that nothing which runs then is missed."""
        while not self.ended.wait(_PAUSE):
            self.look()

    def look(self) -> None:
        """Takes down what there is now."""
        for pid in self._pids():
            with suppress(OSError):
                self.command_lines.add(_read(pid, "cmdline"))
                self.environments.add(_read(pid, "environ"))


def _read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_bytes().decode("utf-8", "replace")


def tree_below(pid: int) -> Iterator[int]:
    """The children of a process, and theirs; without the process itself. proc(5), ``children``."""
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                for child in Path(f"/proc/{pid}/task/{task}/children").read_text("ascii").split():
                    yield int(child)
                    yield from tree_below(int(child))


def programs_below(pid: int) -> Iterator[int]:
    """Those below the module at ``pid`` that are programs of their own.

    A process that was just forked shows what its parent shows, until it is another program. Until the module itself
    runs, what is there belongs to the test.
    """
    with suppress(OSError):
        own = _read(pid, "cmdline")
        if own.startswith(sys.executable):
            for child in tree_below(pid):
                with suppress(OSError):
                    if _read(child, "cmdline") != own:
                        yield child


def everybody(*but: int) -> list[int]:
    """All processes of the machine but these."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in but]


@dataclass
class Sight:
    """A file that held a secret: its modes and its directory's, and what happened to it, in order."""

    modes: set[int] = field(default_factory=set)
    parents: set[int] = field(default_factory=set)
    events: list[int] = field(default_factory=list)


class FileWatch(_Watch):
    """Looks into every file below ``roots`` as soon as it is made or written; follows new directories (inotify(7)).

    ``flat`` are directories of which only the files right in them are looked at. ``sights`` has the files that held
    one of ``needles`` at any time, ``events`` what happened to every path.
    """

    def __init__(self, needles: Needles, roots: Iterable[Path], flat: Iterable[Path] = ()) -> None:
        super().__init__()
        self._needles = needles
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        self._watched: dict[int, tuple[Path, bool]] = {}
        self.sights: dict[Path, Sight] = {}
        self.events: dict[Path, list[int]] = {}
        for root in roots:
            self._add(root, deep=True)
        for root in flat:
            self._add(root, deep=False)

    def stop(self) -> None:
        """Looks no more, after a look at what has happened so far."""
        super().stop()
        os.close(self._descriptor)

    def watch(self) -> None:
        """Waits for events; whatever came before the end is still taken down."""
        while True:
            ended = self.ended.is_set()
            select.select([self._descriptor], [], [], 0 if ended else 5 * _PAUSE)
            self._take()
            if ended:
                return

    def _take(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data = os.read(self._descriptor, 1 << 20)
                while data:
                    number, mask, _cookie, size = _EVENT.unpack_from(data)
                    name = os.fsdecode(data[_EVENT.size : _EVENT.size + size].rstrip(b"\0"))
                    data = data[_EVENT.size + size :]
                    if number in self._watched and name:
                        parent, deep = self._watched[number]
                        self._note(parent / name, mask, deep=deep)

    def _note(self, path: Path, mask: int, *, deep: bool) -> None:
        kinds = self.events.setdefault(path, [])
        kinds.append(mask & ~_IS_DIRECTORY)
        if mask & _IS_DIRECTORY:
            if deep and mask & (CREATE | MOVED_TO):
                self._add(path, deep=True)
        elif not mask & (DELETE | MOVED_FROM):
            self._look(path)

    def _add(self, path: Path, *, deep: bool) -> None:
        mask = _ALL | _ONLY_DIRECTORIES | _DO_NOT_FOLLOW
        number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask)
        if number < 0:  # gone already
            return
        self._watched[number] = (path, deep)
        if deep:
            children: list[Path] = []
            with suppress(FileNotFoundError):  # gone since
                children = list(path.iterdir())
            for child in children:
                if child.is_dir() and not child.is_symlink():
                    self._add(child, deep=True)
                else:
                    self._look(child)

    def _look(self, path: Path) -> None:
        if path in self.sights or self._needles.in_file(path):
            with suppress(OSError):
                sight = self.sights.setdefault(path, Sight(events=self.events.setdefault(path, [])))
                sight.modes.add(stat.S_IMODE(path.lstat().st_mode))
                sight.parents.add(stat.S_IMODE(path.parent.lstat().st_mode))


class SystemLog(_Watch):
    """Stands in for the system's log in a namespace of its own; ``prefix`` begins a command that runs there."""

    _SCRIPT = (
        'old=$1 log=$2; shift 2; mount --rbind /dev "$old"; mount -t tmpfs -o mode=0755 none /dev;'
        ' for each in "$old"/*; do ln -s "$each" /dev/; done; rm -f /dev/log; ln -s "$log" /dev/log; exec "$@"'
    )

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="airgap-log-", dir="/tmp"))  # its path may have 108 bytes
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._folder / "log"))
        self._socket.settimeout(5 * _PAUSE)
        (self._folder / "dev").mkdir()
        self.lines: list[str] = []

    @property
    def prefix(self) -> list[str]:
        """Without root it wants user namespaces."""
        own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        places = [str(self._folder / "dev"), str(self._folder / "log")]
        return ["unshare", *own, "--mount", "--propagation", "private", "sh", "-euc", self._SCRIPT, "sh", *places]

    def stop(self) -> None:
        """Listens no more, after what was said so far."""
        super().stop()
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def watch(self) -> None:
        """Takes down what is said; a datagram that was sent is in the socket's buffer already."""
        while True:
            ended = self.ended.is_set()
            try:
                self.lines.append(self._socket.recv(1 << 20).decode("utf-8", "replace"))
            except TimeoutError:
                if ended:
                    return
