# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of reports of loads: a release of Rancher that was loaded in every way."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.airgap.images.plugins.module_utils._load.cluster_files import cluster_files
from ansible_collections.airgap.images.plugins.module_utils._load.naming import Naming, target_of
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import SourceRegistry
from ansible_collections.airgap.images.plugins.module_utils._report.comparison import image_size
from ansible_collections.airgap.images.plugins.module_utils._report.failures import Invalid
from ansible_collections.airgap.images.plugins.module_utils._report.load_facts import LoadedImage, LoadFacts, MovedBlobs

from .bundle import of_rancher

BEFORE = "sha256:" + 64 * "b"
NAMING = Naming(SourceRegistry("registry.site.example.com:5000", "mirror"))


def complete_load(count: int = 60) -> LoadFacts:
    """A first load, of which nothing failed."""
    images = of_rancher(count, failures=False).lock.images
    loaded = [
        LoadedImage(
            str(image.reference),
            str(target_of(image.reference, NAMING)),
            image.digest,
            "loaded",
            change="new",
            size=image_size(image),
        )
        for image in images
    ]
    cluster = cluster_files([image.reference.name for image in images], NAMING)
    return LoadFacts(
        registry=str(NAMING.registry),
        images=tuple(loaded),
        pushed=MovedBlobs(4 * count, sum(one.size for one in loaded)),
        mounted=MovedBlobs(7, 12_000_000),
        present=MovedBlobs(2, 3_000_000),
        registries_yaml=cluster.registries_yaml,
        hosts_toml=cluster.hosts_toml,
        system_default_registry=cluster.system_default_registry,
        notes=cluster.notes,
    )


def partial_load(count: int = 60) -> LoadFacts:
    """A load with an image, a tag and a line of each kind."""
    facts = complete_load(count)
    first, second, third, fourth, *others = facts.images
    images = (
        replace(first, change="changed", before=BEFORE),
        replace(second, change="same"),
        replace(third, status="kept", change="", before=BEFORE),
        replace(fourth, status="failed", change="", reason="images.tar.gz.part3 is missing; add the directory to src"),
        *others,
        LoadedImage("docker.io/rancher/lost:v1", "", "", "failed", reason="the archive does not have it"),
    )
    return replace(
        facts, images=images, invalid=(Invalid("list.txt:7", "b b b", "it contains whitespace"),), left_out=3
    )


def same_load(count: int = 60) -> LoadFacts:
    """The load after :func:`complete_load`."""
    facts = complete_load(count)
    nothing = MovedBlobs()
    images = tuple(replace(one, change="same") for one in facts.images)
    return replace(facts, images=images, pushed=nothing, mounted=nothing, present=nothing)
