# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a balanced distribution is given: sizes of images, from lock files or a playbook, and what is where. Pure.

A lock file says how large each platform image is, and not which layers it has. So a platform image counts as one blob,
of a part of the bytes that the archive really has: platforms share layers, and each is in the archive once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError, quoted
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import MOST_VALUES
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balance_items import Blobs
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import Placed, full, placements


def sizes_in(raw: bytes, *, path: str) -> dict[str, Blobs]:
    """Return the platform images of each reference in a lock file, with their bytes; what was skipped has none.

    All of them together have the bytes of the blobs of the archive, and of those that it leaves out as a bundle.

    :param path: its path, for the error.
    :raises LockFileError: when it is not a lock file.
    """
    lock = read_lock(raw, path=path, most=MOST_VALUES)
    skipped: dict[str, Blobs] = {str(skip.reference): {} for skip in lock.skipped}
    alone = {one.digest: one.size for image in lock.images for one in image.platforms}
    total = sum(alone.values())
    # Blobs of manifests that are in no platform image, such as those of indexes, do not make an image larger.
    real = min(lock.whole_size, total) or total
    saved = {
        str(image.reference): {one.digest: one.size * real // total if total else 0 for one in image.platforms}
        for image in lock.images
    }
    return {**skipped, **saved}


def sizes_known(locks: Iterable[bytes]) -> dict[str, Blobs]:
    """Return what several lock files say; one that cannot be read says nothing, which is an error where it matters."""
    found: dict[str, Blobs] = {}
    for raw in locks:
        with suppress(LockFileError):
            found.update(sizes_in(raw, path=""))
    return found


def archive_size(raw: bytes) -> int | None:
    """Return the bytes of all blobs that the archive of a lock file has; ``None`` if it cannot be read."""
    try:
        return sum(read_lock(raw, path="", most=MOST_VALUES).blobs.values())
    except LockFileError:
        return None


def sizes_of(given: Mapping[str, object], lock: str) -> dict[str, Blobs]:
    """Read the sizes that a playbook gives.

    :param given: bytes, or bytes by digest, by reference.
    :param lock: text of a lock file; empty if there is none.
    :raises ImagesError: when a size is not valid, or the text is not a lock file.
    """
    sizes = sizes_in(lock.encode("utf-8", "surrogatepass"), path="lock") if lock else {}
    for name, size in given.items():
        blobs = size if isinstance(size, Mapping) else {str(name): size}
        valid = {str(digest): each for digest, each in blobs.items() if isinstance(each, int) and each >= 0}
        if len(valid) < len(blobs):
            shown = quoted(str(name), 300)
            raise OptionError(f"sizes: expected bytes, or bytes by digest, but {shown} has something else")
        sizes[full(str(name))] = valid
    return sizes


def placed_of(given: Mapping[str, Sequence[str]], hosts: Iterable[str]) -> Placed:
    """Read an earlier distribution; hosts that it does not name join.

    :param given: the lines of each host; empty: there was none.
    :param hosts: those of this distribution.
    """
    placed = placements({str(host): [str(line) for line in lines] for host, lines in given.items()})
    joining = frozenset(host for host in hosts if host not in given) if given else frozenset()
    return replace(placed, joining=joining)
