# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image layers made on the spot: real tars with real files, the same bytes from the same seed."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import zstandard

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar"

GZIP = "gzip"
ZSTD = "zstd"
PLAIN = ""


def sha256(data: bytes) -> str:
    """The digest of ``data``: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Layer:
    """A layer as it is stored: ``data`` is what ``compression`` made of a tar whose digest is ``diff_id``.

    A layer with ``urls`` is a foreign one; ``push`` leaves out the bytes of one that is not ``present``.
    """

    data: bytes
    compression: str
    diff_id: str
    urls: tuple[str, ...] = ()
    present: bool = True

    @cached_property
    def digest(self) -> str:
        """The digest of the stored bytes."""
        return sha256(self.data)

    def media_type(self, *, docker: bool) -> str:
        """The media type of the layer in a manifest of this kind."""
        if docker:
            base = DOCKER_FOREIGN_LAYER if self.urls else DOCKER_LAYER
            return base + (f".{self.compression}" if self.compression else "")
        base = OCI_FOREIGN_LAYER if self.urls else OCI_LAYER
        return base + (f"+{self.compression}" if self.compression else "")


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar of ``files`` with the directories they need; whatever lies in a ``bin`` is executable."""
    buffer = io.BytesIO()
    seen: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        for name, data in files.items():
            parents = name.split("/")[:-1]
            for depth in range(len(parents)):
                directory = "/".join(parents[: depth + 1])
                if directory not in seen:
                    seen.add(directory)
                    entry = tarfile.TarInfo(directory)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    out.addfile(entry)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if parents[-1:] == ["bin"] else 0o644
            out.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _compress(data: bytes, compression: str, level: int) -> bytes:
    if compression == GZIP:
        return gzip.compress(data, compresslevel=level, mtime=0)
    if compression == ZSTD:
        return zstandard.ZstdCompressor(level=max(level, 1)).compress(data)
    return data


def files_layer(files: Mapping[str, bytes], *, compression: str = GZIP, level: int = 6) -> Layer:
    """A layer with ``files`` (path to content)."""
    plain = tar(files)
    return Layer(_compress(plain, compression, level), compression, sha256(plain))


def random_layer(seed: int, size: int, *, compression: str = GZIP) -> Layer:
    """A layer with one file of ``size`` bytes that no compressor makes smaller."""
    data = random.Random(seed).randbytes(size)  # noqa: S311
    return files_layer({f"srv/random-{seed}.bin": data}, compression=compression, level=0)


@lru_cache(maxsize=64)
def text_layer(seed: int, size: int, *, compression: str = GZIP) -> Layer:
    """A layer with one file of ``size`` bytes that compresses well."""
    chooser = random.Random(seed)  # noqa: S311
    words = ["".join(chooser.choices("aeioustrnl", k=chooser.randint(2, 9))) for _word in range(500)]
    lines: list[str] = []
    length = 0
    while length < size:
        line = " ".join(chooser.choices(words, k=12)) + "\n"
        lines.append(line)
        length += len(line)
    text = "".join(lines).encode("ascii")[:size]
    return files_layer({f"usr/share/doc/text-{seed}.txt": text}, compression=compression)


def foreign(layer: Layer, *urls: str, present: bool) -> Layer:
    """The same layer, to be fetched from ``urls``; ``present`` says whether the registry has it too."""
    return replace(layer, urls=urls, present=present)


def hello_program(architecture: str, text: str) -> bytes:
    """A static Linux program for amd64 or arm64 that writes ``text`` and ends.

    An ELF header, one program header and a handful of instructions: small, and the same on every host.

    :raises KeyError: another architecture
    """
    message = text.encode("utf-8") + b"\n"
    machine, code = {"amd64": (62, _amd64_code), "arm64": (183, _arm64_code)}[architecture]
    base, headers = 0x400000, 64 + 56
    body = code(len(message)) + message
    size = headers + len(body)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack("<16sHHIQQQIHHHHHH", identity, 2, machine, 1, base + headers, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x10000)
    return header + segment + body


def _amd64_code(length: int) -> bytes:
    """write(1, text, length), exit(0); the text follows the code."""
    return b"".join(
        (
            b"\xb8\x01\x00\x00\x00",  # mov eax, 1 (write)
            b"\xbf\x01\x00\x00\x00",  # mov edi, 1
            b"\x48\x8d\x35\x0e\x00\x00\x00",  # lea rsi, [rip + 14]: the text
            b"\xba" + struct.pack("<I", length),  # mov edx, length
            b"\x0f\x05",  # syscall
            b"\x31\xff",  # xor edi, edi
            b"\xb0\x3c",  # mov al, 60 (exit)
            b"\x0f\x05",  # syscall
            b"\x90",
        )
    )


def _arm64_code(length: int) -> bytes:
    """write(1, text, length), exit(0); the text follows the code."""
    return struct.pack(
        "<8I",
        0xD2800020,  # mov x0, 1
        0x100000E1,  # adr x1, . + 28: the text
        0xD2800002 | (length & 0xFFFF) << 5,  # mov x2, length
        0xD2800808,  # mov x8, 64 (write)
        0xD4000001,  # svc 0
        0xD2800000,  # mov x0, 0
        0xD2800BA8,  # mov x8, 93 (exit)
        0xD4000001,  # svc 0
    )
