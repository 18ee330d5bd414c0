# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the documents of a registry, and of the lock file."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import replace

from ...plugins.module_utils._archive.lock_file import read_lock, write_lock
from ...plugins.module_utils._base.errors import LockFileError, ManifestError
from ...plugins.module_utils._base.json import compact
from ...plugins.module_utils._base.size import format_size
from ...plugins.module_utils._oci import limits, manifest, media_types, platform_json
from ...plugins.module_utils._oci.descriptor import Descriptor
from ...plugins.module_utils._oci.platform import Platform
from .properties import LARGEST_FILE, assert_digest, assert_inside, assert_shown

_CAME_AS = (*media_types.ACCEPTED_TYPES, "application/json")
_WORD = re.compile(r"[A-Za-z0-9 ._:+~/-]{0,128}")


def check_manifest(data: bytes) -> None:
    """Manifests and indexes: what they are follows from their bytes, and from what they came as only a refusal."""
    came_as = _CAME_AS[zlib.crc32(data) % len(_CAME_AS)]
    try:
        document = manifest.parse_manifest(data)
    except ManifestError as error:
        assert_shown(str(error))
        _assert_refused(data, came_as)
        return
    plain = json.loads(data)
    if isinstance(document, manifest.Index):
        _assert_index(document, plain)
    elif isinstance(document, manifest.Manifest):
        _assert_manifest(document, plain)
    else:
        assert document.media_type in media_types.SCHEMA1_TYPES
        assert set(document.layer_digests) == {layer["blobSum"] for layer in plain.get("fsLayers") or []}
        for digest in document.layer_digests:
            assert_digest(digest)
        _assert_platform(document.platform)
    try:
        assert manifest.parse_manifest(data, came_as) == document
    except ManifestError as error:
        assert came_as != document.media_type
        assert_shown(str(error))


def _assert_refused(data: bytes, came_as: str) -> None:
    try:
        read = manifest.parse_manifest(data, came_as)
    except ManifestError:
        return
    raise AssertionError(f"refused, but read as {came_as}: {read}")


def _assert_index(index: manifest.Index, plain: dict[str, object]) -> None:
    assert index.media_type in media_types.INDEX_TYPES
    assert len(index.manifests) <= limits.MAX_CHILDREN
    entries = plain.get("manifests") or []
    assert isinstance(entries, list)
    assert [child.digest for child in index.manifests] == [entry["digest"] for entry in entries]
    for child in index.manifests:
        _assert_descriptor(child)
    ours = manifest.generate_index(index.manifests)
    again = manifest.parse_manifest(ours, media_types.OCI_INDEX)
    assert isinstance(again, manifest.Index)
    assert again.manifests == tuple(replace(child, urls=()) for child in index.manifests)
    assert manifest.generate_index(again.manifests) == ours


def _assert_manifest(document: manifest.Manifest, plain: dict[str, object]) -> None:
    assert document.media_type in media_types.MANIFEST_TYPES
    layers = plain.get("blobs" if document.config is None else "layers") or []
    assert isinstance(layers, list)
    assert [layer.digest for layer in document.layers] == [layer["digest"] for layer in layers]
    blobs = list(document.blobs())
    named = [*([] if document.config is None else [document.config]), *document.layers]
    assert {blob.digest for blob in blobs} == {blob.digest for blob in named}
    assert len({blob.digest for blob in blobs}) == len(blobs)
    for blob in named:
        _assert_descriptor(blob)
        assert 0 <= blob.size <= limits.MAX_BLOB_BYTES


def _assert_descriptor(descriptor: Descriptor) -> None:
    """But for the size, which is advice only where an index states it."""
    assert_digest(descriptor.digest)
    assert all(isinstance(value, str) for value in descriptor.annotations.values())
    assert descriptor.is_foreign == bool(descriptor.urls)
    if descriptor.platform is not None:
        _assert_platform(descriptor.platform)


def _assert_platform(platform: Platform) -> None:
    for word in (platform.os, platform.architecture, platform.variant, platform.os_version, *platform.os_features):
        assert _WORD.fullmatch(word), f"{word!a} passes for a word"
    assert_shown(str(platform), 520)
    assert platform_json.parse_config_platform(compact(platform_json.platform_json(platform))) == platform


def check_config(data: bytes) -> None:
    """The platform in an image's configuration."""
    try:
        platform = platform_json.parse_config_platform(data)
    except ManifestError as error:
        assert_shown(str(error))
        return
    _assert_platform(platform)
    plain = json.loads(data)
    assert platform.os == (plain.get("os") or "")
    assert platform.architecture == (plain.get("architecture") or "")


def check_lock(data: bytes) -> None:
    """Lock files: written again they say the same, and name nothing outside the archive."""
    try:
        lock = read_lock(data, path="images.tar.gz.lock.json")
    except LockFileError as error:
        assert_shown(str(error))
        return
    written = write_lock(lock)
    again = read_lock(written, path="again")
    assert again == lock
    assert write_lock(again) == written
    assert lock.holds_same(again)
    for part in lock.parts:
        assert_inside(part.name)
        assert_digest(f"sha256:{part.sha256}")
    sizes = [*(part.size for part in lock.parts), *lock.blobs.values()]
    for image in lock.images:
        assert_digest(image.digest)
        for platform in image.platforms:
            assert_digest(platform.digest)
            assert_digest(platform.source_digest)
            sizes.append(platform.size)
            if platform.platform is not None:
                _assert_platform(platform.platform)
    for skip in lock.skipped:
        if skip.digest:
            assert_digest(skip.digest)
    for digest in lock.blobs:
        assert_digest(digest)
    for size in sizes:
        assert 0 <= size <= LARGEST_FILE
        assert_shown(format_size(size), 30)
