# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writing side of the distribution API: blobs, mounts, manifests and tags of repositories.

OCI distribution-spec, "Push".
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Callable, TypeVar
from urllib.parse import urlencode

from .._base.deadline import not_done_in_time, time_left
from .._base.errors import TransferError, WrongBytes
from .._base.stop import Stop
from .._http.response import Response
from .._oci.descriptor import Descriptor
from .._oci.limits import MAX_MANIFEST_BYTES
from .._oci.media_types import ACCEPTED_TYPES
from .._oci.reference import Repository, is_digest
from .._oci.referrer import list_tag
from .._oci.schema1 import manifest_digest
from .blob_upload import BlobUpload
from .endpoints import Endpoints
from .fetched_manifest import FetchedManifest, checked_manifest
from .push_errors import SentManifest
from .push_requests import NO_BODY, OpenUpload, PushRequests, opened_by
from .referrers import NO_REFERRERS, gather_referrers
from .refusals import EndsRun, Faulty
from .retry import RetryPolicy, retrying
from .scope import push
from .upload_body import BlobSource, SourceFailed, UploadBody

_Result = TypeVar("_Result")
_ACCEPT = {"Accept": ", ".join(ACCEPTED_TYPES)}


@dataclass(frozen=True)
class PushedManifest:
    """A manifest that a registry has taken.

    :param subject: the digest of what it refers to, if the registry has entered it in the list of referrers itself
        (OCI-Subject); empty otherwise.
    """

    digest: str
    subject: str


def _ignore(_count: int) -> None:
    """Count nothing."""


