# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import Manifest, parse_manifest
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive
from ansible_collections.airgap.images.plugins.module_utils._verify.touched import harm_of
from ansible_collections.airgap.images.tests.unit.carried import FORMS, Carried, carry, change, opened
from ansible_collections.airgap.images.tests.unit.verify_scene import touched, verified

WITH_OFFSETS = [form for form in FORMS if "parts" in form or form == "dir"]


def needed(archive: Archive, carried: Carried) -> dict[str, set[str]]:
    """What each image needs, found out from its documents in another way: each blob's parts."""
    found: dict[str, set[str]] = {}
    for image in archive.images:
        digests = {image.digest, image.entry, *(one.digest for one in image.platforms)} & {*carried.blobs}
        for digest in [*digests]:
            parsed = parse_manifest(carried.blobs[digest])
            digests |= {blob.digest for blob in parsed.blobs()} if isinstance(parsed, Manifest) else set()
        parts = {name for digest in digests for name in archive.part_of(digest)}
        found[str(image.reference).rpartition("/")[2]] = parts
    return found


@pytest.mark.parametrize("form", WITH_OFFSETS)
def test_the_images_that_need_a_part(form: str, tmp_path: Path) -> None:
    """For each part in turn: exactly those that have bytes in it, as far as their manifests can be read."""
    carried = carry(tmp_path, form)
    wanted = needed(opened(carried.lock_file), carried)
    assert {*wanted} == {"a:1", "b:1", "c:1"}
    for part in carried.lock.parts:
        harm = harm_of(opened(carried.lock_file), [part.name])
        assert harm.is_known
        names = {one.reference.rpartition("/")[2] for one in harm.images}
        of_folder = {one for one in names if part.name not in wanted[one]}
        assert names - of_folder == {name for name, parts in wanted.items() if part.name in parts}
        assert not of_folder or (form == "dir" and not part.name.startswith("share/"))


def test_bytes_that_really_differ(tmp_path: Path) -> None:
    carried = carry(tmp_path)
    change(carried.parts[5], 50)
    result = verified(carried.lock_file)
    assert touched(result) == {"a:1": [carried.parts[5].name]}
    assert "1 of 3 images needs what is lost: reg.lan/a:1" in result.sentence(check=False)


@pytest.mark.parametrize("form", ["gzip level 6", "zstd level 3"])
def test_without_offsets_it_may_be_any_image(form: str, tmp_path: Path) -> None:
    carried = carry(tmp_path, form)
    change(carried.parts[1], 50)
    result = verified(carried.lock_file)
    assert touched(result) == {name: [carried.parts[1].name] for name in ("a:1", "b:1", "c:1")}
    assert not result.verdicts[0].harm.is_known
    assert "it can be any of its 3 images" in result.sentence(check=False)


def test_without_the_library_for_zstd_it_may_be_any_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.airgap.images.plugins.module_utils._source import decoders

    carried = carry(tmp_path, "zstd in parts")
    change(carried.parts[3], 50)
    monkeypatch.setattr(decoders, "ZSTANDARD_ERROR", ImportError("zstandard"))
    result = verified(carried.lock_file, stop=Stop())
    assert len(touched(result)) == 3 and not result.verdicts[0].harm.is_known
