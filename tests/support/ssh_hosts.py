# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts to manage: a real sshd on loopback, and a user without privileges who may use sudo."""

from __future__ import annotations

import atexit
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .module import alive, descendants, wait_for_end

_NAME = re.compile(r"airgap-t(\d+)-\d+")
_FOLDER = re.compile(r"airgap-hosts-(\d+)-.+")
_MARK = "AIRGAP_HOSTS"
_SUDOERS = Path("/etc/sudoers.d")
_START_TIMEOUT = 60.0
_ATTEMPTS = 10

# Not pytest's folder, which only its owner enters, and not TMPDIR, which may be such a folder too: the user on the
# hosts has to reach it, and the path of a socket has to fit into 108 bytes.
_PARENT = "/tmp"  # noqa: S108


class SshHostsError(Exception):
    """The sshd did not start, or the user could not be made."""


class SshHosts:
    """One sshd that is any number of hosts, each with a folder of its own; a context manager.

    As root, a user is made for it and removed at the end; else it is the user who runs the tests, who has to be
    allowed to use sudo without a password. Nothing of the system's sshd or of anybody's ``~/.ssh`` is used.

    :param shell: that the user logs in with.

    :raises SshHostsError: it did not come up
    """

    _count = 0

    def __init__(self, shell: str = "/bin/sh") -> None:
        self.shell = shell
        self.user = ""
        self.port = 0
        self.directory = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._refusing = socket.socket()

    def __enter__(self) -> SshHosts:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the sshd; 0 when it does not run."""
        return self._process.pid if self._process else 0

    @property
    def env(self) -> dict[str, str]:
        """Variables for the environment of ansible-playbook."""
        return {
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._sockets),
            "ANSIBLE_PIPELINING": "1",
            # An sshd that is not root's cannot give terminals away where /dev/pts is not mounted with gid=5.
            "ANSIBLE_SSH_USETTY": "0",
        }

    def inventory(self, names: Iterable[str], *, port: int = 0, **variables: Any) -> dict[str, dict[str, Any]]:
        """The variables of these hosts; ``port`` is that of a relay before the sshd."""
        return {name: {**self._variables(port or self.port), **variables} for name in names}

    def unreachable(self, name: str) -> dict[str, dict[str, Any]]:
        """The variables of a host that refuses connections."""
        if not self._refusing.getsockname()[1]:
            # Bound and not listening: nobody else gets the port, and nobody gets through.
            self._refusing.bind(("127.0.0.1", 0))
        return self.inventory([name], port=self._refusing.getsockname()[1])

    def folder(self, name: str) -> Path:
        """The folder of a host; it belongs to the user."""
        folder = self.directory / name
        if not folder.exists():
            folder.mkdir()
            self._give(folder)
        return folder

    def remove(self, *names: str) -> None:
        """Removes the folders of hosts, whoever owns what is in them."""
        for name in names:
            _as_root("rm", "-rf", "--", str(self.directory / name))

    def log(self) -> str:
        """The lines that the sshd has logged so far, at the level DEBUG1."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def compressions(self) -> dict[int, str]:
        """The compression that each connection negotiated, ``none`` or ``zlib@openssh.com``, by the client's port.

        The log names no connection in what it says of a key exchange; it belongs to the newest one, unless two began
        at the same time.
        """
        found: dict[int, str] = {}
        port = 0
        for line in self.log().splitlines():
            if connection := re.match(r"Connection from 127\.0\.0\.1 port (\d+) ", line):
                port = int(connection[1])
            elif exchange := re.search(r"kex: server->client cipher: .* compression: (\S+)", line):
                found[port] = exchange[1]
        return found

    def start(self) -> None:
        """Makes the user if need be, starts the sshd and returns once it listens.

        :raises SshHostsError: it did not
        """
        _remove_leftovers()
        prefix = f"airgap-hosts-{os.getpid()}-"
        self.directory = Path(tempfile.mkdtemp(prefix=prefix, dir=_PARENT))
        self.directory.chmod(0o755)
        atexit.register(self.stop)
        self._refusing = socket.socket()
        if os.geteuid() == 0:
            SshHosts._count += 1
            self.user = f"airgap-t{os.getpid()}-{SshHosts._count}"
            home = self.directory / "home"
            home.mkdir()
            _make_user(self.user, home, self.shell)
            self._give(home)
            # Debian's unit makes it; without it sshd does not start as root.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        else:
            self.user = pwd.getpwuid(os.getuid()).pw_name
            _as_root("true")
        self._sockets.mkdir(mode=0o700)
        for name in ("host_key", "client_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.directory / name))
        host_key = (self.directory / "host_key.pub").read_text("utf-8")
        (self.directory / "known_hosts").write_text(f"airgap-hosts {host_key}", encoding="utf-8")
        shutil.copy(self.directory / "client_key.pub", self.directory / "authorized_keys")
        for _attempt in range(_ATTEMPTS):
            if self._listen():
                return
        log = self.log()
        self.stop()
        raise SshHostsError(f"sshd did not listen:\n{log[-4000:]}")

    def stop(self) -> None:
        """Ends the sshd, its connections and what they started; removes the user and all folders."""
        atexit.unregister(self.stop)
        self._refusing.close()
        if self.directory == Path():
            return
        self._end_masters()
        doomed = [*self._marked(), *(descendants(self._process.pid) if self._process else [])]
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        _kill(doomed)
        if os.geteuid() == 0:
            _remove_user(self.user)
        _as_root("rm", "-rf", "--", str(self.directory))
        self.directory = Path()

    @property
    def _log(self) -> Path:
        return self.directory / "sshd.log"

    @property
    def _sockets(self) -> Path:
        return self.directory / "cp"

    def _variables(self, port: int) -> dict[str, Any]:
        options = {
            # Neither the user's settings nor the system's.
            "-F": "/dev/null",
            "-o UserKnownHostsFile": self.directory / "known_hosts",
            "-o GlobalKnownHostsFile": "/dev/null",
            "-o HostKeyAlias": "airgap-hosts",
            "-o StrictHostKeyChecking": "yes",
            "-o IdentitiesOnly": "yes",
        }
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": self.user,
            # Else each play would look for one on each host.
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.directory / "client_key"),
            "ansible_ssh_common_args": " ".join(
                f"{name}{'=' if name.startswith('-o') else ' '}{text}" for name, text in options.items()
            ),
        }

    def _give(self, path: Path) -> None:
        entry = pwd.getpwnam(self.user)
        os.chown(path, entry.pw_uid, entry.pw_gid)

    def _config(self) -> str:
        options = {
            "ListenAddress": "127.0.0.1",
            "Port": self.port,
            "HostKey": self.directory / "host_key",
            "PidFile": "none",
            "UsePAM": "no",
            # It would look at the modes of all folders above, and anybody may write to /tmp.
            "StrictModes": "no",
            "AuthorizedKeysFile": self.directory / "authorized_keys",
            "AuthenticationMethods": "publickey",
            "AllowUsers": self.user,
            "MaxStartups": 100,
            "MaxSessions": 100,
            "UseDNS": "no",
            "PrintMotd": "no",
            "PrintLastLog": "no",
            "LogLevel": "DEBUG1",
            "Subsystem": "sftp internal-sftp",
            "SetEnv": f"{_MARK}={self.directory}",
        }
        if os.geteuid() != 0 and self.shell != "/bin/sh":
            # Somebody who is there already keeps the login shell; this is what another one would be given.
            options["Subsystem"] = "sftp exec /usr/lib/openssh/sftp-server"
            options["ForceCommand"] = f'exec {self.shell} -c "$SSH_ORIGINAL_COMMAND"'
        return "".join(f"{name} {text}\n" for name, text in options.items())

    def _listen(self) -> bool:
        """Starts the sshd on a port that is free now; False when somebody else was quicker to take it."""
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise SshHostsError("sshd is not installed (Debian's package openssh-server)")
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.port = chosen.getsockname()[1]
        config = self.directory / "sshd_config"
        config.write_text(self._config(), encoding="utf-8")
        self._log.write_bytes(b"")
        # setpriv sets the signal that the kernel sends when this process dies, then becomes the sshd.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", program, "-D", "-f", str(config), "-E", str(self._log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_TIMEOUT
        while f"Server listening on 127.0.0.1 port {self.port}." not in self.log():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                self._process = None
                return False
            time.sleep(0.005)
        return True

    def _end_masters(self) -> None:
        """Has the connections that ssh keeps open end in order."""
        for path in [each for each in self._sockets.rglob("*") if each.is_socket()]:
            command = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={path}", "-O", "exit", "airgap-hosts"]
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)

    def _marked(self) -> list[int]:
        """The processes that were started over ssh and have left their parents, such as asynchronous jobs."""
        mark = f"{_MARK}={self.directory}".encode()
        found: list[int] = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # it is gone, or somebody else's
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return [pid for pid in found if pid != os.getpid()]


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SshHostsError(f"{' '.join(command)}: {done.stderr.strip()}")