class Pusher:
    """Writes to all registries of a run; its threads share it.

    :param on_retry: is told of every failure that is tried again.
    :param stop: set when the run is to end.
    """

    def __init__(
        self, endpoints: Endpoints, policy: RetryPolicy, *, stop: Stop, on_retry: Callable[[str], None]
    ) -> None:
        self._requests = PushRequests(endpoints)
        self._policy = policy
        self._stop = stop
        self._on_retry = on_retry
        self._chunks: dict[str, int] = {}

    @property
    def heads(self) -> int:
        """The number of requests that only asked."""
        return self._requests.heads

    def head_manifest(self, repository: Repository, name: str) -> str | None:
        """Ask for the digest of a tag, or whether there is a manifest with a digest.

        :returns: ``None`` if there is none, or if the registry always fails at one with this digest.
        :raises Faulty: when it always fails at this tag.
        :raises TransferError: when the registry does not say.
        """
        what = _named(repository, name)
        target = f"/v2/{repository.path}/manifests/{name}"

        def attempt() -> Response:
            return self._requests.ask("HEAD", repository, target, what=what, headers=_ACCEPT, accepted=(200, 404, 405))

        try:
            response = self._retrying(attempt, what)
        except Faulty:
            if is_digest(name):
                return None
            raise
        digest = response.header("docker-content-digest")
        if response.status == 404 or (response.status == 200 and is_digest(digest)):
            return digest if response.status == 200 else None
        found = self.get_manifest(repository, name)
        return None if found is None else found.digest

    def get_manifest(self, repository: Repository, name: str) -> FetchedManifest | None:
        """Pull a manifest by tag or digest.

        :returns: ``None`` if there is none.
        :raises TransferError: also when the bytes are not those that the digest names.
        """
        what = _named(repository, name)
        target = f"/v2/{repository.path}/manifests/{name}"

        def attempt() -> FetchedManifest | None:
            response = self._requests.ask(
                "GET",
                repository,
                target,
                what=what,
                headers=_ACCEPT,
                accepted=(200, 404),
                limit=MAX_MANIFEST_BYTES,
            )
            return checked_manifest(response, name, what) if response.status == 200 else None

        return self._retrying(attempt, what)

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Ask whether a repository has a blob. It counts as lacking one at which the registry always fails.

        :raises TransferError: when the registry does not say.
        """

        def attempt() -> bool:
            return self._requests.has_blob(repository, digest)

        try:
            return self._retrying(attempt, f"blob {digest} of {repository}")
        except Faulty:
            return False

    def mount(self, repository: Repository, digest: str, source: Repository) -> OpenUpload | None:
        """Have a blob of another repository of the same registry in this one too.

        :returns: ``None`` if it was mounted; else the upload that was opened instead, for :meth:`upload`.
        :raises TransferError: when neither was done.
        """
        what = f"blob {digest} of {repository}"
        query = urlencode({"mount": digest, "from": source.path})
        target = f"/v2/{repository.path}/blobs/uploads/?{query}"
        scope = push(repository.path, source=source.path)

        def attempt() -> OpenUpload | None:
            try:
                response = self._requests.ask(
                    "POST", repository, target, what=what, headers=NO_BODY, accepted=(201, 202), scope=scope
                )
            except TransferError as error:
                if error.heals or isinstance(error, EndsRun):
                    raise
                # The account may not read the source, or its name does not suit. What else it is, this will say.
                return self._requests.open_upload(repository)
            return None if response.status == 201 else opened_by(response, repository.registry)

        return self._retrying(attempt, what)

    def upload(
        self,
        repository: Repository,
        descriptor: Descriptor,
        source: BlobSource,
        *,
        opened: OpenUpload | None = None,
        on_sent: Callable[[int], None] = _ignore,
        deadline: float = math.inf,
    ) -> None:
        """Send a blob of any size; what broke off is resumed where the registry can do that.

        :param opened: what :meth:`mount` has returned.
        :param on_sent: is told of the bytes of each piece that was sent, and of a negative number where bytes have to
            be sent again.
        :param deadline: ``time.monotonic()`` at which it is given up, however it goes on.
        :raises TransferError: when it does not get there.
        :raises OSError: what reading the source has raised; other errors of the source too.
        """
        what = f"blob {descriptor.digest} of {repository}"
        body = UploadBody(source, size=descriptor.size, what=what, check=self._stop.check, on_sent=on_sent)
        blob = BlobUpload(
            self._requests,
            repository,
            descriptor,
            body,
            what=what,
            upload=opened,
            chunk=self._chunks.get(repository.registry, 0),
        )

        def attempt() -> None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise not_done_in_time()
            with time_left(left):
                blob.attempt()

        try:
            self._retrying(attempt, what, deadline)
        except SourceFailed as failure:
            raise failure.error from None
        if blob.chunk:
            self._chunks[repository.registry] = blob.chunk

    def put_manifest(self, repository: Repository, name: str, raw: bytes, media_type: str) -> PushedManifest:
        """Put a manifest or index, byte for byte; what it names has to be there before.

        :param name: a tag, or its digest.
        :raises BlobsUnknown: when the registry does not have all that it names.
        :raises TransferError: when the registry does not take it, or takes other bytes; see ``refusals``.
        """
        what = _named(repository, name)
        target = f"/v2/{repository.path}/manifests/{name}"
        digest = manifest_digest(raw)

        def attempt() -> PushedManifest:
            response = self._requests.ask(
                "PUT",
                repository,
                target,
                what=what,
                headers={"Content-Type": media_type, "Content-Length": str(len(raw))},
                body=raw,
                accepted=(200, 201, 202),
                manifest=SentManifest(raw, media_type),
            )
            stated = response.header("docker-content-digest")
            if stated and stated != digest:
                raise WrongBytes(f"{what} was stored under another digest than was sent", heals=False)
            return PushedManifest(digest, response.header("oci-subject"))

        return self._retrying(attempt, what)

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        """Ask which manifests refer to one.

        :returns: ``None`` if the registry keeps no such list; see :meth:`fallback_referrers`.
        :raises TransferError: when the registry does not say.
        """
        what = f"the referrers of {repository}@{digest}"

        def page(target: str) -> Response:
            return self._requests.ask(
                "GET",
                repository,
                target,
                what=what,
                accepted=(200, *NO_REFERRERS),
                limit=MAX_MANIFEST_BYTES,
            )

        def ask(target: str) -> Response:
            return self._retrying(partial(page, target), what)

        return gather_referrers(ask, repository, digest)

    def fallback_referrers(self, repository: Repository, digest: str) -> FetchedManifest | None:
        """Pull the index that takes the place of a list of referrers in a registry that keeps none.

        :returns: ``None`` if there is none.
        :raises TransferError: when the registry does not say.
        """
        return self.get_manifest(repository, list_tag(digest))

    def _retrying(self, attempt: Callable[[], _Result], what: str, deadline: float = math.inf) -> _Result:
        return retrying(
            attempt,
            policy=self._policy,
            stop=self._stop,
            deadline=deadline,
            on_retry=lambda text: self._on_retry(f"{what}: {text}"),
        )


def _named(repository: Repository, name: str) -> str:
    return f"{repository}{'@' if is_digest(name) else ':'}{name}"
