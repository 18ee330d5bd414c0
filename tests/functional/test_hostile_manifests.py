# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests, indexes and configurations that no honest registry would have: refused, and nothing else suffers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, only, refused
from ansible_collections.airgap.images.tests.support.hostile import Hostile
from ansible_collections.airgap.images.tests.support.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.airgap.images.tests.support.layers import sha256
from ansible_collections.airgap.images.tests.support.module import Result

pytestmark = pytest.mark.both_ways

HEX = "0123456789abcdef" * 4
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\nok: [host]\x9b31m\u2028\u202egnp.exe"


@dataclass(frozen=True)
class Case:
    """The bytes that are sent for a tag, and a word of the reason for which they are to be refused."""

    raw: bytes
    word: str
    media_type: str = ""

    @property
    def content_type(self) -> str:
        """By default the one that fits."""
        return self.media_type or (OCI_INDEX if b'"manifests"' in self.raw else OCI_MANIFEST)


def spelled(value: object) -> bytes:
    return json.dumps(value).encode()


def manifest(**changes: object) -> dict[str, Any]:
    """A manifest that would be sound but for the changes."""
    return {**json.loads(HONEST.raw), **changes}


def config(**changes: object) -> bytes:
    """A manifest whose configuration's descriptor is changed."""
    return spelled(manifest(config={**manifest()["config"], **changes}))


def layer(**changes: object) -> bytes:
    """A manifest of which one layer's descriptor is changed."""
    layers = manifest()["layers"]
    return spelled(manifest(layers=[{**layers[0], **changes}, *layers[1:]]))


def entry(**changes: object) -> dict[str, Any]:
    """An entry of an index for an image that is wanted."""
    platform = {"architecture": "amd64", "os": "linux"}
    usual = {"mediaType": OCI_MANIFEST, "digest": HONEST.digest, "size": len(HONEST.raw), "platform": platform}
    return {**usual, **changes}


def index(*entries: object, **changes: object) -> bytes:
    return spelled({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries), **changes})


def number(text: str) -> bytes:
    """A manifest with a layer whose size is spelled so."""
    return layer(size="SIZE").replace(b'"SIZE"', text.encode())


def digests(make: Any, kind: str) -> dict[str, Case]:
    """Digests that are none, in one place of a manifest."""
    bad = {
        "parents": "sha256:../../../../../etc/cron.d/x",
        "absolute": "/etc/cron.d/x",
        "absolute-hex": "sha256:/etc/" + HEX[:59],
        "slash": f"sha256:{HEX[:32]}/{HEX[33:]}",
        "no-hex": "sha256:" + "g" * 64,
        "upper": "sha256:" + HEX.upper(),
        "short": "sha256:" + HEX[:63],
        "long": f"sha256:{HEX}0",
        "line": f"sha256:{HEX}\n",
        "nul": f"sha256:{HEX[:63]}\0",
        "sha512": "sha512:" + HEX * 2,
        "md5": "md5:" + HEX[:32],
        "bare": HEX,
        "option": "--help",
        "escapes": ESCAPES,
        "huge": "sha256:" + "a" * 1_000_000,
        "wide-digits": "sha256:" + "\uff11" * 64,
    }
    return {f"{kind}-{name}": Case(make(digest=text), "digest") for name, text in bad.items()}


SIZES = {
    "negative": "-1",
    "huge": "9" * 30,
    "beyond": str(2**63),
    "endless": "9" * 100_000,
    "float": "12.5",
    "round-float": "12.0",
    "exponent": "1e400",
    "true": "true",
    "text": '"12"',
    "null": "null",
    "nan": "NaN",
    "infinity": "-Infinity",
    "list": "[12]",
}

NESTED = index(entry())

