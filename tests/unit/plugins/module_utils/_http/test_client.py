# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP for registries."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import format_datetime
from http.client import BadStatusLine, IncompleteRead, InvalidURL
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.deadline import time_left
from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http import client as http_module
from ansible_collections.airgap.images.plugins.module_utils._http import response as response_module
from ansible_collections.airgap.images.plugins.module_utils._http import status_errors, transport
from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.connection_errors import (
    explain_connect,
    explain_failure,
)
from ansible_collections.airgap.images.plugins.module_utils._http.response import (
    Response,
    number_of,
    origin_of,
    shown_host,
)
from ansible_collections.airgap.images.plugins.module_utils._http.status_errors import explain_status, parse_retry_after
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust
from ansible_collections.airgap.images.plugins.module_utils._http.transport import USER_AGENT
from ansible_collections.airgap.images.tests.unit.server import Reply, Server

LIMIT = 1000
OPEN = Trust(True, None)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    """Another host, such as the storage behind a registry."""
    with Server() as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[Http]:
    client = Http(server.host, OPEN, read_timeout=30, connections=4)
    yield client
    client.close()


def read(http: Http, server: Server, path: str = "/", method: str = "GET", **more: Any) -> Response:
    return http.read(method, server.url + path, **{"headers": {}, "limit": LIMIT, **more})


def redirect(target: str, status: int = 307) -> Reply:
    return Reply(status, headers=(("Location", target),))


def test_an_answer(server: Server, http: Http) -> None:
    server.route("/a", Reply(200, b"body", (("X-Name", "value"),)))
    answer = read(http, server, "/a?b=c", headers={"X-Own": "1"})
    assert (answer.status, answer.body, answer.origin) == (200, b"body", server.url)
    assert answer.header("x-name") == answer.header("X-NAME") == "value"
    assert answer.header("missing") == ""
    [request] = server.requests
    assert request.line == "GET /a?b=c"
    assert request.headers["x-own"] == "1"
    assert request.headers["user-agent"] == USER_AGENT
    assert request.headers["accept-encoding"] == "identity"


def test_a_header_that_stands_twice_is_joined(server: Server, http: Http) -> None:
    server.route("/", Reply(401, headers=(("WWW-Authenticate", "Basic"), ("WWW-Authenticate", "Bearer"))))
    assert read(http, server).header("www-authenticate") == "Basic, Bearer"


def test_connections_are_kept(server: Server, http: Http) -> None:
    server.route("*", Reply(200, b"x"))
    for method in ("GET", "HEAD", "GET", "HEAD"):
        read(http, server, method=method)
    assert server.connections == 1


def test_head_has_no_body(server: Server, http: Http) -> None:
    server.route("/", Reply(200, b"x" * 5000))
    answer = read(http, server, method="HEAD")
    assert (answer.body, answer.header("content-length")) == (b"", "5000")


@pytest.mark.parametrize(("size", "is_fine"), [(LIMIT, True), (LIMIT + 1, False), (50 * LIMIT, False)])
def test_a_body_has_a_limit(server: Server, http: Http, size: int, is_fine: bool) -> None:
    server.route("/", Reply(200, b"x" * size))
    if is_fine:
        assert len(read(http, server).body) == size
    else:
        with pytest.raises(TransferError, match="longer than 1000 bytes") as caught:
            read(http, server)
        assert caught.value.heals is False


def test_the_body_of_an_error_is_cut(server: Server, http: Http) -> None:
    server.route("/", Reply(500, b"x" * 200_000))
    assert len(read(http, server).body) == 64 * 1024


def test_a_body_that_breaks_off(server: Server, http: Http) -> None:
    server.route("/", Reply(200, b"x" * 100, cut=40))
    with pytest.raises(TransferError, match=r"broke off|ended after 40 of 100 bytes") as caught:
        read(http, server)
    assert caught.value.heals is True


def test_a_length_that_is_none(server: Server, http: Http) -> None:
    server.route("/", Reply(200, b"x", (("Content-Length", "\u00b2"), ("Connection", "close")), cut=1))
    assert read(http, server).body == b"x"


