# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's first manifest format ("Image Manifest Version 2, Schema 1"), which some registries still hold. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from .._base.errors import ManifestError, quoted
from .._base.json import JsonError, JsonObject, parse_object
from .descriptor import digest_of
from .limits import MAX_VALUES, ensure_few_layers
from .media_types import DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED
from .platform import Platform
from .platform_json import platform_word
from .reference import is_digest


@dataclass(frozen=True)
class Schema1:
    """Docker's first manifest: no configuration blob, layers without sizes."""

    media_type: str
    platform: Platform
    layer_digests: tuple[str, ...]


def parse_schema1(document: JsonObject) -> Schema1:
    digests = [layer.text("blobSum") for layer in document.objects("fsLayers")]
    ensure_few_layers(len(digests))
    for digest in digests:
        if not is_digest(digest):
            raise ManifestError(f"digest {quoted(digest, 100)} is not sha256: and 64 lower-case hex digits")
    # The document carries no operating system; nothing but linux was ever pushed in this format.
    platform = Platform(os="linux", architecture=platform_word(document.text("architecture")) or "amd64")
    signed = "signatures" in document
    media_type = DOCKER_SCHEMA1_SIGNED if signed else DOCKER_SCHEMA1
    return Schema1(media_type=media_type, platform=platform, layer_digests=tuple(dict.fromkeys(digests)))


def manifest_digest(raw: bytes) -> str:
    """The digest that is a manifest's name: that of its bytes, and for signed schema 1 that of what was signed.

    Without a look at what was signed, "schema 1" would be a pretext to send anything under any name.
    """
    signed = _signed_part(raw) if b'"signatures"' in raw else None
    return digest_of(raw if signed is None else signed)


def _signed_part(raw: bytes) -> bytes | None:
    """What the first signature of a schema 1 manifest signs (JWS, as Docker's "Schema 1" describes it), if it is that.

    :returns: the manifest without its signatures; ``None`` where the document holds anything else beside it.
    """
    try:
        document = parse_object(raw, most=MAX_VALUES).values()
        signature = JsonObject(document).objects("signatures")[0]
        protected = parse_object(_from_base64url(signature.text("protected")))
        length, tail = protected.integer("formatLength"), _from_base64url(protected.text("formatTail"))
        signed = raw[: max(0, length)] + tail
        del document["signatures"]
        return signed if parse_object(signed, most=MAX_VALUES).values() == document else None
    except (JsonError, IndexError, ValueError):
        return None


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
