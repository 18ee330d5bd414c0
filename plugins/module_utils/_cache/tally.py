# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which images of the list are there, while their platform images come one by one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._oci.image import ResolvedImage


class Tally:
    """Told of each platform image as it ends, says which references that completes or spoils.

    :param stored: keys of the platform images that are there already.
    :ivar done: references that lack nothing.
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
        """The references, in list order, that lack nothing any more."""
        complete = []
        for place in self._waiting.pop(key, ()):
            if place in self._lacks:
                self._lacks[place] -= 1
                if not self._lacks[place]:
                    complete.append(self._resolved[place])
        self.done += len(complete)
        return complete

    def failed(self, key: str) -> list[ResolvedImage]:
        """The references, in list order, that cannot be saved because of this; each is named once."""
        places = [place for place in self._waiting.pop(key, ()) if self._lacks.pop(place, 0)]
        return [self._resolved[place] for place in places]
