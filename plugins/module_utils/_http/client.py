# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP for registries: bodies with a limit, redirects without credentials, failures told apart by whether they heal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from .._base.errors import ConnectionRefused, TransferError, WrongBytes, printable
from .idle_connections import IdleConnections
from .proxy_login import ProxyLogins
from .response import Response, origin_of, shown_host
from .sent_body import Body
from .tls import Trust
from .transport import Incoming, Request, Transport

_MAX_REDIRECTS = 5
_MAX_ERROR_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_PIECES = 100_000  # each costs as much as many bytes


class Http:
    """Requests to one registry and to the hosts that it names (token service, blob storage).

    :param host: ``HOST[:PORT]``; only requests to it carry the client certificate and the Authorization header.
    :param read_timeout: seconds without a byte after which a request is given up.
    :param connections: kept for each host at most.
    :param logins: of the proxies, shared with others who go through them.
    :param idle: idle connections, bounded together with those of others.
    """

    def __init__(
        self,
        host: str,
        trust: Trust,
        *,
        read_timeout: float,
        connections: int,
        logins: ProxyLogins | None = None,
        idle: IdleConnections | None = None,
    ) -> None:
        self.host = host
        self._transport = Transport(
            host,
            trust,
            read_timeout=read_timeout,
            connections=connections,
            logins=logins or ProxyLogins(),
            idle=idle or IdleConnections(connections),
        )

    def read(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        limit: int,
        body: Body = None,
        more_time: float = 0.0,
    ) -> Response:
        """Send a request and read the body of the response.

        :param limit: bytes of the body accepted at most.
        :param body: what to send.
        :param more_time: seconds that the response may take beyond the usual ones.
        :raises TransferError: when no response comes, or a body longer than the limit.
        """
        with self._open(Request(method, url, headers, body, more_time)) as incoming:
            is_error = incoming.status >= 400
            read = _body(incoming, _MAX_ERROR_BYTES if is_error else limit, cut=is_error)
            return _response(incoming, read, url)

    @contextmanager
    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], body: Body = None
    ) -> Iterator[tuple[Response, Iterator[bytes]]]:
        """Send a request and give the body of the response in pieces, however long it is.

        :param body: what to send.
        :returns: the response, which has a body only where its status is an error, and the pieces.
        :raises TransferError: when no response comes; the pieces raise it when they break off.
        """
        with self._open(Request(method, url, headers, body)) as incoming:
            read = _body(incoming, _MAX_ERROR_BYTES, cut=True) if incoming.status >= 400 else b""
            yield _response(incoming, read, url), incoming.pieces()

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    @contextmanager
    def _open(self, request: Request) -> Iterator[Incoming]:
        """Send a request, and follow redirects; the Authorization header goes to no other origin."""
        incoming = self._transport.send(request)
        hops = 0
        try:
            while incoming.status in _REDIRECTS and "location" in incoming.headers:
                if hops == _MAX_REDIRECTS:
                    raise TransferError(f"{self.host} redirects more than {_MAX_REDIRECTS} times", heals=False)
                target = self._redirect_target(request.url, incoming.headers["location"])
                incoming.close()
                if request.body is not None:
                    raise TransferError(
                        f"{shown_host(request.url)} redirects a request with a body to {shown_host(target)}, which is "
                        "refused",
                        heals=False,
                    )
                headers = request.headers
                if origin_of(target) != origin_of(request.url):
                    headers = {key: value for key, value in headers.items() if key.lower() != "authorization"}
                request = replace(request, url=target, headers=headers)
                incoming = self._follow(request)
                hops += 1
            yield incoming
        finally:
            incoming.close()

    def _follow(self, request: Request) -> Incoming:
        """Send a request to where a redirect leads; if nobody listens there, the registry itself has answered."""
        try:
            return self._transport.send(request)
        except ConnectionRefused as error:
            raise TransferError(str(error), heals=error.heals) from error

    def _redirect_target(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
        except ValueError as error:
            raise TransferError(f"{self.host} redirects to something that is not a URL", heals=False) from error
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise TransferError(
                f"{self.host} redirects from https to {printable(urlsplit(target).scheme)}, which is refused",
                heals=False,
            )
        if urlsplit(target).scheme not in ("http", "https"):
            raise TransferError(f"{self.host} redirects to something that is not http or https", heals=False)
        return target


def _body(incoming: Incoming, limit: int, *, cut: bool) -> bytes:
    """Read a body to its end, also an empty one: only then is the connection kept.

    :param cut: a body that is too long is cut off, and not refused.
    :raises WrongBytes: when it is too long, or comes in too many pieces.
    """
    body = bytearray()
    for number, piece in enumerate(incoming.pieces()):
        body += piece
        if len(body) > limit or number >= _MOST_PIECES:
            if cut:
                return bytes(body[:limit])
            what = f"is longer than {limit} bytes" if len(body) > limit else "comes in too small pieces"
            raise WrongBytes(f"the answer {what}, which is refused", heals=False)
    return bytes(body)


def _response(incoming: Incoming, body: bytes, asked: str) -> Response:
    url, origin = incoming.url, incoming.origin
    asked = origin if asked == url else origin_of(asked)
    return Response(origin, incoming.status, incoming.headers, body, url=url, asked=asked)
