# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a report is undamaged and belongs to a lock file. Pure.

A page begins with a seal: the sha256 of its lock file, of its table, of itself with that place zero, and of what it
says of failures, which no lock file has. Every run looks at it, so nothing is imported here that only those need who
write a report.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from .._base.json import Json, compact

_BLANK = b"0" * 64
_SEAL = re.compile(
    rb'<meta name="seal" content="'
    rb'lock:([0-9a-f]{64}) table:([0-9a-f]{64}) page:([0-9a-f]{64})(?: failures:([0-9a-f]{64}))?(?: [^"<>]*)?">'
)
_MEMBERS = 4
"""Of a seal by this release; those of others have fewer, or more behind them."""

SEALED_WITHIN = 1024
_DIGIT = re.compile(r"[0-9]")


def blank_seal(raw_lock: bytes, table: bytes, failures: str) -> str:
    """The seal that a page is written with, to be completed by :func:`sealed`.

    :param failures: from :func:`failures_digest`; empty: what failed is not known any more.
    """
    blank = _BLANK.decode()
    hashes = f"lock:{_hash(raw_lock)} table:{_hash(table)} page:{blank} failures:{failures or blank}"
    return f'<meta name="seal" content="{hashes}">'


def sealed(page: bytes) -> bytes:
    """Put a page's own sha256 into its seal, where it has a blank one."""
    match = _SEAL.search(page, 0, SEALED_WITHIN)
    if match is None:
        raise ValueError("the page has no seal")
    start, end = match.span(3)
    return page[:start] + _hash(page).encode() + page[end:]


def fits(page: bytes, table: bytes, raw_lock: bytes) -> bool:
    """Whether page and table are undamaged and belong to this lock file.

    :param raw_lock: the lock file's bytes.
    """
    return is_of_another_release(page, table, raw_lock) is False


def is_of_another_release(page: bytes, table: bytes, raw_lock: bytes) -> bool | None:
    """Whether page and table, undamaged and of this lock file, were sealed in another way than this release seals.

    :param raw_lock: the lock file's bytes.
    :returns: ``None`` where they are damaged or belong to another.
    """
    match = unbroken(page)
    if match is None or match.groups()[:2] != (_hash(raw_lock).encode(), _hash(table).encode()):
        return None
    return match[0].count(b":") != _MEMBERS


def failures_digest(failed: Iterable[tuple[str, str]], invalid: Iterable[tuple[str, str, str]]) -> str:
    """A digest over what a report says of failures.

    Of reasons, only words without a digit count: ports, times, and the numbers that registries give to requests differ
    from run to run where nothing has changed.

    :param failed: references and reasons, in any order.
    :param invalid: places, lines and reasons.
    """
    failures: list[Json] = [[reference, _lasting(reason)] for reference, reason in sorted(failed)]
    lines: list[Json] = [list(line) for line in invalid]
    return _hash(compact([failures, lines]))


def failures_of(page: bytes) -> str:
    """The digest over what a page says of failures, from its first bytes; empty where that is not known."""
    match = _SEAL.search(page, 0, SEALED_WITHIN)
    return match[4].decode() if match is not None and match[4] not in (None, _BLANK) else ""


def _lasting(reason: str) -> str:
    return " ".join(word for word in reason.split() if not _DIGIT.search(word))


def unbroken(page: bytes) -> re.Match[bytes] | None:
    """The seal of a page that is as it was written."""
    match = _SEAL.search(page, 0, SEALED_WITHIN)
    if match is None:
        return None
    start, end = match.span(3)
    hasher = hashlib.sha256(page[:start] + _BLANK)
    hasher.update(memoryview(page)[end:])
    return match if hasher.hexdigest().encode() == match.group(3) else None


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


NO_FAILURES = failures_digest((), ())
