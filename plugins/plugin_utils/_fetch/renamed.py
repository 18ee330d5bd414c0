# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are there under another name, of the archive or of a part: they are used, not transferred again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress

from ansible_collections.airgap.images.plugins.module_utils._archive.names import is_file_name
from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE, LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain


def find_renamed(place: Place, items: Iterable[Item], paths: Iterable[str]) -> dict[Item, str]:
    """Find wanted items in files of other names. Only files that have the size of one are read, each once.

    :param items: not there by their own names.
    :param paths: of the files; they need not exist.
    :returns: the paths of those that were found; each file serves one item, and each content one.
    :raises StorageError: when a file cannot be read.
    """
    wanted: dict[tuple[int, str], Item] = {}
    for item in items:
        wanted.setdefault((item.size, item.sha256), item)
    sizes = {item.size for item in wanted.values()}
    found: dict[Item, str] = {}
    for path in paths:
        key = place.content(path, sizes)
        if key in wanted:
            found[wanted.pop(key)] = path
    return found


def take_over(place: Place, parts: Sequence[Item], formerly: str) -> list[str]:
    """Move the files that an archive of another name has to where files arrive, as if they had been transferred.

    :param parts: those of the new name, and its parity files.
    :param formerly: the other name, in the same directory.
    :returns: the paths that are left of that archive, to be removed when the new one is published.
    :raises StorageError: when a file cannot be read or moved.
    """
    root = os.path.join(place.directory, formerly)
    is_fetched_directory = os.path.isfile(f"{root}{LOCK_SUFFIX}") and os.path.isdir(root) and not os.path.islink(root)
    try:
        for part in parts:
            old = os.path.join(place.directory, f"{formerly}{part.name[len(place.archive) :]}")
            if os.path.lexists(old) and not place.holds(place.final(part), part) and place.holds(old, part):
                _move(place, old, part, root)
        for part, old in _shifted(place, parts, formerly).items():
            _move(place, old, part, root)
        if is_fetched_directory:
            shutil.rmtree(root)
        beside = [f"{root}{suffix}" for suffix in BESIDE.values()]
        files = _parts_in(place.directory, formerly)
    except OSError as error:
        raise explain(error, root) from error
    return [path for path in [*beside, *files] if os.path.lexists(path) and not os.path.isdir(path)]


def keep_arrived(place: Place, parts: Sequence[Item]) -> None:
    """Set aside what an interrupted run has brought, where the archive has changed since and numbers have shifted.

    :param parts: of the archive as it is now.
    :raises StorageError: when a file cannot be read or moved.
    """
    try:
        arrived = _parts_in(place.incoming, place.archive)
        own = {place.temporary(part): part for part in parts}
        files = [path for path in arrived if path not in own or not place.holds(path, own[path])]
        missing = [part for part in parts if place.temporary(part) not in {*arrived} - {*files}] if files else []
        for part, path in find_renamed(place, missing, files).items():
            os.replace(path, place.kept(part))
            if place.memory is not None:
                place.memory.learn(place.kept(part), part.sha256)
    except OSError as error:
        raise explain(error, place.incoming) from error


def _shifted(place: Place, parts: Sequence[Item], formerly: str) -> dict[Item, str]:
    """Find parts that the archive of another name has under other numbers."""
    files = _parts_in(place.directory, formerly)
    if not files:
        return {}
    there = (place.final, place.temporary)
    missing = [part for part in parts if not any(place.holds(path(part), part) for path in there)]
    return find_renamed(place, missing, files)


def _parts_in(folder: str, archive: str) -> list[str]:
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in names if is_file_name(archive, name)]


def _move(place: Place, old: str, part: Item, root: str) -> None:
    """Move a file of an archive to where a part arrives.

    :param root: path of the archive that it belonged to.
    """
    with suppress(FileNotFoundError):  # without its parts, nothing must look like a whole archive
        os.unlink(f"{root}{LOCK_SUFFIX}")
    new = place.temporary(part)
    place.make_folder(os.path.dirname(new))
    os.replace(old, new)
    if place.memory is not None:
        place.memory.learn(new, part.sha256)
