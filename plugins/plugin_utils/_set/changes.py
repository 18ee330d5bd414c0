# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the lock file of a set differs from the one before, as C(--diff) shows it. Pure."""

from __future__ import annotations

from contextlib import suppress

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_changes import (
    changed_only,
    file_line,
    record_lines,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonError, parse_object


def difference(path: str, before: bytes, after: bytes) -> dict[str, str]:
    """Return the images and files that differ between two lock files of a set.

    :param before: its bytes; empty if there was none.
    """
    return {"before_header": path, "after_header": path, **changed_only(_lines(before, path), _lines(after, path))}


def _lines(raw: bytes, path: str) -> list[str]:
    """Describe a lock file; what is not one has no lines."""
    with suppress(LockFileError, JsonError):
        lock = read_lock(raw, path=path)
        hosts = {entry.text("reference"): entry.text("host") for entry in parse_object(raw).objects("images")}
        files = [file_line(part.name, part.size, part.sha256) for part in lock.files]
        return [*record_lines(lock, hosts), *files]
    return []
