# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes that one host asks for, so that a list can be shared out: those of the registry, and nothing is kept."""

from __future__ import annotations

from typing import Any

from ansible_collections.airgap.images.tests.functional._helpers import traffic
from ansible_collections.airgap.images.tests.support.module import run_module
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench


def sizes(bench: Workbench, *references: str, **options: Any) -> Any:
    """Ask for sizes, with a cache that is not there."""
    cache = bench.dest.parent / "no" / "cache"
    usual = {"cache_dir": cache, "retries": 0, "validate_certs": False}
    result = run_module({"images": references, **usual, **options}, module="image_sizes")
    assert not cache.parent.exists()
    return result


def test_sizes_are_those_of_manifests_configurations_and_layers(source: Source, bench: Workbench) -> None:
    names = ["oci/index:1", "docker/list:1", "docker/arm64:1"]
    missing = f"{source.registry.host}/not/there:1"
    wanted = [source[name].reference for name in names]
    source.registry.clear()
    result = sizes(bench, *wanted, missing, arch=["arm64"], os=["linux"])
    assert not result.failed and not result.changed
    found = {
        reference: dict(result["blobs"][number] for number in numbers)
        for reference, numbers in result["images"].items()
    }
    assert [*found] == wanted
    layers = set()
    for name in names:
        blobs = found[source[name].reference]
        platform = source[name].platform("arm64") if len(source[name].platforms) > 1 else source[name].platforms[0]
        assert {*blobs} == {*platform.blobs}
        assert {layer.digest: blobs[layer.digest] for layer in platform.layers} == {
            layer.digest: layer.size for layer in platform.layers
        }
        assert blobs[platform.digest] == platform.size
        layers.update(layer.digest for layer in platform.layers)
    assert result["problem"].startswith(f"{missing} does not exist")
    assert not layers & traffic(source.registry).fetched, "layers were downloaded"


def test_what_goes_wrong_as_a_whole_is_said(bench: Workbench) -> None:
    result = sizes(bench, "reg.lan/a/b:1", arch=["amd 64"])
    assert result.failed and result.msg.startswith("arch: ")
