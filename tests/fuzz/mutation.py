# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to JSON documents that leave them JSON: most changes to single bytes only test the reader of JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

HEX = "0123456789abcdef" * 4
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 2**31, 2**50, 2**50 + 1, 2**63 - 1, 2**63, 10**30, 1.5, -0.0, 1e300),
    *("", ".", "..", "../x", "/etc/passwd", "a/b", "-o", "a\nb", "\x1b[31m", "\u2028", "\u202e", "\0", "é", "a" * 300),
    *(f"sha256:{HEX}", f"sha256:{HEX}0", f"sha512:{HEX}{HEX}", f"SHA256:{HEX}", f"sha256:{HEX.upper()}", HEX),
    *("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"),
    *("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.config.v1+json"),
    *("linux", "amd64", "unknown", "v8", "10.0.17763.1", "reg.lan/a/b:1", "docker.io/library/nginx:1"),
    *([], {}, [[]], [{}], [None], ["x"], {"x": None}, {"": ""}),
)
PIECES = ("", "/", "..", "\n", "\0", "A", "é", "\u202e")
KEYS = (
    *("schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "platform", "annotations"),
    *("urls", "artifactType", "os", "architecture", "variant", "os.version", "os.features", "fsLayers", "blobSum"),
    *("signatures", "version", "options", "images", "reference", "media_type", "platforms", "notes", "skipped"),
    *("source_digest", "reason", "failed", "blobs", "parts", "name", "sha256", "compressor", "", "x", f"sha256:{HEX}"),
)

Place = tuple[Any, Any]
"""A list or an object of the document, and where in it."""


def mutate_json(data: bytes, largest: int, seed: int, otherwise: Callable[[bytes, int], bytes]) -> bytes:
    """Change a document, or its bytes; equal seeds give equal changes.

    :param otherwise: changes bytes.
    """
    chance = random.Random(seed)  # noqa: S311  # no secret
    if chance.random() < 0.4:
        return otherwise(data, largest)
    try:
        holder = [json.loads(data)]
    except (ValueError, RecursionError):
        return otherwise(data, largest)
    try:
        for _change in range(chance.choice((1, 1, 1, 2, 3))):
            _change_one(holder, chance)
        written = json.dumps(holder[0], ensure_ascii=chance.random() < 0.5, separators=(",", ":"))
    except (ValueError, RecursionError):
        return otherwise(data, largest)
    if chance.random() < 0.02:
        # A key twice, which no writer of JSON writes.
        written = written.replace('{"', '{"digest":"","', 1)
    return written.encode("utf-8", "replace")[:largest]


def _change_one(holder: list[Any], chance: random.Random) -> None:
    places = list(_places(holder))
    where, key = chance.choice(places)
    kind = chance.randrange(7)
    if kind == 0 and where is not holder:
        del where[key]
    elif kind == 1 and isinstance(where[key], dict):
        where[key][chance.choice(KEYS)] = chance.choice(VALUES)
    elif kind == 2 and isinstance(where[key], list):
        where[key].append(_copy(chance.choice(places)))
    elif kind == 3 and isinstance(where, dict):
        where[chance.choice(KEYS)] = where.pop(key)
    elif kind == 4:
        where[key] = _copy(chance.choice(places))
    elif kind == 5 and isinstance(where[key], str) and where[key]:
        at = chance.randrange(len(where[key]))
        where[key] = where[key][:at] + chance.choice(PIECES) + where[key][at + 1 :]
    else:
        where[key] = _copy(([chance.choice(VALUES)], 0))


def _places(value: Any) -> list[Place]:
    """All places of a document, without recursion: it may be deep."""
    found: list[Place] = []
    waiting = [value]
    while waiting and len(found) < 500:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        found += [(one, key) for key in keys]
        waiting += [one[key] for key in keys if isinstance(one[key], (dict, list))]
    return found


def _copy(place: Place) -> Any:
    """A copy, so that no document holds itself."""
    value = place[0][place[1]]
    return json.loads(json.dumps(value)) if isinstance(value, (dict, list)) else value
