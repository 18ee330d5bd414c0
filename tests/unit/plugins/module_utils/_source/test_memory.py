# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory that reading takes: the same for a blob that is twelve times as large, and for what expands a thousandfold."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest
import zstandard

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part

MIB = 1024 * 1024
SMALL, LARGE = 16 * MIB, 192 * MIB
MORE = 6 * MIB
"""Bytes by which two runs may differ."""

# Reads a blob as a request would, in a process of its own, and prints its size and the most memory there was.
READING = """
import re, sys
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._source.archive import open_archive

path, digest, way = sys.argv[1:]
archive = open_archive([path], stop=Stop(), log=Log(debug=False))
size = 0
if way == "open":
    readers = [archive.open_blob(digest)]
else:
    readers = (reader for _digest, reader in archive.in_stream_order([digest]))
for reader in readers:
    while piece := reader.read(65536):
        size += len(piece)
with open("/proc/self/status") as status:
    print(size, int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1]) * 1024)
"""


def archive_of_zeros(folder: Path, compress: str, size: int) -> tuple[Path, str]:
    """An archive of one blob, with an offset where it is not compressed; returns its lock file and the digest."""
    hasher = hashlib.sha256()
    for _each in range(size // MIB):
        hasher.update(bytes(MIB))
    info = tarfile.TarInfo(f"saved-image-cache/share/sha256/{hasher.hexdigest()}")
    info.size = size
    head = info.tobuf(tarfile.GNU_FORMAT)
    folder.mkdir()
    path = folder / {"gzip": "a.tar.gz", "zstd": "a.tar.zst", "none": "a.tar"}[compress]
    if compress == "none":
        path.write_bytes(head)
        with path.open("r+b") as file:
            file.truncate(len(head) + size + 1024)
    else:
        path.write_bytes(pressed(compress, head, size))
    digest = f"sha256:{hasher.hexdigest()}"
    offsets = {digest: Offset(len(head), 0)} if compress == "none" else {}
    parts = (Part(path.name, path.stat().st_size, 64 * "a"),)
    lock = Lock({"compress": compress}, (), blobs={digest: size}, parts=parts, offsets=offsets)
    Path(f"{path}.lock.json").write_bytes(write_lock(lock))
    return Path(f"{path}.lock.json"), digest


def pressed(compress: str, head: bytes, size: int) -> bytes:
    target = io.BytesIO()
    if compress == "zstd":
        with zstandard.ZstdCompressor(level=1).stream_writer(target, closefd=False) as stream:
            stream.write(head)
            for _each in range(size // MIB):
                stream.write(bytes(MIB))
            stream.write(bytes(1024))
        return target.getvalue()
    deflater = zlib.compressobj(1, zlib.DEFLATED, 31)
    target.write(deflater.compress(head))
    for _each in range(size // MIB):
        target.write(deflater.compress(bytes(MIB)))
    target.write(deflater.compress(bytes(1024)) + deflater.flush())
    return target.getvalue()


def peak(lock_file: Path, digest: str, way: str, expected: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", READING, str(lock_file), digest, way], check=True, stdout=subprocess.PIPE, text=True
    )
    size, most = map(int, done.stdout.split())
    assert size == expected
    return most


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
def test_memory_does_not_grow_with_a_blob(tmp_path: Path, compress: str) -> None:
    small, large = (archive_of_zeros(tmp_path / str(size), compress, size) for size in (SMALL, LARGE))
    for way in ("open", "in order"):
        base = peak(*small, way, SMALL)
        assert peak(*large, way, LARGE) < base + MORE
        assert base < 60 * MIB
