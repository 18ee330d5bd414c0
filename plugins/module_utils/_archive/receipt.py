# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The receipt of a load: what arrived, to be carried back to where archives are saved. Pure, except for its number.

It has no host, user, path or time in it, as it has to leave a closed site. Where no file may leave, a line that can be
read out over the telephone confirms a complete one.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .._base.errors import LockFileError, quoted
from .._base.json import Json, JsonError, canonical, parse_object

VERSION = 1
TAGS, MANIFESTS, BLOBS = "tags", "manifests", "blobs"
DEPTHS = (TAGS, MANIFESTS, BLOBS)
"""How far a load looked before it took something for there."""

_MOST_VALUES = 1_000_000
_CODE_DIGITS = 16
_CONFIRMATION = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})")


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


def confirmation_of(receipt: Receipt) -> str:
    """Return the line that confirms a complete receipt: its number, and the first digits of a sha256 over it.

    The connected side knows all of a receipt but its number and C(target), which is left out here. So the line shows
    which archives arrived, and that it was made from a receipt.

    :returns: ``NUMBER-CODE``, 16 hex digits each; empty for a receipt that is not complete, or has no number yet.
    """
    if not receipt.is_complete or not receipt.number:
        return ""
    code = hashlib.sha256(render(replace(receipt, target=""))).hexdigest()[:_CODE_DIGITS]
    return f"{receipt.number}-{code}"


def confirmed_by(text: str, lock_sha256: Iterable[tuple[str, str]]) -> Receipt | None:
    """Return the complete receipt that a line confirms, without its target; ``None`` if it confirms another one.

    :param text: as :func:`confirmation_of` returns it; spaces and capital letters do not matter.
    :param lock_sha256: the lock files that the receipt would name.
    :raises LockFileError: when the text is not such a line.
    """
    found = _CONFIRMATION.fullmatch("".join(text.split()).lower())
    if found is None:
        raise LockFileError(f"{quoted(text, 100)} is not a confirmation: expected 16 hex digits, '-', 16 hex digits")
    locks = tuple(sorted(lock_sha256))
    candidates = [Receipt(locks, checked, target="", number=found[1]) for checked in DEPTHS]
    return next((one for one in candidates if confirmation_of(one) == found[0]), None)


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
