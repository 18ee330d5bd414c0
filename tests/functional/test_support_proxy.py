# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault proxy, seen by a client that is not skopeo."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest
import requests
import urllib3.exceptions

from ansible_collections.airgap.images.tests.support.certificates import Authority, KeyPair
from ansible_collections.airgap.images.tests.support.faults import (
    Action,
    Authorize,
    Busy,
    Corrupt,
    Hold,
    Mismeasure,
    Redirect,
    Relabel,
    Reset,
    Respond,
    Rule,
    Stall,
    Trickle,
    Truncate,
)
from ansible_collections.airgap.images.tests.support.layers import sha256
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import PushedImage
from ansible_collections.airgap.images.tests.support.skopeo import copy
from ansible_collections.airgap.images.tests.support.workbench import USER, Source, Workbench

TIMEOUT = 30


@pytest.fixture
def image(source: Source) -> PushedImage:
    return source["oci/gzip:1"]


@pytest.fixture
def proxy(bench: Workbench, source: Source) -> Proxy:
    return bench.proxy(source.registry)


def blob_url(proxy: Proxy, image: PushedImage) -> str:
    """The URL of the last layer of the only platform."""
    return f"{proxy.url}/v2/{image.repository}/blobs/{image.platforms[0].layers[-1].digest}"


def test_what_no_rule_matches_goes_through(proxy: Proxy, image: PushedImage) -> None:
    proxy.add(Rule(Respond(500), path="/other/"), Rule(Respond(500), method="PUT"))
    layer = image.platforms[0].layers[-1]
    with requests.Session() as session:
        for _time in range(3):
            answer = session.get(blob_url(proxy, image), timeout=TIMEOUT)
            assert sha256(answer.content) == layer.digest
        head = session.head(blob_url(proxy, image), timeout=TIMEOUT)
        assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(layer.size), b"")
    assert proxy.blob_gets() == {layer.digest: 3}
    proxy.wait_for(lambda seen: all(each.done for each in seen))
    assert [(each.method, each.status, each.sent) for each in proxy.requests()] == [
        *[("GET", 200, layer.size)] * 3,
        ("HEAD", 200, 0),
    ]


def test_rules_apply_in_order_and_run_out(proxy: Proxy, image: PushedImage) -> None:
    busy = Rule(Respond(429, {"Retry-After": "7"}, b"slow down"), path="/blobs/", times=2)
    broken = Rule(Respond(503), path="/blobs/", times=1)
    proxy.add(busy, broken)
    answers = [requests.get(blob_url(proxy, image), timeout=TIMEOUT) for _time in range(4)]
    assert [each.status_code for each in answers] == [429, 429, 503, 200]
    assert (answers[0].headers["Retry-After"], answers[0].content) == ("7", b"slow down")
    assert (busy.hits, broken.hits) == (2, 1)
    for_ever = Rule(Respond(500), path="/blobs/")
    proxy.add(for_ever)
    assert [requests.get(blob_url(proxy, image), timeout=TIMEOUT).status_code for _time in range(2)] == [500, 500]
    for_ever.end()
    assert requests.get(blob_url(proxy, image), timeout=TIMEOUT).status_code == 200


@pytest.mark.parametrize("action", [Truncate(1000), Reset(1000), Reset()], ids=repr)
def test_a_connection_that_breaks(proxy: Proxy, image: PushedImage, action: Action) -> None:
    proxy.add(Rule(action, path="/blobs/", times=1))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        requests.get(blob_url(proxy, image), timeout=TIMEOUT)
    assert requests.get(blob_url(proxy, image), timeout=TIMEOUT).status_code == 200


def test_wrong_bytes(proxy: Proxy, image: PushedImage, source: Source) -> None:
    proxy.add(Rule(Corrupt(1234), path="/blobs/"))
    layer = image.platforms[0].layers[-1]
    right = source.registry.blob_path(layer.digest).read_bytes()
    wrong = requests.get(blob_url(proxy, image), timeout=TIMEOUT).content
    assert len(wrong) == len(right)
    assert [place for place in range(len(right)) if right[place] != wrong[place]] == [1234]


def test_another_body_of_the_same_length(proxy: Proxy, image: PushedImage, source: Source) -> None:
    proxy.add(Rule(Corrupt(None), path="/blobs/"))
    right = source.registry.blob_path(image.platforms[0].layers[-1].digest).read_bytes()
    wrong = requests.get(blob_url(proxy, image), timeout=TIMEOUT).content
    assert wrong == bytes(byte ^ 0xFF for byte in right)


