# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extras of an index: attestations, signatures and artefacts. Pure.

Mirrors and caches of registries often lack them, and an image runs without them. An extra that a registry does not give
is left out, and the result says so; unless the registry is out of order, as then the next run would get it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .._base.errors import (
    ImagesError,
    ManifestError,
    Missing,
    NestedIndex,
    NotCarried,
    Refused,
    WrongBytes,
)
from .descriptor import Descriptor
from .media_types import DOCKER_MANIFEST, INDEX_TYPES, OCI_MANIFEST, SCHEMA1_TYPES

_MAY_BE_IMAGES = frozenset({"", OCI_MANIFEST, DOCKER_MANIFEST}) | SCHEMA1_TYPES | INDEX_TYPES
_MOST_NAMED = 5


def is_extra(entry: Descriptor, siblings: Sequence[Descriptor]) -> bool:
    """Return True if the index shows that an entry is not an image.

    :param siblings: all entries. If others name platforms, an entry that names none is an artefact.
    """
    if entry.attests or (entry.platform is not None and entry.platform.is_unknown):
        return True
    if entry.platform is not None:
        return False
    if entry.artifact_type or entry.media_type not in _MAY_BE_IMAGES:
        return True
    return any(other.platform is not None and not other.platform.is_unknown for other in siblings)


def may_be_left_out(error: ImagesError) -> bool:
    """Return True if an error shows that an extra cannot be had, and trying again would not help."""
    if isinstance(error, NestedIndex):
        return False  # it may contain images
    return isinstance(error, (Missing, Refused, WrongBytes, ManifestError))


def notes_on(lacking: Mapping[str, ImagesError], entries: Sequence[Descriptor]) -> Iterator[str]:
    """Yield a note on each extra that was left out, the same in every run.

    :param lacking: why, by the digests of extras.
    :param entries: all of the index.
    """
    platforms = {entry.digest: entry.platform for entry in entries}
    left_out = list({entry.digest: entry for entry in entries if entry.digest in lacking}.values())
    for entry in left_out[:_MOST_NAMED]:
        about = platforms.get(entry.attests)
        of = f" of {about}" if about is not None else ""
        yield f"without {_kind(entry)} {entry.digest}{of}: {why_left_out(lacking[entry.digest])}"
    if len(left_out) > _MOST_NAMED:
        yield f"without {len(left_out) - _MOST_NAMED} more attestations, signatures or artefacts, for such reasons"


def _kind(entry: Descriptor) -> str:
    if entry.attests:
        return "the attestation"
    return "the attestation or signature" if entry.platform is not None else "the artefact"


def why_left_out(error: ImagesError) -> str:
    """Return in words why an extra was left out, the same in every run."""
    if isinstance(error, Missing):
        return "its registry does not have it"
    if isinstance(error, Refused):
        return "its registry refuses it"
    if isinstance(error, NotCarried):
        return "skopeo cannot copy it, and the signature policy has a say"
    return "what its registry sends under that digest is broken"
