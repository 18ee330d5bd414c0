# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU that the HTTP client takes, beside the libraries that it could be built on."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .context import Bench
from .figures import Figure, series
from .process import MEGA, alternating, run
from .stacks import STACKS

GROUP = "http"

_MANIFEST = b'{"schemaVersion": 2, "padding": "' + b"x" * 2000 + b'"}'
_HEADERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n"
    b"Docker-Content-Digest: sha256:" + b"0" * 64 + b"\r\nDocker-Distribution-Api-Version: registry/2.0\r\n"
    b'Etag: "sha256:' + b"0" * 64 + b'"\r\nX-Content-Type-Options: nosniff\r\n'
    b"Date: Sun, 22 Nov 2026 09:00:00 GMT\r\nContent-Length: %d\r\n\r\n"
)


def measure(bench: Bench) -> list[Figure]:
    """A row for each kind of request."""
    sizes = bench.sizes
    gets = max(1, sizes.requests // 10)
    with _serving(sizes.blob) as host:
        return [
            _row(bench, host, "head", sizes.requests, f"CPU of {sizes.requests} HEADs of manifests"),
            _row(bench, host, "get", gets, f"CPU of {gets} GETs of manifests"),
            _row(bench, host, "blob", 1, f"CPU of one blob of {sizes.blob:g} MB, hashed"),
        ]


def _row(bench: Bench, host: str, kind: str, count: int, name: str) -> Figure:
    samples = alternating(
        bench.sizes.rounds, {stack: lambda stack=stack: _spent(stack, kind, host, count) for stack in STACKS}
    )
    others = ", ".join(
        f"{stack} {series('', 's', taken).median:.3f} s" for stack, taken in samples.items() if stack != "ours"
    )
    return Figure(
        GROUP,
        name,
        series("CPU seconds of our client", "s", samples["ours"]),
        series("the same by a Session of requests", "s", samples["requests"]),
        1.00 if kind != "blob" else None,
        notes=(others,),
    )


def _spent(stack: str, kind: str, host: str, count: int) -> float:
    name = "ansible_collections.airgap.images.tests.bench.stacks"
    return float(run([sys.executable, "-m", name, stack, kind, host, str(count)]).stdout)


@contextmanager
def _serving(megabytes: float) -> Iterator[str]:
    """A server that costs next to nothing; gives its ``HOST:PORT``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, int(megabytes * MEGA)))
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, size: int) -> None:
    with suppress(OSError):
        while True:
            connection, _address = listener.accept()
            with connection, suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _answer_all(connection, size)


def _answer_all(connection: socket.socket, size: int) -> None:
    piece = bytes(MEGA)
    while request := connection.recv(65536):
        if b"/blobs/" in request:
            connection.sendall(_HEADERS % size)
            for start in range(0, size, MEGA):
                connection.sendall(piece[: size - start])
        else:
            body = b"" if request.startswith(b"HEAD") else _MANIFEST
            connection.sendall(_HEADERS % len(_MANIFEST) + body)
