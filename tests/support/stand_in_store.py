# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of a stand-in for a registry, and its answers: with the manners of one that was measured.

Measured on the real ones: docker-registry 2.8 (``DISTRIBUTION_2``) and 3.1 (``DISTRIBUTION_3``), olareg, and the
registry in go-containerregistry 0.20 (``CRANE``).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from .stand_in_answers import Answer, error

_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Manners:
    """The manners in which registries differ.

    :param takes_post: POST with ``?digest=`` and a body is taken; otherwise it opens an upload and drops the body.
    :param status_of_upload: what GET answers to the Location of an upload; with 204, a PUT may send the rest.
    :param mounts: otherwise it opens an upload.
    :param shares: every blob is in every repository.
    :param missing: what PUT of a manifest answers if something below it is missing; 0: it takes it.
    :param lists_referrers: it answers OCI-Subject, and lists referrers.
    :param takes_whole: PUT of an upload may have all of its bytes; otherwise the upload is lost.
    :param takes_foreign: manifests with layers that are stored elsewhere.
    """

    takes_post: bool
    status_of_upload: int
    mounts: bool = True
    shares: bool = False
    missing: int = 400
    lists_referrers: bool = False
    takes_whole: bool = True
    takes_foreign: bool = False
    largest_manifest: int = 4 * 1024 * 1024


DISTRIBUTION_2 = Manners(takes_post=False, status_of_upload=404)
DISTRIBUTION_3 = Manners(takes_post=False, status_of_upload=204)
OLAREG = Manners(takes_post=True, status_of_upload=204, lists_referrers=True, takes_foreign=True)
CRANE = Manners(takes_post=True, status_of_upload=400, mounts=False, shares=True, missing=404, takes_foreign=True)
ARTIFACTORY_6 = Manners(takes_post=False, status_of_upload=404, takes_whole=False)
"""Not measured: as docker/buildx issue 196 and moby/buildkit issue 1130 have it."""

ALL = {
    "distribution 2": DISTRIBUTION_2,
    "distribution 3": DISTRIBUTION_3,
    "olareg": OLAREG,
    "crane": CRANE,
}


