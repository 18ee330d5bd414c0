# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tunnel through a proxy: the CONNECT method (RFC 9110, 9.3.6)."""

from __future__ import annotations

import http.client

from .route import ProxyAddress, Route
from .timed_socket import TimedSocket

PROXY_LOGIN_REQUIRED = 407
_MAX_LINE = 64 * 1024
_MAX_HEADERS = 100


class TunnelRefused(OSError):
    """A proxy answered CONNECT with another status than 200.

    :ivar status: what it answered.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"Tunnel connection failed: {status} {reason}")
        self.status = status


def open_tunnel(sock: TimedSocket, route: Route, proxy: ProxyAddress) -> None:
    """Have a proxy connect to the origin of a route.

    :param sock: is connected to the proxy.
    :raises TunnelRefused: when the proxy does not do so.
    :raises OSError: when the connection fails; also :class:`socket.timeout`.
    :raises http.client.HTTPException: when the answer is not HTTP.
    """
    name = f"[{route.host}]" if ":" in route.host else route.host.encode("idna").decode("ascii")
    lines = [f"CONNECT {name}:{route.port} HTTP/1.1", f"Host: {name}:{route.port}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    sock.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii"))
    with sock.makefile() as file:
        version, _blank, rest = _line(file.readline(_MAX_LINE + 1)).partition(" ")
        status, _blank, reason = rest.partition(" ")
        if not version.startswith("HTTP/") or not (status.isascii() and status.isdigit() and len(status) == 3):
            raise http.client.BadStatusLine(f"{version} {rest}")
        if status != "200":
            raise TunnelRefused(int(status), reason.strip())
        for _number in range(_MAX_HEADERS):
            if not _line(file.readline(_MAX_LINE + 1)):
                return
    raise http.client.HTTPException(f"got more than {_MAX_HEADERS} headers")


def _line(raw: bytes) -> str:
    if len(raw) > _MAX_LINE:
        raise http.client.LineTooLong("header line")
    return raw.decode("latin-1").rstrip("\r\n")
