# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of registries to what is written to them.

``MEASURED`` was seen from the real ones. ``DOCUMENTED`` comes from sources, documents and trackers of the products that
it names; none of them can be installed here. Among them are goharbor/harbor 15461 and 18363, go-gitea/gitea 31531,
jfrog/charts 908, gitlab-org/gitlab 438563 and 36611, caprover/caprover-cli 84, and Quay's ``v2auth.py`` and
``errors.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """An answer that is laid down."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def error(status: int, code: str, message: str, detail: object = None, **headers: str) -> Answer:
    """An answer in the form of distribution-spec, "Error Codes"."""
    document: dict[str, object] = {"code": code, "message": message}
    if detail is not None:
        document["detail"] = detail
    return Answer(status, json.dumps({"errors": [document]}).encode(), headers)


MEASURED = {
    "distribution, read-only": error(405, "UNSUPPORTED", "The operation is unsupported.", Allow="GET, HEAD"),
    "distribution, disk full": error(
        500, "UNKNOWN", "unknown error", {"DriverName": "filesystem", "Enclosed": {"Op": "mkdir", "Err": 28}}
    ),
    "distribution, disk full, in words": error(500, "UNKNOWN", "unknown error", "write /data: no space left on device"),
    "distribution, token": error(401, "UNAUTHORIZED", "authentication required"),
    "nginx, large body": Answer(413, b"<html><h1>413 Request Entity Too Large</h1></html>"),
}
_HARBOR_QUOTA = (
    "adding 330.1 MiB of storage resource, which when updated to current usage of 48.5 MiB will exceed the configured "
    "upper limit of 200.0 MiB."
)
DOCUMENTED = {
    "Harbor, quota": error(403, "DENIED", _HARBOR_QUOTA),
    "Harbor, immutable": error(
        412, "PRECONDITION", "Failed to process request due to 'team/app:1' configured as immutable."
    ),
    "Harbor, no project": error(401, "UNAUTHORIZED", "unauthorized to access repository: team/app, action: push"),
    "Harbor, project not found": error(404, "NOT_FOUND", "project team not found"),
    "Harbor, read-only": error(403, "DENIED", "The system is in read only mode. Any modification is prohibited."),
    "Quay, read-only": error(
        405,
        "DENIED",
        "System is currently read-only. Pulls will succeed but all write operations are currently suspended.",
    ),
    "Quay, quota": error(403, "DENIED", "Quota has been exceeded on namespace"),
    "Quay, immutable": error(409, "TAG_ALREADY_EXISTS", "tag was already pushed"),
    "Quay, namespace disabled": error(405, "DENIED", "This namespace is disabled. Please contact your administrator."),
    "Quay, layer too large": error(413, "LAYER_TOO_LARGE", "Uploaded blob is larger than allowed by this registry"),
    "ECR, no repository": error(
        404, "NAME_UNKNOWN", "The repository with name 'team/app' does not exist in the registry"
    ),
    "ECR, immutable": error(
        400,
        "TAG_INVALID",
        "The image tag '1' already exists in the 'team/app' repository and cannot be overwritten because the tag is "
        "immutable.",
    ),
    "Artifactory, overwriting": error(
        403, "MANIFEST_INVALID", "manifest invalid", {"description": "HTTP 403 Forbidden"}
    ),
    "Nexus, no redeploy": error(
        400, "BLOB_UPLOAD_INVALID", "blob upload invalid", "Repository does not allow updating assets: hosted"
    ),
    "Nexus, two at once": error(
        400, "BLOB_UPLOAD_INVALID", "blob upload invalid", "hosted/v2/-/blobs/sha256:0 cannot be updated"
    ),
    "GitLab, deep name": error(403, "DENIED", "requested access to the resource is denied"),
    "GitLab, no project": error(403, "DENIED", "access forbidden"),
    "Gitea, owner": error(401, "UNAUTHORIZED", "reqPackageAccess"),
    "Artifactory, no key": Answer(404, b'{"errors":[{"status":404,"message":"Not Found"}]}'),
    "zot, Docker types": error(415, "MANIFEST_INVALID", "manifest invalid", {"mediaType": "unsupported"}),
    "object store, full": Answer(507, b"XMinioStorageFull"),
}
