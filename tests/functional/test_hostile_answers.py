# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as nobody should speak it: headers, redirects, challenges, tokens. Each is an error in one line, and in time."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ansible_collections.airgap.images.tests.functional._hostile import (
    HONEST,
    Site,
    files,
    only,
    refused,
    shut_out,
    to_us,
)
from ansible_collections.airgap.images.tests.support.hostile import Hostile, Reply
from ansible_collections.airgap.images.tests.support.images import OCI_MANIFEST
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.samples import small

pytestmark = pytest.mark.both_ways

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u2028\u202egnp.exe"
HEADERS = (("Content-Type", OCI_MANIFEST),)
LONG = 1_000_000


def raw(head: str, body: bytes = HONEST.raw) -> Reply:
    """Exactly these bytes."""
    return Reply(raw=head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)


def ok(*headers: str, body: bytes = HONEST.raw) -> Reply:
    return raw("\n".join(["HTTP/1.1 200 OK", f"Content-Type: {OCI_MANIFEST}", *headers, "Connection: close"]), body)


def to(location: str, status: int = 307) -> Reply:
    return Reply(status, headers=(("Location", location),))


def challenge(text: str) -> Reply:
    return Reply(401, headers=(("WWW-Authenticate", text),))


def problem(message: object, status: int = 400) -> Reply:
    return Reply(status, body=json.dumps({"errors": [{"code": "X", "message": message}]}).encode())


@dataclass(frozen=True)
class Case:
    """The answer for a tag, and a word of the reason."""

    reply: Reply
    word: str = ""


