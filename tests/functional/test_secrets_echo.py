# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that repeat what they were told: no error that the module shows or writes down has it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import below, for_skopeo
from ansible_collections.airgap.images.tests.functional._secrets import (  # noqa: F401
    NEEDLES,
    OWNER,
    PAIR,
    Guarded,
    Told,
    by_authfile,
    by_options,
    guarded,
)
from ansible_collections.airgap.images.tests.support.faults import Respond, Rule
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.surveillance import Needles, forms
from ansible_collections.airgap.images.tests.support.workbench import Workbench

pytestmark = pytest.mark.both_ways

SIGNED = Needles(("T0kenOfARedirect", "S1gnatureOfARedirect"), tokens=False)
WORDS = {
    "the header": f"you sent Authorization: Basic {PAIR}",
    "base64 alone": f"what is {PAIR.rstrip('=')}?",
    "the password": f"the password {OWNER.password} is wrong",
    "in an address": f"no /login?p={quote(OWNER.password, safe='')}",
    "a token": "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJvd25lciJ9.c2lnbmF0dXJl is bad",
    # What is too long is cut to 200 characters, here within the secret.
    "cut": f"{'x' * 170} {OWNER.password}{OWNER.password}",
}


def each_of(*few: str) -> list[Any]:
    """All words as parameters; the test command has a few of them, other ones for each who repeats them."""
    more = pytest.mark.thorough
    return [pytest.param(words, id=name, marks=() if name in few else more) for name, words in WORDS.items()]


