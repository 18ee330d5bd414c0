# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU seconds of one HTTP stack for many small requests or one large blob, over one connection.

``python -m … stacks STACK KIND HOST:PORT COUNT`` prints the CPU seconds of its own process after the first request.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable, Iterable
from hashlib import sha256

PIECE = 1024 * 1024
HEADERS = {
    "User-Agent": "bench",
    "Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json",
    "Accept-Encoding": "identity",
    "Authorization": f"Bearer {'x' * 800}",
}
LIMIT = 4 * 1024 * 1024

Request = Callable[[str, str], Iterable[bytes]]
"""Takes a method and a path, and gives the body in pieces."""


def ours(host: str) -> Request:
    """The client of the collection, with all of its guards."""
    from ...plugins.module_utils._http.client import Http
    from ...plugins.module_utils._http.tls import Trust

    client = Http(host, Trust(True, None), read_timeout=30, connections=4)

    def small(method: str, path: str) -> Iterable[bytes]:
        return [client.read(method, f"http://{host}{path}", headers=HEADERS, limit=LIMIT).body]

    def large(_method: str, path: str) -> Iterable[bytes]:
        with client.stream("GET", f"http://{host}{path}", headers=HEADERS) as (_response, pieces):
            yield from pieces

    return lambda method, path: (large if "/blobs/" in path else small)(method, path)


def session(host: str) -> Request:
    """``requests`` as its documentation says."""
    import requests

    client = requests.Session()
    client.trust_env = False

    def request(method: str, path: str) -> Iterable[bytes]:
        with client.request(
            method, f"http://{host}{path}", headers=HEADERS, stream=True, timeout=(30, 30), allow_redirects=False
        ) as response:
            yield from response.iter_content(PIECE)

    return request


def pool(host: str) -> Request:
    """``urllib3`` as its documentation says."""
    import urllib3

    name, _colon, port = host.partition(":")
    client = urllib3.HTTPConnectionPool(name, int(port), maxsize=4)

    def request(method: str, path: str) -> Iterable[bytes]:
        response = client.urlopen(
            method, path, headers=HEADERS, retries=False, timeout=urllib3.Timeout(30, 30), preload_content=False
        )
        yield from response.stream(PIECE, decode_content=False)
        response.release_conn()

    return request


def standard(host: str) -> Request:
    """``http.client`` alone: what the others are built on."""
    client = http.client.HTTPConnection(host, timeout=30)

    def request(method: str, path: str) -> Iterable[bytes]:
        client.request(method, path, headers=HEADERS)
        response = client.getresponse()
        while piece := response.read(PIECE):
            yield piece

    return request


STACKS: dict[str, Callable[[str], Request]] = {
    "ours": ours,
    "requests": session,
    "urllib3": pool,
    "http.client": standard,
}
KINDS = {"head": ("HEAD", "manifests"), "get": ("GET", "manifests"), "blob": ("GET", "blobs")}


def spent(stack: str, kind: str, host: str, count: int) -> float:
    """The CPU seconds of some requests, without that of the first; blobs are hashed."""
    request = STACKS[stack](host)
    method, what = KINDS[kind]
    sum(map(len, request("HEAD", "/v2/a/manifests/1")))
    started = time.process_time()
    for number in range(count):
        hasher = sha256()
        for piece in request(method, f"/v2/library/name/{what}/{number}"):
            hasher.update(piece)
    return time.process_time() - started


if __name__ == "__main__":
    print(spent(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
