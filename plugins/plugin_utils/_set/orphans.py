# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives on the controller that are no longer part of a set: found, and removed on request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress

from ansible_collections.airgap.images.plugins.module_utils._archive.names import is_file_name
from ansible_collections.airgap.images.plugins.module_utils._archive.output import LOCK_SUFFIX
from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import explained
from ansible_collections.airgap.images.plugins.plugin_utils._set.names import files_of


def find_orphans(media: str, left: Mapping[str, str]) -> dict[str, list[str]]:
    """Find the files of archives that are no longer part of the set.

    :param media: the directory of the set.
    :param left: the names of these archives, by host; both are checked file names.
    :returns: the paths that exist, by host; the lock file is the first. Hosts without any are left out.
    :raises StorageError: when a directory cannot be read.
    """
    found = {host: [*_files_of(os.path.join(media, host), archive)] for host, archive in left.items() if archive}
    return {host: paths for host, paths in found.items() if paths}


def remove_orphans(media: str, orphans: Mapping[str, list[str]]) -> None:
    """Remove these files, and the directories of their hosts if they are empty then.

    :raises StorageError: when a file cannot be removed.
    """
    for host, paths in orphans.items():
        for path in paths:
            try:
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
            except OSError as error:
                raise explained(f"image_save_remove_orphans: cannot remove {path} on the controller", error) from error
        with suppress(OSError):
            os.rmdir(os.path.join(media, host))


def _files_of(folder: str, archive: str) -> Iterator[str]:
    """Yield the files of an archive, its lock file first: without it, nothing that is left looks like an archive."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        return
    beside = [path for path in files_of(os.path.join(folder, archive))[1:] if os.path.lexists(path)]
    is_fetched = any(path.endswith(LOCK_SUFFIX) for path in beside)
    yield from reversed(beside)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error
    for name in names:
        path = os.path.join(folder, name)
        is_directory = os.path.isdir(path) and not os.path.islink(path)
        # A directory without a lock file beside it was not made by a fetch.
        if is_file_name(archive, name) and (not is_directory or (is_fetched and name == archive)):
            yield path


def _unreadable(folder: str, error: OSError) -> StorageError:
    return explained(f"cannot read {folder} on the controller", error)
