# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The body of a request: nothing, bytes, or a file that is sent as it is read."""

from __future__ import annotations

from typing import Protocol, Union

from .._base.buffers import Data

SENT_AT_ONCE = 1024 * 1024
"""Bytes of a file that are read and sent at once."""


class FileBody(Protocol):
    """A body that is sent as it is read, in pieces; the request's Content-Length says how long it is."""

    def read(self, size: int, /) -> Data:
        """Return the next bytes; none at the end. What was returned before has been sent, and may change."""

    def tell(self) -> int:
        """Return the position of the next byte."""

    def seek(self, position: int, /) -> int:
        """Go to a position."""


Body = Union[bytes, FileBody, None]
"""The body of a request."""
