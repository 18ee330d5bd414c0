# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive that was fetched under another name: its files are used, not transferred again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress

from ansible_collections.airgap.images.plugins.module_utils._archive.names import is_file_name
from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE, LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain


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
                with suppress(FileNotFoundError):  # without its parts, nothing must look like a whole archive
                    os.unlink(f"{root}{LOCK_SUFFIX}")
                _move(place, old, part)
        if is_fetched_directory:
            shutil.rmtree(root)
        beside = [f"{root}{suffix}" for suffix in BESIDE.values()]
        names = os.listdir(place.directory) if os.path.isdir(place.directory) else []
    except OSError as error:
        raise explain(error, root) from error
    files = [os.path.join(place.directory, name) for name in names if is_file_name(formerly, name)]
    return [path for path in [*beside, *files] if os.path.lexists(path) and not os.path.isdir(path)]


def _move(place: Place, old: str, part: Item) -> None:
    new = place.temporary(part)
    place.make_folder(os.path.dirname(new))
    os.replace(old, new)
    if place.memory is not None:
        place.memory.learn(new, part.sha256)
