# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors for answers to what was to be written: what a registry means by them, and what to do about it. Pure.

OCI distribution-spec, "Error Codes". For what it leaves open: the answers of distribution, Harbor, Quay, ECR,
Artifactory, Nexus and zot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._base.errors import ManifestError, Refused, TransferError, WrongBytes, printable
from .._base.json import JsonError, JsonObject, parse_object
from .._http.response import Response
from .._http.status_errors import explain_status
from .._oci.limits import MAX_MANIFEST_BYTES
from .._oci.manifest import Manifest, parse_manifest
from .refusals import (
    BlobsUnknown,
    BodyTooLarge,
    EndsRun,
    Faulty,
    ForeignLayersRefused,
    ImmutableTag,
    ManifestTooLarge,
    MissingProject,
    QuotaExceeded,
    ReadOnlyRegistry,
    RegistryFull,
    TypeRefused,
    UploadLost,
)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WAITING = (408, 429)
_UNKNOWN_CONTENT = frozenset({"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"})
# ENOSPC and EDQUOT, in the words of the operating system and as Go writes them in JSON, and what object stores say.
_FULL = ("no space left", "disk quota exceeded", '"err":28', '"err":122', "storagefull", "insufficient storage")
_READ_ONLY = ("read-only mode", "read only mode", "currently read-only", "is_readonly", "pushes to the registry are")
_QUOTA = ("quota", "configured upper limit")
_IMMUTABLE = ("immutable", "cannot be overwritten", "tag was already pushed")
_NO_REDEPLOY = ("does not allow updating assets", "cannot be updated")


@dataclass(frozen=True)
class SentManifest:
    """A manifest as it was sent."""

    raw: bytes
    media_type: str

    @property
    def has_foreign_layers(self) -> bool:
        """True if it names layers that are stored elsewhere."""
        try:
            manifest = parse_manifest(self.raw)
        except ManifestError:
            return False
        return isinstance(manifest, Manifest) and any(layer.is_foreign for layer in manifest.layers)


@dataclass(frozen=True)
class _Answer:
    """An answer that is an error.

    :param codes: of the errors in its body.
    :param text: the whole body in lower case, as some registries say it in ``detail`` alone.
    :param told: the first error for a message, in brackets; empty if there is none.
    """

    status: int
    codes: frozenset[str]
    text: str
    told: str
    allowed: str

    def says(self, words: tuple[str, ...]) -> bool:
        return any(word in self.text for word in words)


def explain_push(response: Response, *, host: str, what: str, manifest: SentManifest | None = None) -> TransferError:
    """Return the error for an answer to a request that writes, or that asks what has to be written.

    :param what: names the blob or manifest.
    :param manifest: what was sent, if that was a manifest.
    """
    if response.is_elsewhere or response.status in _WAITING:
        return explain_status(response, host=host, what=what)
    answer = _read(response)
    error = (
        _of_registry(answer, host)
        or (_of_blob(answer, host, what) if manifest is None else _of_manifest(answer, host, what, manifest))
        or _of_access(answer, host, what, is_manifest=manifest is not None)
        or _of_status(answer, response, host, what)
    )
    if not isinstance(error, EndsRun):
        error.about = what
    return error


def lost_upload(what: str, host: str) -> UploadLost:
    """Return the error for an upload that a registry does not know any more; another one may be opened."""
    return UploadLost(f"{host} does not know the upload of {what} any more", heals=True)


def _read(response: Response) -> _Answer:
    body = response.plain
    try:
        errors = parse_object(body).objects("errors")
        codes = frozenset(error.text("code").upper() for error in errors)
        told = _told(errors[0])
    except (JsonError, IndexError):
        codes, told = frozenset(), ""
    text = body.decode("utf-8", "replace").lower().replace('": ', '":')
    return _Answer(response.status, codes, text, told, response.header("allow").upper())


def _told(error: JsonObject) -> str:
    said = [error.text("code"), error.text("message")]
    detail = error.values().get("detail")
    if isinstance(detail, str) and detail != said[1]:
        said.append(detail)
    text = printable(": ".join(filter(None, said)), 300)
    return f" ({text})" if text else ""


def _of_registry(answer: _Answer, host: str) -> TransferError | None:
    """Return the error for an answer that is about the whole registry."""
    if answer.status == 507 or (answer.status >= 500 and answer.says(_FULL)):
        return RegistryFull(
            f"{host} has no space left on its disk (it answered {answer.status}). Have its owner make room, then run "
            "again: what is there already is not sent again",
            heals=False,
            is_final=True,
        )
    writes = ("PUT", "POST", "PATCH")
    takes_none = answer.status == 405 and bool(answer.allowed) and not any(word in answer.allowed for word in writes)
    if takes_none or (answer.status in (403, 405, 503) and answer.says(_READ_ONLY)):
        return ReadOnlyRegistry(
            f"{host} is read-only{answer.told}: nothing can be loaded into it. Have its owner end that, then run again",
            heals=False,
            is_final=True,
        )
    return None


