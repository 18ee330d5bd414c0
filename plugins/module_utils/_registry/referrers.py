# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of the manifests that refer to another one, and the tags that say so, as a registry gives them.

OCI distribution-spec, "Listing Referrers" and "Listing Tags". Pure, but for the function that asks.
"""

from __future__ import annotations

import re
from typing import Callable
from urllib.parse import urljoin

from .._base.errors import ManifestError, TransferError
from .._base.json import JsonError, parse_object
from .._http.response import Response, origin_of
from .._oci.descriptor import Descriptor
from .._oci.limits import MAX_CHILDREN, MAX_VALUES
from .._oci.manifest import Index, parse_manifest
from .._oci.media_types import OCI_INDEX
from .._oci.reference import Repository
from .._oci.referrer import subject_of_tag

NO_REFERRERS = (400, 404, 405, 501)
"""Answers of registries that do not know the request."""

MOST_PAGES = 100
_TAGS_AT_ONCE = 1000  # as many as distribution 3 gives at most
_NEXT = re.compile(r"<([!-;=?-~]+)>\s*;[^,]*\brel=\"?next\b")


def gather_referrers(
    ask: Callable[[str], Response], repository: Repository, digest: str, *, most: int = MOST_PAGES * MAX_CHILDREN
) -> tuple[Descriptor, ...] | None:
    """Ask for all parts of the list of what refers to a manifest.

    :param ask: sends GET to a target, and returns the response with status 200 or one of :data:`NO_REFERRERS`.
    :param most: entries accepted at most.
    :returns: each entry once; ``None`` if the registry keeps no such lists.
    :raises TransferError: when the list is too long, or goes on at another host.
    """
    found: dict[str, Descriptor] = {}
    target = f"/v2/{repository.path}/referrers/{digest}"
    for _page in range(MOST_PAGES):
        response = ask(target)
        listed = _referrers_in(response) if response.status == 200 else None
        if listed is None:
            return None
        found.update((descriptor.digest, descriptor) for descriptor in listed)
        if len(found) > most:
            raise TransferError(f"more than {most} manifests refer to {digest}, which is refused", heals=False)
        following = next_page(response, repository.registry, "referrers")
        if following is None:
            return tuple(found.values())
        target = following
    raise TransferError(
        f"the list of referrers of {digest} has more than {MOST_PAGES} parts, which is refused",
        heals=False,
    )


def gather_tags(ask: Callable[[str], Response], repository: Repository) -> frozenset[str] | None:
    """Ask for all tags of a repository, and keep those that say what they refer to.

    :param ask: sends GET to a target, and returns the response, whatever its status.
    :returns: ``None`` if the registry does not list them, or they are too many.
    :raises TransferError: when the list goes on at another host.
    """
    found: set[str] = set()
    target = f"/v2/{repository.path}/tags/list?n={_TAGS_AT_ONCE}"
    for _page in range(MOST_PAGES):
        response = ask(target)
        if response.status != 200:
            return None
        try:
            tags = parse_object(response.plain, most=MAX_VALUES).texts("tags")
        except JsonError:
            return None
        found.update(filter(subject_of_tag, tags))
        following = next_page(response, repository.registry, "tags")
        if following is None:
            return frozenset(found)
        target = following
    return None


def _referrers_in(response: Response) -> tuple[Descriptor, ...] | None:
    """Return the list in an answer with status 200; ``None`` if it is something else, such as a page for people."""
    try:
        found = parse_manifest(response.plain, OCI_INDEX)
    except ManifestError:
        return None
    return found.manifests if isinstance(found, Index) else None


def next_page(response: Response, host: str, things: str) -> str | None:
    """Return the address of the next part of a list; ``None`` if there is none.

    :param host: the registry, for errors.
    :param things: what it lists, for errors.
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
        raise TransferError(f"{host} continues a list of {things} elsewhere, which is refused", heals=False)
    return url