def test_lengths_that_contradict_each_other(server: Server, http: Http) -> None:
    server.route("/", Reply(200, b"xy", (("Content-Length", "2"), ("Content-Length", "1"))))
    with pytest.raises(TransferError, match="Content-Length has several values: 2, 1"):
        read(http, server)
    server.route("/", Reply(200, b"xy", (("Content-Length", "2"), ("Content-Length", "2"))))
    assert read(http, server).body == b"xy"


ENCODED: dict[str, tuple[bytes, str, bytes]] = {
    "as it says": (gzip.compress(b"x" * 50), "gzip", b"x" * 50),
    "in capitals": (gzip.compress(b"x"), "X-GZIP", b"x"),
    "not at all": (b'{"a": 1}', "gzip", b'{"a": 1}'),
    "otherwise": (b"abc", "aws-chunked", b"abc"),
    "damaged": (gzip.compress(b"x" * 50)[:20] + b"!!!!!!!!!!", "gzip", b""),
    "twice": (gzip.compress(b"x"), "gzip, gzip", gzip.compress(b"x")),
}


@pytest.mark.parametrize(("body", "encoding", "plain"), ENCODED.values(), ids=ENCODED)
def test_an_answer_that_says_it_is_encoded(
    server: Server, http: Http, body: bytes, encoding: str, plain: bytes
) -> None:
    """Both are given: the bytes as they came, and what they may stand for."""
    server.route("/", Reply(200, body, (("Content-Encoding", encoding),)))
    answer = read(http, server)
    assert answer.body == body
    assert answer.plain == plain or (not plain and answer.plain in (body, b"x" * len(answer.plain)))


def test_little_that_stands_for_much_takes_no_memory(server: Server, http: Http) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    server.route("/", Reply(200, bomb, (("Content-Encoding", "gzip"),)))
    answer = read(http, server, limit=100_000)
    assert len(answer.plain) <= 16 * len(bomb) + 1


def test_a_body_is_streamed(server: Server, http: Http) -> None:
    data = bytes(range(256)) * 10_000
    server.route("/", Reply(200, data))
    with http.stream("GET", server.url + "/", headers={}) as (answer, chunks):
        assert answer.status == 200
        assert b"".join(chunks) == data


def test_what_came_is_given_on_at_once(server: Server, http: Http) -> None:
    """However little it is: who reads can then see that time is up."""
    server.route("/", Reply(200, b"x" * 5000, cut=10, stalls=True))
    with http.stream("GET", server.url + "/", headers={}) as (_answer, chunks):
        assert next(chunks) == b"x" * 10


