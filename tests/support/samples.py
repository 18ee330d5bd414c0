# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalogue of images: one of each kind that a registry may hold, all small, all deterministic."""

from __future__ import annotations

import json
from collections.abc import Callable

from .images import (
    AMD64,
    AMD64_V3,
    ARM64,
    ARM_V7,
    UNKNOWN,
    WINDOWS_2019,
    WINDOWS_2022,
    Entry,
    Image,
    Index,
    Platform,
    build_artifact,
    build_image,
    build_index,
)
from .layers import GZIP, PLAIN, ZSTD, Layer, files_layer, foreign, hello_program, random_layer, text_layer
from .push import PushedImage, push
from .registry import Registry

SHARED = 1
"""The seed of the layer that several samples share."""

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
HEALTHCHECK = {"Healthcheck": {"Test": ["CMD", "/bin/hello"], "Interval": 30000000000}, "OnBuild": ["RUN /bin/hello"]}


def small(
    seed: int,
    *,
    platform: Platform = AMD64,
    docker: bool = False,
    compression: str = GZIP,
    size: int = 20_000,
) -> Image:
    """An image of three layers: one that all samples of a compression share, one of text, one of random bytes."""
    layers = [
        text_layer(SHARED, 50_000, compression=compression),
        text_layer(seed + 1000, 30_000, compression=compression),
        random_layer(_mixed(seed, platform), size, compression=compression),
    ]
    return build_image(layers, platform=platform, docker=docker, config=HEALTHCHECK if docker else None)


def _mixed(seed: int, platform: Platform) -> int:
    """Another seed for each platform."""
    text = f"{seed}/{platform.os}/{platform.architecture}/{platform.variant}/{platform.os_version}"
    return int.from_bytes(text.encode("ascii"), "big")


def oci_index() -> Index:
    """amd64, arm64 and arm/v7, gzip."""
    return build_index([small(10, platform=each) for each in (AMD64, ARM64, ARM_V7)])


def docker_list() -> Index:
    """The same platforms as Docker's manifest list of v2s2 images with Healthcheck and OnBuild."""
    return build_index([small(11, platform=each, docker=True) for each in (AMD64, ARM64, ARM_V7)], docker=True)


def variants() -> Index:
    """amd64 and amd64/v3 side by side."""
    return build_index([small(12, platform=AMD64), small(13, platform=AMD64_V3)])


def attested() -> Index:
    """An index as buildkit writes it: each image has an attestation, listed as unknown/unknown."""
    images = [small(14, platform=each) for each in (AMD64, ARM64)]
    return build_index([*images, *(attestation(each) for each in images)])


def attestation(image: Image) -> Entry:
    """An entry with an in-toto statement about ``image``."""
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "subject": [image.digest]}).encode()
    layer = Layer(statement, PLAIN, image.digest)
    item = build_artifact(
        [layer],
        json.dumps({"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers"}}).encode(),
        "application/vnd.oci.image.config.v1+json",
        layer_media_type=IN_TOTO,
    )
    kind = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest}
    return Entry(item, UNKNOWN, kind)


def no_platforms() -> Index:
    """Two entries without a platform; the images' own configs say amd64 and arm64."""
    return build_index([Entry(small(15, platform=each)) for each in (AMD64, ARM64)])


def nested() -> Index:
    """An index that lists an image and another index."""
    inner = build_index([small(16, platform=ARM64), small(16, platform=ARM_V7)])
    return build_index([small(16), Entry(inner)])


def windows() -> Index:
    """Docker's list with two Windows versions and linux/amd64; the Windows base layers are foreign and absent."""
    base = foreign(random_layer(17, 30_000), "https://example.invalid/base.tar.gz", present=False)
    images = [
        build_image([base, text_layer(seed, 10_000)], platform=platform, docker=True)
        for seed, platform in ((18, WINDOWS_2019), (19, WINDOWS_2022))
    ]
    return build_index([*images, small(20, docker=True)], docker=True)


def foreign_image(*, present: bool, docker: bool = True) -> Image:
    """A Windows image with a foreign layer that the registry has, or has not."""
    base = foreign(random_layer(21 + present, 30_000), "https://example.invalid/base.tar.gz", present=present)
    return build_image([base, text_layer(23, 10_000)], platform=WINDOWS_2019, docker=docker)


