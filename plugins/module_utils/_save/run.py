# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of one run share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from .._base.stop import Stop
from .._cache.cache import Cache
from .._host.attributes import Attributes
from .._host.log import Log
from .._host.progress import Progress
from .._oci.image import FailedImage
from .accepted import Accepted
from .options import Options
from .result import Stats


@dataclass(frozen=True)
class Run:
    """One run: what it was asked, what it works with, and what it counts.

    :param policy: name of the signature policy in force.
    :param stop: set when the run is to end.
    :param attributes: what files are given beside their content.
    :param progress: is told how far the run is.
    """

    options: Options
    policy: str
    cache: Cache
    log: Log
    stop: Stop
    attributes: Attributes
    stats: Stats = field(default_factory=Stats)
    progress: Progress = field(default_factory=Progress)

    @cached_property
    def accepted(self) -> Accepted:
        """What was let through, from which repository."""
        return Accepted(self.cache, self.options.output.lock_file, self.options.access.source)

    @property
    def ahead(self) -> int | None:
        """How many images may be fetched before the archive has come to them; ``None``: all."""
        return None if self.options.work.keep_cache else 2 + self.options.work.jobs // 4

    def without_secrets(self, failed: Iterable[FailedImage]) -> list[FailedImage]:
        """Failed images whose reasons, which may repeat what a registry says, show no secret."""
        return [replace(one, reason=self.log.secrets.hide(one.reason)) for one in failed]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Take the wall time of one stage of the flow."""
        started = time.monotonic()
        self.progress.stage = name
        self.log.debug(f"stage {name} begins")
        try:
            yield
        finally:
            seconds = self.stats.seconds.get(name, 0.0) + time.monotonic() - started
            self.stats.seconds[name] = round(seconds, 3)
            self.log.debug(f"stage {name} ended after {seconds:.3f} s")
