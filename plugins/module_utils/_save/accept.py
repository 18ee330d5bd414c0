# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive that stands is let through anew, where what decides which images may be saved is not what it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._base.errors import ImageSaveError, Interrupted
from .._cache.pool import CopyPool, Lack
from .._oci.image import PlatformImage, StoredImage
from .._oci.manifest import Descriptor
from .content import Content
from .run import Run
from .tools import Tools
from .transfer import Fetcher, fetcher_of


@dataclass(frozen=True)
class _Questions:
    """What the pool does for images whose blobs nobody needs."""

    fetcher: Fetcher

    def lack(self, image: PlatformImage) -> Lack:
        return Lack((), frozenset())

    def fetch_blob(self, image: PlatformImage, blob: Descriptor) -> bool:
        return False

    def copy(self, image: PlatformImage) -> StoredImage:
        self.fetcher.accept(image)
        return StoredImage(image, image.descriptor, image.blobs)


def refusals(run: Run, tools: Tools, content: Content, images: Sequence[PlatformImage]) -> dict[str, str]:
    """Ask for platform images whether they may be saved, and fetch no layer.

    :param content: what they are of.
    :returns: why some may not, by their keys.
    :raises OptionError: when there is no skopeo that could be asked.
    """
    tools.skopeo.check()
    tools.log_in(run.cache)
    fetcher = fetcher_of(run, tools, content)
    reasons: dict[str, str] = {}
    with run.stage("accept"), CopyPool(_Questions(fetcher), {}, jobs=run.options.work.jobs, stop=run.stop) as pool:
        pool.add(images)
        for image in images:
            try:
                pool.result(image)
            except Interrupted:
                raise
            except ImageSaveError as error:
                reasons[image.key] = str(error)
    return reasons
