# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the images of the list that are complete, while their platform images come one by one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._oci.image import ResolvedImage


class Tally:
    """Finds the references that each platform image completes, or fails.

    :param stored: keys of the platform images that the cache has already.
    :ivar done: how many references are complete.
    """

    def __init__(self, resolved: Sequence[ResolvedImage], stored: Collection[str]) -> None:
        self._waiting: dict[str, list[int]] = {}
        self._lacks: dict[int, int] = {}
        self._resolved = resolved
        self.done = 0
        for place, one in enumerate(resolved):
            lacking = {image.key for image in one.children}.difference(stored)
            self.done += not lacking
            self._lacks[place] = len(lacking)
            for key in lacking:
                self._waiting.setdefault(key, []).append(place)

    def arrived(self, key: str) -> list[ResolvedImage]:
        """Return the references that a platform image completes, in list order."""
        complete = []
        for place in self._waiting.pop(key, ()):
            if place in self._lacks:
                self._lacks[place] -= 1
                if not self._lacks[place]:
                    complete.append(self._resolved[place])
        self.done += len(complete)
        return complete

    def failed(self, key: str) -> list[ResolvedImage]:
        """Return the references that fail with a platform image, in list order; each is returned once."""
        places = [place for place in self._waiting.pop(key, ()) if self._lacks.pop(place, 0)]
        return [self._resolved[place] for place in places]
