# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The receipt of a load: what arrived in which way, to be carried back to where archives are saved. Pure but for I/O.

It has no host, user, path or time in it, as it has to leave a closed site.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .._base.errors import LockFileError
from .._base.json import Json, JsonError, canonical, parse_object

VERSION = 1
TAGS, MANIFESTS, BLOBS = "tags", "manifests", "blobs"
DEPTHS = (TAGS, MANIFESTS, BLOBS)
"""How far a load looked before it took something for there."""

_MOST_VALUES = 1_000_000


@dataclass(frozen=True)
class Receipt:
    """A record of the images that a load has seen in the target registry.

    :param lock_sha256: the name of each archive's lock file, with the hex digits of its sha256.
    :param checked: one of :data:`DEPTHS`.
    :param target: hex digits that are other ones where images got other names.
    :param loaded: references that are there; ``None``: all but those in ``lacking``.
    :param lacking: references that were not seen there; ``None``: all but those in ``loaded``.
    :param number: drawn by the loader.
    """

    lock_sha256: tuple[tuple[str, str], ...]
    checked: str
    target: str
    loaded: tuple[str, ...] | None = None
    lacking: tuple[str, ...] | None = ()
    number: str = ""

    @property
    def is_complete(self) -> bool:
        """True if everything that the archive holds was seen."""
        return self.lacking == ()

    def says_same(self, other: Receipt) -> bool:
        """Return True if both say the same, whatever their numbers are."""
        return replace(self, number="") == replace(other, number="")


def receipt_of(
    lock_sha256: Iterable[tuple[str, str]], *, checked: str, target: str, loaded: Iterable[str], lacking: Iterable[str]
) -> Receipt:
    """Make a receipt, with the shorter one of the two lists.

    :param loaded: references that were seen in the registry.
    :param lacking: the others of the archive.
    """
    seen, unseen = tuple(sorted(loaded)), tuple(sorted(lacking))
    is_short = len(unseen) <= len(seen)
    return Receipt(
        lock_sha256=tuple(sorted(lock_sha256)),
        checked=checked,
        target=target,
        loaded=None if is_short else seen,
        lacking=unseen if is_short else None,
    )


def with_number(receipt: Receipt) -> Receipt:
    """Draw the number by which the two sides know that they speak of the same receipt."""
    return replace(receipt, number=secrets.token_hex(8))


def render(receipt: Receipt) -> bytes:
    """Write a receipt; equal content gives equal bytes."""
    # Archives of several hosts or months often have lock files of one name.
    locks: dict[str, Json] = {sha256: name for name, sha256 in receipt.lock_sha256}
    values: dict[str, Json] = {"version": VERSION, "locks": locks}
    values["checked"] = receipt.checked
    values["target"] = receipt.target
    values["complete"] = receipt.is_complete
    if receipt.lacking:
        values["lacking"] = list(receipt.lacking)
    elif receipt.loaded is not None:
        values["loaded"] = list(receipt.loaded)
    values["number"] = receipt.number
    return canonical(values)


def parse(raw: bytes) -> Receipt:
    """Read a receipt.

    :raises LockFileError: when it is not one, or contradicts itself.
    """
    try:
        document = parse_object(raw, most=_MOST_VALUES)
        if document.integer("version") != VERSION:
            raise JsonError(f"version {document.integer('version')} is not supported; expected {VERSION}")
        checked = document.text("checked")
        if checked not in DEPTHS:
            raise JsonError(f"checked must be one of {', '.join(DEPTHS)}")
        locks = document.text_map("locks")
        is_complete = document.values().get("complete") is True
        loaded = document.texts("loaded") if "loaded" in document else None
        lacking = document.texts("lacking") if loaded is None else None
        if is_complete != (lacking == ()):
            raise JsonError("complete contradicts the lists")
        return Receipt(
            lock_sha256=tuple(sorted((name, sha256) for sha256, name in locks.items())),
            checked=checked,
            target=document.text("target"),
            loaded=loaded,
            lacking=lacking,
            number=document.text("number"),
        )
    except JsonError as error:
        raise LockFileError(f"it is not a receipt: {error}") from error
