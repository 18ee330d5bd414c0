# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lengths of names and paths, checked before the first byte."""

from __future__ import annotations

import os

from .._base.errors import OptionError
from .._host.filesystem import existing
from .output import BESIDE, DIR, Output

_NAME_MAX, _PATH_MAX = 255, 4096  # limits.h; of characters on FAT, exFAT and NTFS, of bytes elsewhere
_PART_DIGITS = 4
_HEX = "0" * 64
# What skopeo and a copy under way need below the cache.
_IN_CACHE = f"/.run-01234567/copy-{_HEX}/oci-put-blob0123456789"


def refuse_long_names(output: Output, cache_dir: str) -> None:
    """Make sure that all files of a run can have their names.

    :raises OptionError: says how long the option's value may be.
    """
    longest = max(_names(output), key=_size)
    limit = _limit(output.directory, "PC_NAME_MAX", _NAME_MAX)
    characters = len(longest.encode("utf-16-le", "surrogatepass")) // 2
    over = max(_size(longest) - limit, characters - _NAME_MAX)
    if over > 0:
        raise OptionError(
            f"dest: the name is too long by {over}: there would be {longest}, and names can have {limit} bytes there; "
            f"choose one of up to {_size(output.name) - over}"
        )
    deepest = max((os.path.join(output.directory, path) for path in _paths(output, longest)), key=_size)
    _refuse_path("dest", output.dest, deepest)
    _refuse_path("cache_dir", cache_dir, cache_dir + _IN_CACHE)


def _refuse_path(option: str, path: str, deepest: str) -> None:
    over = _size(deepest) + 1 - _limit(os.path.dirname(path), "PC_PATH_MAX", _PATH_MAX)  # with a zero at its end
    if over > 0:
        raise OptionError(
            f"{option}: its path is too long by {over} bytes for what will be in it; choose one of up to "
            f"{_size(path) - over}"
        )


def _names(output: Output) -> list[str]:
    """List the names that will be in the directory."""
    names = [f".{output.name}.staging", *(f"{output.name}{suffix}" for suffix in BESIDE.values())]
    if output.is_split:
        names.append(f"{output.name}.part{'0' * max(_PART_DIGITS, output.part_digits or 0)}")
    return names


def _paths(output: Output, longest: str) -> list[str]:
    """The longest paths, relative to the directory of the archive."""
    staging = f".{output.name}.staging"
    inside = f"{output.name}/{_HEX}/saved-images-list.json" if output.compress == DIR else ""
    return [f"{staging}/ready/{longest}", f"{staging}/ready/{inside}"]


def _limit(directory: str, name: str, default: int) -> int:
    try:
        found = os.pathconf(existing(directory), name)
    except (OSError, ValueError):
        return default
    return found if found > 0 else default


def _size(text: str) -> int:
    return len(os.fsencode(text))