def test_a_busy_registry_says_when_to_come_back(proxy: Proxy, image: PushedImage) -> None:
    for action in (Busy(), Busy(7), Busy(7, as_date=True)):
        proxy.add(Rule(action, path="/blobs/", times=1))
    before = time.time()
    answers = [requests.get(blob_url(proxy, image), timeout=TIMEOUT) for _time in range(4)]
    assert [each.status_code for each in answers] == [429, 429, 429, 200]
    assert [each.headers.get("Retry-After") for each in answers[:2]] == [None, "7"]
    until = parsedate_to_datetime(answers[2].headers["Retry-After"]).timestamp()
    assert before + 6 <= until <= time.time() + 7


def test_a_length_that_is_too_short(proxy: Proxy, image: PushedImage, source: Source) -> None:
    proxy.add(Rule(Mismeasure(-100), path="/blobs/", times=1))
    right = source.registry.blob_path(image.platforms[0].layers[-1].digest).read_bytes()
    assert requests.get(blob_url(proxy, image), timeout=TIMEOUT).content == right[:-100]
    assert requests.get(blob_url(proxy, image), timeout=TIMEOUT).content == right


def test_a_length_that_is_too_long(proxy: Proxy, image: PushedImage) -> None:
    proxy.add(Rule(Mismeasure(100), path="/blobs/", times=1))
    answer = requests.get(blob_url(proxy, image), stream=True, timeout=TIMEOUT)
    size = image.platforms[0].layers[-1].size
    assert answer.headers["Content-Length"] == str(size + 100)
    assert len(answer.raw.read(size)) == size
    with pytest.raises(urllib3.exceptions.ProtocolError, match="100 more expected"):
        answer.raw.read(1)
    assert requests.get(blob_url(proxy, image), timeout=TIMEOUT).status_code == 200


def test_another_content_type(proxy: Proxy, image: PushedImage) -> None:
    proxy.add(Rule(Relabel("text/html"), path="/manifests/"))
    url = f"{proxy.url}/v2/{image.repository}/manifests/{image.tag}"
    answer = requests.get(url, headers={"Accept": image.media_type}, timeout=TIMEOUT)
    assert (answer.headers["Content-Type"], answer.content) == ("text/html", image.raw)


def test_an_answer_that_never_begins(proxy: Proxy, image: PushedImage, source: Source) -> None:
    proxy.add(Rule(Stall(-1), path="/blobs/", times=1))
    with pytest.raises(requests.ReadTimeout):
        requests.get(blob_url(proxy, image), timeout=0.3)
    proxy.wait_for(lambda seen: seen[0].done)
    assert (proxy.requests()[0].status, proxy.requests()[0].sent) == (0, 0)
    assert not source.registry.requests()


def test_a_body_that_trickles(proxy: Proxy, image: PushedImage, source: Source) -> None:
    proxy.add(Rule(Trickle(100, 0.01, 5), path="/blobs/", times=1), Rule(Trickle(100, 60), path="/blobs/"))
    layer = image.platforms[0].layers[-1]
    assert sha256(requests.get(blob_url(proxy, image), timeout=TIMEOUT).content) == layer.digest
    answer = requests.get(blob_url(proxy, image), stream=True, timeout=TIMEOUT)
    assert len(answer.raw.read(100)) == 100
    proxy.wait_for(lambda seen: seen[1].sent == 100)
    assert not proxy.requests()[1].done
    answer.close()


def test_a_rule_for_one_client(proxy: Proxy, image: PushedImage) -> None:
    proxy.add(Rule(Respond(503), path="/blobs/", agent="^skopeo/"))
    statuses = [
        requests.get(blob_url(proxy, image), headers={"User-Agent": agent}, timeout=TIMEOUT).status_code
        for agent in ("skopeo/1.9", "airgap.images/1", "not skopeo/1")
    ]
    assert statuses == [503, 200, 200]


def test_another_authorization_for_one_request(bench: Workbench) -> None:
    proxy = bench.proxy(bench.registry(basic=USER), Rule(Authorize("Bearer expired"), times=1))
    user = (USER.username.encode(), USER.password.encode())
    statuses = [requests.get(f"{proxy.url}/v2/", auth=user, timeout=TIMEOUT).status_code for _time in range(2)]
    assert statuses == [401, 200]