CASES = {
    # Headers
    "many-headers": Case(ok(*(f"X-{number}: x" for number in range(5000))), "headers"),
    "long-header": Case(ok("X: " + "x" * LONG), "header line"),
    "long-status": Case(raw("HTTP/1.1 200 " + "O" * LONG), "line"),
    "no-http": Case(Reply(raw=b"\x1b[2J\x9b31m\r\nSSH-2.0-OpenSSH\r\n\r\n"), ""),
    "nothing": Case(Reply(raw=b""), ""),
    "status-text": Case(raw("HTTP/1.1 \x1b[2J OK"), ""),
    "status-huge": Case(raw("HTTP/1.1 99999999 OK"), ""),
    "status-negative": Case(raw("HTTP/1.1 -200 OK"), ""),
    "status-odd": Case(raw("HTTP/1.1 299 \x1b[2J\nContent-Length: 0\nConnection: close", b""), "299"),
    "length-digits": Case(ok("Content-Length: " + "9" * 5000), ""),
    "length-beyond": Case(ok(f"Content-Length: {2**63}"), ""),
    "length-lies": Case(ok(f"Content-Length: {len(HONEST.raw) + 5}"), "ended after"),
    "length-short": Case(ok("Content-Length: 10"), ""),
    "length-differs": Case(ok("Content-Length: 10", f"Content-Length: {len(HONEST.raw)}"), "Content-Length"),
    "length-wide": Case(ok("Content-Length: \xb2\xb3"), ""),
    "chunk-garbage": Case(ok("Transfer-Encoding: chunked", body=b"zz\x1b[2J\r\n"), "broke off"),
    "chunk-negative": Case(ok("Transfer-Encoding: chunked", body=b"-5\r\nabcde\r\n0\r\n\r\n"), ""),
    "chunk-huge": Case(ok("Transfer-Encoding: chunked", body=b"f" * 5000 + b"\r\nabcde"), ""),
    "chunk-open": Case(ok("Transfer-Encoding: chunked", body=b"ffffff\r\nabcde"), "broke off"),
    "encoded-badly": Case(ok("Content-Encoding: gzip", body=b"\x1f\x8b\x08\x00\x1b[2J" * 9), "not readable"),
    "encoded-oddly": Case(ok("Content-Encoding: \x1b[2J", body=b"\x1b[2J"), "not readable"),
    "folded": Case(ok("Content-Encoding: x\n \x1b[2J", body=b"{}"), "not readable"),
    "cookies": Case(Reply(500, headers=(("Set-Cookie", "a=b; expires=" + " " * 60_000 + "x"),) * 20), "500"),
    # Errors in words
    "words": Case(problem(ESCAPES + "\r\nok: [host]"), "owned"),
    "words-long": Case(problem("x" * 60_000), "xxx"),
    "words-list": Case(problem([ESCAPES]), "400"),
    "words-404": Case(problem(ESCAPES, 404), "does not exist"),
    "wait-digits": Case(Reply(429, headers=(("Retry-After", "9" * 5000),)), "429"),
    "wait-far": Case(Reply(503, headers=(("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"),)), "503"),
    "wait-escapes": Case(Reply(503, headers=(("Retry-After", ESCAPES),)), "503"),
    # Redirects
    "loop": Case(to("/v2/bad/loop/manifests/1"), "redirects more than"),
    "to-file": Case(to("file:///etc/passwd"), "not http or https"),
    "to-file-local": Case(to("file://127.0.0.1/etc/passwd"), "not http or https"),
    "to-ftp": Case(to("ftp://127.0.0.1/x"), "not http or https"),
    "to-gopher": Case(to("gopher://127.0.0.1:1/_x"), "not http or https"),
    "to-data": Case(to("data:application/json,{}"), "not http or https"),
    "to-script": Case(to("javascript:alert(1)"), "not http or https"),
    "to-bracket": Case(to("http://[::1"), "not a URL"),
    "to-no-host": Case(to("http:///x"), ""),
    "to-port": Case(to("http://127.0.0.1:99999/x"), ""),
    "to-port-text": Case(to("http://127.0.0.1:\x1b[2J/x"), ""),
    "to-escapes": Case(to("http://127.0.0.1\x1b[2J\x9b31m/x"), ""),
    "to-user": Case(to("http://me:secret@127.0.0.1:1/x"), "127.0.0.1:1"),
    "to-user-escapes": Case(to("http://\x1b[2Jme:secret@127.0.0.1:1/x"), ""),
    "to-label": Case(to("http://" + "a" * 70 + ".invalid/x"), ""),
    "to-dots": Case(to("http://a..b.invalid/x"), ""),
    "to-nul": Case(to("http://127.0.0.1\0/x"), ""),
    "to-line": Case(
        raw("HTTP/1.1 307 X\nLocation: http://127.0.0.1:1/\n \x1b[2J\nContent-Length: 0\nConnection: close", b""), ""
    ),
    "to-long": Case(to("/" + "x" * 60_000), ""),
    "to-wide": Case(to("http://127.0.0.1\uff0fevil\u2100/x"), ""),
    # Challenges
    "challenge-garbage": Case(challenge(ESCAPES + '=,,=="\\'), "unauthorized"),
    "challenge-empty": Case(challenge(""), "unauthorized"),
    "challenge-long": Case(challenge('Bearer realm="' + "x" * LONG + '"'), "header line"),
    "challenge-blanks": Case(challenge(("Bearer " + " ," * 4000 + "x") * 4), ""),
    "challenge-many": Case(challenge(", ".join(f'S{number} realm="x"' for number in range(3000))), "unauthorized"),
    "challenge-often": Case(Reply(401, headers=(("WWW-Authenticate", "Negotiate"),) * 90), "unauthorized"),
    "realm-none": Case(challenge('Bearer service="x"'), "no usable token service"),
    "realm-file": Case(challenge('Bearer realm="file:///etc/passwd"'), "no usable token service"),
    "realm-bracket": Case(challenge('Bearer realm="http://[::1/"'), "no usable token service"),
    "realm-escapes": Case(challenge('Bearer realm="http://127.0.0.1:1\x1b[2J/t"'), ""),
    "realm-relative": Case(challenge('Bearer realm="/token"'), "no usable token service"),
    "realm-label": Case(challenge('Bearer realm="http://' + "a" * 70 + '.invalid/t"'), ""),
}

TOKENS = {
    "not-json": (Reply(body=b"<html>\x1b[2J"), "no readable token"),
    "list": (Reply(body=b"[]"), "no readable token"),
    "none": (Reply(body=b"{}"), "no readable token"),
    "number": (Reply(body=b'{"token": 12}'), "no readable token"),
    "line": (Reply(body=b'{"token": "abc\\r\\nX-Injected: 1"}'), "no readable token"),
    "blank": (Reply(body=b'{"token": "abc def"}'), "no readable token"),
    "nul": (Reply(body=b'{"token": "abc\\u0000"}'), "no readable token"),
    "wide": (Reply(body='{"token": "abc\u65e5\u672c"}'.encode()), "no readable token"),
    "latin": (Reply(body='{"token": "abc\xe9"}'.encode()), "no readable token"),
    "long": (Reply(body=b'{"token": "' + b"x" * 10 * LONG + b'"}'), "longer than"),
    "twice": (Reply(body=b'{"token": "a", "token": "b"}'), "no readable token"),
    "deep": (Reply(body=b'{"token":' * 20_000), "no readable token"),
    "refused": (problem(ESCAPES, 403), "denied"),
    "error": (problem(ESCAPES, 500), "500"),
    "loop": (to("/token/loop"), "redirects more than"),
    "to-file": (to("file:///etc/passwd"), "not http or https"),
}


