# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs in the order of the stream, in one pass, each of which can be read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from .._base.errors import ImagesError
from .blob_reader import BlobReader, Content
from .contents import blob_of
from .decoder import Decoder, Snapshot
from .tar_stream import Member, TarStream


class Stream(Protocol):
    """The archive that the pass goes over."""

    def restart(self, snapshot: Snapshot | None, plain: int) -> Decoder:
        """Make a decoder that gives what is at some place of the tar stream."""

    def explain(self, digest: str, found: str) -> ImagesError:
        """Find out why a blob came out wrong, and make the error for the user."""


def pass_over(tar: TarStream, wanted: dict[str, int], stream: Stream) -> Iterator[tuple[str, BlobReader]]:
    """Yield blobs as the pass reaches them.

    :param tar: at its beginning.
    :param wanted: sizes of the blobs by digest; those that were reached are removed.
    :param stream: what the pass goes over.
    :returns: each digest with a reader, which can be used until the next one is asked for.
    :raises BrokenStream: when the stream makes no sense.
    """
    for member in tar.members():
        digest = blob_of(member)
        if digest in wanted:
            passed = _Passed(tar, member, stream)
            with BlobReader(digest, wanted.pop(digest), passed) as reader:
                yield digest, reader
        if not wanted:
            return


class _Passed:
    """A blob that a pass has reached: read on from there at first, and by a decoder of its own from then on."""

    def __init__(self, tar: TarStream, member: Member, stream: Stream) -> None:
        self._tar = tar
        self._member = member
        self._stream = stream
        self._snapshot: Snapshot | None = None
        self._is_started = False

    def start(self, _digest: str) -> Content:
        if self._is_started:
            return self._stream.restart(self._snapshot, self._member.plain)
        self._is_started = True
        self._snapshot = self._tar.snapshot()
        return _Within(self._tar, self._member.size)

    def explain(self, digest: str, found: str) -> ImagesError:
        return self._stream.explain(digest, found)


class _Within:
    """The content of a member, whose end the pass needs to find."""

    def __init__(self, tar: TarStream, size: int) -> None:
        self._tar = tar
        self._left = size

    def readinto(self, buffer: memoryview) -> int:
        count = self._tar.readinto(buffer[: self._left])
        self._left -= count
        return count

    def close(self) -> None:
        """Leave the stream to the pass."""
