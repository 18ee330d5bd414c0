# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes images where docker-registry keeps them, as pushing them over HTTP takes a hundred times as long.

The layout is that of its filesystem driver, below ``docker/registry/v2``; see the comment at the top of
https://github.com/distribution/distribution/blob/v2.8.2/registry/storage/paths.go
"""

from __future__ import annotations

import os
from pathlib import Path

from .layers import sha256


class Storage:
    """The storage of one registry, which may be running.

    :param root: its ``rootdirectory``.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "docker/registry/v2/blobs/sha256"
        self._repositories = root / "docker/registry/v2/repositories"

    def put_blob(self, repository: str, data: bytes) -> str:
        """Stores a blob and returns its digest."""
        digest = sha256(data)
        self.put_data(digest, data)
        self.link_blob(repository, digest)
        return digest

    def put_manifest(self, repository: str, raw: bytes) -> str:
        """Stores a manifest or index and returns its digest."""
        digest = sha256(raw)
        self.put_data(digest, raw)
        _write(self._repositories / repository / "_manifests/revisions/sha256" / hex_of(digest) / "link", digest)
        return digest

    def put_tag(self, repository: str, tag: str, digest: str) -> None:
        """Has a tag name a manifest; whoever reads it meanwhile finds either the old or the new one."""
        link = self._repositories / repository / "_manifests/tags" / tag / "current/link"
        new = link.with_name("new")
        _write(new, digest)
        os.replace(new, link)

    def link_blob(self, repository: str, digest: str) -> None:
        """Says that a repository has a blob."""
        _write(self._repositories / repository / "_layers/sha256" / hex_of(digest) / "link", digest)

    def put_data(self, digest: str, data: bytes) -> None:
        """Stores bytes, unless they are there."""
        path = self.path(digest)
        if not path.exists():
            _write(path, data)

    def path(self, digest: str) -> Path:
        """Where the bytes of a blob or manifest are."""
        return self._blobs / hex_of(digest)[:2] / hex_of(digest) / "data"


def hex_of(digest: str) -> str:
    """The digest without its algorithm."""
    return digest.removeprefix("sha256:")


def _write(path: Path, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode("ascii")
    try:
        path.write_bytes(data)
    except FileNotFoundError:  # one attempt more is cheaper than to look first, thousands of times
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
