# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that would become options of skopeo, leave the cache, or deceive who reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, outcomes
from ansible_collections.airgap.images.tests.functional._hostile import (
    HONEST,
    Site,
    assert_harmless,
    files,
    only,
    refused,
)
from ansible_collections.airgap.images.tests.support.hostile import Hostile
from ansible_collections.airgap.images.tests.support.images import OCI_INDEX, Entry, Platform, build_index
from ansible_collections.airgap.images.tests.support.module import Result

pytestmark = pytest.mark.both_ways

HEX = "ab" * 32
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\nok: [host]\x9b31m\u2028\u202egnp.exe"

LINES = {
    "option": "--help",
    "short-option": "-x",
    "option-with-value": "--dest-tls-verify=false",
    "option-in-repository": "HOST/--insecure-policy:1",
    "option-as-tag": "HOST/a:--help",
    "option-as-digest": "HOST/a@--help",
    "parents": "../../etc/passwd",
    "parents-behind-host": "HOST/../../../etc/passwd:1",
    "parents-inside": "HOST/a/../../b:1",
    "parents-as-tag": "HOST/a:../../b",
    "double-slash": "HOST/..//x",
    "empty-part": "HOST//x:1",
    "dot": "HOST/./a:1",
    "absolute": "/etc/passwd",
    "home": "~/x:1",
    "file-of-names": "@/etc/passwd",
    "transport-oci": "oci:/etc/x:1",
    "transport-dir": "dir:/etc",
    "transport-daemon": "docker-daemon:a:1",
    "transport-twice": "docker://HOST/a:1",
    "scheme-file": "file:///etc/passwd",
    "user-in-host": "me:secret@HOST/a:1",
    "host-of-another": "HOST@evil.example/a:1",
    "back-slash": "HOST\\@evil.example/a:1",
    "fragment": "HOST/a#b:1",
    "query": "HOST/a?x=y:1",
    "percent": "HOST/%2e%2e/%2e%2e/x:1",
    "port-text": "127.0.0.1:x/a:1",
    "port-zero": "127.0.0.1:0/a:1",
    "port-large": "127.0.0.1:99999999999999999999/a:1",
    "digest-parents": "HOST/a@sha256:../../../x",
    "digest-upper": f"HOST/a@sha256:{HEX.upper()}",
    "digest-sha512": f"HOST/a@sha512:{HEX * 2}",
    "digest-md5": f"HOST/a@md5:{HEX[:32]}",
    "digest-twice": f"HOST/a@sha256:{HEX}@sha256:{HEX}",
    "nul": "HOST/a\0b:1",
    "nul-at-the-end": "HOST/a:1\0",
    "escape": f"HOST/a{ESCAPES.replace(chr(13), '').replace(chr(10), '')}:1",
    "next-line": "HOST/a\x85b:1",
    "separator": "HOST/a\u2028b:1",
    "bidi": "HOST/a:1\u202e",
    "zero-width": "HOST/a\u200bb:1",
    "wide-letters": "HOST/\uff41:1",
    "look-alike": "d\u043ecker.io/library/alpine:3",
    "half-a-pair": "HOST/a\ud800:1",
    "variable": "HOST/$(id):1",
    "semicolon": "HOST/a;id:1",
    "upper": "HOST/A:1",
    "long": "HOST/" + "a" * 300,
    "longer": "HOST/" + "a/" * 10_000 + "a:1",
    "long-tag": "HOST/a:" + "a" * 129,
}


@dataclass(frozen=True)
class Batch:
    result: Result
    site: Site
    hostile: Hostile


def written(text: str, hostile: Hostile) -> str:
    return text.replace("HOST", hostile.host)


@pytest.fixture(scope="module", params=["images", "list_files"])
def batch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, skopeo_copy: str
) -> Iterator[Batch]:
    """All lines in one run, from the option and from a file, with the honest image at the end."""
    with Hostile() as hostile:
        honest = hostile.image("honest", HONEST)
        site = Site(tmp_path_factory.mktemp("batch"))
        lines = [written(text, hostile) for text in LINES.values()]
        if request.param == "images":
            yield Batch(site.save([*lines, honest]), site, hostile)
            return
        file = site.root / "list.txt"
        file.write_bytes("\n".join([*lines, honest]).encode("utf-8", "surrogatepass"))
        yield Batch(site.save([], list_files=[file]), site, hostile)


