# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels through proxies, and the routes that need them."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme

from ansible_collections.airgap.images.plugins.module_utils._base.deadline import time_left
from ansible_collections.airgap.images.plugins.module_utils._base.errors import ProxyLoginRefused, TransferError
from ansible_collections.airgap.images.plugins.module_utils._http import connection
from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.route import basic_login, route_to
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust
from ansible_collections.airgap.images.tests.unit.server import Reply, Server

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n"


@contextmanager
def proxy(
    answer: bytes, target: Server | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that gives one answer to CONNECT, and passes on what follows; gives its address and what it was sent."""
    heads: list[bytes] = []
    over = threading.Event()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)

    def serve() -> None:
        plain, _address = listener.accept()
        with suppress(OSError), tls.wrap_socket(plain, server_side=True) if tls else plain as connection:
            heads.append(connection.recv(65536))
            connection.sendall(answer)
            if target is not None:
                with socket.create_connection(("127.0.0.1", target.port)) as behind:
                    threading.Thread(target=pump, args=(behind, connection), daemon=True).start()
                    pump(connection, behind)
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heads
        over.set()


def read(monkeypatch: pytest.MonkeyPatch, address: str, bundle: bool | str = False) -> bytes:
    monkeypatch.setenv("https_proxy", address)
    http = Http("registry.test", Trust(bundle, None), read_timeout=30, connections=1)
    try:
        return http.read("GET", "https://registry.test/v2/", headers={}, limit=100).body
    finally:
        http.close()


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_tls: bool) -> None:
    """To a proxy with TLS of its own, the registry's TLS is within that."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _number in range(2)]
    authority.issue_cert("registry.test").configure_cert(contexts[0])
    authority.issue_cert("127.0.0.1").configure_cert(contexts[1])
    with Server(contexts[0]) as server, proxy(ESTABLISHED, server, contexts[1] if is_tls else None) as (host, heads):
        server.route("/v2/", Reply(200, b"through"))
        address = f"{'https' if is_tls else 'http'}://us%65r:p%C3%A4ss@{host}"
        assert read(monkeypatch, address, str(tmp_path / "ca.pem")) == b"through"
    assert heads[0].decode().split("\r\n")[:3] == [
        "CONNECT registry.test:443 HTTP/1.1",
        "Host: registry.test:443",
        "Proxy-Authorization: Basic dXNlcjpww6Rzcw==",
    ]


REFUSED: dict[str, tuple[bytes, bool, str]] = {
    "forbidden": (b"HTTP/1.1 403 Forbidden\r\n\r\n", False, r"failed: Tunnel connection failed: 403 Forbidden$"),
    "unreachable": (b"HTTP/1.1 502 Bad gateway\r\n\r\n", True, r"failed: Tunnel connection failed: 502 Bad gateway$"),
    "not HTTP": (b"SSH-2.0-hello\r\n\r\n", True, r"the proxy on the way to registry\.test failed: SSH-2\.0-hello"),
    "a long line": (b"HTTP/1.1 200 " + b"x" * 70_000, True, r"failed: got more than 65536 bytes"),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101, True, r"failed: got more than 100 headers"),
}


@pytest.mark.parametrize(("answer", "heals", "said"), REFUSED.values(), ids=REFUSED)
def test_no_tunnel(monkeypatch: pytest.MonkeyPatch, answer: bytes, heals: bool, said: str) -> None:
    with proxy(answer) as (host, _heads), pytest.raises(TransferError, match=said) as caught:
        read(monkeypatch, f"http://{host}")
    assert caught.value.heals is heals


def test_tls_within_tls_needs_a_newer_urllib3(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    context = ssl.create_default_context()
    wrap = partial(context.wrap_socket, do_handshake_on_connect=False)
    monkeypatch.setitem(sys.modules, "urllib3.util.ssltransport", None)
    monkeypatch.setattr(connection, "open_tunnel", lambda *_arguments: None)
    connector = connection.Connector(
        route_to("https://reg.lan", "https://proxy.lan"),
        SimpleNamespace(connect=lambda *_arguments, **_named: ours),  # type: ignore[arg-type]
        lambda: context,
        lambda: SimpleNamespace(wrap_socket=wrap),  # type: ignore[arg-type,return-value]
    )
    with theirs, pytest.raises(TransferError, match=r"^no connection to reg\.lan: .* needs urllib3 1\.26 or newer"):
        connector.connect(1)


def test_a_login_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(b"HTTP/1.1 407 Login\r\n\r\n") as (host, _heads), pytest.raises(ProxyLoginRefused) as caught:
        read(monkeypatch, f"http://user:s3cret@{host}")
    assert "s3cret" not in str(caught.value)


def test_a_proxy_that_says_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        proxy(b"HTTP/1.1 200 OK\r\nX: ") as (host, _heads),
        time_left(0.3),
        pytest.raises(TransferError, match="not done within timeout"),
    ):
        read(monkeypatch, f"http://{host}")


ROUTES: dict[str, tuple[str, tuple[bool, str, int, str]]] = {
    "a name": ("https://reg.lan/v2/", (True, "reg.lan", 443, "reg.lan")),
    "a port": ("http://reg.lan:5000", (False, "reg.lan", 5000, "reg.lan:5000")),
    "IPv6": ("https://[::1]:5000", (True, "::1", 5000, "[::1]:5000")),
    "a login": ("http://me:x@Reg.lan:80", (False, "reg.lan", 80, "reg.lan")),
    "beyond ASCII": ("http://b\u00fccher.test", (False, "b\u00fccher.test", 80, "xn--bcher-kva.test")),
}


@pytest.mark.parametrize(("url", "expected"), ROUTES.values(), ids=ROUTES)
def test_routes(url: str, expected: tuple[bool, str, int, str]) -> None:
    route = route_to(url, "")
    assert (route.is_tls, route.host, route.port, route.netloc) == expected
    assert route.proxy is None


def test_a_route_through_a_proxy() -> None:
    route = route_to("http://reg.lan", "http://me@proxy.lan")
    assert route.proxy is not None
    assert (route.proxy.host, route.proxy.port, route.is_forwarded) == ("proxy.lan", 80, True)
    assert not route_to("https://reg.lan", "http://proxy.lan").is_forwarded
    assert "me@" not in repr(route)


@pytest.mark.parametrize("url", ["http://", "http:///x", "http://reg.lan:x", "http://reg.lan:99999"])
def test_what_is_not_a_route(url: str) -> None:
    with pytest.raises(ValueError):  # what it says is Python's
        route_to(url, "")


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://reg.lan", ""), ("http://me@reg.lan", "Basic bWU6"), ("http://me:a%3Ab@reg.lan", "Basic bWU6YTpi")],
)
def test_logins_in_urls(url: str, expected: str) -> None:
    assert basic_login(url) == expected
