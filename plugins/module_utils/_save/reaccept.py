# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has an archive that exists accepted again, where what decides over it has changed: policy, logins or registries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._base.errors import ImagesError, Interrupted, TransferError
from .._cache.pool import CopyPool, Lack
from .._oci.descriptor import Descriptor
from .._oci.image import PlatformImage, StoredImage
from .pull import Puller
from .resolved_list import ResolvedList, without_failing
from .run import Run
from .tools import Tools


def without_refused(run: Run, tools: Tools, images: ResolvedList, lacking: Sequence[PlatformImage]) -> ResolvedList:
    """Have platform images accepted that were not yet, and move those that are refused to the images that failed.

    :param lacking: the platform images.
    :returns: ``images`` itself if all are accepted; in check mode, if none was refused last time.
    :raises OptionError: when skopeo is missing or too old.
    """
    if run.options.check:
        refused = _refused_before(run, lacking)
    else:
        refused = _refusals(run, tools, images, lacking)
        for image in lacking:
            run.memory.note_copy(image.key, str(refused.get(image.key, "")))
    return without_failing(images, lambda image: refused.get(image.key))


def _refused_before(run: Run, images: Sequence[PlatformImage]) -> dict[str, ImagesError]:
    """Return why platform images failed in the last run, by their keys; without those that did not."""
    told = {image.key: run.memory.failure(image.key) for image in images}
    return {key: TransferError(reason, heals=False) for key, reason in told.items() if reason}


@dataclass(frozen=True)
class _Acceptance:
    """Does for the pool what is needed for images whose blobs nobody needs."""

    puller: Puller

    def lack(self, image: PlatformImage) -> Lack:
        return Lack((), frozenset())

    def pull_blob(self, image: PlatformImage, blob: Descriptor) -> bool:
        return False

    def copy(self, image: PlatformImage) -> StoredImage:
        self.puller.accept(image)
        return StoredImage(image, image.descriptor, image.blobs)


def _refusals(run: Run, tools: Tools, images: ResolvedList, lacking: Sequence[PlatformImage]) -> dict[str, ImagesError]:
    """Ask whether platform images may be saved, and return why some may not, by their keys. No layer is pulled."""
    tools.skopeo.check()
    tools.log_in(run.cache)
    refused: dict[str, ImagesError] = {}
    acceptance, jobs = _Acceptance(Puller(run, tools, images)), run.options.work.jobs
    with run.stages.stage("accept"), CopyPool(acceptance, {}, jobs=jobs, stop=run.stop) as pool:
        pool.add(lacking)
        for image in lacking:
            try:
                pool.result(image)
            except Interrupted:
                raise
            except ImagesError as error:
                refused[image.key] = error
    return refused
