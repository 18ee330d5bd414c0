# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a load has to do: each blob once out of a directory, then manifests, over connections that are kept.

``python -m … bare_push HOST:PORT BLOBS JOBS`` reads a list of images from stdin, as JSON. BLOBS is the directory with
all of their blobs by hex digits. No image may share a blob with one in another repository.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypedDict
from urllib.parse import urlsplit

_PIECE = 1024 * 1024


class Image(TypedDict):
    """An image.

    :ivar blobs: digests.
    :ivar manifests: digests with media types, the one for the tag last.
    """

    repository: str
    tag: str
    blobs: list[str]
    manifests: list[tuple[str, str]]


class Client:
    """Pushes over one connection for each thread."""

    def __init__(self, host: str, blobs: Path) -> None:
        self._host = host
        self._blobs = blobs
        self._own = threading.local()

    def blob(self, repository: str, digest: str) -> None:
        """Pushes a blob."""
        opened = self._ask("POST", f"/v2/{repository}/blobs/uploads/", expected=202)
        location = urlsplit(opened.headers["Location"])
        path = self._path(digest)
        with path.open("rb") as body:
            self._ask(
                "PUT",
                f"{location.path}?{location.query}&digest={digest}",
                expected=201,
                body=body,
                headers={"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"},
            )

    def manifest(self, repository: str, name: str, digest: str, media_type: str) -> None:
        """Pushes a manifest under a digest or tag."""
        raw = self._path(digest).read_bytes()
        headers = {"Content-Type": media_type, "Content-Length": str(len(raw))}
        self._ask("PUT", f"/v2/{repository}/manifests/{name}", expected=201, body=raw, headers=headers)

    def _path(self, digest: str) -> Path:
        return self._blobs / digest.partition(":")[2]

    def _ask(
        self,
        method: str,
        target: str,
        *,
        expected: int,
        body: bytes | BinaryIO | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(self._host, blocksize=_PIECE)
        self._own.connection.request(method, target, body=body, headers=headers or {"Content-Length": "0"})
        answer: http.client.HTTPResponse = self._own.connection.getresponse()
        answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{method} {target}: {answer.status}")
        return answer


def push(client: Client, images: Sequence[Image], jobs: int) -> None:
    """Pushes all blobs, then all manifests."""
    blobs = dict.fromkeys((image["repository"], digest) for image in images for digest in image["blobs"])
    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(client.blob, repository, digest) for repository, digest in blobs]:
            done.result()
        for done in [pool.submit(_manifests, client, image) for image in images]:
            done.result()


def _manifests(client: Client, image: Image) -> None:
    *children, (top, top_type) = image["manifests"]
    for digest, media_type in children:
        client.manifest(image["repository"], digest, digest, media_type)
    client.manifest(image["repository"], image["tag"], top, top_type)


if __name__ == "__main__":
    push(Client(sys.argv[1], Path(sys.argv[2])), json.load(sys.stdin), int(sys.argv[3]))