def test_all_others_are_saved(batch: Batch) -> None:
    only(batch.result, batch.site, batch.hostile)
    assert len(batch.result["invalid_lines"]) == len(LINES)
    assert not batch.result["failed_images"]


@pytest.mark.parametrize("name", LINES)
def test_what_is_no_reference_is_refused(batch: Batch, name: str) -> None:
    """The line is named, with a reason; nobody is asked for it, and nothing is run with it."""
    line = batch.result["invalid_lines"][list(LINES).index(name)]
    assert 10 < len(line["reason"]) < 1000 and len(line["line"]) < 1000
    for text in (line["line"], line["reason"], line["origin"]):
        assert_harmless(text)


def test_nobody_was_asked_for_them(batch: Batch) -> None:
    paths = {each.path for each in batch.hostile.asked()}
    assert not [path for path in paths if path != "/v2/" and not path.startswith("/v2/honest/")]


def test_nothing_but_digests_stands_in_the_cache(batch: Batch) -> None:
    """No file is named by anything that a registry or a list says."""
    found = {re.sub("[0-9a-f]{64}", "DIGEST", name) for name in files(batch.site.cache)}
    folder = {"DIGEST", *(f"DIGEST/{name}" for name in ("accepted", "blobs", "index.json", "oci-layout"))}
    whole = {"blobs", "index.json", "oci-layout", "saved-images-list.json", "share", "share/sha256"}
    whole |= {"accepted.json", "verified.json"}
    assert found == {*folder, *whole, "share/sha256/DIGEST", ".lock"}


def test_the_failed_list_is_a_list_again(batch: Batch) -> None:
    """No line of it means anything but what was refused."""
    lines = (batch.site.root / "logs" / "failed.txt").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == len(LINES)
    again = Site(batch.site.root.parent / f"again-{batch.site.root.name}")
    result = again.save([batch.hostile.reference("honest")], list_files=[batch.site.root / "logs" / "failed.txt"])
    only(result, again, batch.hostile)
    assert len(result["invalid_lines"]) == len(LINES)


def test_annotations_are_kept_and_never_shown(tmp_path: Path) -> None:
    """Annotations of an index are saved as they are, and reach no terminal."""
    notes = {"org.opencontainers.image.ref.name": ESCAPES, ESCAPES: "../../etc/passwd", "--help": "x" * 100_000}
    index = build_index([Entry(HONEST, Platform(), notes)])
    document = json.loads(index.raw)
    document["annotations"] = notes
    raw = json.dumps(document).encode()
    site = Site(tmp_path / "site")
    with Hostile() as hostile:
        hostile.content("noted", HONEST)
        reference = hostile.manifest("noted", raw, OCI_INDEX)
        result = site.save([reference])
    assert outcomes(result) == {reference: "saved"}
    assert check(site.dest).references.keys() == {reference}
    assert ESCAPES not in json.dumps(result.data, ensure_ascii=False)
    lock = site.dest.with_name(f"{site.dest.name}.lock.json")
    assert "x" * 1000 not in lock.read_text(encoding="utf-8")


KEYS = ("os", "architecture", "variant", "os.version", "os.features")


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory, skopeo_copy: str) -> Iterator[Batch]:
    """Indexes with escapes in one word of a platform each, in one run."""
    with Hostile() as hostile:
        for key in KEYS:
            platform: dict[str, object] = {"os": "linux", "architecture": "amd64"}
            platform[key] = [ESCAPES] if key == "os.features" else ESCAPES
            index = json.loads(build_index([HONEST]).raw)
            index["manifests"][0]["platform"] = platform
            hostile.content(f"bad/{key}", HONEST)
            hostile.manifest(f"bad/{key}", json.dumps(index).encode(), OCI_INDEX)
        site = Site(tmp_path_factory.mktemp("platforms"))
        names = [hostile.reference(f"bad/{key}") for key in KEYS]
        yield Batch(site.save([*names, hostile.image("honest", HONEST)]), site, hostile)


@pytest.mark.parametrize("key", KEYS)
def test_words_of_a_platform_are_words(platforms: Batch, key: str) -> None:
    only(platforms.result, platforms.site, platforms.hostile)
    assert "platform" in refused(platforms.result, platforms.hostile.reference(f"bad/{key}"))
