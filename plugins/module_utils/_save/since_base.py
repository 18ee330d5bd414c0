# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of a bundle: what the other side has already, and what that means for each step of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .._archive.bases import Bases
from .._archive.lock import Lock
from .._base.json import Json
from .._oci.image import Resolution, ResolvedImage
from .._oci.limits import MAX_MANIFEST_BYTES
from .._publish.published import PublishedArchive
from .base import LookUp
from .options import Options
from .resolved_list import ResolvedList
from .since import refuse_other
from .since_bundle import as_bundle, is_needless, rests_on, unchanged_since, without_base


@dataclass(frozen=True)
class SinceBase:
    """The archives that the other side has; a :class:`base.Base`."""

    bases: Bases
    options: Options

    def refuse_other(self, published: PublishedArchive) -> None:
        refuse_other(published, self.bases, self.options.output)

    def lock_of_nothing(self, look_up: LookUp, options: Mapping[str, Json]) -> Lock | None:
        same = unchanged_since(self.bases, look_up, options)
        if same is None:
            return None
        empty = replace(same.lock, blobs={}, offsets={}, parts=(), requires={}, parity=())
        return replace(empty, options=dict(options), base=self.bases.recorded)

    def is_under(self, lock: Lock | None) -> bool:
        return lock is not None and rests_on(lock, self.bases, document_size=MAX_MANIFEST_BYTES)

    def left_out_of(self, resolutions: Sequence[Resolution]) -> Sequence[Resolution]:
        return without_base(resolutions, self.bases)

    def recorded_in(self, lock: Lock, images: Iterable[ResolvedImage]) -> Lock:
        return as_bundle(lock, images, self.bases)

    def is_enough(self, images: ResolvedList) -> bool:
        return is_needless(images, self.bases)

    def compared_with(self, before: Lock | None) -> Lock | None:
        return self.bases.as_lock()