@dataclass(frozen=True)
class Asked:
    """The content of a request.

    :param may_read_source: whether its token lets it read what it wants to mount from.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    may_read_source: bool


class Store:
    """Blobs, manifests and tags; tests may change what is there.

    :ivar blobs: by digest.
    :ivar links: which repository has which blob.
    :ivar manifests: bytes and media type by repository and digest.
    :ivar tags: digests by repository and tag.
    :ivar location: ``relative``, ``absolute``, or the origin to name in each Location.
    :ivar origin: its own.
    """

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.blobs: dict[str, bytes] = {}
        self.links: set[tuple[str, str]] = set()
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.location = "relative"
        self.origin = ""
        self._uploads: dict[str, tuple[str, bytearray]] = {}

    def respond(self, method: str, kind: str, found: Mapping[str, str], asked: Asked) -> Answer:
        """Answers a request whose body was read."""
        repository, name = found.get("repository", ""), found.get("name", "")
        if kind == "start":
            return self._start(repository, asked)
        if kind == "upload":
            return self._upload(method, repository, name, asked)
        if kind == "blob":
            return self._blob(repository, name)
        if kind == "referrers":
            return self._referrers(repository, name)
        if kind == "tags":
            tags = sorted(tag for owner, tag in self.tags if owner == repository)
            return Answer(200, json.dumps({"name": repository, "tags": tags}).encode())
        return self._put_manifest(repository, name, asked) if method == "PUT" else self._manifest(repository, name)

    def append(self, name: str, piece: bytes) -> None:
        """Keeps a piece of an upload."""
        if name in self._uploads:
            self._uploads[name][1].extend(piece)

    def _start(self, repository: str, asked: Asked) -> Answer:
        source, digest = asked.query.get("from", ""), asked.query.get("mount", "")
        if self.manners.mounts and asked.may_read_source and (source, digest) in self.links:
            self.links.add((repository, digest))
            return Answer(201, b"", {"Docker-Content-Digest": digest, "Location": f"/v2/{repository}/blobs/{digest}"})
        if self.manners.takes_post and "digest" in asked.query:
            return self._store(repository, asked.query["digest"], asked.body)
        name = secrets.token_hex(8)
        self._uploads[name] = (secrets.token_hex(8), bytearray())
        return Answer(202, b"", self._where(repository, name))

    def _where(self, repository: str, name: str) -> dict[str, str]:
        state, data = self._uploads[name]
        path = f"/v2/{repository}/blobs/uploads/{name}?_state={state}%3D"
        origin = {"relative": "", "absolute": self.origin}.get(self.location, self.location)
        return {"Location": origin + path, "Range": f"0-{max(0, len(data) - 1)}"}

    def _upload(self, method: str, repository: str, name: str, asked: Asked) -> Answer:
        if name not in self._uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        state, data = self._uploads[name]
        if asked.query.get("_state") != f"{state}=":
            return error(400, "BLOB_UPLOAD_INVALID", "the state does not fit")
        if method == "GET":
            status = self.manners.status_of_upload
            return Answer(204, b"", self._where(repository, name)) if status == 204 else Answer(status)
        if method == "PATCH":
            # The state changes with each chunk: the last Location has to be used.
            self._uploads[name] = (secrets.token_hex(8), data)
            return Answer(202, b"", self._where(repository, name))
        del self._uploads[name]
        if not self.manners.takes_whole and int(asked.headers.get("content-length", "0")):
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return self._store(repository, asked.query["digest"], bytes(data))

    def expected_start(self, name: str) -> int:
        """Where the next bytes of an upload have to begin."""
        return len(self._uploads[name][1]) if name in self._uploads else 0

    def forget(self, name: str) -> None:
        """Drops the bytes of an upload that broke off, if it cannot be resumed."""
        if self.manners.status_of_upload != 204:
            self._uploads.pop(name, None)

    def _store(self, repository: str, digest: str, data: bytes) -> Answer:
        if digest != f"sha256:{hashlib.sha256(data).hexdigest()}":
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[digest] = data
        self.links.add((repository, digest))
        return Answer(201, b"", {"Docker-Content-Digest": digest})

    def has(self, repository: str, digest: str) -> bool:
        """Return True if a repository has a blob."""
        return digest in self.blobs and (self.manners.shares or (repository, digest) in self.links)

    def _blob(self, repository: str, digest: str) -> Answer:
        if not self.has(repository, digest):
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return Answer(200, self.blobs[digest], {"Docker-Content-Digest": digest})

    def _manifest(self, repository: str, name: str) -> Answer:
        digest = self.tags.get((repository, name), name)
        if (repository, digest) not in self.manifests:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        raw, media_type = self.manifests[repository, digest]
        return Answer(200, raw, {"Docker-Content-Digest": digest, "Content-Type": media_type})

    def _put_manifest(self, repository: str, name: str, asked: Asked) -> Answer:
        raw = asked.body
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if len(raw) > self.manners.largest_manifest:
            return error(400, "MANIFEST_INVALID", "manifest invalid", "http: request body too large")
        document = json.loads(raw)
        layers = document.get("layers", [])
        if not self.manners.takes_foreign and any("urls" in layer for layer in layers):
            return error(500, "UNKNOWN", "unknown error", {})
        missing = [
            each["digest"]
            for each in [*filter(None, [document.get("config")]), *layers]
            if not self.has(repository, each["digest"])
        ]
        children = document.get("manifests", [])
        missing += [each["digest"] for each in children if (repository, each["digest"]) not in self.manifests]
        if missing and self.manners.missing:
            errors = [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": {"digest": digest}} for digest in missing]
            return Answer(self.manners.missing, json.dumps({"errors": errors}).encode())
        self.manifests[repository, digest] = (raw, asked.headers.get("content-type", ""))
        if ":" not in name:
            self.tags[repository, name] = digest
        headers = {"Docker-Content-Digest": digest}
        if self.manners.lists_referrers and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        return Answer(201, b"", headers)

    def _referrers(self, repository: str, subject: str) -> Answer:
        if not self.manners.lists_referrers:
            return Answer(404, b"404 page not found")
        found = [
            {"mediaType": media_type, "digest": digest, "size": len(raw)}
            for (owner, digest), (raw, media_type) in self.manifests.items()
            if owner == repository and json.loads(raw).get("subject", {}).get("digest") == subject
        ]
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": found}
        return Answer(200, json.dumps(index).encode(), {"Content-Type": _INDEX})
