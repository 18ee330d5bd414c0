# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A manifest as a registry sent it, with its digest checked. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .._base.errors import WrongBytes
from .._http.response import Response
from .._oci.reference import is_digest
from .._oci.schema1 import manifest_digest


@dataclass(frozen=True)
class FetchedManifest:
    """A manifest as it came: its bytes, the digest that is its name, and its Content-Type."""

    raw: bytes
    digest: str
    media_type: str


def checked_manifest(response: Response, name: str, what: str) -> FetchedManifest:
    """Take the bytes that the digest names, whatever the answer says of their encoding.

    :param name: the tag or digest that was asked for.
    :param what: names the manifest, for errors.
    :raises WrongBytes: when the digest is that of other bytes.
    """
    stated = response.header("docker-content-digest")
    wanted = [digest for digest in (name, stated) if is_digest(digest)]
    for raw in (response.plain, response.body):
        digest = manifest_digest(raw)
        if all(each == digest for each in wanted):
            return FetchedManifest(raw=raw, digest=digest, media_type=_media_type(response))
    if is_digest(name) and digest != name:
        raise WrongBytes(f"{what} came with other bytes than its digest names", heals=True)
    raise WrongBytes(f"{what} came with other bytes than the registry's own digest", heals=True)


def _media_type(response: Response) -> str:
    return response.header("content-type").split(";", 1)[0].strip()
