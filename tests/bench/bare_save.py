# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a cold save in gzip parts has to do with each byte, in Python: without plan, cache, lock or guards.

``python -m … bare_save HOST:PORT FOLDER JOBS`` reads lines with a repository and a digest from stdin. Each blob is
received, hashed and written by one of several threads. Behind that, each is read again, put into stored blocks, with
their checksum, and hashed and written once more.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_PIECE = 1024 * 1024
_STORED = 65535
_HEADER = 5


def fetch(host: str, folder: Path, blobs: Sequence[tuple[str, str]]) -> None:
    """Fetches blobs over one connection.

    :raises RuntimeError: one is not what its digest says
    """
    connection = http.client.HTTPConnection(host)
    memory = memoryview(bytearray(_PIECE))
    for repository, digest in blobs:
        connection.request("GET", f"/v2/{repository}/blobs/{digest}")
        answer = connection.getresponse()
        hasher = hashlib.sha256()
        with (folder / digest.partition(":")[2]).open("wb", buffering=0) as file:
            while size := answer.readinto(memory):
                hasher.update(memory[:size])
                file.write(memory[:size])
        if f"sha256:{hasher.hexdigest()}" != digest:
            raise RuntimeError(f"{digest}: {answer.status}")


def archive(folder: Path, blobs: Sequence[tuple[str, str]]) -> None:
    """Writes the blobs into one file, as stored blocks, and brings it to disk."""
    memory = memoryview(bytearray(16 * (_HEADER + _STORED)))
    step = _HEADER + _STORED
    blocks = [memory[start + _HEADER : start + step] for start in range(0, len(memory), step)]
    hasher, crc = hashlib.sha256(), 0
    with (folder / "archive").open("wb", buffering=0) as target:
        for _repository, digest in blobs:
            with (folder / digest.partition(":")[2]).open("rb", buffering=0) as source:
                while size := os.readv(source.fileno(), blocks):
                    full, rest = divmod(size, _STORED)
                    for block in (*blocks[:full], *(block[:rest] for block in blocks[full : full + (rest > 0)])):
                        crc = zlib.crc32(block, crc)
                    filled = memory[: full * step + (_HEADER + rest if rest else 0)]
                    hasher.update(filled)
                    target.write(filled)
        os.fsync(target.fileno())


def main() -> None:
    """Shares the blobs out over the threads, and archives them when all are there."""
    host, folder, jobs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    blobs = [(repository, digest) for repository, digest in map(str.split, sys.stdin)]
    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(fetch, host, folder, blobs[number::jobs]) for number in range(jobs)]:
            done.result()
    archive(folder, blobs)


if __name__ == "__main__":
    main()