def _of_blob(answer: _Answer, host: str, what: str) -> TransferError | None:
    if answer.status == 413 and "LAYER_TOO_LARGE" in answer.codes:
        return Refused(
            f"{host} refused {what}: it is larger than its limit{answer.told}. Have the limit raised (Quay: "
            "MAXIMUM_LAYER_SIZE), or leave the image out with exclude",
            heals=False,
        )
    if answer.status == 413:
        return BodyTooLarge(
            f"{host}, or a proxy before it, refused {what} because of its size (413), and the smallest pieces as well. "
            "Have the limit raised (nginx: client_max_body_size)",
            heals=False,
        )
    if "DIGEST_INVALID" in answer.codes:
        return WrongBytes(f"{what} arrived at {host} with other bytes than its digest names", heals=True)
    if answer.status == 416 or "BLOB_UPLOAD_UNKNOWN" in answer.codes:
        return lost_upload(what, host)
    return None


def _of_manifest(answer: _Answer, host: str, what: str, manifest: SentManifest) -> TransferError | None:
    size = len(manifest.raw)
    if answer.status == 413 or (answer.status == 400 and size > MAX_MANIFEST_BYTES):
        return ManifestTooLarge(
            f"{host} refused {what}: its manifest has {size} bytes, which is too much for it. Leave the image out with "
            "exclude",
            heals=False,
        )
    if answer.status in (400, 404) and answer.codes & _UNKNOWN_CONTENT:
        error = BlobsUnknown(
            f"{host} does not have all that {what} names{answer.told}. What was there may have been removed meanwhile: "
            "let no garbage collection run while images are loaded, then run again",
            heals=False,
        )
        error.digests = tuple(dict.fromkeys(_DIGEST.findall(answer.text)))
        return error
    if answer.status == 500 and manifest.has_foreign_layers:
        return ForeignLayersRefused(
            f"{host} refused {what}{answer.told}, which has layers that are stored elsewhere (urls). docker-registry "
            "takes them only from addresses that validation.manifests.urls.allow in its configuration lists",
            heals=False,
        )
    if answer.status == 415 or (answer.status == 400 and answer.says(("media type", "mediatype"))):
        return TypeRefused(
            f"{host} refused {what}{answer.told}: it does not take manifests of the type "
            f"{printable(manifest.media_type, 120)}. zot takes those of Docker only with http.compat: [docker2s2]",
            heals=False,
        )
    return None


def _of_access(answer: _Answer, host: str, what: str, *, is_manifest: bool) -> TransferError | None:
    """Return the error for an answer that is about what may be written where, by whom."""
    if 400 <= answer.status < 500 and answer.says(_QUOTA):
        return QuotaExceeded(
            f"{host} refused {what}: the quota is used up{answer.told}. Have it raised, or remove images there",
            heals=False,
        )
    if answer.status == 400 and answer.says(_NO_REDEPLOY):
        return ImmutableTag(
            f"{host} refused {what}, because its repository takes nothing twice{answer.told}. In Nexus, set the "
            "deployment policy to Allow redeploy",
            heals=False,
        )
    if (is_manifest and answer.status in (409, 412)) or (answer.status < 500 and answer.says(_IMMUTABLE)):
        return ImmutableTag(
            f"{host} refused {what}: the tag exists, and may not be changed{answer.told}. Keep it (on_conflict=keep), "
            "load under another name (rewrites), or have the rule lifted there",
            heals=False,
        )
    if is_manifest and answer.status == 403 and "MANIFEST_INVALID" in answer.codes:
        return ImmutableTag(
            f"{host} refused {what}{answer.told}. Artifactory answers so where the account may not overwrite what is "
            "there: it needs the permission Delete/Overwrite",
            heals=False,
        )
    if answer.status == 404:
        return MissingProject(
            f"{host} has no place for {what}{answer.told}. Create its project or repository there first (in Harbor, "
            "create_projects=true does), as it makes none by itself",
            heals=False,
        )
    return None


def _of_status(answer: _Answer, response: Response, host: str, what: str) -> TransferError:
    account = response.account
    if answer.status == 401 and account:
        return Refused(
            f"{host} refused {account} for {what}: unauthorized{answer.told}. The password may be wrong, the account "
            "may not push there, or the project does not exist (in Harbor, create_projects=true creates it)",
            heals=False,
        )
    if answer.status == 401:
        return Refused(
            f"{host} refused {what}: unauthorized{answer.told}. Give username and password, or authfile", heals=False
        )
    if answer.status == 403 and account:
        return Refused(
            f"{host} denied {account} access to {what}{answer.told}: the account may not push it, or its name does not "
            "suit (GitLab: an existing project, and at most two names below it)",
            heals=False,
        )
    if answer.status == 403:
        return Refused(
            f"{host} denied access to {what}{answer.told}: nobody may push it without a login. Give username and "
            "password, or authfile",
            heals=False,
        )
    if answer.status == 500:
        error = explain_status(response, host=host, what=what)
        return Faulty(str(error), heals=error.heals, retry_after=error.retry_after)
    if answer.status > 500:
        return explain_status(response, host=host, what=what)
    return TransferError(f"{host} answered {answer.status} when {what} was sent{answer.told}", heals=False)
