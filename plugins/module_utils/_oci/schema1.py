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
    """A manifest without a configuration blob, whose layers have no sizes."""

    media_type: str
    platform: Platform
    layer_digests: tuple[str, ...]


def parse_schema1(document: JsonObject) -> Schema1:
    """Read a manifest of schema 1 (Docker Registry HTTP API, "Image Manifest V 2, Schema 1").

    :raises JsonError: when a member has another type.
    :raises ManifestError: when it has too many layers, or a digest is not valid.
    """
    digests = [layer.text("blobSum") for layer in document.objects("fsLayers")]
    ensure_few_layers(len(digests))
    for digest in digests:
        if not is_digest(digest):
            raise ManifestError(f"digest {quoted(digest, 100)} is not sha256: and 64 lower-case hex digits")
    # The document names no operating system; only linux was ever pushed in this format.
    platform = Platform(os="linux", architecture=platform_word(document.text("architecture")) or "amd64")
    signed = "signatures" in document
    media_type = DOCKER_SCHEMA1_SIGNED if signed else DOCKER_SCHEMA1
    return Schema1(media_type=media_type, platform=platform, layer_digests=tuple(dict.fromkeys(digests)))


def manifest_digest(raw: bytes) -> str:
    """Return the digest of a manifest: of its bytes, or for signed schema 1 of the part that is signed.

    The signed part is checked, or "schema 1" would be a pretext to send anything under any digest.
    """
    signed = _signed_part(raw) if b'"signatures"' in raw else None
    return digest_of(raw if signed is None else signed)


def _signed_part(raw: bytes) -> bytes | None:
    """Return what the first signature of a schema 1 manifest signs (JWS, as Docker's "Schema 1" describes it).

    :returns: the manifest without its signatures; ``None`` if the document contains anything else.
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
