# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: parses those that the user wants, and compares them with those of an image. Pure.

Names: image-spec, image-index.md ("platform") and Go's GOOS/GOARCH.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .._base.errors import OptionError, quoted
from .._base.slots import slotted

_WORD = re.compile(r"^[a-z0-9][a-z0-9_.-]*$")
_OTHER_NAMES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
}
_OTHER_SYSTEMS = {"macos": "darwin"}
_NUMBERED = frozenset({"arm", "arm64", "amd64"})
# The variant of an architecture without one, as containerd and Docker read it.
_IMPLIED_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


@slotted
@dataclass(frozen=True)
class Platform:
    """The platform that an image runs on; absent values are empty."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        variant = f"/{self.variant}" if self.variant else ""
        version = f" ({self.os_version})" if self.os_version else ""
        return f"{self.os}/{self.architecture}{variant}{version}"

    @property
    def is_unknown(self) -> bool:
        """True for ``unknown/unknown``, the platform of build attestations."""
        return self.os == "unknown" and self.architecture == "unknown"

    @property
    def canonical(self) -> Platform:
        """The same platform in Go's words, as containerd's ``platforms`` normalises it."""
        system = self.os.lower()
        system = _OTHER_SYSTEMS.get(system, system)
        architecture, variant = _canonical(self.architecture, self.variant)
        if (system, architecture, variant) == (self.os, self.architecture, self.variant):
            return self  # as nearly all are
        return replace(self, os=system, architecture=architecture, variant=variant)


@dataclass(frozen=True)
class Architecture:
    """An architecture that is wanted; without a variant, every variant is."""

    name: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.name}/{self.variant}" if self.variant else self.name

    def matches(self, platform: Platform) -> bool:
        """Return True if a platform has this architecture; if it has no variant, the usual one is assumed."""
        offered = platform.canonical
        if offered.architecture != self.name:
            return False
        if not self.variant:
            return True
        return (offered.variant or _IMPLIED_VARIANT.get(self.name, "")) == self.variant


@dataclass(frozen=True)
class PlatformFilter:
    """The wanted platforms: each of the architectures on each of the operating systems."""

    architectures: tuple[Architecture, ...]
    operating_systems: tuple[str, ...]

    def matches(self, platform: Platform) -> bool:
        """Return True if a platform is one of those that are wanted."""
        return platform.canonical.os in self.operating_systems and any(
            arch.matches(platform) for arch in self.architectures
        )

    def absent(self, platforms: Iterable[Platform]) -> tuple[Architecture, ...]:
        """Return the architectures that none of the given platforms has."""
        offered = tuple(platforms)
        return tuple(arch for arch in self.architectures if not any(arch.matches(platform) for platform in offered))

    def __str__(self) -> str:
        arches = ", ".join(str(arch) for arch in self.architectures)
        return f"{arches} on {', '.join(self.operating_systems)}"


def _canonical(architecture: str, variant: str) -> tuple[str, str]:
    """Return Go's words for an architecture and a variant, which may be only a number."""
    name, implied = _OTHER_NAMES.get(architecture.lower(), (architecture.lower(), ""))
    variant = variant.lower()
    if variant[:1].isdigit() and name in _NUMBERED:
        variant = f"v{variant}"
    return name, variant or implied


def parse_architecture(text: str) -> Architecture:
    """Read ``amd64`` or ``arm/v7``; the kernel's names (``x86_64``, ``aarch64``) are translated to Go's.

    :raises OptionError: when it is not a valid architecture.
    """
    name, slash, variant = text.strip().lower().partition("/")
    if not _WORD.fullmatch(name) or (slash and not _WORD.fullmatch(variant)):
        raise OptionError(
            f"arch: {quoted(text, 100)} is not a valid architecture; expected one such as amd64, arm64, s390x or arm/v7"
        )
    known, variant = _canonical(name, variant)
    return Architecture(name=known, variant=variant)


def parse_filter(architectures: Iterable[str], operating_systems: Iterable[str]) -> PlatformFilter:
    """Read the options ``arch`` and ``os``; order and repetition do not matter.

    :raises OptionError: when one of them is empty or has an invalid value.
    """
    arches = sorted({parse_architecture(text) for text in architectures}, key=str)
    systems = sorted({_OTHER_SYSTEMS.get(text, text) for text in (each.strip().lower() for each in operating_systems)})
    for system in systems:
        if not _WORD.fullmatch(system):
            raise OptionError(
                f"os: {quoted(system, 100)} is not a valid operating system; expected one such as linux or windows"
            )
    if not arches or not systems:
        raise OptionError("arch and os must each name at least one value")
    return PlatformFilter(architectures=tuple(arches), operating_systems=tuple(systems))