def chart() -> Image:
    """A Helm chart as an OCI artifact."""
    about = {"apiVersion": "v2", "name": "app", "version": "1.2.3"}
    layer = files_layer({"app/Chart.yaml": b"apiVersion: v2\nname: app\nversion: 1.2.3\n", "app/values.yaml": b"{}\n"})
    return build_artifact([layer], json.dumps(about).encode(), HELM_CONFIG, layer_media_type=HELM_CHART)


def empty_config_artifact() -> Image:
    """An artifact whose config is the two bytes ``{}``."""
    layer = Layer(b"whatever this may be\n", PLAIN, "")
    return build_artifact([layer], b"{}", EMPTY_CONFIG, layer_media_type="application/vnd.example.note")


def many_layers(count: int = 24, *, seed: int = 5000) -> Image:
    """An image of ``count`` layers of about 2 kB."""
    return build_image([random_layer(seed + number, 2_000) for number in range(count)])


def big(seed: int, sizes: list[int], *, platform: Platform = AMD64, docker: bool = False) -> Image:
    """An image whose layers hold ``sizes`` bytes of random data each."""
    layers = [random_layer(seed * 1000 + number, size) for number, size in enumerate(sizes)]
    return build_image(layers, platform=platform, docker=docker)


SAMPLES: dict[str, Callable[[], Image | Index]] = {
    "oci/gzip:1": lambda: small(1),
    "oci/zstd:1": lambda: small(2, compression=ZSTD),
    "oci/plain:1": lambda: small(3, compression=PLAIN),
    "docker/single:1": lambda: small(4, docker=True),
    "docker/arm64:1": lambda: small(5, docker=True, platform=ARM64),
    "oci/index:1": oci_index,
    "docker/list:1": docker_list,
    "oci/variants:1": variants,
    "oci/attested:1": attested,
    "oci/no-platforms:1": no_platforms,
    "oci/nested:1": nested,
    "windows/list:1": windows,
    "windows/foreign-present:1": lambda: foreign_image(present=True),
    "windows/foreign-absent:1": lambda: foreign_image(present=False),
    "oci/foreign-present:1": lambda: foreign_image(present=True, docker=False),
    "charts/app:1.2.3": chart,
    "oci/artifact:1": empty_config_artifact,
    "oci/many-layers:1": many_layers,
    "a/b/c/d:1.0": lambda: small(6),
}
"""Every sample by ``REPOSITORY:TAG``."""


def push_samples(registry: Registry) -> dict[str, PushedImage]:
    """Pushes the whole catalogue (about 2 MB) and tells it by ``REPOSITORY:TAG``."""
    pushed: dict[str, PushedImage] = {}
    for name, build in SAMPLES.items():
        repository, _colon, tag = name.rpartition(":")
        pushed[name] = push(registry, repository, tag, build())
    return pushed


def hello_image(name: str, platform: Platform, extra: list[Layer], *, docker: bool) -> Image:
    """An image that runs: ``/bin/hello`` writes its name and platform."""
    program = hello_program(platform.architecture, f"{name} on {platform.os}/{platform.architecture}")
    layer = files_layer({"bin/hello": program, "etc/name": f"{name}\n".encode()})
    return build_image([*extra, layer], platform=platform, docker=docker, config={"Labels": {"name": name}})


def small_real_images(registry: Registry) -> list[PushedImage]:
    """Six references, about 5 MB, amd64 and arm64, of both kinds, with shared layers and a deep path."""
    base = text_layer(100, 1_500_000)
    data = random_layer(101, 1_200_000)
    chosen: list[tuple[str, str, bool, list[Layer]]] = [
        ("library/hello", "1.0", True, [base]),
        ("library/hello", "1.1", False, [base]),
        ("tools/shell", "2024.1", True, [base, random_layer(102, 700_000)]),
        ("team/platform/services/api", "v3.2.0", False, [base, data]),
        ("team/platform/services/worker", "v3.2.0", True, [base, data]),
    ]
    pushed: list[PushedImage] = []
    for repository, tag, docker, layers in chosen:
        images = [hello_image(f"{repository}:{tag}", each, layers, docker=docker) for each in (AMD64, ARM64)]
        pushed.append(push(registry, repository, tag, build_index(images, docker=docker)))
    single = hello_image("library/single:1.0", AMD64, [base], docker=True)
    return [*pushed, push(registry, "library/single", "1.0", single)]
