# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in a thread of the tests' own process."""

from __future__ import annotations

import threading
from http.server import HTTPServer
from types import TracebackType
from typing import TypeVar

_Self = TypeVar("_Self", bound="Served")


class Served:
    """Serves on a free port of loopback from ``__enter__`` to ``__exit__``."""

    def __init__(self, server: HTTPServer, *, scheme: str = "http") -> None:
        self._server = server
        self.scheme = scheme
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``, the first part of a reference."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, or https."""
        return f"{self.scheme}://{self.host}"

    def __enter__(self: _Self) -> _Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
