# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that an archive was made with, in words. Pure."""

from __future__ import annotations

from .._archive.output import AT_IMAGE
from .._base.json import Json
from .markup import Markup, Piece, element, join
from .pieces import Subject, count, section, size

_OPTIONS = {
    "arch": "Architectures",
    "os": "Operating systems",
    "fail_on_missing_platform": "Missing platform is a failure",
    "include_foreign_layers": "Foreign layers included",
    "compress": "Compression",
    "compress_level": "Compression level",
    "part_size": "Part size",
    "part_at": "Parts end at",
    "part_digits": "Digits of the part number",
    "parity": "Parity files",
    "referrers": "Signatures, SBOMs and the like",
    "signature_policy": "Signature policy",
}


def options(subject: Subject) -> Markup:
    """Write how the archive was made."""
    lock = subject.lock
    pairs: list[tuple[str, Piece]] = [
        (_OPTIONS.get(name, name), _option(name, value)) for name, value in lock.options.items()
    ]
    pairs.append(("Compressed by", lock.compressor or "nothing"))
    pairs.append(("SHA-256 of the lock file", subject.lock_sha256))
    listed = [join([element("dt", name), element("dd", value)]) for name, value in pairs]
    return section(
        "options",
        "How it was made",
        element("p", "The options that determine content and bytes, from the lock file.", class_="soft"),
        element("div", element("dl", *listed, class_="options"), class_="panel"),
    )


def _option(name: str, value: Json) -> Piece:
    if name == "part_size" and isinstance(value, int):
        return join([size(value), f": {count(value, 'byte')}"])
    if name == "part_at" and value == AT_IMAGE:
        return "the edge of each image, or at their size"
    return _shown(value)


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value)
    return "not set" if value is None else str(value)
