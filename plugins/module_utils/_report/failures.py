# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures that a report lists, and a digest that shows whether other things failed than before. Pure."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._base.errors import printable
from .._base.json import Json, compact
from .._oci.image import FailedImage
from .._oci.image_list import InvalidLine, Origin

_DIGIT = re.compile(r"[0-9]")


@dataclass(frozen=True)
class Failure:
    """A reference that was asked for and is not in the archive.

    :param digest: what it names, where that is known; else empty.
    """

    reference: str
    digest: str
    reason: str


@dataclass(frozen=True)
class Invalid:
    """A line of a list that is not a valid reference.

    :param origin: the file's name without its path, and the line number.
    """

    origin: str
    text: str
    reason: str


def shown_failures(failed: Iterable[FailedImage]) -> tuple[Failure, ...]:
    """Turn failed images into what a report says of them."""
    return tuple(Failure(str(one.listed.reference), one.digest, printable(one.reason)) for one in failed)


def shown_lines(lines: Iterable[InvalidLine]) -> tuple[Invalid, ...]:
    """Turn invalid lines into what a report says of them."""
    return tuple(Invalid(_place(line.origin), printable(line.text), printable(line.reason)) for line in lines)


def failures_digest(failed: Sequence[Failure], invalid: Sequence[Invalid]) -> str:
    """Hash what a report says of failures.

    Of reasons, only words without a digit count: ports, times and request numbers differ from run to run although
    nothing has changed.

    :param failed: in any order.
    :returns: hex digits.
    """
    failures: list[Json] = [
        [reference, _lasting(reason)] for reference, reason in sorted((one.reference, one.reason) for one in failed)
    ]
    lines: list[Json] = [[line.origin, line.text, line.reason] for line in invalid]
    return hashlib.sha256(compact([failures, lines])).hexdigest()


def digest_now(failed: Iterable[FailedImage], invalid: Iterable[InvalidLine]) -> str:
    """Hash what a report would say of the failures of this run.

    :returns: hex digits, as :attr:`Facts.failures` has them.
    """
    return failures_digest(shown_failures(failed), shown_lines(invalid))


def _lasting(reason: str) -> str:
    return " ".join(word for word in reason.split() if not _DIGIT.search(word))


def _place(origin: Origin) -> str:
    """Name a line's place without the path of its file: reports hold no paths."""
    if origin.file is None:
        return str(origin)
    return printable(f"{posixpath.basename(origin.file)}:{origin.line}")


NO_FAILURES = failures_digest((), ())