def test_a_connection_is_kept_after_a_streamed_body(server: Server, http: Http) -> None:
    server.route("*", Reply(200, b"x" * 5000))
    for _time in range(3):
        with http.stream("GET", server.url + "/", headers={}) as (_answer, chunks):
            assert b"".join(chunks) == b"x" * 5000
    assert server.connections == 1


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def answer_once(body: bytes) -> tuple[socket.socket, threading.Thread]:
    """A server that sends a body in HTTP's own chunks, and hangs up."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _address = listening.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    return listening, thread


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_body_in_chunks(is_whole: bool) -> None:
    body = chunked(b"a" * 1000, b"b" * 10) + (chunked(b"") if is_whole else b"3e8\r\nccc")
    listening, thread = answer_once(body)
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    http = Http(host, OPEN, read_timeout=30, connections=1)
    received: list[bytes] = []
    try:
        with http.stream("GET", f"http://{host}/", headers={}) as (_answer, chunks):
            if is_whole:
                received += chunks
            else:
                with pytest.raises(TransferError, match="broke off") as caught:
                    for chunk in chunks:
                        received.append(chunk)
                assert caught.value.heals is True
    finally:
        thread.join()
        http.close()
        listening.close()
    assert b"".join(received).startswith(b"a" * 1000 + b"b" * 10)


def test_the_body_of_an_error_is_not_streamed(server: Server, http: Http) -> None:
    server.route("/", Reply(404, b"gone"))
    with http.stream("GET", server.url + "/", headers={}) as (answer, _chunks):
        assert (answer.status, answer.body) == (404, b"gone")


def test_a_server_that_sends_nothing(server: Server) -> None:
    http = Http(server.host, OPEN, read_timeout=0.1, connections=1)
    server.route("/", Reply(200, b"x" * 100, cut=10, stalls=True))
    with pytest.raises(TransferError, match="sent nothing within stall_timeout") as caught:
        read(http, server)
    assert caught.value.heals is True
    http.close()


def test_a_server_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        http = Http(host, OPEN, read_timeout=0.1, connections=1)
        with pytest.raises(TransferError, match=f"{host} sent nothing within stall_timeout"):
            http.read("GET", f"http://{host}/", headers={}, limit=LIMIT)


def test_a_server_that_closes_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"127.0.0.1:{listening.getsockname()[1]}"

        def close_at_once() -> None:
            connection, _address = listening.accept()
            connection.close()

        threading.Thread(target=close_at_once).start()
        http = Http(host, OPEN, read_timeout=30, connections=1)
        with pytest.raises(TransferError, match=f"connection to {host}( broke off)?: ") as caught:
            http.read("GET", f"http://{host}/", headers={}, limit=LIMIT)
        assert caught.value.heals is True


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"127.0.0.1:{listening.getsockname()[1]}"
    http = Http(host, OPEN, read_timeout=30, connections=1)
    with pytest.raises(TransferError, match=f"no connection to {host}: .*refused; check its name and port$") as caught:
        http.read("GET", f"http://{host}/", headers={}, limit=LIMIT)
    assert caught.value.heals is True


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: Server, http: Http, status: int) -> None:
    server.route("/a", redirect("/b?x=1", status))
    server.route("/b", Reply(200, b"there"))
    answer = read(http, server, "/a", headers={"Authorization": "Basic x"})
    assert answer.body == b"there"
    assert server.lines == ["GET /a", "GET /b?x=1"]
    assert [request.headers.get("authorization") for request in server.requests] == ["Basic x", "Basic x"]


def test_another_host_gets_no_credentials(server: Server, other: Server, http: Http) -> None:
    server.route("/a", redirect(f"{other.url}/b"))
    other.route("/b", redirect(f"{server.url}/c"))
    server.route("/c", Reply(200, b"there"))
    answer = read(http, server, "/a", headers={"authorization": "Basic x", "Accept": "y"})
    assert answer.body == b"there"
    assert "authorization" not in other.requests[0].headers
    assert other.requests[0].headers["accept"] == "y"
    assert "authorization" not in server.requests[1].headers, "also when it leads back"


def test_the_origin_is_where_the_answer_came_from(server: Server, other: Server, http: Http) -> None:
    server.route("/", redirect(f"{other.url}/"))
    assert read(http, server).origin == other.url


def test_redirects_without_end(server: Server, http: Http) -> None:
    server.route("/", redirect("/"))
    with pytest.raises(TransferError, match="redirects more than 5 times") as caught:
        read(http, server)
    assert caught.value.heals is False
    assert len(server.requests) == 6


@pytest.mark.parametrize(("hops", "is_fine"), [(5, True), (6, False)])
def test_five_redirects_are_five(server: Server, http: Http, hops: int, is_fine: bool) -> None:
    for number in range(hops):
        server.route(f"/{number}", redirect(f"/{number + 1}"))
    server.route(f"/{hops}", Reply(200, b"there"))
    if is_fine:
        assert read(http, server, "/0").body == b"there"
    else:
        with pytest.raises(TransferError, match="redirects more than 5 times"):
            read(http, server, "/0")
    assert len(server.requests) == 6


ORIGINS: dict[str, tuple[str, str]] = {
    "plain": ("https://reg.lan/x", "https://reg.lan"),
    "the scheme's own port": ("https://reg.lan:443/x", "https://reg.lan"),
    "the port of the other scheme": ("https://reg.lan:80/x", "https://reg.lan:80"),
    "without TLS": ("http://reg.lan:80", "http://reg.lan"),
    "a port of its own": ("http://reg.lan:443/", "http://reg.lan:443"),
    "an empty port": ("https://reg.lan:/x", "https://reg.lan"),
    "capitals": ("HTTPS://Reg.LAN:443/X", "https://reg.lan"),
    "IPv6": ("https://[::1]:443/", "https://[::1]"),
    "IPv6 without port": ("https://[fe80::443]/", "https://[fe80::443]"),
    "user and password": ("https://me:secret@reg.lan:443/", "https://me:secret@reg.lan"),
}


@pytest.mark.parametrize(("url", "origin"), ORIGINS.values(), ids=ORIGINS)
def test_origins_in_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("spelled", [True, False])
def test_a_port_that_goes_without_saying_is_no_other_host(
    server: Server, http: Http, monkeypatch: pytest.MonkeyPatch, spelled: bool
) -> None:
    """With the port of the server as that of the scheme: the redirect says it, or the first address does."""
    monkeypatch.setitem(response_module.DEFAULT_PORTS, "http", str(server.port))
    named, bare = f"http://127.0.0.1:{server.port}", "http://127.0.0.1"
    assert origin_of(named) == origin_of(bare)
    server.route("/a", redirect(f"{named if spelled else named.upper()}/b"))
    server.route("/b", Reply(200, b"there"))
    assert read(http, server, "/a", headers={"Authorization": "Basic x"}).body == b"there"
    assert [request.headers.get("authorization") for request in server.requests] == ["Basic x", "Basic x"]


def test_who_is_named_in_the_address_of_a_redirect_is_somebody_else(server: Server, http: Http) -> None:
    server.route("/a", redirect(f"http://me:x@{server.host}/b"))
    server.route("/b", Reply(200, b"there"))
    read(http, server, "/a", headers={"Authorization": "Basic ours"})
    assert server.requests[1].headers.get("authorization") != "Basic ours"


def test_a_redirect_without_target_is_an_answer(server: Server, http: Http) -> None:
    server.route("/", Reply(302))
    assert read(http, server).status == 302


def test_a_form_goes_nowhere_else(server: Server, other: Server, http: Http) -> None:
    server.route("/token", redirect(f"{other.url}/token"))
    with pytest.raises(TransferError, match="redirects a request with a body to 127"):
        read(http, server, "/token", "POST", body=b"refresh_token=s3cret")
    assert other.requests == []


TARGETS: dict[str, tuple[str, str, str]] = {
    "a path": ("https://reg.lan/v2/a", "/b", "https://reg.lan/b"),
    "a relative path": ("https://reg.lan/v2/a", "b", "https://reg.lan/v2/b"),
    "another host": ("https://reg.lan/a", "https://store.lan/b?c", "https://store.lan/b?c"),
    "from http to https": ("http://reg.lan/a", "https://reg.lan/a", "https://reg.lan/a"),
    "the same scheme": ("https://reg.lan/a", "//store.lan/b", "https://store.lan/b"),
}
REFUSED: dict[str, tuple[str, str, str]] = {
    "from https to http": ("https://reg.lan/a", "http://reg.lan/a", "redirects from https to http, which is refused"),
    "to a file": ("http://reg.lan/a", "file:///etc/passwd", "not http or https"),
    "from https to a file": ("https://reg.lan/a", "file:///etc/passwd", "redirects from https to file"),
    "to nonsense": ("http://reg.lan/a", "http://[", "redirects to"),
}


@pytest.mark.parametrize(("url", "location", "expected"), TARGETS.values(), ids=TARGETS)
def test_where_a_redirect_leads(http: Http, url: str, location: str, expected: str) -> None:
    assert http._redirect_target(url, location) == expected


@pytest.mark.parametrize(("url", "location", "said"), REFUSED.values(), ids=REFUSED)
def test_where_it_must_not_lead(http: Http, url: str, location: str, said: str) -> None:
    with pytest.raises(TransferError, match=said) as caught:
        http._redirect_target(url, location)
    assert caught.value.heals is False


# -- what is and is not taken from the environment


def test_proxies_are_taken_from_the_environment(
    server: Server, other: Server, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", other.url)
    other.route("http://registry.test/v2/", Reply(200, b"through the proxy"))
    answer = http.read("GET", "http://registry.test/v2/", headers={}, limit=LIMIT)
    assert answer.body == b"through the proxy"
    assert other.lines == ["GET http://registry.test/v2/"]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.route("/", Reply(200, b"directly"))
    assert read(http, server).body == b"directly"


def test_a_proxy_that_is_not_there(server: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(TransferError, match=r"the proxy on the way to registry\.test failed") as caught:
        http.read("GET", "http://registry.test/v2/", headers={}, limit=LIMIT)
    assert caught.value.heals is True


def test_netrc_is_not_used(server: Server, http: Http, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "machine 127.0.0.1 login user password s3cret\ndefault login user password s3cret\n"
    for path in (home / ".netrc", home / "other"):
        path.write_text(text)
        path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(home / "other"))
    server.route("/", Reply(401))
    read(http, server)
    assert "authorization" not in server.requests[0].headers


def test_cookies_are_not_kept(server: Server, http: Http) -> None:
    server.route("/", Reply(200, headers=(("Set-Cookie", "id=1"),)))
    read(http, server)
    read(http, server)
    assert "cookie" not in server.requests[1].headers


# -- TLS


class Tls:
    """An authority, a server that it vouches for, and a bundle that trusts it."""

    def __init__(self, folder: Path, name: str) -> None:
        authority = trustme.CA()
        self.bundle = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.bundle)
        self.client = str(folder / "client.pem")
        authority.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(self.client)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self.context)
        authority.configure_trust(self.context)


def ask(server: Server, verify: bool | str, client: str | None = None) -> Response:
    http = Http(server.host, Trust(verify, (client, client) if client else None), read_timeout=30, connections=1)
    try:
        return http.read("GET", f"https://{server.host}/", headers={}, limit=LIMIT)
    finally:
        http.close()


def test_a_trusted_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle")
    tls = Tls(tmp_path, "127.0.0.1")
    with Server(tls.context) as server:
        server.route("/", Reply(200, b"secret"))
        assert ask(server, tls.bundle).body == b"secret"


def test_a_server_that_nobody_vouches_for(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    tls = Tls(tmp_path, "127.0.0.1")
    with Server(tls.context) as server:
        with pytest.raises(TransferError, match=r"is not trusted: .*Give its authority with ca_path") as caught:
            ask(server, Tls(tmp_path / "other", "x.lan").bundle)
        assert caught.value.heals is False
        server.route("/", Reply(200, b"anyway"))
        assert ask(server, False).body == b"anyway"


def test_authorities_are_not_read_where_none_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the system take longer than a request. A client certificate is shown all the same."""

    def fail(*_arguments: object) -> None:
        pytest.fail("the system's authorities are read")

    tls = Tls(tmp_path, "other.lan")
    tls.context.verify_mode = ssl.CERT_REQUIRED
    with Server(tls.context) as server:
        server.route("/", Reply(200, b"anyway"))
        monkeypatch.setattr(ssl.SSLContext, "load_default_certs", fail)
        monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", fail)
        assert ask(server, False, tls.client).body == b"anyway"


