# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of everything that a registry may hold, in every form, for the tests of their format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._archive_writer import STORED
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.images import (
    AMD64,
    AMD64_V3,
    ARM64,
    Entry,
    Index,
    Platform,
    build_artifact,
    build_image,
    build_index,
    encode,
)
from ansible_collections.airgap.images.tests.support.layers import PLAIN, ZSTD, Layer, random_layer
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.skopeo import push_schema1
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

FAILING = "oci/nested:1"

ALIKE = (
    *("oci/plain:1", "docker/single:1", "docker/arm64:1", "oci/variants:1", "oci/many-layers:1", "a/b/c/d:1.0"),
    *("oci/no-platforms:1", "windows/foreign-present:1"),
)
"""Samples that add nothing to the others but number; the test command has archives without them."""

CASES: dict[str, dict[str, Any]] = {
    "gzip": {"compress": "gzip"},
    "zstd": {"compress": "zstd"},
    "none": {"compress": "none"},
    "dir": {"compress": "dir"},
    "gzip level 9": {"compress": "gzip", "compress_level": 9},
    "gzip level 0": {"compress": "gzip", "compress_level": 0},
    "zstd level 12": {"compress": "zstd", "compress_level": 12},
    "parts": {"compress": "gzip", "part_size": "100K"},
    "parts as hangar has them": {"compress": "zstd", "part_size": "300K", "part_digits": 1},
    "parts of four digits": {"compress": "none", "part_size": "2000000", "part_digits": 4},
    "one part": {"compress": "gzip", "part_size": "1G"},
    "a part for each image": {"compress": "gzip", "part_at": "image"},
    "a part for each image, level 9": {"compress": "gzip", "compress_level": 9, "part_at": "image"},
    "parts of each image": {"compress": "zstd", "part_at": "image", "part_size": "100K"},
    "a part for each image, level 3": {"compress": "zstd", "compress_level": 3, "part_at": "image"},
    "a part for each image, plain": {"compress": "none", "part_at": "image"},
    "foreign layers too": {"compress": "none", "include_foreign_layers": True, "images": ["oci/foreign-present:1"]},
    "one platform": {"compress": "zstd", "arch": ["arm64"], "os": ["linux"]},
    "partial": {"compress": "gzip", "allow_partial": True, "images": [FAILING, "oci/gzip:1", "docker/list:1"]},
    "a policy of its own": {"compress": "gzip", "signature_policy": "policy.json", "images": ["oci/gzip:1"]},
}


BY_IMAGE = [case for case, options in CASES.items() if "part_at" in options]


@dataclass(frozen=True)
class Press:
    """Writes archives of everything that a registry may hold out of one cache, each once."""

    references: dict[str, str]
    folder: Path
    made: dict[str, tuple[Path, Result]] = field(default_factory=dict)

    def save(self, case: str) -> tuple[Path, Result]:
        """The archive of a case, and what the module returned."""
        if case not in self.made:
            self.made[case] = self._save(case)
        return self.made[case]

    def _save(self, case: str) -> tuple[Path, Result]:
        folder = self.folder / case.replace(" ", "-")
        options = dict(CASES[case])
        chosen = options.pop("images", [name for name in self.references if name != FAILING])
        if "signature_policy" in options:
            options["signature_policy"] = _policy(self.folder)
        with Workbench(folder) as bench:
            result = bench.save(
                [self.references[name] for name in chosen],
                cache_dir=self.folder / "cache",
                dest=folder / "out" / "images",
                env={"HOME": str(self.folder)},
                **options,
            )
        assert Path(f"{result['dest']}.lock.json").exists(), f"{result.msg} {result['failed_images']}"
        return Path(result["dest"]), result


def _policy(folder: Path) -> Path:
    path = folder / "policy.json"
    path.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="utf-8")
    return path


def push_all(source: Source, registry: Registry) -> dict[str, str]:
    """Return the references of the samples, and of images that only a format is interested in.

    :param source: has the samples.
    :param registry: to push the others to.
    """
    pushed = {name: image for name, image in source.images.items() if is_full() or name not in ALIKE}
    pushed["windows/foreign-absent:2"] = pushed["windows/foreign-absent:1"]
    big = [random_layer(7, 2_600_000), random_layer(9, 1_200_000, compression=ZSTD)]
    # The last one, so that another manifest follows a long deflated stretch.
    pushed["big:1"] = push(registry, "big", "1", build_image([*big, random_layer(8, 1_500_000, compression=PLAIN)]))
    starts = [Layer(magic + 5_000 * b"a", PLAIN, "") for magic in (*STORED, b"BZ")]
    pushed["starts:1"] = push(registry, "starts", "1", build_artifact(starts, b"{}", "application/vnd.example"))
    pushed["typed:1"] = push(registry, "typed", "1", _typed())
    pushed["twice:1"] = push(registry, "twice", "1", _twice())
    pushed["noarch:1"] = push(registry, "noarch", "1", build_index(_for_all_platforms(60)))
    pushed["noarch/docker:1"] = push(registry, "noarch/docker", "1", build_index(_for_all_platforms(61), docker=True))
    pushed["nameless:1"] = push(registry, "nameless", "1", _nameless())
    pushed["zarch:1"] = push(registry, "zarch", "1", small(50, platform=Platform(architecture="s390x")))
    references = {name: image.reference for name, image in pushed.items()}
    docker = push(registry, "docker/single", "1", small(4, docker=True))
    references["schema1:1"] = push_schema1(registry, docker, "schema1", "1")
    name = f"{source.registry.host}/oci/index"
    references["by digest"] = f"{name}@{pushed['oci/index:1'].digest}"
    references["by tag and digest"] = f"{name}:1@{pushed['oci/index:1'].digest}"
    return references


def _typed() -> Index:
    """An index whose entries have all that may be said of them, in an order of their own."""
    index = build_index(
        [
            Entry(small(51), Platform(os_version="5"), {"zeta": "1", "alpha": "ä ß \u2603", "org.example": "x"}),
            Entry(small(51, platform=Platform(architecture="riscv64")), Platform(architecture="riscv64")),
        ]
    )
    document = json.loads(index.raw)
    first = document["manifests"][0]
    first["artifactType"], first["data"] = "application/vnd.example", "e30="
    first["platform"]["os.features"] = ["one", "two"]
    return replace(index, raw=encode(document))


def _for_all_platforms(seed: int) -> list[Entry]:
    """Entries of an index that names one image for every platform, as images without programs are made."""
    image = small(seed)
    words = {"org.example": "x"}
    return [Entry(image, AMD64, words), Entry(image, ARM64), Entry(image, AMD64_V3), Entry(image, ARM64, words)]


def _nameless() -> Index:
    """An index whose entries have a platform that says nothing, one of them of an image that another entry names."""
    first, second = small(62), small(63, platform=ARM64)
    entries = [Entry(first, AMD64, {"first": "1"}), Entry(first, None, {"second": "2"}), Entry(second, None)]
    index = build_index(entries)
    document = json.loads(index.raw)
    document["manifests"][1]["platform"] = {}
    document["manifests"][2]["platform"] = {"architecture": "", "os": ""}
    return replace(index, raw=encode(document))


def _twice() -> Index:
    """An index that names one image twice, with different words; and one of a kind that is not wanted."""
    image, other = small(52), small(53, platform=Platform(architecture="ppc64le"))
    entries = [
        Entry(image, AMD64, {"first": "1"}),
        Entry(small(54, platform=ARM64), ARM64),
        Entry(other, other.platform),
    ]
    return build_index([*entries, Entry(image, AMD64_V3, {"second": "2"})])
