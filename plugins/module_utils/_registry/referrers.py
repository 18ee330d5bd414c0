# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of the manifests that refer to another one, as a registry gives it. Pure.

OCI distribution-spec, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import re
from urllib.parse import urljoin

from .._base.errors import ManifestError, TransferError
from .._http.response import Response, origin_of
from .._oci.descriptor import Descriptor
from .._oci.manifest import Index, parse_manifest
from .._oci.media_types import OCI_INDEX

_NEXT = re.compile(r"<([!-;=?-~]+)>\s*;[^,]*\brel=\"?next\b")


def fallback_tag(digest: str) -> str:
    """Return the tag under which the list is where the registry keeps none itself."""
    algorithm, _colon, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"


def referrers_in(response: Response) -> tuple[Descriptor, ...] | None:
    """Return the list in an answer with status 200; ``None`` if it is something else, such as a page for people."""
    try:
        found = parse_manifest(response.plain, OCI_INDEX)
    except ManifestError:
        return None
    return found.manifests if isinstance(found, Index) else None


def next_page(response: Response, host: str) -> str | None:
    """Return the address of the next part of a list; ``None`` if there is none.

    :param host: the registry, for errors.
    :raises TransferError: when another host is named.
    """
    found = _NEXT.search(response.header("link"))
    if found is None:
        return None
    try:
        url = str(urljoin(response.url, found.group(1)))
        is_own = origin_of(url) == response.origin
    except ValueError:
        is_own = False
    if not is_own:
        raise TransferError(f"{host} continues a list of referrers elsewhere, which is refused", heals=False)
    return url