def test_a_server_with_another_name(tmp_path: Path) -> None:
    tls = Tls(tmp_path, "other.lan")
    with Server(tls.context) as server, pytest.raises(TransferError, match="is for another name: "):
        ask(server, tls.bundle)


def test_a_server_without_tls(server: Server) -> None:
    with pytest.raises(TransferError, match="does not speak TLS"):
        ask(server, False)


def test_only_the_registry_gets_the_client_certificate(tmp_path: Path) -> None:
    tls = Tls(tmp_path, "127.0.0.1")
    tls.context.verify_mode = ssl.CERT_REQUIRED
    with Server(tls.context) as server:
        server.route("*", Reply(200, b"known"))
        assert ask(server, tls.bundle, tls.client).body == b"known"
        with pytest.raises(TransferError):
            ask(server, tls.bundle)
        elsewhere = Http("reg.lan", Trust(tls.bundle, (tls.client, tls.client)), read_timeout=30, connections=1)
        with pytest.raises(TransferError):
            elsewhere.read("GET", f"{server.url}/", headers={}, limit=LIMIT)


# -- what failures mean

FAILURES: dict[str, tuple[Exception, bool, str]] = {
    "a broken answer": (
        IncompleteRead(b""),
        True,
        "the answer of reg.lan broke off: IncompleteRead(0 bytes read)",
    ),
    "no HTTP": (
        BadStatusLine("hello"),
        True,
        "the answer of reg.lan is not readable: hello",
    ),
    "a reset": (ConnectionResetError(104, "Connection reset by peer"), True, "the connection to reg.lan broke off"),
    "TLS that breaks off": (
        ssl.SSLError(8, "EOF occurred in violation of protocol"),
        True,
        "EOF occurred in violation of protocol",
    ),
    "an unknown name": (
        socket.gaierror(-2, "Name or service not known"),
        True,
        "the name of reg.lan cannot be resolved: [Errno -2] Name or service not known; check it, and DNS here",
    ),
    "a timeout of the socket": (socket.timeout("timed out"), True, "reg.lan sent nothing within stall_timeout"),
    "an expired certificate": (
        ssl.SSLError(1, "certificate verify failed: certificate has expired"),
        False,
        "certificate has expired. It has to be renewed, or the clock here is wrong",
    ),
    "other trouble with TLS": (ssl.SSLError(1, "no shared cipher"), False, "TLS with reg.lan failed"),
    "a url that is none": (InvalidURL("bad"), False, "the request to reg.lan failed"),
    "a header that is none": (ValueError("bad"), False, "the request to reg.lan failed: bad"),
}


