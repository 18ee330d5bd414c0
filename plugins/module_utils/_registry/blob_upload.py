# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One blob on its way into a registry, over as many requests as it needs.

OCI distribution-spec, "Pushing Blobs": POST opens an upload, one PUT sends all bytes. After a PUT that broke off, GET
asks how many bytes have arrived; a registry that cannot say so gets all of them again. Bytes go in chunks only where
something before the registry refuses a large body.
"""

from __future__ import annotations

from .._base.errors import TransferError, WrongBytes
from .._http.response import Response
from .._oci.descriptor import Descriptor
from .._oci.reference import Repository
from .push_requests import OpenUpload, PushRequests, opened_by
from .refusals import BodyTooLarge, EndsRun, UploadLost
from .retry import BrokenOffError
from .upload_body import UploadBody
from .upload_location import received_bytes, with_digest

_GOOD_PIECE = 1024 * 1024
_BYTES_A_SECOND = 20 * 1024 * 1024  # what a registry surely manages when it stores what it has received
_BYTES = {"Content-Type": "application/octet-stream"}
_LARGEST_CHUNK = 64 * 1024 * 1024
_SMALLEST_CHUNK = 512 * 1024
_ALL_IN_ONE = 2**40
_LOST_BY_ACCIDENT = 1  # uploads


class BlobUpload:
    """Sends one blob; each call of :meth:`attempt` is one try.

    :param upload: one that a mount has opened already; ``None``: the first try opens one.
    :param chunk: bytes of a chunk at most; 0: all at once.
    :ivar chunk: what has worked at last.
    """

    def __init__(
        self,
        requests: PushRequests,
        repository: Repository,
        descriptor: Descriptor,
        body: UploadBody,
        *,
        what: str,
        upload: OpenUpload | None,
        chunk: int,
    ) -> None:
        self._requests = requests
        self._repository = repository
        self._descriptor = descriptor
        self._body = body
        self._what = what
        self._upload = upload
        self._was_tried = False
        self._furthest = 0
        self._lost = 0
        self.chunk = chunk

    def attempt(self) -> None:
        """Send what the registry does not have.

        :raises BrokenOffError: when it breaks off, after the last try but this one got a good piece through.
        :raises TransferError: when it fails otherwise.
        """
        start = self._resumed()
        if start is None:
            return
        has_come_on = start - self._furthest >= _GOOD_PIECE
        self._furthest = max(start, self._furthest)
        try:
            self._send(start)
        except UploadLost:
            self._upload = None
            self._lost += 1
            if self._lost > _LOST_BY_ACCIDENT and not self.chunk:
                # Artifactory 6 loses every upload whose bytes come with the PUT (moby/buildkit 1130).
                self.chunk = _ALL_IN_ONE
            raise
        except TransferError as error:
            if error.heals and has_come_on:
                raise BrokenOffError(str(error), heals=True, retry_after=error.retry_after) from error
            # Nexus refuses a blob that another upload has completed meanwhile.
            if error.heals or isinstance(error, EndsRun) or not self._is_there():
                raise

    def _resumed(self) -> int | None:
        """Return where to go on from; ``None`` if the blob is there already, as the answer alone was lost."""
        was_tried, self._was_tried = self._was_tried, True
        all_was_sent = was_tried and self._body.tell() == self._descriptor.size
        if all_was_sent and self._is_there():
            self._body.settle()
            return None
        if self._upload is not None and was_tried:
            response = self._requests.upload_status(self._repository, self._upload)
            received = received_bytes(response) if response.status in (202, 204) else None
            if received is None or received > self._descriptor.size:
                self._upload = None
            else:
                self._move(response)
                return received
        if self._upload is None:
            self._upload = self._requests.open_upload(self._repository)
        return 0

    def _is_there(self) -> bool:
        try:
            return self._requests.has_blob(self._repository, self._descriptor.digest)
        except TransferError:
            return False  # what failed before says why

    def _send(self, start: int) -> None:
        if not self.chunk:
            try:
                self._finish(start)
            except BodyTooLarge:
                self.chunk = _LARGEST_CHUNK
                self._upload, start = self._requests.open_upload(self._repository), 0
            else:
                return
        self._send_chunks(start)

    def _opened(self) -> OpenUpload:
        """Return the upload that is open.

        :raises UploadLost: when there is none any more.
        """
        if self._upload is None:
            raise UploadLost(
                f"{self._repository.registry} does not know the upload of {self._what} any more", heals=True
            )
        return self._upload

    def _finish(self, start: int) -> None:
        """Send all that is left, and the digest: the blob is there then."""
        size = self._descriptor.size
        response = self._put(
            "PUT",
            with_digest(self._opened().location, self._descriptor.digest),
            (start, size),
            is_part=0 < start < size,
            # Registries copy or hash what has come before they answer.
            more_time=size / _BYTES_A_SECOND,
        )
        stated = response.header("docker-content-digest")
        if stated and stated != self._descriptor.digest:
            raise WrongBytes(f"{self._what} was stored under another digest than was sent", heals=False)

    def _send_chunks(self, start: int) -> None:
        while start < self._descriptor.size:
            upload = self._opened()
            end = min(start + max(self.chunk, upload.least), self._descriptor.size)
            try:
                response = self._put("PATCH", upload.location, (start, end), is_part=True)
            except BodyTooLarge:
                self.chunk = min(self.chunk // 4, _LARGEST_CHUNK)
                if self.chunk < max(_SMALLEST_CHUNK, upload.least):
                    raise
                continue
            if received_bytes(response) not in (None, end):
                raise UploadLost(f"{self._what}: the registry has other bytes of it than were sent", heals=True)
            self._move(response)
            start = end
        self._finish(start)

    def _put(
        self, method: str, url: str, stretch: tuple[int, int], *, is_part: bool, more_time: float = 0.0
    ) -> Response:
        start, end = stretch
        self._body.choose(start, end)
        headers = {**_BYTES, "Content-Length": str(end - start)}
        if is_part:
            headers["Content-Range"] = f"{start}-{end - 1}"
        response = self._requests.send_bytes(
            method,
            self._repository,
            url,
            what=self._what,
            headers=headers,
            body=self._body if end > start else b"",
            more_time=more_time,
        )
        self._body.settle()
        return response

    def _move(self, response: Response) -> None:
        """Take the Location of an answer, which may differ from the last one."""
        if self._upload is not None and response.header("location"):
            moved = opened_by(response, self._repository.registry)
            self._upload = OpenUpload(moved.location, max(moved.least, self._upload.least))
