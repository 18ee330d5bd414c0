# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in memory for lists of many thousand references, in a process of its own: ``fixture_registry REFERENCES``.

All answers are made before the first request, so that it takes little of the processor that the module needs. It prints
its address when it is ready, and ends with its standard input. ``PUT /moved`` makes the first reference's tag name
another image, and its own one again.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..support.images import AMD64, ARM64, Index, Platform, build_image, build_index
from ..support.layers import sha256
from .workload import bare_layer

_PLATFORMS = (AMD64, ARM64)
_FAMILY = 20
"""References that share a base layer for each platform."""

_LAYER = 100
"""Bytes of a layer before compression."""

_END = b"\r\n\r\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0" + _END
_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0" + _END
_TLS = b"\x16"
_DATA = "application/octet-stream"


def name_of(number: int) -> str:
    """The name of a reference, without its registry."""
    return f"many/app-{number // 3}:v1.{number}"


def image_of(number: int) -> Index:
    """An image for two platforms with nine blobs of its own: two layers for each platform, and what names them."""

    def layers(platform: Platform) -> Iterator[str]:
        arch = platform.architecture
        yield f"base-{number // _FAMILY}-{arch}"
        yield f"first-{number}-{arch}"
        yield f"second-{number}-{arch}"

    return build_index(
        [
            build_image([bare_layer(seed, _LAYER) for seed in layers(platform)], platform=platform)
            for platform in _PLATFORMS
        ]
    )


class Answers:
    """What the registry gives, by the last word of a path: a tag or a digest; for GET and for HEAD.

    :param references: how many images it has, without the one that a tag is moved to.
    """

    def __init__(self, references: int) -> None:
        self._by_name: dict[bytes, tuple[bytes, bytes]] = {}
        for number in range(references):
            self._put_image(image_of(number), tag=number)
        self._first = [image_of(0), image_of(references)]
        self._put_image(self._first[1])

    def move(self) -> None:
        """Makes the first tag name its other image."""
        self._first.reverse()
        self._put_image(self._first[0], tag=0)

    def to(self, method: bytes, path: bytes) -> bytes:
        """The answer to a request."""
        if path == b"/moved":
            self.move()
            return _EMPTY
        if path == b"/v2/":
            return _EMPTY
        head, body = self._by_name.get(path.rpartition(b"/")[2], (_NOT_FOUND, b""))
        return head if method == b"HEAD" else head + body

    def _put_image(self, index: Index, *, tag: int | None = None) -> None:
        for entry in index.entries:
            image = entry.item
            assert not isinstance(image, Index), "no index in an index here"
            for data in (image.config, *(layer.data for layer in image.layers)):
                self._put(sha256(data), data, _DATA)
            self._put(image.digest, image.raw, image.media_type)
        self._put(index.digest, index.raw, index.media_type)
        if tag is not None:
            self._by_name[name_of(tag).rpartition(":")[2].encode()] = self._by_name[index.digest.encode()]

    def _put(self, digest: str, data: bytes, media_type: str) -> None:
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(data)}\r\n"
            f"Docker-Content-Digest: {digest}"
        )
        self._by_name.setdefault(digest.encode(), (head.encode() + _END, data))


class _Connection(asyncio.Protocol):
    """One connection; requests have no body that matters."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._read = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps where answers go."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers each request that is complete."""
        assert self._transport is not None
        self._read += data
        if self._read.startswith(_TLS):  # whoever tries https first must not wait for an answer
            self._transport.close()
            return
        while _END in self._read:
            request, _end, self._read = self._read.partition(_END)
            method, path, _version = request.partition(b"\r\n")[0].split(b" ")
            self._transport.write(self._answers.to(method, path))


@contextmanager
def many(references: int) -> Iterator[str]:
    """A registry with so many references, in a process of its own; gives its address."""
    name = "ansible_collections.airgap.images.tests.bench.fixture_registry"
    with subprocess.Popen(
        [sys.executable, "-m", name, str(references)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode("ascii").strip()
        process.communicate()


async def _serve(references: int) -> None:
    answers = Answers(references)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
