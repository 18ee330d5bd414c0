# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a registry wants the bytes of a blob: the Location of its answers to POST and PATCH. Pure.

OCI distribution-spec, "Pushing a blob monolithically" and "Pushing a blob in chunks". A Location may hold a secret, so
it is not shown, and not part of any error.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from .._base.errors import TransferError
from .._http.response import Response, shown_host

_ADDRESS = re.compile(r"[!-~]+")
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,19})", re.ASCII)


def upload_location(response: Response, host: str) -> str:
    """Return the absolute URL that an answer names for an upload.

    A registry behind a proxy often does not know that the proxy speaks TLS, or the other way round: for the registry's
    own name, scheme and port stay as they were asked.

    :param host: the registry, for errors.
    :raises TransferError: when it is not an address that bytes may be sent to.
    """
    location = response.header("location")
    try:
        target = urlsplit(urljoin(response.url, location))
        is_usable = bool(_ADDRESS.fullmatch(location) and target.hostname) and target.scheme in ("http", "https")
    except ValueError:
        is_usable = False
    if not is_usable:
        raise TransferError(f"{host} opened an upload, but gave no usable Location for it", heals=False)
    own = urlsplit(response.asked or response.url)
    scheme, netloc = target.scheme, target.netloc
    if target.hostname == own.hostname and scheme != own.scheme:
        scheme, netloc = own.scheme, own.netloc
    if (own.scheme, scheme) == ("https", "http"):
        raise TransferError(
            f"{host} wants the bytes of an upload sent to {shown_host(target.geturl())} without TLS, which is refused. "
            "Have its owner correct the address in its configuration, or the headers that a proxy before it sets",
            heals=False,
        )
    return urlunsplit((scheme, netloc, target.path, target.query, ""))


def with_digest(location: str, digest: str) -> str:
    """Return a Location with the digest of the blob, which ends the upload; the rest of its query is kept."""
    return f"{location}{'&' if urlsplit(location).query else '?'}{urlencode({'digest': digest})}"


def received_bytes(response: Response) -> int | None:
    """Return how many bytes of an upload the registry has, by the header Range; ``None`` if it does not say.

    ``0-0`` is what distribution answers before the first byte, though it should mean one byte.
    """
    found = _RANGE.fullmatch(response.header("range").strip())
    if found is None:
        return None
    last = int(found.group(1))
    return last + 1 if last else 0
