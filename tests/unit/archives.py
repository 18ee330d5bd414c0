# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives on their way to the controller, for the tests of what happens to them there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import Delivery, compare
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.incoming import clear_way
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.publish import publish

NAME = "images.tar.gz"
SHA = "ef" * 32
FAILED = b"# airgap.images: what could not be saved, with the reasons\n# 404\nnginx\n"
ARCHIVE, LAYOUT = Lock({"compress": "gzip"}, ()), Lock({"compress": "dir"}, ())


def item(name: str, data: bytes = b"data") -> Item:
    return Item(f"/srv/{name}", name, len(data), hashlib.sha256(data).hexdigest())


def place_at(folder: Path) -> Place:
    return Place(str(folder), NAME)


def arrive(place: Place, arrived: Item, data: bytes = b"data") -> None:
    """Let a file stand in the hidden directory."""
    Path(clear_way(place, arrived)).write_bytes(data)


def compared(place: Place, *items: Item, lock: Lock | None = ARCHIVE, failed_list: str | None = None) -> Delivery:
    return compare(place, items, lock=lock, failed_list=failed_list)


def stale(place: Place, *items: Item, lock: Lock | None = ARCHIVE) -> list[str]:
    return list(compared(place, *items, lock=lock).stale)


def publish_all(place: Place, *items: Item, lock: Lock | None = ARCHIVE, outdated: Sequence[str] = ()) -> None:
    publish(compared(place, *items, lock=lock), outdated)


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """All that is below a directory: the bytes of files, the targets of links, ``None`` for directories."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def layout_at(folder: Path, *names: str) -> Path:
    """A directory of C(compress=dir) that was fetched, with these files of one content."""
    (folder / NAME).mkdir(parents=True)
    for name in names:
        (folder / NAME / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / NAME / name).write_bytes(b"data")
    (folder / NAME / "blobs").symlink_to("share")
    (folder / f"{NAME}.lock.json").touch()
    return folder / NAME
