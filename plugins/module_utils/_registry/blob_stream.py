# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs of repositories, read as they come; the reading side of a copy from one repository into another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from .._oci.reference import Repository
from .endpoint import Asked
from .endpoints import Endpoints
from .scope import pull


class BlobStream:
    """The body of a blob, from its first byte on. For one thread.

    :param opened: is closed with it.
    """

    def __init__(self, pieces: Iterator[bytes], opened: ExitStack) -> None:
        self._pieces = pieces
        self._opened = opened
        self._left = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        """Put some of the next bytes into a buffer; return how many, none at the end.

        :raises TransferError: when the transfer breaks off.
        """
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        """End the transfer."""
        self._left = memoryview(b"")
        self._opened.close()


class RegistryBlobs:
    """Opens blobs of repositories. Nothing is checked or retried here, as whoever sends them on does that."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def open(self, repository: Repository, digest: str) -> BlobStream:
        """Ask for a blob.

        :raises TransferError: when the registry does not give it.
        """
        self._endpoints.outages.check(repository.registry)
        asked = Asked("GET", f"/v2/{repository.path}/blobs/{digest}", pull(repository.path), {})
        stack = ExitStack()
        streamed = self._endpoints.of(repository.registry).stream(
            asked, what=f"blob {digest} of {repository}", accepted=(200,)
        )
        _response, pieces = stack.enter_context(streamed)
        return BlobStream(pieces, stack)
