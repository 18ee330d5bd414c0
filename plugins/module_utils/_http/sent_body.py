# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The body of a request: nothing, bytes, or a file that is sent as it is read."""

from __future__ import annotations

from typing import Protocol, Union

from .timed_socket import TimedSocket

_SENT_AT_ONCE = 256 * 1024
_WITH_BODY = ("PATCH", "POST", "PUT")


class FileBody(Protocol):
    """A body that is sent as it is read, in pieces; the request's Content-Length says how long it is."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; none at the end."""

    def tell(self) -> int:
        """Return the position of the next byte."""

    def seek(self, position: int, /) -> int:
        """Go to a position."""


Body = Union[bytes, FileBody, None]
"""The body of a request."""


def stated_length(method: str, body: Body) -> str:
    """Return the Content-Length of a request that does not have one; empty if none is needed (RFC 9110, 8.6).

    :raises ValueError: when the body is a file, of which only the request itself knows it.
    """
    if isinstance(body, bytes):
        return str(len(body))
    if body is not None:
        raise ValueError("the length of a body is not known")
    return "0" if method in _WITH_BODY else ""


def send_body(sock: TimedSocket, head: bytes, body: Body) -> None:
    """Send a request.

    :raises OSError: what sending raises.
    """
    if body is None or isinstance(body, bytes):
        sock.sendall(head + body if body else head)
        return
    sock.sendall(head)
    while piece := body.read(_SENT_AT_ONCE):
        sock.sendall(piece)
