# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are to fill the memory of who reads them: refused at little more than what a quiet run needs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, only, refused
from ansible_collections.airgap.images.tests.support.hostile import Hostile, Reply
from ansible_collections.airgap.images.tests.support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.tests.support.layers import sha256
from ansible_collections.airgap.images.tests.support.samples import small

MOST = 4 * 1024 * 1024
ALLOWED = 40 * 1024 * 1024
"""Bytes that a run may need beyond those of a quiet one."""


def of_bytes(*pieces: bytes, size: int = MOST) -> bytes:
    """A document of ``size`` bytes, or a little less: head, as many of the middle as fit, tail."""
    head, middle, tail = pieces
    return head + middle * ((size - len(head) - len(tail)) // len(middle)) + tail


def many_layers(count: int, seed: int = 0) -> bytes:
    """A manifest of so many layers, each another one."""
    document = json.loads(HONEST.raw)
    layer = document["layers"][0]
    layers = [{**layer, "digest": f"sha256:{seed:032x}{number:032x}"} for number in range(count)]
    return json.dumps({**document, "layers": layers}).encode()


def endless() -> Iterator[bytes]:
    yield b'{"schemaVersion": 2, "x": "'
    while True:
        yield b"x" * 65536


def by_single_bytes() -> Iterator[bytes]:
    """2 MiB in as many chunks."""
    for _number in range(32):
        yield b"1\r\n \r\n" * 65536
    yield b"0\r\n\r\n"


MANIFEST = (("Content-Type", OCI_MANIFEST),)
CHUNKED = (*MANIFEST, ("Transfer-Encoding", "chunked"))
BIG_CONFIG = of_bytes(b'{"architecture":"amd64","os":"linux","x":[', b"{},", b"{}]}")

# Each would be kept as it is, if it were not refused.
DOCUMENTS = {
    "objects": (of_bytes(b'{"schemaVersion":2,"manifests":[', b"{},", b"{}]}"), ""),
    "lists": (of_bytes(b'{"schemaVersion":2,"x":[', b"[],", b"[]]}"), ""),
    "numbers": (of_bytes(b'{"schemaVersion":2,"x":[', b"1e9,", b"1]}"), ""),
    "nested": (of_bytes(b'{"schemaVersion":2,"x":[', b"[[[[[[[[]]]]]]]],", b"1]}"), ""),
    "wide-text": (of_bytes('{"schemaVersion":2,"x":"\U0001f600'.encode(), b"x", b'"}'), ""),
    "layers": (many_layers(15_000), "15000 layers"),
    "some-layers": (many_layers(2001), "2001 layers"),
    "digits": (of_bytes(b'{"schemaVersion":2,"x":', b"9", b"}"), ""),
}

ANSWERS = {
    "longer": (Reply(headers=MANIFEST, body=of_bytes(b'{"x":"', b"x", b'"}', size=10 * MOST)), "longer than"),
    "endless": (Reply(headers=MANIFEST, body=endless), "longer than"),
    "encoded": (
        Reply(headers=(*MANIFEST, ("Content-Encoding", "gzip")), body=gzip.compress(bytes(100 * MOST), 1)),
        "larger than",
    ),
    "single-bytes": (Reply(headers=CHUNKED, body=by_single_bytes, plain=False), ""),
    "error": (Reply(404, body=endless), "does not exist"),
    "refusal": (Reply(401, headers=(("WWW-Authenticate", "Basic"),), body=endless), "unauthorized"),
    "redirect": (Reply(302, headers=(("Location", "/v2/nowhere"),), body=endless), "does not exist"),
}


MORE = ("lists", "numbers", "nested", "wide-text", "some-layers", "longer", "error", "refusal", "redirect")
"""What is read, and cut off, as another of them is."""


def each(names: Iterable[str]) -> list[object]:
    """The names, as parameters."""
    return [pytest.param(name, marks=pytest.mark.thorough) if name in MORE else name for name in names]


@dataclass(frozen=True)
class Quiet:
    hostile: Hostile
    peak: int


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quiet]:
    """The server, and the memory of a run that has but the honest image."""
    with Hostile() as hostile:
        honest = hostile.image("honest", HONEST)
        site = Site(tmp_path_factory.mktemp("quiet"))
        result, peak = site.save_measured([honest])
        only(result, site, hostile)
        yield Quiet(hostile, peak)


def assert_small(quiet: Quiet, folder: Path, *words: str) -> None:
    """The image is refused, the honest one saved, and neither takes much memory."""
    hostile = quiet.hostile
    site = Site(folder / "site")
    result, peak = site.save_measured([hostile.reference("bad"), hostile.reference("honest")])
    only(result, site, hostile)
    assert all(word in refused(result, hostile.reference("bad")) for word in words), refused(
        result, hostile.reference("bad")
    )
    assert peak - quiet.peak < ALLOWED, f"{(peak - quiet.peak) / 2**20:.0f} MiB more than a quiet run"


@pytest.mark.parametrize("name", each(DOCUMENTS))
def test_documents_that_are_small_until_they_are_read(quiet: Quiet, tmp_path: Path, name: str) -> None:
    raw, word = DOCUMENTS[name]
    assert len(raw) <= MOST
    quiet.hostile.manifest("bad", raw, OCI_INDEX if b'"manifests"' in raw else OCI_MANIFEST)
    assert_small(quiet, tmp_path, word)


@pytest.mark.parametrize("name", each(ANSWERS))
def test_answers_that_are_too_long(quiet: Quiet, tmp_path: Path, name: str) -> None:
    reply, word = ANSWERS[name]
    quiet.hostile.replies["/v2/bad/manifests/1"] = reply
    assert_small(quiet, tmp_path, word)


def test_a_configuration_that_is_small_until_it_is_read(quiet: Quiet, tmp_path: Path) -> None:
    document = json.loads(small(3).raw)
    digest = quiet.hostile.blob("bad", BIG_CONFIG)
    document["config"] = {"mediaType": OCI_CONFIG, "digest": digest, "size": len(BIG_CONFIG)}
    quiet.hostile.manifest("bad", json.dumps(document).encode())
    assert_small(quiet, tmp_path, "configuration")


def test_many_platforms_with_many_layers(quiet: Quiet, tmp_path: Path) -> None:
    """No manifest is large, but all of them together would be."""
    children = [many_layers(1900, seed=number) for number in range(12)]
    entries = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": sha256(raw),
            "size": len(raw),
            "platform": {"os": "linux", "architecture": "amd64", "variant": str(number)},
        }
        for number, raw in enumerate(children)
    ]
    for raw in children:
        quiet.hostile.child("bad", raw)
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    quiet.hostile.manifest("bad", index, OCI_INDEX)
    assert_small(quiet, tmp_path, "more than 20000 layers")
