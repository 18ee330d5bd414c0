# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports a module's libraries once and forks for each run of the module; see ``forked`` for its client.

    python fork_server.py MODULE DESCRIPTOR [PREPARATION]

``PREPARATION`` is a file of Python that is run before the first fork.
``DESCRIPTOR`` is a socket of type SOCK_SEQPACKET. Each packet on it asks for a run: JSON, and four descriptors, which
are stdin, stdout, stderr and a pipe. The run writes its process id to the pipe as soon as it stands in a session, a
directory and an environment of its own (``pid 123``); once it has ended, the exit status follows (``status 0``). The
end of the socket ends the server, but no run.

What runs here is to find what it would find in a fresh interpreter, so this imports no more than it needs.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import socket
import sys

PACKET_SIZE = 1 << 20
"""More bytes than any request has."""


def main() -> None:
    """Serves until the socket ends; in a process that was forked, becomes the module."""
    module, descriptor, preparations = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    # What `python -m` puts there; the modules beside this file have names that others have too.
    sys.path[0] = os.getcwd()
    importlib.import_module(module)
    # It was imported for its libraries. The run makes it anew, as its main program.
    del sys.modules[module]
    for path in preparations:
        runpy.run_path(path, run_name="__main__")
    control = socket.socket(fileno=descriptor)
    # What a run's collector looks at is copied; it needs not look at what stood here before.
    gc.collect()
    gc.freeze()
    if serve(control):
        perform(module)


def serve(control: socket.socket) -> bool:
    """Forks for every request; returns true in the process that is to be the run, and false at the end."""
    # Lives only to tell the exit status, as whoever asks is no parent of the run.
    keepers: set[int] = set()
    while True:
        packet, descriptors, _flags, _address = socket.recv_fds(control, PACKET_SIZE, 4)
        if not packet:
            return False
        keepers = {each for each in keepers if os.waitpid(each, os.WNOHANG)[0] == 0}
        keeper = os.fork()
        if keeper:
            keepers.add(keeper)
            for each in descriptors:
                os.close(each)
            continue
        control.close()
        run = os.fork()
        if not run:
            become(json.loads(packet), descriptors)
            return True
        keep(run, descriptors)


def keep(run: int, descriptors: list[int]) -> None:
    """Waits for the end of a run, writes its exit status, and ends this process."""
    try:
        for each in descriptors[:3]:
            os.close(each)
        status = os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])
        os.write(descriptors[3], f"status {status}\n".encode())
    finally:
        os._exit(0)


def perform(module: str) -> None:
    """Runs the module, and ends the process as an interpreter does, but for the last step: taking down all that was
    imported. Half of a run that does little would be that, as it copies every page that was the server's."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        if not isinstance(end.code, (int, type(None))):
            raise
        status = end.code or 0
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


def become(request: dict[str, str], descriptors: list[int]) -> None:
    """Gives this process what a fresh one would get: a session, descriptors, a directory, a mask, an environment, words
    on its command line."""
    os.setsid()
    os.chdir(request["cwd"])
    os.umask(int(request["umask"], 8))
    os.environ.clear()
    os.environ.update(json.loads(request["env"]))
    for number, each in enumerate(descriptors[:3]):
        os.dup2(each, number)
    os.write(descriptors[3], f"pid {os.getpid()}\n".encode())
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    # What `python -m` puts there.
    sys.path[0] = request["cwd"]
    sys.argv[1:] = json.loads(request["words"])


if __name__ == "__main__":
    main()
