# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths that belong to an archive under its final names, and those that a new one replaces."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from .._archive.lock import Lock
from .._archive.names import path_of, stale_names
from .._archive.output import DIR, Output
from .._archive.parts import Part
from .._oci.layout import SHARE


def tree_paths(root: str) -> Iterator[str]:
    """Yield a directory and everything below it, except links."""
    for directory, _names, files in os.walk(root):
        yield directory
        yield from (os.path.join(directory, name) for name in sorted(files))


def final_paths(output: Output, lock: Lock) -> list[str]:
    """List all files of an archive under their final names; the lock file is the last."""
    files = (path_of(output, file) for file in lock.files)
    archive = tree_paths(output.dest) if output.compress == DIR else files
    return [*archive, output.checksum_file, *output.companions, output.lock_file]


def beside_paths(output: Output, files: Sequence[Part]) -> list[str]:
    """List what is replaced or removed, with its directory, when the files beside these ones are written again.

    :param files: parts and parity files that stay; none: of a new archive, all of whose files are new.
    """
    stale = [os.path.join(output.directory, name) for name in stale_names(output, files)]
    return [output.directory, *stale, output.checksum_file, *output.companions, output.lock_file]


def replaced_paths(output: Output) -> list[str]:
    """List what a new archive replaces, with its directory."""
    tree = tree_paths(output.dest) if output.compress == DIR else ()
    return [*beside_paths(output, ()), *tree]


def changed_paths(output: Output, lock: Lock, *, blobs: Collection[str], folders: Collection[str]) -> list[str]:
    """List what is replaced or removed when a directory stays in place, with the directories that these are in.

    :param lock: of the archive that exists.
    :param blobs: digests of those that the new one has as well.
    :param folders: names of the folders of platform images that it has as well.
    """

    def stays(name: str) -> bool:
        directory, _slash, last = name.rpartition("/")
        return f"sha256:{last}" in blobs if directory == SHARE else name.partition("/")[0] in folders

    names = [part.name for part in lock.parts if not stays(part.name)]
    below = sorted({"", *(name.rpartition("/")[0] for name in names), *SHARE.split("/")[:1], SHARE})
    return [*beside_paths(output, ()), *(os.path.join(output.dest, name).rstrip("/") for name in (*below, *names))]


def staging_path(output: Output) -> str:
    """Return the path of an archive's staging directory."""
    return os.path.join(output.directory, f".{output.name}.staging")
