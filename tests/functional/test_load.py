# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives come out in another registry as they went in."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._load import load, loaded, lock_of
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.target import gaps, tags
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

SUFFIX = {"gzip": ".tar.gz", "zstd": ".tar.zst", "none": ".tar", "dir": ""}


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none", "dir"])
def test_a_load_and_another(source: Source, bench: Workbench, registry: Registry, compress: str) -> None:
    """All samples arrive, and a second run only asks for each tag."""
    dest = bench.dest.with_name(f"images{SUFFIX[compress]}")
    images = [image for name, image in source.images.items() if not name.startswith("oci/nested")]
    saved(bench.save(images, compress=compress, dest=dest))
    src = lock_of(dest)
    result = loaded(load(src, registry))
    sent = [each for each in registry.requests() if each.method == "PUT" and not each.manifest]
    assert result["stats"]["blobs_pushed"] == len(sent)
    registry.clear()
    loaded(load(src, registry), changed=False)
    requests = [each for each in registry.requests() if each.manifest]
    assert [each.method for each in requests] == ["HEAD"] * len(result["images"])


@pytest.mark.parametrize("kind", ["_layers/sha256/*", "_manifests/revisions/sha256/*", "_manifests/tags/1/current"])
def test_what_a_registry_wrote_in_part_is_written_again(
    source: Source, bench: Workbench, registry: Registry, kind: str
) -> None:
    """After its disk was full, or power failed, docker-registry answers 500 to whoever asks for it."""
    saved(bench.save([source["oci/index:1"]], arch=["amd64", "arm64", "arm"]))
    src = lock_of(bench.dest)
    loaded(load(src, registry))
    links = registry.storage.glob(f"docker/registry/v2/repositories/oci/index/{kind}/link")
    child = source["oci/index:1"].platforms[0].digest
    link = next(link for link in sorted(links) if "revisions" not in kind or link.read_text() == child)
    link.write_text("")
    loaded(load(src, registry, retries=0, check_target="blobs"))
    assert gaps(registry) == []
    loaded(load(src, registry, check_target="blobs"), changed=False)


@pytest.mark.parametrize("which", ["child", "top"])
def test_a_manifest_that_a_registry_took_and_lost_gets_no_tag(
    source: Source, bench: Workbench, registry: Registry, which: str
) -> None:
    """docker-registry keeps an empty file where its disk was full, and says 201 whenever the manifest comes again."""
    image = source["oci/index:1"]
    saved(bench.save([image, source["oci/gzip:1"]], arch=["amd64", "arm64", "arm"]))
    digest = image.digest if which == "top" else image.platforms[1].digest
    empty = registry.blob_path(digest)
    empty.parent.mkdir(parents=True)
    empty.touch()
    result = load(lock_of(bench.dest), registry, retries=0)
    assert [each["action"] for each in result["images"]] == ["failed", "pushed"]
    assert str(empty).endswith(result["failed_images"][0]["reason"].partition("remove ")[2].partition(" from")[0])
    assert set(tags(registry)) == {"oci/gzip:1"}
    empty.unlink()
    loaded(load(lock_of(bench.dest), registry))
    assert gaps(registry) == []
