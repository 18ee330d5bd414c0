# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the walk, whose tags move, and what has to become of each with the options of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..support import samples
from ..support.images import AMD64, AMD64_V3, ARM64, ARM_V7, WINDOWS_2019, Image, Index, build_index
from ..support.layers import PLAIN, ZSTD
from ..support.push import PushedImage, PushedPlatform, push, tag_again
from ..support.samples import small
from .ground import NAMED, Ground

SAVED, SKIPPED, FAILED = "saved", "skipped", "failed"

MISSING = (f"{NAMED}/walk/none:1", f"{NAMED}/walk/index:no-such-tag")
"""References that the registry does not have."""

INVALID = ("walk/UPPER:1", "docker pull walk/index:1", "walk/index:1 # why", "https://registry.example/walk/index:1")
"""Lines that are no reference."""

_ATTESTS = "vnd.docker.reference.type"

_BUILT: dict[str, tuple[Callable[[], Image | Index], ...]] = {
    "index": (
        lambda: build_index([small(301, platform=each) for each in (AMD64, ARM64, ARM_V7)]),
        lambda: build_index([small(302, platform=each) for each in (AMD64, ARM64)]),
        lambda: build_index([small(303, platform=each) for each in (AMD64, WINDOWS_2019)]),
    ),
    "list": (
        lambda: build_index([small(304, platform=each, docker=True) for each in (AMD64, ARM64)], docker=True),
        lambda: build_index([small(305, platform=ARM64, docker=True)], docker=True),
    ),
    "plain": (lambda: small(306, compression=PLAIN), lambda: small(307, compression=PLAIN, size=90_000)),
    "zstd": (lambda: small(308, compression=ZSTD), lambda: small(308, compression=ZSTD, platform=ARM64)),
    "docker": (lambda: small(309, docker=True), lambda: small(310, docker=True, platform=ARM64)),
    "variants": (lambda: build_index([small(311, platform=AMD64), small(312, platform=AMD64_V3)]),),
    "many": (lambda: samples.many_layers(6, seed=31_300), lambda: samples.many_layers(9, seed=31_300)),
    "chart": (samples.chart,),
    "attested": (samples.attested,),
    "windows": (samples.windows,),
    "foreign": (lambda: samples.foreign_image(present=True),),
}


@dataclass
class State:
    """The parameters of a step; the moves change them.

    :ivar lines: the list.
    :ivar tags: which version of each repository its tag names.
    :ivar options: parameters of the module, but for lists and places.
    """

    lines: list[str]
    tags: dict[str, int]
    options: dict[str, Any] = field(default_factory=dict)


class Shelf:
    """The images in a registry, by repository and version."""

    def __init__(self, ground: Ground, pushed: Mapping[str, list[PushedImage]]) -> None:
        self._ground = ground
        self._pushed = pushed

    @classmethod
    def stocked(cls, ground: Ground) -> Shelf:
        """All images, with every tag at its first version."""
        pushed: dict[str, list[PushedImage]] = {}
        for name, versions in _BUILT.items():
            pushed[name] = []
            for number, build in enumerate(versions):
                key = f"walk/{name}:{number}"
                if key not in ground.more:
                    ground.more[key] = push(ground.registry, f"walk/{name}", f"version-{number}", build())
                pushed[name].append(ground.more[key])
        shelf = cls(ground, pushed)
        for name in pushed:
            shelf.move(name, 0)
        return shelf

    @property
    def names(self) -> list[str]:
        return list(self._pushed)

    def versions(self, name: str) -> int:
        return len(self._pushed[name])

    def move(self, name: str, version: int) -> None:
        """Let the tag name another version."""
        tag_again(self._ground.registry, self._pushed[name][version], "1")

    def by_digest(self, name: str, version: int) -> str:
        """A reference to a version that no tag can move."""
        return f"{NAMED}/walk/{name}@{self._pushed[name][version].digest}"

    def image_of(self, reference: str, state: State) -> PushedImage | None:
        """The image that a reference names now; ``None`` if there is none."""
        path = reference.removeprefix(f"{NAMED}/walk/")
        name, at, digest = path.partition("@")
        name = name.partition(":")[0]
        if reference in MISSING or name not in self._pushed:
            return None
        if at:
            return next(each for each in self._pushed[name] if each.digest == digest)
        return self._pushed[name][state.tags[name]]

    def unforeseen(self, state: State) -> set[str]:
        """References whose failure shows only when they are fetched: the registry lacks a foreign layer of theirs."""
        if not state.options.get("include_foreign_layers"):
            return set()
        return {f"{NAMED}/walk/windows:1", self.by_digest("windows", 0)}

    def status(self, reference: str, state: State) -> str:
        """The expected status of a reference: saved, skipped or failed."""
        image = self.image_of(reference, state)
        if image is None:
            return FAILED
        wanted = self.wanted(image, state)
        if not wanted:
            return FAILED if state.options.get("fail_on_missing_platform") else SKIPPED
        lacks = reference in self.unforeseen(state) and any(each.os == "windows" for each in wanted)
        return FAILED if lacks else SAVED

    def wanted(self, image: PushedImage, state: State) -> list[PushedPlatform]:
        """The platform images that the options choose: attestations go with what they are about."""
        chosen = [each for each in image.platforms if _ATTESTS not in each.annotations and _is_wanted(each, state)]
        about = {each.digest for each in chosen}
        told = [each for each in image.platforms if each.annotations.get("vnd.docker.reference.digest") in about]
        order = {each.digest: place for place, each in enumerate(image.platforms)}
        return sorted([*chosen, *told], key=lambda each: order[each.digest])


def _is_wanted(platform: PushedPlatform, state: State) -> bool:
    if not platform.arch:
        return True  # an artefact has none
    oses = state.options.get("os", ["linux", "windows"])
    fits = {platform.arch, f"{platform.arch}/{platform.variant}"}
    return platform.os in oses and bool(fits & set(state.options.get("arch", ["amd64", "arm64"])))