@dataclass(frozen=True)
class Batch:
    result: Result
    site: Site
    hostile: Hostile


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, skopeo_copy: str) -> Iterator[Batch]:
    """All cases in one run, with the honest image at the end."""
    with Hostile() as hostile:
        honest = hostile.image("honest", HONEST)
        for name, case in CASES.items():
            for reference in ("1", HONEST.digest):
                hostile.replies[f"/v2/bad/{name}/manifests/{reference}"] = case.reply
        for name, (reply, _word) in TOKENS.items():
            realm = f'Bearer realm="{hostile.url}/token/{name}",service="x"'
            hostile.replies[f"/v2/token/{name}/manifests/1"] = challenge(realm)
            hostile.replies[f"/token/{name}"] = reply
        names = [hostile.reference(name) for name in (*(f"bad/{n}" for n in CASES), *(f"token/{n}" for n in TOKENS))]
        # Only a GET is answered in words.
        hostile.rules.append(
            lambda asked: Reply(405) if asked.method == "HEAD" and "/bad/words" in asked.path else None
        )
        site = Site(tmp_path_factory.mktemp("batch"))
        yield Batch(site.save([*names, honest]), site, hostile)


def test_all_others_are_saved(batch: Batch, skopeo_copy: str) -> None:
    (shut_out if skopeo_copy == "always" else only)(batch.result, batch.site, batch.hostile)
    others = 1 if skopeo_copy == "always" else 0
    assert len(batch.result["failed_images"]) == len(CASES) + len(TOKENS) + others
    assert not [each for each in batch.result["failed_images"] if "timeout" in each["reason"]], "none is waited for"


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_answer_is_refused(batch: Batch, name: str) -> None:
    reason = refused(batch.result, batch.hostile.reference(f"bad/{name}"))
    assert CASES[name].word in reason
    assert "secret" not in reason


@pytest.mark.parametrize("name", TOKENS)
def test_what_is_no_token_is_refused(batch: Batch, name: str) -> None:
    reason = refused(batch.result, batch.hostile.reference(f"token/{name}"))
    assert TOKENS[name][1] in reason


def test_no_header_was_injected(batch: Batch) -> None:
    assert not [each for each in batch.hostile.asked() if "x-injected" in each.headers]
    assert not [each for each in batch.hostile.asked() if each.path.startswith("/token") and each.authorization]


def again() -> Iterator[bytes]:
    """Informational answers without end."""
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n" * 100
        time.sleep(0.01)


def trailers() -> Iterator[bytes]:
    """A body that is whole, and then headers without end; so many at once that nobody takes the connection for idle."""
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: x\r\n" * 20_000
    while True:
        yield b"X: x\r\n" * 100
        time.sleep(0.01)


def dripping() -> Iterator[bytes]:
    """A header that grows by a byte now and then."""
    yield b"HTTP/1.1 200 OK\r\nX: "
    while True:
        time.sleep(0.1)
        yield b"x"


ENDLESS = {each.__name__: each for each in (again, trailers, dripping)}
DOCUMENTS = ("manifest", "blob")


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory, skopeo_copy: str) -> Iterator[Batch]:
    """Each of these answers for a manifest and for a blob, all in one run."""
    with Hostile() as hostile:
        honest = hostile.image("honest", HONEST)
        names = []
        for number, (way, kind) in enumerate(itertools.product(ENDLESS, DOCUMENTS)):
            image = small(40 + number)
            names.append(hostile.image(f"{way}/{kind}", image))
            part = "manifests/1" if kind == "manifest" else f"blobs/{image.layers[2].digest}"
            hostile.rules.append(to_us(f"/v2/{way}/{kind}/{part}", Reply(raw=ENDLESS[way])))
        site = Site(tmp_path_factory.mktemp("waiting"))
        yield Batch(site.save([*names, honest], timeout=2, jobs=8), site, hostile)


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("way", ENDLESS)
def test_an_answer_that_never_begins_or_ends_is_given_up(waiting: Batch, way: str, kind: str) -> None:
    only(waiting.result, waiting.site, waiting.hostile)
    assert "timeout" in refused(waiting.result, waiting.hostile.reference(f"{way}/{kind}"))
    assert not [name for name in files(waiting.site.cache) if "blob-" in name]
