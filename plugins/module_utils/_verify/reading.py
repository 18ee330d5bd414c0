# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which files are read: several at a time where a disk does not have to seek between them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .._source.joined import PartFile

_MOST_THREADS = 4
_DEVICES = "/sys/dev/block"


def workers() -> int:
    """Return how many files are read at a time where nothing speaks against it: hashing is bound by processors."""
    return max(1, min(_MOST_THREADS, os.cpu_count() or 1))


def queues_of(parts: Iterable[PartFile], *, devices: str = _DEVICES) -> list[list[PartFile]]:
    """Sort files into queues, each of which is read by one thread.

    :param devices: the directory in which the kernel describes block devices.
    :returns: one queue for all files of a disk that seeks or can be removed, and for any other file its own.
    """
    slow: dict[int, list[PartFile]] = {}
    queues: list[list[PartFile]] = []
    kinds: dict[int, bool] = {}
    for part in parts:
        device = _device_of(part.path)
        if device not in kinds:
            kinds[device] = _is_slow(device, devices)
        if not kinds[device]:
            queues.append([part])
        elif device in slow:
            slow[device].append(part)
        else:
            slow[device] = [part]
            queues.append(slow[device])
    return queues


def _device_of(path: str) -> int:
    try:
        return os.stat(path).st_dev
    except OSError:
        return 0


def _is_slow(device: int, devices: str) -> bool:
    """Return True for a disk that turns, or that can be removed, as a stick; False where the kernel does not say."""
    folder = os.path.join(devices, f"{os.major(device)}:{os.minor(device)}")
    # A partition has no description of its own, but is a directory of its disk.
    disks = [folder, os.path.join(os.path.realpath(folder), os.pardir)]
    return any(_says_yes(os.path.join(disk, name)) for disk in disks for name in ("queue/rotational", "removable"))


def _says_yes(path: str) -> bool:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(8).strip() == "1"
    except OSError:
        return False