@pytest.mark.parametrize(("error", "heals", "said"), FAILURES.values(), ids=FAILURES)
def test_failures_are_explained(error: Exception, heals: bool, said: str) -> None:
    explained = explain_failure(error, "reg.lan")
    assert said in str(explained)
    assert explained.heals is heals


def test_no_time_to_connect() -> None:
    explained = explain_connect(socket.timeout("timed out"), "reg.lan")
    assert str(explained) == "reg.lan did not accept a connection within 30 s"
    assert explained.heals


ERROR = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no such\\ntag"}, {"code": "X"}]}'
STATUSES: dict[str, tuple[int, bytes, bool, str]] = {
    "401": (401, b"", False, "reg.lan refused access to reg.lan/a:1: unauthorized. Give username and password"),
    "403": (403, b"", False, "reg.lan denied access to reg.lan/a:1: the account may not pull it"),
    "404": (
        404,
        ERROR,
        False,
        "reg.lan/a:1 does not exist on reg.lan (MANIFEST_UNKNOWN: no such\\x0atag). If reg.lan is a cache ",
    ),
    "405": (405, b"", False, "reg.lan answered 405 when asked for reg.lan/a:1"),
    "408": (408, b"", True, "reg.lan answered 408"),
    "429": (429, b"", True, "reg.lan limits the rate of requests (429 too many requests); cred"),
    "500": (500, b"<html>", True, "reg.lan answered 500 when asked for reg.lan/a:1"),
    "503": (503, b'{"errors": []}', True, "reg.lan answered 503"),
    "301": (301, b'{"errors": [1]}', False, "reg.lan answered 301"),
}


