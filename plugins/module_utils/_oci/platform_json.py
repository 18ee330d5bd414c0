# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms in JSON, as indexes and configurations have them (image-spec, image-index.md, config.md). Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from .._base.errors import ManifestError, printable, quoted
from .._base.json import Json, JsonError, JsonObject, parse_object
from .limits import MAX_VALUES
from .platform import Platform

_PLATFORM_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+~/-]{0,127}|")


def parse_platform(document: JsonObject) -> Platform:
    """Read a platform object; an image's configuration has the same members (image-spec, config.md).

    :raises JsonError: when a member has the wrong type.
    """
    return _platform(
        document.text("os"),
        document.text("architecture"),
        document.text("variant"),
        document.text("os.version"),
        document.texts("os.features"),
    )


@lru_cache(maxsize=1024)
def _platform(system: str, architecture: str, variant: str, version: str, features: tuple[str, ...]) -> Platform:
    """Check the words of a platform; of most lists, there are two or three different ones."""
    return Platform(
        os=platform_word(system),
        architecture=platform_word(architecture),
        variant=platform_word(variant),
        os_version=platform_word(version),
        os_features=tuple(map(platform_word, features)),
    )


def parse_config_platform(raw: bytes) -> Platform:
    """Read the platform from an image's configuration (image-spec, config.md).

    :raises ManifestError: when the document is not a configuration.
    """
    try:
        return parse_platform(parse_object(raw, most=MAX_VALUES))
    except JsonError as error:
        raise ManifestError(f"the image configuration is not readable: {printable(str(error))}") from error


def platform_json(platform: Platform) -> dict[str, Json]:
    """Return a platform object (image-spec, image-index.md), without members that are empty."""
    document: dict[str, Json] = {"architecture": platform.architecture, "os": platform.os}
    if platform.os_version:
        document["os.version"] = platform.os_version
    if platform.os_features:
        document["os.features"] = list(platform.os_features)
    if platform.variant:
        document["variant"] = platform.variant
    return document


def platform_word(text: str) -> str:
    """Check a word that is shown, compared and written again: it must not forge a line or move a cursor.

    :raises JsonError: when it is not a valid word.
    """
    if not _PLATFORM_WORD.fullmatch(text):
        raise JsonError(f"{quoted(text, 100)} is not a valid word for a platform")
    return text
