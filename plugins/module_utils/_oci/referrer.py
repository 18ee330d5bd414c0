# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests that refer to another one, such as signatures, and the lists of them. Pure.

OCI distribution-spec, "Referrers Tag Schema" and "Pushing Manifests with Subject"; cosign's tags: SIGNATURE_SPEC.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .._base.errors import ManifestError, printable
from .._base.json import Json, JsonError, JsonObject, compact, parse_object
from .descriptor import Descriptor, descriptor_json
from .limits import MAX_CHILDREN, MAX_VALUES
from .media_types import OCI_INDEX

_LIST = re.compile(r"sha256-([0-9a-f]{64})")
_OF_COSIGN = re.compile(r"sha256-([0-9a-f]{64})\.(?:sig|att|sbom)")
_KINDS = {"att": "attestation", "sbom": "SBOM", "sig": "signature"}
"""By the ends of cosign's tags."""


def subject_of_list(tag: str) -> str:
    """Return the digest whose referrers a tag lists, if it is the tag of such a list; else an empty string."""
    found = _LIST.fullmatch(tag)
    return f"sha256:{found.group(1)}" if found else ""


def subject_of_tag(tag: str) -> str:
    """Return the digest that what has a tag refers to, as far as the tag says so; else an empty string."""
    found = _OF_COSIGN.fullmatch(tag) or _LIST.fullmatch(tag)
    return f"sha256:{found.group(1)}" if found else ""


def cosign_tags(digest: str) -> tuple[str, ...]:
    """Return the tags under which cosign puts what it attaches to a digest."""
    return tuple(f"{list_tag(digest)}.{end}" for end in _KINDS)


def list_tag(digest: str) -> str:
    """Return the tag under which the list of referrers is where the registry keeps none itself."""
    algorithm, _colon, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"


def kind_of(tag: str, artifact_type: str) -> str:
    """Return what refers to an image in words: by its tag if that is one of cosign's, else by its own type."""
    end = tag.rpartition(".")[2] if _OF_COSIGN.fullmatch(tag) else ""
    return _KINDS.get(end, artifact_type or "artefact")


def referrer_entry(raw: bytes, descriptor: Descriptor) -> bytes:
    """Return the entry that a manifest or index with a subject has in the list of its subject's referrers.

    :param raw: the document.
    :param descriptor: of the document.
    :raises ManifestError: when it cannot be read.
    """
    try:
        document = parse_object(raw, most=MAX_VALUES)
        kind = document.text("artifactType") or document.object("config").text("mediaType")
        entry = Descriptor(
            descriptor.media_type,
            descriptor.digest,
            descriptor.size,
            annotations=document.text_map("annotations"),
            artifact_type=kind,
        )
    except JsonError as error:
        raise ManifestError(f"the manifest is not readable: {printable(str(error))}") from error
    return compact(descriptor_json(entry))


def list_of_referrers(entries: Iterable[bytes]) -> bytes:
    """Return a list with entries."""
    listed: list[Json] = [parse_object(entry, most=MAX_VALUES).values() for entry in entries]
    return compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed})


def digests_in_list(raw: bytes) -> frozenset[str]:
    """Return what a list of referrers names.

    :raises ManifestError: when it is not such a list.
    """
    return frozenset(entry.text("digest") for entry in _read(raw)[1])


def with_referrers(present: bytes, added: bytes) -> bytes:
    """Return a list of referrers with the entries of another one that it lacks; the same bytes if it lacks none.

    :raises ManifestError: when one of them is not such a list.
    """
    document, listed = _read(present)
    digests = {entry.text("digest") for entry in listed}
    new: list[Json] = [entry.values() for entry in _read(added)[1] if entry.text("digest") not in digests]
    if not new:
        return present
    if len(listed) + len(new) > MAX_CHILDREN:
        raise ManifestError(f"the list of referrers would have more than {MAX_CHILDREN} entries, which is refused")
    every: list[Json] = [*(entry.values() for entry in listed), *new]
    return compact({**document.values(), "manifests": every})


def _read(raw: bytes) -> tuple[JsonObject, tuple[JsonObject, ...]]:
    """Read a list: the whole document, and its entries."""
    try:
        document = parse_object(raw, most=MAX_VALUES)
        if document.text("mediaType") not in ("", OCI_INDEX) or "manifests" not in document:
            raise ManifestError("what has the tag of a list of referrers is not an OCI index")
        listed = document.objects("manifests")
        for entry in listed:
            entry.text("digest")
    except JsonError as error:
        raise ManifestError(f"the list of referrers is not readable: {printable(str(error))}") from error
    return document, listed
