# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the parts of an archive with their sizes and checksums, each once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Callable

from .._base.stop import Check
from .._host.files import open_regular, sha256_of_open
from .errors import DamagedPart, SourceError, cannot_read
from .joined import PartFile, missing, wrong_size


class PartCheck:
    """Remembers which parts were read in full, and what came of it.

    :param check: called while a part is read; raises when the run is to end.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._mutex = threading.Lock()
        self._damage: dict[str, SourceError | None] = {}

    def damage_of(self, parts: Iterable[PartFile]) -> SourceError | None:
        """Read parts in full, and return what is wrong with the first one that is damaged or missing.

        :raises SourceGone: when one cannot be read any more.
        """
        return next((damage for part in parts if (damage := self.damage(part)) is not None), None)

    def verify(self, parts: Iterable[PartFile], passed: Callable[[int], None]) -> dict[str, SourceError]:
        """Read parts in full, and return what is wrong with those that are damaged or missing, by name.

        :param passed: is told the size of each part when it was read.
        :raises SourceGone: when one cannot be read any more.
        """
        found: dict[str, SourceError] = {}
        for part in parts:
            damage = self.damage(part)
            if damage is not None:
                found[part.name] = damage
            passed(part.size)
        return found

    def damage(self, part: PartFile) -> SourceError | None:
        """Read a part in full, and return what is wrong with it.

        :raises SourceGone: when it cannot be read any more.
        """
        with self._mutex:
            if part.name not in self._damage:
                self._damage[part.name] = self._look_at(part)
            return self._damage[part.name]

    def _look_at(self, part: PartFile) -> SourceError | None:
        if not part.path:
            return missing(part)
        try:
            with open_regular(part.path) as file:
                size = os.fstat(file.fileno()).st_size
                if size != part.size:
                    return DamagedPart(wrong_size(part, size))
                if part.sha256 and sha256_of_open(file, check=self._check) != part.sha256:
                    return DamagedPart(f"{part.path} is damaged: it has another sha256 than recorded. Copy it again")
        except OSError as error:
            raise cannot_read(part.path, error) from error
        return None
