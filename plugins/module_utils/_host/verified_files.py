# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A record, kept from run to run, of files that were hashed and have not been touched since."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress

from .._base.json import JsonError, compact
from .._base.json_stream import JsonStream
from .._base.stop import Check, go_on
from .file_mark import Mark, mark_of, may_change_unseen
from .files import open_regular, pieces_of, put_pieces, sha256_of
from .filesystem import filesystem_of
from .marked_files import MarkedFiles

_NAME = "verified.json"
_FAILED = "failed: "  # the other names in the record are absolute paths
_TOLD = re.compile(r"([0-9]+(?::-?[0-9]+){4}) ([0-9a-f]{64})")
_USUAL = re.compile(rf'[ \t\n\r]*"(/[^"\\\x00-\x1f]*)":"{_TOLD.pattern}",')


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
        self._files = MarkedFiles()
        self._failures: dict[str, str] = {}
        self._is_changed = False
        try:
            self._read()
        except (OSError, JsonError):
            self._files, self._failures = MarkedFiles(), {}

    def sha256(self, path: str) -> str:
        """Return the file's sha256, reading the file only if it is not known."""
        mark = mark_of(os.lstat(path))  # as it is before it is read: a later change must not pass for the one read
        known = self._files.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        sha256 = sha256_of(path, check=self._check)
        self._record(path, mark, sha256)
        return sha256

    def known(self, path: str) -> str:
        """Return the file's sha256 if it was read before and not touched since; else an empty string."""
        known = self._files.get(path)
        try:
            return known[1] if known is not None and known[0] == mark_of(os.lstat(path)) else ""
        except OSError:
            return ""

    def learn(self, path: str, sha256: str) -> None:
        """Record that a file has this sha256 as it is now."""
        self._record(path, mark_of(os.lstat(path)), sha256)

    def failure(self, key: str) -> str:
        """Return why an image could not be copied the last time; empty if it could, or was not tried.

        :param key: the image's.
        """
        return self._failures.get(key, "")

    def note_copy(self, key: str, reason: str) -> None:
        """Record how a copy ended.

        :param key: the image's.
        :param reason: why it failed, without secrets; empty: it did not.
        """
        self._is_changed = self._is_changed or self.failure(key) != reason
        self._failures.pop(key, None)
        if reason:
            self._failures[key] = reason

    def _record(self, path: str, mark: Mark, sha256: str) -> None:
        was_known = self._files.get(path) == (mark, sha256)
        is_kept = filesystem_of(path).tells_changes and not may_change_unseen(os.lstat(path))
        if was_known and is_kept:
            return
        self._is_changed = True
        if is_kept:
            self._files.put(path, mark, sha256)
        else:
            self._files.drop(path)

    def save(self) -> None:
        """Write the record if it changed. Losing it only costs time."""
        if not self._is_changed:
            return
        with suppress(OSError):
            if os.path.isdir(self._path) and not os.path.islink(self._path):
                shutil.rmtree(self._path)  # the name is ours, in a directory of ours
            # If a run is killed now, the next one removes a file of this name. Another run may save its own meanwhile.
            name = f".run-verified-{os.urandom(8).hex()}"
            put_pieces(self._path, self._pieces(), by=os.path.join(os.path.dirname(self._path), name))

    def _pieces(self) -> Iterator[bytes]:
        """Yield the record piece by piece, as it may be of a hundred thousand files."""
        before = b"{"
        for name, told in self._entries():
            yield before + compact(name) + b":" + compact(told)
            before = b","
        yield b"{}" if before == b"{" else b"}"

    def _entries(self) -> Iterator[tuple[str, str]]:
        for path, mark, sha256 in self._files:
            if os.path.lexists(path):
                yield path, f"{mark.decode()} {sha256}"
        for key in sorted(self._failures):
            yield f"{_FAILED}{key}", self._failures[key]

    def _read(self) -> None:
        """Read the record piece by piece; what is not one of its entries is left out.

        :raises JsonError: when it is not a JSON object.
        """
        with open_regular(self._path) as file:
            for element in JsonStream(pieces_of(file)).pairs(_NAME, _USUAL):
                if isinstance(element, re.Match):
                    self._files.put(element[1], element[2].encode(), element[3])
                    continue
                name, told = element
                found = _TOLD.fullmatch(told) if isinstance(told, str) else None
                if isinstance(told, str) and name.startswith(_FAILED):
                    self._failures[name[len(_FAILED) :]] = told
                elif found is not None:
                    self._files.put(name, found[1].encode(), found[2])
