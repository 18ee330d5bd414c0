# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of archives that rest on each other: what an archive needs comes before it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from .._archive.names import archive_name
from .._archive.output import compress_of
from .._archive.request import requested_name
from .._base.errors import OptionError
from .._source.archive import Archive


def in_chain_order(archives: Sequence[Archive]) -> list[Archive]:
    """Return archives in an order in which each bundle comes after what it rests on, and else as they were given.

    So of several that have one reference, the last one is the newest, in whatever order they were given.

    :raises OptionError: when one has the name of what a bundle rests on, but other bytes.
    """
    _refuse_other_bytes(archives)
    needs = {id(one): _Needs(one) for one in archives}
    left, ordered = [*archives], []
    while left:
        ways: tuple[Callable[[Archive, Archive], bool], ...] = (
            lambda one, other: needs[id(one)].has(other) or needs[id(one)].may_have(other),
            lambda one, other: needs[id(one)].has(other),
        )
        free = (one for way in ways for one in left if not any(way(one, other) for other in left if other is not one))
        chosen = next(free, left[0])
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


def carrier_of(digest: str, own: Archive, archives: Sequence[Archive]) -> Archive:
    """Return the archive that a blob is read from: that of its image, or for a bundle another one that has it."""
    if own.has(digest):
        return own
    return next((one for one in archives if one.has(digest)), own)


def is_answer(archive: Archive, archives: Sequence[Archive]) -> bool:
    """Return True for a bundle with what was asked for of another one of the archives."""
    there = {one.lock_sha256 for one in archives}
    names = [base.name for base in archive.lock.base if base.lock_sha256 in there]
    return archive_name(archive.path) in [requested_name(name, compress_of(name)) for name in names]


class _Needs:
    """The archives that one rests on."""

    def __init__(self, archive: Archive) -> None:
        self._locks = {base.lock_sha256 for base in archive.lock.base}
        self._names = {one.archive for one in archive.lock.requires.values()}
        self._names.update(base.name for base in archive.lock.base)

    def has(self, other: Archive) -> bool:
        """Return True for an archive whose lock file is named as a base."""
        return other.lock_sha256 in self._locks

    def may_have(self, other: Archive) -> bool:
        """Return True for a base without a lock file, or a base of a base, as far as its name says so."""
        return archive_name(other.path) in self._names


def _refuse_other_bytes(archives: Sequence[Archive]) -> None:
    there = {one.lock_sha256 for one in archives}
    for one in archives:
        # The archives of a set's hosts often have one name.
        right = {base.lock_sha256 for base in one.lock.base}
        for base in one.lock.base:
            if base.lock_sha256 in there:
                continue
            others = [other for other in archives if other is not one and other.lock_sha256 not in ("", *right)]
            wrong = [other for other in others if archive_name(other.path) == base.name]
            if wrong:
                raise OptionError(
                    f"src: {wrong[0].path} has the name of the archive that {one.path} rests on, but is another one: "
                    f"its lock file has the sha256 {wrong[0].lock_sha256}, expected {base.lock_sha256}. "
                    "Name the right one, or leave it out if the registry has what it carried"
                )