def _as_root(*command: str) -> None:
    _run(*(() if os.geteuid() == 0 else ("sudo", "-n", "--")), *command)


def _make_user(name: str, home: Path, shell: str) -> None:
    _run("useradd", "--no-create-home", "--home-dir", str(home), "--shell", shell, "--user-group", name)
    # Without PAM, sshd refuses an account whose password field says that it is locked.
    _run("usermod", "--password", "*", name)
    rules = _SUDOERS / name
    # No umask may let it be seen half written, or writable.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=_SUDOERS, prefix=f"{name}.", delete=False) as file:
        file.write(f"{name} ALL=(ALL:ALL) NOPASSWD: ALL\nDefaults:{name} env_keep += {_MARK}\n")
    os.chmod(file.name, 0o440)
    os.rename(file.name, rules)


def _remove_user(name: str) -> None:
    """Removes a user made for this, with everything that runs under its id."""
    for path in _SUDOERS.glob(f"{name}*"):
        if path.name == name or path.name.startswith(f"{name}."):
            path.unlink(missing_ok=True)
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return
    _kill(_owned(uid))
    _run("userdel", "--force", name)


def _owned(uid: int) -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it is gone
            if path.stat().st_uid == uid:
                found.append(int(path.name))
    return found


def _kill(pids: Iterable[int]) -> None:
    doomed: list[int] = []
    for pid in pids:
        # Without privileges, what a become started can't be ended; it ends by itself.
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            doomed.append(pid)
    wait_for_end(doomed)


def _remove_leftovers() -> None:
    """Removes what processes left behind that were killed."""
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()} | {path.stem for path in _SUDOERS.glob("airgap-t*")}
        for name in names:
            made = _NAME.fullmatch(name)
            if made and not alive(int(made[1])):
                with suppress(SshHostsError):  # somebody else removes it too
                    _remove_user(name)
    for path in Path(_PARENT).glob("airgap-hosts-*"):
        made = _FOLDER.fullmatch(path.name)
        with suppress(OSError, SshHostsError):  # the same
            if made and not alive(int(made[1])) and path.lstat().st_uid == os.geteuid():
                _as_root("rm", "-rf", "--", str(path))
