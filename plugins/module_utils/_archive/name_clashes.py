# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that would unintentionally be one file: the same name, or another spelling on a USB stick."""

from __future__ import annotations

import os

from .._base.errors import OptionError
from .._host.filesystem import existing, ignores_case, spelled_otherwise
from .names import is_file_name
from .output import BESIDE, DIR, Output


def refuse_other_spelling(output: Output) -> None:
    """Refuse another spelling of an existing archive, where ``A`` and ``a`` are one name.

    :raises OptionError: says how it is spelled there.
    """
    found = archive_spelled_otherwise(output.directory, output.name)
    if found:
        raise OptionError(
            f"dest: {output.dest} would overwrite {found} in {output.directory}, whose filesystem treats both "
            "spellings as one name; spell dest as it is there, or name another"
        )


def archive_spelled_otherwise(directory: str, archive: str) -> str:
    """Find a file of an archive in a directory, under a name that differs by case only.

    :returns: its name there; empty if there is none.
    """
    try:
        names = os.listdir(directory)
    except OSError:
        return ""
    for name in names:
        start, suffix = name[: len(archive)], name[len(archive) :]
        if start != archive and start.lower() == archive.lower() and is_name_of(archive, archive + suffix):
            found = spelled_otherwise(directory, archive + suffix)
            if found:
                return found
    return ""


def is_name_of(archive: str, name: str) -> bool:
    """Return True if a file of this name belongs to an archive."""
    return is_file_name(archive, name) or name in {f"{archive}{suffix}" for suffix in BESIDE.values()}


def refuse_name_of_archive(option: str, path: str, output: Output) -> None:
    """Refuse a file of the run that would be one of the archive's.

    :param option: whose value the path is.
    :raises OptionError: says which it would be.
    """
    directory, name = os.path.split(os.path.abspath(path))
    if os.path.realpath(directory) != os.path.realpath(output.directory):
        return
    is_same = is_name_of(output.name, name)
    if not is_same and is_name_of(output.name.lower(), name.lower()):
        is_same = ignores_case(directory)
    if is_same:
        raise OptionError(f"{option}: {path} is the name of a file of the archive {output.dest}; name another")


def refuse_cache_as_archive(cache_dir: str, output: Output) -> None:
    """Refuse a directory of ``compress: dir`` that is the cache's by another spelling.

    :raises OptionError: names both.
    """
    if output.compress != DIR:
        return
    cache, dest = (os.path.realpath(path).lower() for path in (cache_dir, output.dest))
    if os.path.commonpath([cache, dest]) in (cache, dest) and ignores_case(existing(output.directory)):
        raise OptionError(
            f"cache_dir: with compress=dir, {cache_dir} and dest {output.dest} must be apart, and the filesystem "
            "treats both spellings as one name; give dest another name, or set cache_dir"
        )