@pytest.mark.parametrize(("status", "body", "heals", "said"), STATUSES.values(), ids=STATUSES)
def test_statuses_are_explained(status: int, body: bytes, heals: bool, said: str) -> None:
    error = explain_status(Response("https://reg.lan", status, {}, body), host="reg.lan", what="reg.lan/a:1")
    assert str(error).startswith(said)
    assert error.heals is heals
    assert error.retry_after is None


REFUSED: dict[int, str] = {
    401: "reg.lan refused user 'robot' for reg.lan/a:1: unauthorized. The password may be wrong or have expired; some",
    403: "reg.lan denied user 'robot' access to reg.lan/a:1: the account may not pull it",
    429: "reg.lan limits the rate of requests (429 too many requests) of user 'robot'",
    404: "reg.lan/a:1 does not exist on reg.lan",
}


@pytest.mark.parametrize(("status", "said"), REFUSED.items())
def test_a_login_that_was_given_is_not_asked_for(status: int, said: str) -> None:
    response = Response("https://reg.lan", status, {}, b"", account="user 'robot'")
    error = explain_status(response, host="reg.lan", what="reg.lan/a:1")
    assert str(error).startswith(said) and error.about == "reg.lan/a:1"
    assert "Give" not in str(error) and "credentials" not in str(error)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_may_ask_to_wait(status: int) -> None:
    answer = Response("https://reg.lan", status, {"retry-after": "33"}, b"")
    assert explain_status(answer, host="reg.lan", what="x").retry_after == 33.0


@pytest.mark.parametrize("clock", [-86400, 0, 86400])
def test_a_date_to_wait_for_is_one_of_the_registrys_clock(clock: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_errors.time, "time", lambda: NOW.timestamp() + clock)
    headers = {"retry-after": format_datetime(LATER, usegmt=True), "date": format_datetime(NOW, usegmt=True)}
    answer = Response("https://reg.lan", 429, headers, b"")
    assert explain_status(answer, host="reg.lan", what="x").retry_after == 120.0


