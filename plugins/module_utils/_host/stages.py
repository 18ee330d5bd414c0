# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stages of a run: how long each took, for its result, its log and its progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .log import Log
from .progress import Progress


@dataclass(frozen=True)
class Stages:
    """Times the stages of a run.

    :ivar seconds: wall time of each stage; copying and archiving overlap.
    """

    log: Log
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the wall time of the block to a stage."""
        started = time.monotonic()
        self.progress.stage = name
        self.log.debug(f"stage {name} begins")
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 3)
            self.log.debug(f"stage {name} ended after {seconds:.3f} s")
