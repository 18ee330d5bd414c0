# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a set of archives on the controller: written, and compared with the one before."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_changes import (
    changed_only,
    file_line,
    record_lines,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonError, parse_object
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import explained
from ansible_collections.airgap.images.plugins.module_utils._host.files import put_whole

_MODE = 0o644


def write_record(path: str, raw: bytes, *, before: bytes | None, is_check: bool) -> dict[str, Any]:
    """Write the record of a set, unless it is there already.

    :param before: the record before this run; the one on disk may be gone since. ``None``: there was none.
    :param is_check: whether nothing may be changed.
    :returns: C(changed), and C(diff) with the images and files that differ.
    :raises StorageError: when it cannot be read or written.
    """
    try:
        found = read_record(path)
        is_changed = found != raw
        if is_changed and not is_check:
            # On a USB stick, all files have the mode of the mount, and it cannot be changed.
            mode = stat.S_IMODE(os.stat(path).st_mode) if found is not None else _MODE
            put_whole(path, raw)
            if stat.S_IMODE(os.stat(path).st_mode) != mode:
                with suppress(OSError):
                    os.chmod(path, mode)
    except OSError as error:
        raise explained(f"cannot read or write {path} on the controller", error) from error
    return {"changed": is_changed, "diff": difference(path, found if before is None else before, raw)}


def read_record(path: str) -> bytes | None:
    """Read the record that is there.

    :returns: ``None`` if there is none.
    :raises OSError: when it cannot be read.
    """
    with suppress(FileNotFoundError), open(path, "rb") as file:
        return file.read()
    return None


def difference(path: str, before: bytes | None, after: bytes) -> dict[str, str]:
    """Return the images and files that differ between two records, as C(--diff) shows them."""
    return {"before_header": path, "after_header": path, **changed_only(_lines(before, path), _lines(after, path))}


def _lines(raw: bytes | None, path: str) -> list[str]:
    """Describe a record; what is not one has no lines."""
    with suppress(LockFileError, JsonError):
        if raw is not None:
            lock = read_lock(raw, path=path)
            return [*record_lines(lock, _hosts(raw)), *_files(lock)]
    return []


def _files(lock: Lock) -> list[str]:
    return [file_line(part.name, part.size, part.sha256) for part in lock.parts]


def _hosts(raw: bytes) -> dict[str, str]:
    """Return which host has which reference."""
    return {entry.text("reference"): entry.text("host") for entry in parse_object(raw).objects("images")}
