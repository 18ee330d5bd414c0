# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive as a directory (``compress: dir``): blobs are linked, not copied, where the filesystem allows."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from typing import Callable

from ._image import hex_of
from ._manifest import Descriptor
from ._parts import WrittenFile, explain_write_error
from ._tar import checked_chunks

_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})


class TreeWriter:
    """Writes members below a directory.

    :param root: the directory; is made. The archive's own root is this directory, so its name is cut off.
    :param prefix: the root's name in the members' names.
    :param link: share blobs with the cache; not where they get a mode or owner of their own.
    """

    def __init__(self, root: str, prefix: str, *, link: bool) -> None:
        self._root = root
        self._prefix = prefix
        self._place = _link_or_copy if link else _copy
        self.written: list[WrittenFile] = []

    def directory(self, name: str) -> None:
        self._try(lambda: os.makedirs(self._path(name), exist_ok=True))

    def document(self, name: str, raw: bytes) -> None:
        self._try(lambda: self._write(self._path(name), raw))
        self.written.append(WrittenFile(self._path(name), len(raw), hashlib.sha256(raw).hexdigest()))

    def link(self, name: str, target: str) -> None:
        self._try(lambda: os.symlink(target, self._path(name)))

    def blob(self, name: str, path: str, blob: Descriptor) -> None:
        for _chunk in checked_chunks(path, blob):
            pass
        self._try(lambda: self._place(path, self._path(name)))
        self.written.append(WrittenFile(self._path(name), blob.size, hex_of(blob.digest)))

    def finish(self) -> None:
        pass

    def _write(self, path: str, raw: bytes) -> None:
        with open(path, "xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())

    def _path(self, name: str) -> str:
        return os.path.normpath(os.path.join(self._root, os.path.relpath(name, self._prefix)))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            raise explain_write_error(error, self._root) from error


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _copy(source, target)
        return
    _sync(target)


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target, follow_symlinks=False)
    _sync(target)


def _sync(path: str) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
