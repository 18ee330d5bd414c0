# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are to fill the memory of who reads them: refused at little more than what a quiet run needs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, only, refused, shut_out
from ansible_collections.airgap.images.tests.support.hostile import Hostile, Reply
from ansible_collections.airgap.images.tests.support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.tests.support.layers import sha256
from ansible_collections.airgap.images.tests.support.samples import small

pytestmark = pytest.mark.both_ways

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


Arrange = Callable[[Hostile, str], object]


@dataclass(frozen=True)
class Case:
    """Has the tag ``1`` of a repository fill memory; words of the reason for which it is refused."""

    arrange: Arrange
    word: str


def sends(raw: bytes) -> Arrange:
    """A document that is small until it is read."""
    assert len(raw) <= MOST
    return lambda hostile, name: hostile.manifest(name, raw, OCI_INDEX if b'"manifests"' in raw else OCI_MANIFEST)


def answers(reply: Reply) -> Arrange:
    """An answer that is too long."""
    return lambda hostile, name: hostile.replies.update({f"/v2/{name}/manifests/1": reply})


def names_a_large_configuration(hostile: Hostile, name: str) -> None:
    """A configuration that is small until it is read."""
    document = json.loads(small(3).raw)
    digest = hostile.blob(name, BIG_CONFIG)
    document["config"] = {"mediaType": OCI_CONFIG, "digest": digest, "size": len(BIG_CONFIG)}
    hostile.manifest(name, json.dumps(document).encode())


def names_many_platforms(hostile: Hostile, name: str) -> None:
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
        hostile.child(name, raw)
    hostile.manifest(
        name, json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode(), OCI_INDEX
    )


CASES = {
    **{name: Case(sends(raw), word) for name, (raw, word) in DOCUMENTS.items()},
    **{name: Case(answers(reply), word) for name, (reply, word) in ANSWERS.items()},
    "configuration": Case(names_a_large_configuration, "configuration"),
    "platforms": Case(names_many_platforms, "more than 20000 layers"),
}

MORE = ("lists", "numbers", "nested", "wide-text", "some-layers", "longer", "error", "refusal", "redirect")
"""Those that are read, and cut off, as another one is."""


@dataclass(frozen=True)
class Quiet:
    """The server, and the memory of a run that has but the honest image."""

    hostile: Hostile
    peak: int


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, skopeo_copy: str) -> Iterator[Quiet]:
    with Hostile() as hostile:
        honest = hostile.image("honest", HONEST)
        for name, case in CASES.items():
            case.arrange(hostile, f"bad/{name}")
        site = Site(tmp_path_factory.mktemp("quiet"))
        result, peak = site.save_measured([honest])
        only(result, site, hostile)
        yield Quiet(hostile, peak)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if name in MORE else name for name in CASES]
)
def test_what_would_fill_memory_is_refused(quiet: Quiet, tmp_path: Path, name: str, skopeo_copy: str) -> None:
    """The honest image is saved, and neither takes much memory."""
    hostile, site = quiet.hostile, Site(tmp_path / "site")
    bad = hostile.reference(f"bad/{name}")
    result, peak = site.save_measured([bad, hostile.reference("honest")])
    is_shut_out = name == "refusal" and skopeo_copy == "always"
    (shut_out if is_shut_out else only)(result, site, hostile)
    assert CASES[name].word in refused(result, bad)
    assert peak - quiet.peak < ALLOWED, f"{(peak - quiet.peak) / 2**20:.0f} MiB more than a quiet run"
