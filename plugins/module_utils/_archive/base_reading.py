# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the lock files and receipts that make the base of a bundle: on a host, or on the controller."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .._base.errors import LockFileError
from .._base.size import format_size
from .._host.files import open_regular
from .base_files import LARGEST, GivenFile, hosts_of_set, is_receipt
from .output import LOCK_SUFFIX


def files_of(paths: Sequence[str]) -> list[GivenFile]:
    """Read lock files and receipts. The lock file of a set stands for those of its hosts, below its directory.

    :raises LockFileError: when a file cannot be read.
    """
    files: list[GivenFile] = []
    for given in paths:
        path = os.path.realpath(given)
        raw = _read(path)
        hosts = () if is_receipt(raw) else hosts_of_set(raw, path=path)
        if not hosts:
            files.append(GivenFile(path, raw))
        for host in hosts:
            folder = os.path.join(os.path.dirname(path), host)
            files += [GivenFile(each, _read(each)) for each in _locks_in(folder, path)]
    return files


def _locks_in(folder: str, of: str) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(LOCK_SUFFIX))
    except OSError:
        names = []
    if not names:
        raise LockFileError(f"{of} is the lock file of a set, and no lock file was found in {folder}; copy it there")
    return [os.path.join(folder, name) for name in names]


def _read(path: str) -> bytes:
    try:
        with open_regular(path) as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise LockFileError(f"cannot read {path}: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise LockFileError(f"{path} has more than {format_size(LARGEST)}; expected a lock file or a receipt")
    return raw