NOW = datetime(2026, 11, 22, 9, 0, 0, tzinfo=timezone.utc)
LATER = datetime(2026, 11, 22, 9, 2, 0, tzinfo=timezone.utc)
ASKED: dict[str, float | None] = {
    "120": 120.0,
    " 5 ": 5.0,
    "0": 0.0,
    format_datetime(LATER, usegmt=True): 120.0,
    format_datetime(NOW.replace(hour=1), usegmt=True): 0.0,
    "0000000000030": 30.0,
    "000": 0.0,
    LATER.strftime("%a, %d %b %Y %H:%M:%S -0000"): 120.0,
    "": None,
    "soon": None,
    "Mon,": None,
    "0 , ": None,
    "-5": None,
    "1.5": None,
    "\u0661": None,
    "Sun, 99 Nov 2026 99:99:99 GMT": None,
    "Sun, 22 Nov 99999 09:00:00 GMT": None,
}


@pytest.mark.parametrize(("value", "expected"), ASKED.items(), ids=ASKED)
def test_how_long_to_wait(value: str, expected: float | None) -> None:
    assert parse_retry_after(value, now=NOW.timestamp()) == expected


@given(
    st.text(max_size=40)
    | st.text(st.sampled_from("SunMo, 0123456789Nov:GMT+-"), max_size=32)
    | st.from_regex(r"\ASun, [0-9]{1,3} Nov [0-9]{1,6} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[+-][0-9]{4,6}|XYZ)\Z")
)
def test_no_value_makes_it_raise(value: str) -> None:
    seconds = parse_retry_after(value, now=NOW.timestamp())
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("12", 12), ("", None), ("-1", None), ("1.5", None), ("\xb2", None), ("9" * 5000, None)],
)
def test_numbers_of_bytes(text: str, expected: int | None) -> None:
    assert number_of(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://reg.lan:5000/x", "reg.lan:5000"),
        ("http://me:secret@reg.lan/x", "reg.lan"),
        ("http://reg.lan\x1b\x9bm/x", "reg.lan\\x1b\\x9bm"),
        ("http://[::1", "a host without name"),
        ("http:///x", "a host without name"),
    ],
)
def test_hosts_are_shown_without_passwords_and_escapes(url: str, expected: str) -> None:
    assert shown_host(url) == expected


@pytest.mark.parametrize("host", ["a" * 70 + ".invalid", "a..b.invalid", "127.0.0.1:99999", "[::1"])
def test_an_address_that_nobody_can_have(http: Http, host: str) -> None:
    with pytest.raises(TransferError) as caught:
        http.read("GET", f"http://{host}/", headers={}, limit=LIMIT)
    assert not caught.value.heals and str(caught.value).isprintable()


def test_an_address_that_breaks_a_line(http: Http) -> None:
    with pytest.raises(TransferError) as caught:  # Pythons differ in what they say of it
        http.read("GET", "http://127.0.0.1\0/", headers={}, limit=LIMIT)
    assert str(caught.value).isprintable()


def test_pieces_are_counted(server: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_PIECE", 1)
    monkeypatch.setattr(http_module, "_MOST_PIECES", 3)
    server.route("/", Reply(200, b"abc"), Reply(200, b"abcd"), Reply(404, b"abcdef"))
    assert read(http, server).body == b"abc"
    with pytest.raises(TransferError, match="too small pieces"):
        read(http, server)
    assert read(http, server).body.startswith(b"abc")


def answering(*pieces: bytes) -> tuple[str, socket.socket]:
    """A server that sends these bytes to the first who comes, the last of them until nobody listens any more."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _address = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)
            while True:
                connection.sendall(pieces[-1])

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{listener.getsockname()[1]}", listener


ENDLESS = {
    "informational answers": (b"HTTP/1.1 100 Continue\r\n\r\n",),
    "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: x\r\n"),
}


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_left_when_time_is_up(pieces: tuple[bytes, ...]) -> None:
    host, listener = answering(*pieces)
    client = Http(host, OPEN, read_timeout=30, connections=1)
    body = client.stream("GET", f"http://{host}/", headers={})
    with (
        listener,
        time_left(0.2),
        pytest.raises(TransferError, match="not done within timeout") as caught,
        body as (_answer, chunks),
    ):
        list(chunks)
    assert caught.value.is_final
    client.close()
