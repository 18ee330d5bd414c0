# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single requests that write to a repository, without any retry."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .._http.response import Response, number_of
from .._http.sent_body import Body
from .._oci.reference import Repository
from .endpoint import Asked
from .endpoints import Endpoints
from .push_errors import SentManifest, explain_push, lost_upload
from .refusals import EndsRun
from .scope import Scope, push
from .upload_location import upload_location

NO_BODY = {"Content-Length": "0"}
_ANY_STATUS = range(100, 1000)
_SMALL_ANSWER = 64 * 1024


@dataclass(frozen=True)
class OpenUpload:
    """An upload that a registry has opened.

    :param location: where its bytes go. It may hold a secret, and is shown nowhere.
    :param least: bytes of a chunk at least, unless it is the last (OCI-Chunk-Min-Length).
    """

    location: str = field(repr=False)
    least: int = 0


def opened_by(response: Response, host: str) -> OpenUpload:
    """Return the upload that an answer opens or continues.

    :raises TransferError: when it has no usable Location.
    """
    return OpenUpload(upload_location(response, host), number_of(response.header("oci-chunk-min-length")) or 0)


class PushRequests:
    """Sends requests to the repositories of all registries of a run.

    :ivar heads: requests that only asked.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._mutex = threading.Lock()
        self.heads = 0

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Ask whether a repository has a blob.

        :raises TransferError: when the registry does not say.
        """
        target = f"/v2/{repository.path}/blobs/{digest}"
        what = f"blob {digest} of {repository}"
        return self.ask("HEAD", repository, target, what=what, accepted=(200, 404)).status == 200

    def open_upload(self, repository: Repository) -> OpenUpload:
        """Open an upload.

        :raises TransferError: when the registry opens none.
        """
        target = f"/v2/{repository.path}/blobs/uploads/"
        response = self.ask("POST", repository, target, what=str(repository), headers=NO_BODY, accepted=(202,))
        return opened_by(response, repository.registry)

    def upload_status(self, repository: Repository, upload: OpenUpload) -> Response:
        """Ask how far an upload is; returns any answer.

        :raises TransferError: when there is none.
        """
        return self.ask("GET", repository, upload.location, what=str(repository), accepted=_ANY_STATUS)

    def send_bytes(
        self,
        method: str,
        repository: Repository,
        url: str,
        *,
        what: str,
        headers: Mapping[str, str],
        body: Body,
        more_time: float,
    ) -> Response:
        """Send bytes of a blob with PUT or PATCH.

        :raises TransferError: when the registry does not take them.
        """
        good = 201 if method == "PUT" else 202
        response = self.ask(
            method, repository, url, what=what, headers=headers, body=body, more_time=more_time, accepted=(good, 404)
        )
        if response.status == 404:
            raise lost_upload(what, repository.registry)
        return response

    def ask(
        self,
        method: str,
        repository: Repository,
        target: str,
        *,
        what: str,
        accepted: Collection[int],
        headers: Mapping[str, str] = {},
        body: Body = None,
        more_time: float = 0.0,
        limit: int = _SMALL_ANSWER,
        scope: Scope | None = None,
        manifest: SentManifest | None = None,
    ) -> Response:
        """Send a request.

        :param target: path and query below the registry, or a Location that it has given.
        :param what: names the thing, for errors.
        :param accepted: statuses that are not errors.
        :param limit: bytes of the answer accepted at most.
        :param scope: what its token has to permit, if that is more than to write to the repository.
        :param manifest: what is sent, if that is a manifest.
        :raises TransferError: when another answer comes, or none.
        """
        host = repository.registry
        if method == "HEAD":
            with self._mutex:
                self.heads += 1
        self._endpoints.outages.check(host)
        asked = Asked(method, target, scope or push(repository.path), headers, body, more_time)
        response = self._endpoints.of(host).read(asked, limit=limit)
        if response.status not in accepted:
            error = explain_push(response, host=host, what=what, manifest=manifest)
            if isinstance(error, EndsRun):
                self._endpoints.outages.give_up(host, error)
            raise error
        return response