CASES = {
    **digests(config, "config"),
    **digests(layer, "layer"),
    **digests(lambda digest: index(entry(digest=digest)), "entry"),
    "no-digest": Case(layer(digest=None), "digest"),
    "digest-number": Case(layer(digest=12), "digest"),
    **{f"size-{name}": Case(number(text), "") for name, text in SIZES.items()},
    "key-twice": Case(HONEST.raw.replace(b'"schemaVersion"', b'"config": {}, "schemaVersion"', 1), "twice"),
    "key-twice-inside": Case(layer(x=1).replace(b'"x": 1', b'"size": 1'), "twice"),
    "key-twice-escaped": Case(layer(x=1).replace(b'"x": 1', b'"s\\u0069ze": 1'), "twice"),
    "both": Case(spelled(manifest(manifests=[entry()])), "CVE-2021-41190", OCI_MANIFEST),
    "says-index": Case(spelled(manifest(mediaType=OCI_INDEX)), "index"),
    "says-manifest": Case(index(entry(), mediaType=OCI_MANIFEST), "manifest", OCI_MANIFEST),
    "came-as-list": Case(HONEST.raw, "came as", DOCKER_LIST),
    "came-as-docker": Case(HONEST.raw, "came as", DOCKER_MANIFEST),
    "media-type-escapes": Case(spelled(manifest(mediaType=ESCAPES)), "came as"),
    "media-type-unknown": Case(spelled(manifest(mediaType=ESCAPES)), "not supported", "text/plain"),
    "media-type-list": Case(spelled(manifest(mediaType=[OCI_MANIFEST])), "string"),
    "annotation-number": Case(
        spelled(manifest(config={**manifest()["config"], "annotations": {ESCAPES: 1}})), "string"
    ),
    "platform-escapes": Case(index(entry(platform={"os": "linux", "architecture": ESCAPES})), "platform"),
    "platform-lines": Case(index(entry(platform={"os": "linux\nok", "architecture": "amd64"})), "platform"),
    "platform-list": Case(index(entry(platform=[])), "object"),
    "half-a-pair": Case(layer(mediaType="\ud800"), "JSON"),
    "nested": Case(index(entry(mediaType=OCI_INDEX, digest=sha256(NESTED), size=len(NESTED))), "another index"),
    "nested-unsaid": Case(index(entry(digest=sha256(NESTED), size=len(NESTED))), "index"),
    "size-of-child": Case(index(entry(size="12")), "integer"),
    "crowd": Case(index(*[entry() for _number in range(1001)]), "1001"),
    "nameless": Case(index(*[entry(platform=None, digest=f"sha256:{n:064x}") for n in range(51)]), "without platform"),
    "deep": Case(b'{"manifests":' + b"[" * 90_000 + b"]" * 90_000 + b"}", "JSON"),
    "deep-objects": Case(b'{"a":' * 90_000 + b"1" + b"}" * 90_000, "JSON"),
    "empty": Case(b"", "JSON"),
    "null": Case(b"null", "object"),
    "list": Case(b"[]", "object"),
    "html": Case(b"<html><script>alert(1)</script></html>", "JSON"),
    "not-utf8": Case(b'{"schemaVersion": 2, "\xff": 1}', "JSON"),
    "utf16": Case(HONEST.raw.decode().encode("utf-16"), "JSON"),
    "no-config": Case(spelled({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}), "configuration"),
    "version-true": Case(spelled(manifest(schemaVersion=True)), "integer"),
    "schema1-path": Case(
        spelled({"schemaVersion": 1, "architecture": "amd64", "fsLayers": [{"blobSum": "sha256:../../x"}]}),
        "digest",
        DOCKER_SCHEMA1,
    ),
}


@dataclass(frozen=True)
class Batch:
    """All cases in one run, with the honest image at the end."""

    result: Result
    site: Site
    hostile: Hostile


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, skopeo_copy: str) -> Iterator[Batch]:
    with Hostile() as hostile:
        honest = hostile.image("honest", HONEST)
        for name, case in CASES.items():
            hostile.content(f"bad/{name}", HONEST)
            hostile.child(f"bad/{name}", NESTED, OCI_INDEX)
            hostile.manifest(f"bad/{name}", case.raw, case.content_type)
        site = Site(tmp_path_factory.mktemp("batch"))
        result = site.save([*(hostile.reference(f"bad/{name}") for name in CASES), honest])
        yield Batch(result, site, hostile)


def test_all_others_are_saved(batch: Batch) -> None:
    only(batch.result, batch.site, batch.hostile)
    assert len(batch.result["failed_images"]) == len(CASES)
    kept = {path.name for path in (batch.site.cache / "share" / "sha256").iterdir()}
    sound = {
        each.partition(":")[2] for each in (HONEST.digest, sha256(HONEST.config), *(x.digest for x in HONEST.layers))
    }
    assert kept >= sound


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_manifest_is_refused(batch: Batch, name: str) -> None:
    reason = refused(batch.result, batch.hostile.reference(f"bad/{name}"))
    assert CASES[name].word in reason