def repeating(status: int, words: str) -> Respond:
    """An error as the distribution specification wants it, with these words."""
    document = {"errors": [{"code": "DENIED", "message": words}]}
    return Respond(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


def run(bench: Workbench, proxy: Proxy, reference: str, told: Told, **params: Any) -> tuple[Result, Path]:
    """Saves with all that makes the module talk; gives the folder of what it wrote about it too."""
    logs = bench.directory / "logs"
    logs.mkdir()
    files = {"log_file": logs / "run.log", "failed_list": logs / "failed.txt"}
    more = {"retries": 1, "retry_delay": 0.01, "debug": True, **files, **told.params, **params}
    return bench.save([f"{proxy.host}/{reference}"], diff=True, env=told.env, **more), logs


def assert_unrepeated(result: Result, logs: Path, needles: Needles = NEEDLES) -> None:
    """It failed, and says why, but not with these words. Of a secret that was cut no piece is left."""
    assert result.failed and result["failed_images"][0]["reason"]
    texts = [json.dumps(result.data, ensure_ascii=False), result.stderr]
    texts += [path.read_text("utf-8") for path in logs.iterdir()]
    assert len(texts) == 4
    for text in texts:
        assert not needles.seen(text)
        assert OWNER.password[:6] not in text


@pytest.mark.parametrize("words", each_of("the header", "in an address", "cut"))
def test_a_registry_that_repeats_a_secret_to_us(guarded: Guarded, bench: Workbench, words: str) -> None:
    """Wherever the credential comes from: Ansible knows nothing of what is in a login file."""
    source = guarded.closed(bench, tokens=False)
    source.proxy.add(Rule(Respond(405), method="HEAD"), Rule(repeating(403, words), path="/manifests/"))
    told = by_authfile(bench.directory, source.proxy.host)
    result, logs = run(bench, source.proxy, below(source.registry, source.image), told)
    assert "DENIED" in result.msg, "the registry was not heard"
    assert_unrepeated(result, logs)


@pytest.mark.parametrize("status", [401, pytest.param(429, marks=pytest.mark.thorough), 500])
def test_a_registry_that_repeats_a_secret_with_any_status(guarded: Guarded, bench: Workbench, status: int) -> None:
    """Also where it is tried again, which is logged."""
    source = guarded.closed(bench, tokens=False)
    words = f"{WORDS['the header']}; {WORDS['the password']}"
    source.proxy.add(Rule(Respond(405), method="HEAD"), Rule(repeating(status, words), path="/manifests/"))
    told = by_authfile(bench.directory, source.proxy.host)
    result, logs = run(bench, source.proxy, below(source.registry, source.image), told)
    assert "DENIED" in result.msg, "the registry was not heard"
    assert_unrepeated(result, logs)


@pytest.mark.parametrize("words", each_of("base64 alone", "the password", "a token"))
def test_a_registry_that_repeats_a_secret_to_skopeo(guarded: Guarded, bench: Workbench, words: str) -> None:
    source = guarded.closed(bench, tokens=False)
    # Of other errors it tells no more than the status.
    rule = for_skopeo(source.image, repeating(401, words))
    source.proxy.add(rule)
    told = by_authfile(bench.directory, source.proxy.host)
    result, logs = run(bench, source.proxy, below(source.registry, source.image), told)
    assert rule.hits and "denied:" in result.msg, "the registry was not heard"
    assert_unrepeated(result, logs)


def test_a_token_service_that_repeats_a_secret(guarded: Guarded, bench: Workbench) -> None:
    source = guarded.closed(bench)
    challenge = {"WWW-Authenticate": f'Bearer realm="{source.proxy.url}/token",service="tests"'}
    source.proxy.add(
        Rule(repeating(401, WORDS["the header"]), path="^/token"),
        Rule(Respond(401, challenge), method="GET|HEAD", path="/v2/"),
    )
    told = by_options(bench.directory, source.proxy.host)
    result, logs = run(bench, source.proxy, below(source.registry, source.image), told)
    assert any(each.path == "/token" and PAIR in each.headers["authorization"] for each in source.proxy.requests())
    assert_unrepeated(result, logs)


def test_a_token_that_is_repeated(guarded: Guarded, bench: Workbench) -> None:
    """An opaque one, which nothing but the answer of the token service gives away."""
    token = "0paque.T0ken~of-the-service"
    source = guarded.closed(bench)
    challenge = {"WWW-Authenticate": f'Bearer realm="{source.proxy.url}/token",service="tests"'}
    source.proxy.add(
        Rule(Respond(200, {}, json.dumps({"token": token}).encode()), path="^/token"),
        Rule(Respond(401, challenge), method="HEAD", path="/manifests/", times=1),
        Rule(Respond(405), method="HEAD", path="/manifests/"),
        Rule(repeating(403, f"this token is bad: {token}"), path="/manifests/"),
    )
    told = by_options(bench.directory, source.proxy.host)
    result, logs = run(bench, source.proxy, below(source.registry, source.image), told)
    assert "this token is bad" in result.msg
    assert_unrepeated(result, logs, Needles((token,)))


def test_an_identity_token_is_as_secret(guarded: Guarded, bench: Workbench) -> None:
    """It is sent in a form (OAuth2), and opaque: nothing but the login file tells what it is."""
    token = "1dentity.T0ken/of+somebody"
    source = guarded.closed(bench)
    challenge = {"WWW-Authenticate": f'Bearer realm="{source.proxy.url}/token",service="tests"'}
    asked = Rule(repeating(401, f"{token} or {quote(token, safe='')}"), method="POST", path="^/token")
    source.proxy.add(asked, Rule(Respond(401, challenge), method="GET|HEAD", path="/v2/"))
    login = bench.directory / "login.json"
    login.write_text(json.dumps({"auths": {source.proxy.host: {"identitytoken": token}}}), encoding="utf-8")
    told = Told({"authfile": login}, {})
    result, logs = run(bench, source.proxy, below(source.registry, source.image), told)
    assert asked.hits and "DENIED" in result.msg
    assert_unrepeated(result, logs, Needles(tuple(forms(token))))


def test_an_identity_token_that_is_sent_as_a_password(guarded: Guarded, bench: Workbench) -> None:
    """To a service that does not know POST, and then in Basic: it repeats that."""
    token = "1dentity.T0ken/of+somebody"
    basic = base64.b64encode(f"<token>:{token}".encode()).decode()
    source = guarded.closed(bench)
    challenge = {"WWW-Authenticate": f'Bearer realm="{source.proxy.url}/token",service="tests"'}
    asked = Rule(repeating(403, f"{token} or {basic} or {quote(basic, safe='')}"), method="GET", path="^/token")
    source.proxy.add(
        Rule(Respond(405), method="POST", path="^/token"),
        asked,
        Rule(Respond(401, challenge), method="GET|HEAD", path="/v2/"),
    )
    login = bench.directory / "login.json"
    login.write_text(json.dumps({"auths": {source.proxy.host: {"identitytoken": token}}}), encoding="utf-8")
    result, logs = run(bench, source.proxy, below(source.registry, source.image), Told({"authfile": login}, {}))
    assert asked.hits and "DENIED" in result.msg
    assert_unrepeated(result, logs, Needles((*forms(token), basic)))


@pytest.mark.parametrize("asked", ["manifests", "blobs"])
def test_the_secrets_of_a_redirect(guarded: Guarded, bench: Workbench, asked: str) -> None:
    """Stores of blobs hand out addresses that anybody may use for a while."""
    source = guarded.closed(bench, tokens=False)
    location = "http://user:T0kenOfARedirect@127.0.0.1:1/blob?X-Signature=S1gnatureOfARedirect&expires=300"
    rule = Rule(Respond(307, {"Location": location}), path=f"/{asked}/")
    source.proxy.add(Rule(Respond(405), method="HEAD"), rule)
    told = by_options(bench.directory, source.proxy.host)
    result, logs = run(bench, source.proxy, below(source.registry, source.image), told)
    assert rule.hits and "127.0.0.1:1" in result.msg, result.msg
    assert_unrepeated(result, logs, SIGNED)
