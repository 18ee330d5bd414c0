# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A record, kept from run to run, of files that were hashed and have not been touched since."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

from .._base.json import Json, JsonError, compact, parse_object
from .._base.stop import Check, go_on
from .file_mark import mark_of, may_change_unseen
from .files import open_regular, put_whole, sha256_of
from .filesystem import filesystem_of

_NAME = "verified.json"
_FAILED = "failed: "  # the other names in the record are absolute paths


class VerifiedFiles:
    """Remembers which files were hashed and have not been touched since, so that they need not be read again.

    A file counts as untouched while its inode, size, mtime and ctime are the same. Where the filesystem does not record
    ctime, as on USB sticks, nothing is remembered, and all files are read again.

    It also remembers why images could not be copied, so that check mode can predict what will most likely fail again.

    :param root: the directory that holds the record, such as the cache directory.
    :param check: called while a file is read; raises when the run is to end.
    """

    def __init__(self, root: str, check: Check = go_on) -> None:
        self._check = check
        self._path = os.path.join(root, _NAME)
        self._known = self._read()
        self._before = dict(self._known)

    def sha256(self, path: str) -> str:
        """Return the file's sha256, reading the file only if it is not known."""
        mark = _mark(os.lstat(path))  # as it is before it is read: a later change must not pass for the one read
        known = self._recall(path, mark)
        if known:
            return known
        sha256 = sha256_of(path, check=self._check)
        self._record(path, mark, sha256)
        return sha256

    def known(self, path: str) -> str:
        """Return the file's sha256 if it was read before and not touched since; else an empty string."""
        try:
            return self._recall(path, _mark(os.lstat(path))) if path in self._known else ""
        except OSError:
            return ""

    def learn(self, path: str, sha256: str) -> None:
        """Record that a file has this sha256 as it is now."""
        self._record(path, _mark(os.lstat(path)), sha256)

    def failure(self, key: str) -> str:
        """Return why an image could not be copied the last time; empty if it could, or was not tried.

        :param key: the image's.
        """
        return self._known.get(f"{_FAILED}{key}", "")

    def note_copy(self, key: str, reason: str) -> None:
        """Record how a copy ended.

        :param key: the image's.
        :param reason: why it failed, without secrets; empty: it did not.
        """
        self._known.pop(f"{_FAILED}{key}", None)
        if reason:
            self._known[f"{_FAILED}{key}"] = reason

    def _record(self, path: str, mark: str, sha256: str) -> None:
        self._known[path] = f"{mark} {sha256}"
        if may_change_unseen(os.lstat(path)) or not filesystem_of(path).tells_changes:
            del self._known[path]

    def save(self) -> None:
        """Write the record if it changed. Losing it only costs time."""
        if self._known == self._before:
            return
        known: dict[str, Json] = {
            name: told
            for name, told in sorted(self._known.items())
            if name.startswith(_FAILED) or os.path.lexists(name)
        }
        with suppress(OSError):
            if os.path.isdir(self._path) and not os.path.islink(self._path):
                shutil.rmtree(self._path)  # the name is ours, in a directory of ours
            # If a run is killed now, the next one removes a file of this name. Another run may save its own meanwhile.
            name = f".run-verified-{os.urandom(8).hex()}"
            put_whole(self._path, compact(known), by=os.path.join(os.path.dirname(self._path), name))

    def _read(self) -> dict[str, str]:
        try:
            with open_regular(self._path) as file:
                document = parse_object(file.read())
            return {name: document.text(name) for name in document.names()}
        except (OSError, JsonError):
            return {}

    def _recall(self, path: str, mark: str) -> str:
        known_mark, _blank, sha256 = self._known.get(path, "").rpartition(" ")
        return sha256 if known_mark == mark else ""


def _mark(found: os.stat_result) -> str:
    return ":".join(map(str, mark_of(found)))
