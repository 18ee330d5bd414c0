# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether images of a registry can be copied without skopeo: the first one is copied by skopeo too, as a witness.

Both copies have to be the same bytes. Where they are not, skopeo copies all images of that registry.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Callable

from .._base.errors import Unreadable
from .._base.stop import LOOK_SECONDS, Stop


@dataclass
class _Registry:
    """The state of one registry.

    :ivar is_busy: whether skopeo is copying the first image, and all others wait for it.
    :ivar has_failed: whether skopeo has failed to copy an image, so that nobody waits for another any more.
    :ivar is_same: whether a copy of skopeo was the same; ``None`` while there was none.
    :ivar difference: how it differed, in words.
    :ivar is_unread: whether an image was copied that skopeo cannot read.
    """

    is_busy: bool = False
    has_failed: bool = False
    is_same: bool | None = None
    difference: str = ""
    is_unread: bool = False


class Witnesses:
    """Compares the first image of each registry; called by several threads.

    :param stop: set when the run is to end; nobody waits any longer then.
    :param warn: is told of a registry whose images are left to skopeo after all.
    """

    def __init__(self, stop: Stop, warn: Callable[[str], None]) -> None:
        self._stop = stop
        self._warn = warn
        self._changed = threading.Condition()
        self._registries: dict[str, _Registry] = {}

    def agree(self, registry: str, compare: Callable[[], str]) -> bool:
        """Return True if an image may be copied without skopeo. It may be the one to find that out with.

        :param compare: has skopeo copy the image; returns how that differs from a copy without skopeo, empty if it does
            not. What it raises is raised here, and the next image is the witness.
        :raises Interrupted: when the run was stopped.
        """
        found = self._claimed(registry)
        if found.is_same is not None:
            return found.is_same
        try:
            difference = compare()
        except Unreadable:
            self._settle(found, has_failed=found.has_failed)
            self.cannot_read(registry)
            return True
        except BaseException:
            self._settle(found, has_failed=True)
            raise
        if difference:
            self._warn(_told(registry, difference))
        self._settle(found, has_failed=found.has_failed, is_same=not difference, difference=difference)
        return found.is_same is True

    def cannot_read(self, registry: str) -> None:
        """Take note that an image is copied without skopeo because skopeo cannot read it: it is no witness."""
        with self._changed:
            self._of(registry).is_unread = True

    def disagree(self, registry: str) -> bool:
        """Return True if a copy of skopeo was different."""
        with self._changed:
            return self._of(registry).is_same is False

    def notes(self) -> tuple[str, ...]:
        """Return what a user has to know: registries without a witness, and those where copies differed."""
        with self._changed:
            found = sorted(self._registries.items())
        told = [_told(registry, one.difference) for registry, one in found if one.is_same is False]
        unread = [registry for registry, one in found if one.is_unread and one.is_same is None]
        return (*told, *map(_told_of_unread, unread))

    def _claimed(self, registry: str) -> _Registry:
        """Wait while the first image is under way, and return the registry, as busy with the next if that is needed."""
        with self._changed:
            found = self._of(registry)
            while found.is_busy and not found.has_failed:
                self._stop.check()
                self._changed.wait(LOOK_SECONDS)
            if found.is_same is None:
                found.is_busy = True
            return found

    def _settle(self, found: _Registry, *, has_failed: bool, is_same: bool | None = None, difference: str = "") -> None:
        with self._changed:
            found.is_busy, found.has_failed = False, has_failed
            if is_same is not None and found.is_same is not False:  # where several were compared, all have to agree
                found.is_same, found.difference = is_same, difference
            self._changed.notify_all()

    def _of(self, registry: str) -> _Registry:
        return self._registries.setdefault(registry, _Registry())


def _told(registry: str, difference: str) -> str:
    return (
        f"all images of {registry} are copied by skopeo, as its copy of the first one differs from one without it: "
        f"{difference}"
    )


def _told_of_unread(registry: str) -> str:
    return (
        f"images of {registry} were copied without skopeo; as it can read none of them, none was compared with a copy "
        "by skopeo"
    )
