# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own reader, for the tests of the format: archives as they arrive on the other side."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import LockedImage
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive, open_archive


@dataclass(frozen=True)
class Source:
    """Paths that are given for an archive."""

    about: str
    paths: tuple[Path, ...]


def opened(*paths: Path) -> Archive:
    """Opens an archive."""
    return open_archive([str(path) for path in paths], stop=Stop(), log=Log(debug=False))


def sources_of(archive: Path, lock: dict[str, Any], folder: Path) -> Iterator[Source]:
    """An archive as it is; and spread over two directories, without lock file as hangar's are, and unpacked by tar."""
    yield Source("beside its lock file", (Path(f"{archive}.lock.json"),))
    if archive.is_dir():
        yield Source("a directory", (archive,))
        return
    names = [part["name"] for part in lock["parts"]]
    first, second, bare, out = (folder / name for name in ("first", "second", "bare", "out"))
    for place in (first, second, bare, out):
        place.mkdir()
    for number, name in enumerate(names):
        os.link(archive.parent / name, (first, second)[number % 2] / name)
        os.link(archive.parent / name, bare / name)
    os.link(f"{archive}.lock.json", first / f"{archive.name}.lock.json")
    yield Source("in two directories", (first, second))
    yield Source("without lock file", (bare / names[0],))
    program = {"gzip": ["--gzip"], "zstd": ["--zstd"]}.get(lock["options"]["compress"], [])
    raw = b"".join((bare / name).read_bytes() for name in names)
    subprocess.run(["tar", "-C", str(out), *program, "-xf", "-"], input=raw, check=True)
    yield Source("unpacked by tar", (out,))


def blobs_of(archive: Archive, *, in_order: bool) -> dict[str, bytes]:
    """All blobs of an archive."""
    if in_order:
        return {digest: reader.read() for digest, reader in archive.in_stream_order(archive.lock.blobs)}
    found = {}
    for digest in archive.lock.blobs:
        with archive.open_blob(digest) as reader:
            found[digest] = reader.read()
    return found


def locked(lock: dict[str, Any], image: LockedImage) -> dict[str, Any]:
    """Return the lock file's record of an image."""
    found: dict[str, Any] = next(one for one in lock["images"] if one["reference"] == str(image.reference))
    return found
