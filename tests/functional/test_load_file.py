# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd and podman read a file of images, and containerd a registry by ``hosts.toml``.

K3s and RKE2 cannot be installed here. They import such a file by containerd's client for all platforms, as ``ctr image
import --all-platforms`` does.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.filter.registry_names import registry_names
from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.support.access_log import manifest_heads
from ansible_collections.airgap.images.tests.support.archive import Archive, read_archive
from ansible_collections.airgap.images.tests.support.consumers import Consumers, consumers
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

# OCI and Docker, with one platform and with several, whole and not, gzip, zstd and plain layers, attestations, foreign
# layers that are left out, artefacts, another platform than that of this machine.
SAVED = (
    "oci/index:1",
    "docker/list:1",
    "docker/single:1",
    "oci/zstd:1",
    "oci/plain:1",
    "oci/attested:1",
    "windows/list:1",
    "docker/arm64:1",
    "charts/app:1.2.3",
    "a/b/c/d:1.0",
)
RUNNABLE = ("oci/index:1", "docker/list:1", "docker/single:1", "oci/zstd:1", "oci/plain:1", "a/b/c/d:1.0")


def write(src: Path, dest: Path, *, check: bool = False, **params: Any) -> Result:
    """Runs ``image_load`` for a file, without any registry."""
    usual = {"src": [f"{src}.lock.json"], "to": "containerd_images", "dest": dest}
    return run_module({**usual, **params}, check=check, module="image_load")


@dataclass(frozen=True)
class Written:
    """A file of all images of an archive, and the result of writing it."""

    archive: Archive
    src: Path
    dest: Path
    result: Result

    def names(self, *ends: str) -> list[str]:
        return [one["reference"] for one in self.result["images"] if one["reference"].endswith(ends)]

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each reference, as a registry would have it."""
        return {one["reference"]: one["digest"] for one in self.result["images"]}


@pytest.fixture(scope="module")
def written(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    folder = tmp_path_factory.mktemp("written")
    with Workbench(folder) as bench:
        digest = f"{seeded_source.registry.host}/oci/gzip@{seeded_source['oci/gzip:1'].digest}"
        images = [*(seeded_source[name] for name in SAVED), digest]
        saved(bench.save(images, arch=["amd64", "arm64", "arm/v7"], os=["linux", "windows"], part_size="100KB"))
        dest = folder / "agent" / "images" / "all.tar"
        would = write(bench.dest, dest, check=True)
        assert would.changed and not dest.parent.exists(), would.msg
        result = write(bench.dest, dest)
        assert result.changed and not result.failed, result.msg
        assert (result["size"], result["stats"]["images"]) == (dest.stat().st_size, len(SAVED) + 1)
        again = write(bench.dest, dest)
        assert not again.changed and {one["action"] for one in again["images"]} == {"present"}
        yield Written(read_archive(bench.dest), bench.dest, dest, result)


@pytest.fixture(scope="module")
def programs() -> Iterator[Consumers]:
    """With a containerd that runs."""
    with consumers() as made, made.containerd():
        yield made


def test_containerd_imports_all_with_the_digests_of_a_registry(
    written: Written, programs: Consumers, seeded_source: Source
) -> None:
    programs.type(f"ctr --namespace all image import --no-unpack --all-platforms {shlex.quote(str(written.dest))}")
    assert programs.of_containerd("all") == written.digests
    for name in ("docker/list:1", "oci/index:1", "docker/single:1"):
        (reference,) = written.names(f"/{name}")
        assert written.digests[reference] == seeded_source[name].digest, "the list of the source itself"
    lacking = set(written.archive.blobs) - programs.content_of_containerd("all")
    # Indexes of the archive that stand in for Docker's lists, and sources of those that were not saved as a whole.
    beside = {str(image[key]) for image in written.archive.lock["images"] for key in ("digest", "entry")}
    assert lacking <= beside - set(written.digests.values())


def test_containerd_runs_what_it_imported(written: Written, programs: Consumers) -> None:
    programs.type(f"ctr --namespace k8s.io image import --no-unpack {shlex.quote(str(written.dest))}")
    assert programs.of_containerd("k8s.io") == written.digests
    for number, reference in enumerate(written.names(*(f"/{name}" for name in RUNNABLE))):
        programs.type(f"ctr --namespace k8s.io container create {shlex.quote(reference)} c{number}")


def test_podman_loads_all_of_its_platform(written: Written) -> None:
    """By Docker's list in the file, so digests are other ones. The module says which it does not find."""
    with consumers() as programs:
        programs.type(f"podman load -i {shlex.quote(str(written.dest))}")
        found = set(programs.of_podman())
        assert set(written.names(*(f"/{name}" for name in RUNNABLE))) <= found
        others = written.names("docker/arm64:1", "charts/app:1.2.3")
        assert not found & set(others)
        (note,) = written.result["notes"]
        assert all(reference in note for reference in others)


@pytest.mark.parametrize("name", ["oci/index:1", "docker/list:1", "docker/single:1"])
def test_podman_loads_one_image_with_its_digest(
    written: Written, seeded_source: Source, workdir: Path, name: str
) -> None:
    (reference,) = written.names(f"/{name}")
    assert write(written.src, workdir / "one.tar", images=[reference]).changed
    with consumers() as programs:
        programs.type(f"podman load -i {workdir / 'one.tar'}")
        assert programs.of_podman() == {reference: written.digests[reference]}


def test_containerd_finds_what_was_loaded_under_old_names(
    written: Written, programs: Consumers, registry: Registry, workdir: Path
) -> None:
    """By the ``hosts.toml`` of the filter, which needs nothing but the names; with a prefix, and with rewrites."""
    (reference,) = written.names("/docker/list:1")
    host = reference.partition("/")[0]
    variants: dict[str, dict[str, Any]] = {
        "plain": {"registry": registry.host},
        "kept": {"registry": f"{registry.host}/mirror", "keep_registry": True},
        "rewritten": {"registry": registry.host, "rewrites": [{"from": host, "to": "some/where"}]},
    }
    for name, rules in variants.items():
        params = {"src": [f"{written.src}.lock.json"], "images": [reference], "validate_certs": False, **rules}
        loaded = run_module(params, module="image_load")
        assert not loaded.failed, loaded.msg
        found = registry_names([reference], plain_http=True, **rules)
        assert found["names"] == {one["reference"]: one["target"] for one in loaded["images"]}
        for key in ("hosts_toml", "registries_yaml", "system_default_registry", "notes"):
            assert json.dumps(found[key]) == json.dumps(loaded[key]), key
        folder = workdir / name / host
        folder.mkdir(parents=True)
        (folder / "hosts.toml").write_text(found["hosts_toml"][host])
        registry.clear()
        programs.type(f"ctr --namespace {name} image pull --hosts-dir {workdir / name} {reference}")
        assert programs.of_containerd(name) == {reference: written.digests[reference]}
        # Namespaces share content, so nothing but the name is asked for again.
        asked = f"{registry.host}/{'/'.join(manifest_heads(registry.requests()))}"
        assert asked == found["names"][reference]
