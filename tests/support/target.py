# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that was loaded into, read from its storage: whether each of its tags is whole."""

from __future__ import annotations

import json
from pathlib import Path

from .layers import sha256
from .registry import Registry
from .storage import hex_of


def tags(registry: Registry) -> dict[str, str]:
    """The digest of each tag, by ``REPOSITORY:TAG``."""
    root = _repositories(registry)
    found = root.glob("**/_manifests/tags/*/current/link")
    return {f"{link.parents[4].relative_to(root)}:{link.parents[1].name}": link.read_text() for link in sorted(found)}


def manifest(registry: Registry, digest: str) -> bytes:
    """The bytes of a manifest or index."""
    return registry.blob_path(digest).read_bytes()


def gaps(registry: Registry) -> list[str]:
    """Return what is missing below tags, or has other bytes: nothing, if each tag is whole."""
    found: list[str] = []
    checked: dict[str, str] = {}
    for name, digest in tags(registry).items():
        repository = name.rpartition(":")[0]
        todo = [digest]
        while todo:
            each = todo.pop()
            wrong = _wrong(registry, repository, "_manifests/revisions", each, checked)
            if wrong:
                found.append(f"{name} lacks {each}: {wrong}")
                continue
            document = json.loads(manifest(registry, each))
            todo += [child["digest"] for child in document.get("manifests", [])]
            blobs = [document["config"], *document["layers"]] if "config" in document else []
            for blob in (blob["digest"] for blob in blobs if not blob.get("urls")):
                wrong = _wrong(registry, repository, "_layers", blob, checked)
                found += [f"{name} lacks {blob}: {wrong}"] if wrong else []
    return found


def _repositories(registry: Registry) -> Path:
    return registry.storage / "docker/registry/v2/repositories"


def _wrong(registry: Registry, repository: str, kind: str, digest: str, checked: dict[str, str]) -> str:
    """Return the fault of a blob of a repository; empty, if nothing is. The bytes of each are read once."""
    link = _repositories(registry) / repository / kind / "sha256" / hex_of(digest) / "link"
    if not link.exists():
        return "the repository does not have it"
    if link.read_text() != digest:
        return f"the repository names {link.read_text()!r} instead"
    path = registry.blob_path(digest)
    if digest not in checked:
        raw = path.read_bytes() if path.exists() else None
        checked[digest] = "no file" if raw is None else "" if sha256(raw) == digest else f"{len(raw)} other bytes"
    return checked[digest]
