# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the archive that a run writes: none for a full archive, what the other side has for a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, Protocol

from .._archive.lock import Lock
from .._base.json import Json
from .._oci.image import Resolution, ResolvedImage
from .._publish.published import PublishedArchive
from .resolve import LookedUp
from .resolved_list import ResolvedList

LookUp = Callable[[Lock], Sequence[LookedUp]]
"""Returns all images that are wanted, with their digests of today, as far as an archive's lock lets them be found."""


class Base(Protocol):
    """The base of an archive, and what it means for each step of a run."""

    def refuse_other(self, published: PublishedArchive) -> None:
        """Make sure that what is at C(dest) may be replaced.

        :raises OptionError: says what is there, and which name to set.
        """

    def lock_of_nothing(self, look_up: LookUp, options: Mapping[str, Json]) -> Lock | None:
        """Return the lock file of a bundle that need not be written, if digests alone show that nothing is new.

        :param options: as a lock file would record them today.
        """

    def is_under(self, lock: Lock | None) -> bool:
        """Return True if an archive leaves out what it should, as far as its lock file shows that."""

    def left_out_of(self, resolutions: Sequence[Resolution]) -> Sequence[Resolution]:
        """Return what resolving gave, without the layers that the base has; in list order."""

    def recorded_in(self, lock: Lock, images: Iterable[ResolvedImage]) -> Lock:
        """Record in the lock file to come what the archive rests on.

        :param images: those in the archive.
        """

    def is_enough(self, images: ResolvedList) -> bool:
        """Return True if nothing has to be carried."""

    def compared_with(self, before: Lock | None) -> Lock | None:
        """Return the lock file that the report compares the archive with.

        :param before: that of the archive that was there.
        """


class NoBase:
    """The base of a full archive."""

    def refuse_other(self, published: PublishedArchive) -> None:
        pass

    def lock_of_nothing(self, look_up: LookUp, options: Mapping[str, Json]) -> Lock | None:
        return None

    def is_under(self, lock: Lock | None) -> bool:
        return lock is None or not lock.is_bundle

    def left_out_of(self, resolutions: Sequence[Resolution]) -> Sequence[Resolution]:
        return resolutions

    def recorded_in(self, lock: Lock, images: Iterable[ResolvedImage]) -> Lock:
        return lock

    def is_enough(self, images: ResolvedList) -> bool:
        return False

    def compared_with(self, before: Lock | None) -> Lock | None:
        return before
