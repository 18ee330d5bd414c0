# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A socket whose responses are read only while the thread has time, and begin with the final response.

``http.client`` reads headers, interim responses and trailers in one go, however long they take to come, and each byte
restarts a socket's timeout. It also takes 103 for the final response. Both are put right below it: it reads a response
from the file that the ``makefile`` method of its socket returns, and the socket here returns a file of its own.
"""

from __future__ import annotations

import io
import math
import re
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from .._base.buffers import Data
from .._base.deadline import not_done_in_time, seconds_left

# Interim responses (RFC 9110, 15.2), but for 101: another protocol follows that one.
_INTERIM = re.compile(rb"HTTP/1\.\d 1(?!01)\d\d(?!\d)")
_STATUS_LENGTH = 13
"""Bytes of a response that show whether it is an interim one."""

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_LONGEST_HEAD = 64 * 1024
_PIECE = 8192
_LEAST = 0.001  # a socket takes 0 for "do not wait at all"
_UNTIL_A_LOOK = 5.0  # seconds without anything accepted, after which there may be an answer


class SendTimeout(socket.timeout):
    """The other side has accepted nothing for too long."""


class AnswersEarly(BrokenPipeError):
    """The other side accepts nothing more of a request, and has answered it or closed the connection."""


class TimedSocket:
    """A connected socket, wrapped; has all methods of a socket.

    :param sock: a plain socket, or one with TLS.
    :ivar patience: seconds in which something of what is sent has to be accepted; ``None``: the socket's timeout.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._is_tls = not isinstance(sock, socket.socket) or isinstance(sock, ssl.SSLSocket)
        self.patience: float | None = None
        self._is_under_way = False  # a request, of which a piece was sent

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

    def sendall(self, data: Data) -> None:
        """Send all of the data; the time to wait begins again with each piece that is accepted.

        :raises SendTimeout: when nothing is accepted.
        :raises AnswersEarly: when nothing is accepted, but there is an answer.
        :raises TransferError: when this thread has no time left.
        """
        rest = memoryview(data)
        if not self._is_under_way:
            # The beginning of a request is taken at once. To set a time to wait for it lets other threads go first.
            self._is_under_way = True
            rest = rest[self._send_beginning(rest) :]
        if not rest:
            return
        usual = self._sock.gettimeout()
        try:
            while rest:
                rest = rest[self._send(rest, usual if self.patience is None else self.patience) :]
        finally:
            self._sock.settimeout(usual)

    def _send_beginning(self, data: memoryview) -> int:
        try:
            return int(self._sock.send(data))
        except socket.timeout as error:
            raise SendTimeout("timed out") from error

    def _send(self, data: memoryview, patience: float | None) -> int:
        until = math.inf if patience is None else time.monotonic() + patience
        while True:
            left = seconds_left()
            if left <= 0:
                raise not_done_in_time()
            waits = until - time.monotonic()
            seconds = max(_LEAST, min(left, waits, math.inf if self._is_tls else _UNTIL_A_LOOK))
            self._set_timeout(None if seconds == math.inf else seconds)
            try:
                sent: int = self._sock.send(data)
            except socket.timeout as error:
                if self._has_something():
                    raise AnswersEarly from error
                if time.monotonic() >= until:
                    raise SendTimeout("timed out") from error
            else:
                return sent

    def _has_something(self) -> bool:
        """Return True if there is something to be read, or the other side has closed the connection.

        With TLS, that may also be what the handshake has left.
        """
        poller = select.poll()  # which takes any number of a file, unlike select
        poller.register(self._sock.fileno(), select.POLLIN)
        return bool(poller.poll(0))

    def _set_timeout(self, seconds: float | None) -> None:
        if seconds != self._sock.gettimeout():
            self._sock.settimeout(seconds)

    def settimeout(self, seconds: float | None) -> None:
        self._set_timeout(seconds)

    def makefile(self, *_mode: Any, **_options: Any) -> io.BufferedReader:
        """Return a file that begins with the next final response.

        Reads wait for a byte no longer than the socket's timeout at this moment.
        """
        self._is_under_way = False
        return io.BufferedReader(_ResponseReader(self._sock.makefile("rb", buffering=0), self._sock))


class _ResponseReader(io.RawIOBase):
    """The bytes of one response.

    :param raw: an unbuffered file of the socket.
    """

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._patience = sock.gettimeout()
        self._has_begun = False
        self._pending = b""  # was read already

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._has_begun and not self._pending:
            return self._receive(buffer)
        if not self._has_begun:
            self._has_begun = True
            size = self._receive(buffer)
            if size >= _STATUS_LENGTH and not _INTERIM.match(buffer):
                return size
            self._pending = self._begin(bytes(buffer[:size]))
        size = min(len(buffer), len(self._pending))
        buffer[:size], self._pending = self._pending[:size], self._pending[size:]
        return size

    def _begin(self, received: bytes) -> bytes:
        """Drop interim responses, and return what was read of the final one.

        :param received: what has come so far.
        """
        piece = bytearray(_PIECE)
        while True:
            is_decided = b"\n" in received and not _INTERIM.match(received)
            end = None if is_decided else _END_OF_HEADERS.search(received)
            if is_decided or len(received) > _LONGEST_HEAD:
                return received
            if end is not None:
                received = received[end.end() :]
                continue
            size = self._receive(piece)
            if not size:
                return received
            received += piece[:size]

    def _receive(self, buffer: Any) -> int:
        left = seconds_left()
        if left <= 0:
            raise not_done_in_time()
        if self._patience is not None and self._patience <= left:
            return self._raw.readinto(buffer) or 0
        self._sock.settimeout(None if left == math.inf else left)
        try:
            return self._raw.readinto(buffer) or 0
        except socket.timeout:
            raise not_done_in_time() from None
        finally:
            self._sock.settimeout(self._patience)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()