@pytest.mark.parametrize(
    ("issue", "said"),
    [(Authority.expired, "certificate has expired"), (Authority.misnamed, "IP address mismatch")],
    ids=["expired", "misnamed"],
)
def test_certificates_that_are_not_valid(
    bench: Workbench, source: Source, issue: Callable[[Authority], KeyPair], said: str
) -> None:
    context = ssl.create_default_context(cafile=str(bench.authority.ca_path))
    with Proxy(source.registry.url, tls=issue(bench.authority)) as proxy:
        host, _colon, port = proxy.host.partition(":")
        connection = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        with connection, pytest.raises(ssl.SSLCertVerificationError, match=said):
            context.wrap_socket(connection, server_hostname=host)


def test_a_body_that_stops_for_ever(proxy: Proxy, image: PushedImage) -> None:
    proxy.add(Rule(Stall(5000), path="/blobs/"))
    answer = requests.get(blob_url(proxy, image), stream=True, timeout=TIMEOUT)
    assert len(answer.raw.read(5000)) == 5000
    proxy.wait_for(lambda seen: seen[0].sent == 5000)
    assert not proxy.requests()[0].done
    answer.close()
    proxy.wait_for(lambda seen: seen[0].done)


def test_a_request_that_is_held_back(proxy: Proxy, image: PushedImage, source: Source) -> None:
    hold = Hold()
    proxy.add(Rule(hold, path="/blobs/"))
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(requests.get(blob_url(proxy, image), timeout=TIMEOUT).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    proxy.wait_for(lambda seen: len(seen) == 1)
    assert not source.registry.requests()
    hold.release()
    asking.join()
    assert statuses == [200]


def test_where_credentials_go(bench: Workbench, proxy: Proxy, image: PushedImage) -> None:
    other = bench.proxy(bench.registry(), Rule(Respond(200, body=b"from elsewhere")))
    proxy.add(Rule(Redirect(other.url), path="/blobs/"))
    answer = requests.get(blob_url(proxy, image), auth=("me", "secret"), timeout=TIMEOUT)
    assert answer.content == b"from elsewhere"
    sent = base64.b64encode(b"me:secret").decode()
    assert proxy.requests()[0].headers["authorization"] == f"Basic {sent}"
    (redirected,) = other.requests()
    assert "authorization" not in redirected.headers
    assert redirected.path.endswith(image.platforms[0].layers[-1].digest)


def test_the_proxy_can_log_in_itself(bench: Workbench) -> None:
    registry = bench.registry(basic=USER)
    encoded = base64.b64encode(f"{USER.username}:{USER.password}".encode()).decode()
    proxy = bench.proxy(registry, authorization=f"Basic {encoded}")
    assert requests.get(f"{proxy.url}/v2/", timeout=TIMEOUT).status_code == 200
    assert "authorization" not in proxy.requests()[0].headers


def test_skopeo_pulls_and_pushes_through_it(proxy: Proxy, bench: Workbench, image: PushedImage) -> None:
    before = f"docker://{proxy.host}/{image.repository}@{image.digest}"
    second = bench.proxy(bench.registry())
    copy(before, f"docker://{second.host}/copy:1", "--src-tls-verify=false", "--dest-tls-verify=false")
    pulled = [image.platforms[0].config_digest, *(layer.digest for layer in image.platforms[0].layers)]
    assert sorted(proxy.blob_gets().elements()) == sorted(pulled)
    assert {each.method for each in second.requests()} >= {"POST", "PATCH", "PUT"}


def test_tls_of_its_own(bench: Workbench, source: Source, image: PushedImage) -> None:
    proxy = bench.proxy(source.registry, tls=True)
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{proxy.url}/v2/", timeout=TIMEOUT)
        session.verify = str(bench.authority.ca_path)
        assert session.get(blob_url(proxy, image), timeout=TIMEOUT).status_code == 200


def test_a_registry_that_is_away(bench: Workbench) -> None:
    registry = bench.registry()
    proxy = bench.proxy(registry)
    with requests.Session() as session:
        assert session.get(f"{proxy.url}/v2/", timeout=TIMEOUT).status_code == 200
        registry.stop()
        assert session.get(f"{proxy.url}/v2/", timeout=TIMEOUT).status_code == 502
        registry.start()
        assert session.get(f"{proxy.url}/v2/", timeout=TIMEOUT).status_code == 200


def test_several_requests_at_once(bench: Workbench, source: Source, image: PushedImage) -> None:
    proxy = bench.proxy(source.registry, Rule(Stall(), path="/blobs/"))
    answers = [requests.get(blob_url(proxy, image), stream=True, timeout=TIMEOUT) for _time in range(4)]
    assert [each.status_code for each in answers] == [200] * 4
    for each in answers:
        each.close()
