# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon the module asks its first question, under Ansible."""

from __future__ import annotations

import http.server
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..support.module import ROOT, environment
from .context import Bench
from .figures import Figure, cpu, series
from .process import BenchError, Run, alternating, run

GROUP = "start"

_ALLOWED = 0.4


class _Refusing(http.server.BaseHTTPRequestHandler):
    """Has nothing that it is asked for."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


class Watcher(http.server.ThreadingHTTPServer):
    """A server that notes when it was first spoken to, in ``time.monotonic()``."""

    first: float | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        request = super().get_request()
        self.first = self.first or time.monotonic()
        return request

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that speaks TLS first is no error."""


@contextmanager
def watching() -> Iterator[Watcher]:
    """A running server."""
    with Watcher(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def measure(bench: Bench) -> list[Figure]:
    """The row of this group."""
    samples = alternating(
        bench.sizes.rounds, {"ping": lambda: ansible(bench, "ansible.builtin.ping"), "ours": lambda: _first(bench)}
    )
    allowed = (each.wall + _ALLOWED for each in samples["ping"])
    ping = series("", "s", (each.wall for each in samples["ping"])).median
    return [
        Figure(
            GROUP,
            "module start to first request",
            series("ansible -m image_save until its first request", "s", (each.wall for each in samples["ours"])),
            series(f"ansible -m ping + {_ALLOWED} s", "s", allowed),
            1.00,
            notes=(f"ping alone takes {ping:.2f} s; the CPU seconds are those of the whole command",),
            cpu=cpu((each.cpu for each in samples["ours"]), (each.cpu for each in samples["ping"])),
        )
    ]


def ansible(bench: Bench, module: str, *arguments: str, accept: int = 0) -> Run:
    """One module by Ansible's command line on this machine."""
    program = shutil.which("ansible", path=str(Path(sys.executable).parent)) or shutil.which("ansible")
    if program is None:
        raise BenchError("there is no command ansible beside this Python, or in PATH")
    command = [program, "localhost", "--inventory", "localhost,", "--connection", "local", "--module-name", module]
    command += ["--extra-vars", f"ansible_python_interpreter={sys.executable}", *arguments]
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT), "ANSIBLE_HOME": str(bench.folder / "ansible")}
    # Ansible itself has its bytecode beside its sources.
    env = environment({**settings, "PYTHONPYCACHEPREFIX": None})
    return run(command, env=env, accept=(accept,))


def _first(bench: Bench) -> Run:
    """A run as long as until the module's first request; that its image is not there makes it fail then."""
    with bench.empty() as folder, watching() as server:
        arguments = f"images=127.0.0.1:{server.server_port}/a/b:1 dest={folder}/out/images retries=0"
        options = ("--args", f"{arguments} validate_certs=false insecure_policy=true")
        started = time.monotonic()
        done = ansible(bench, "airgap.images.image_save", *options, accept=2)
        if server.first is None:
            raise BenchError("the module ended without a request")
        return replace(done, wall=server.first - started)
