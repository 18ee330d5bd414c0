# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a published directory that stay where they are when the archive changes."""

from __future__ import annotations

import os
import stat
from itertools import chain

from .._archive.file_table import FileTable
from .._archive.output import DIR, Output
from .._host.attributes import Attributes
from .._host.filesystem import filesystem_of
from .._host.verified_files import VerifiedFiles
from .._oci.layout import SHARE
from .published import PublishedArchive


class KeptFiles:
    """The files that were verified, and have not been touched since. What is new is put among them.

    :param root: the directory.
    :param folders: paths below it of the directories that may hold them, as :func:`_folders_of` returns them.
    """

    def __init__(self, root: str, folders: frozenset[str], verified: VerifiedFiles, attributes: Attributes) -> None:
        self._root = root
        self._folders = folders
        self._verified = verified
        self._attributes = attributes
        self._files = FileTable()
        self._links: dict[str, str] = {}

    def has(self, name: str, sha256: str) -> bool:
        """Return True if a file has this content, and need not be written."""
        path = f"{self._root}/{name}"
        if name.rpartition("/")[0] not in self._folders or self._verified.known(path) != sha256:
            return False
        if self._attributes.differ(path):
            return False
        self._files.add(name, 0, sha256)  # of whatever size
        return True

    def has_link(self, name: str, target: str) -> bool:
        """Return True if a link is there, and need not be made."""
        if name.rpartition("/")[0] not in self._folders or not self._is_link(name, target):
            return False
        self._links[name] = target
        return True

    def missing(self) -> str:
        """Return the path of a file or link that was found, and is not there any more as it was; empty: all are.

        A file that was touched is read again: somebody may only have given it another name.

        :raises Interrupted: when the run is to end.
        """
        folders = _folders_of(self._root)
        files = ((part.name, self._is_file(part.name, part.sha256)) for part in self._files)
        links = ((name, self._is_link(name, target)) for name, target in self._links.items())
        for name, is_there in chain(files, links):
            if not is_there or name.rpartition("/")[0] not in folders:
                return f"{self._root}/{name}"
        return ""

    def _is_file(self, name: str, sha256: str) -> bool:
        path = f"{self._root}/{name}"
        try:
            return stat.S_ISREG(os.lstat(path).st_mode) and self._verified.sha256(path) == sha256
        except OSError:
            return False

    def _is_link(self, name: str, target: str) -> bool:
        try:
            return os.readlink(f"{self._root}/{name}") == target
        except OSError:
            return False


def files_to_keep(
    output: Output, published: PublishedArchive, verified: VerifiedFiles, attributes: Attributes
) -> KeptFiles | None:
    """Find out whether the files of an archive can stay in their directory.

    :returns: ``None`` if the archive is to be written as a whole: where there is none that is whole, where its files
        get attributes, or where a file cannot be seen to have been touched.
    """
    is_whole = published.lock is not None and not published.damage
    if output.compress != DIR or output.force or output.has_attributes or not is_whole:
        return None
    if not filesystem_of(output.dest).tells_changes:
        return None
    folders = _folders_of(output.dest)
    return KeptFiles(output.dest, folders, verified, attributes) if folders else None


def _folders_of(root: str) -> frozenset[str]:
    """Return the paths below a directory of those that may hold files that stay: none of them is a link.

    :returns: empty if it is not the directory of an archive.
    """
    above = SHARE.partition("/")[0]
    try:
        with os.scandir(root) as entries:
            folders = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except OSError:
        return frozenset()
    if os.path.islink(root) or above not in folders or not os.path.isdir(f"{root}/{SHARE}"):
        return frozenset()
    if os.path.islink(f"{root}/{SHARE}"):
        return frozenset()
    return frozenset({"", SHARE, *folders})
