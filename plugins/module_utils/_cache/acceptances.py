# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records in a cache, beside each platform image, from which repositories it was accepted.

skopeo accepts an image under the signature policy, and a registry gives it to one account or not. Both can differ from
repository to repository, and from one configuration to the next.
"""

from __future__ import annotations

import os

from .._oci.image import PlatformImage
from .disk import HEX, explaining, read_small
from .workspace import Workspace

RECORD = "accepted"
NO_CONFIGURATION = "0" * 64


class Acceptances:
    """The record in the folder of each platform image: a line for each configuration and repository.

    :param workspace: the cache directory.
    :param configuration: sha256 of what decides today which images are accepted; see :mod:`_skopeo.policy`.
    """

    def __init__(self, workspace: Workspace, configuration: str) -> None:
        self._workspace = workspace
        self.configuration = configuration

    def has(self, image: PlatformImage) -> bool:
        """Return True if the image was accepted from its repository, under today's configuration."""
        return self._line(image) in self._lines(image)

    def repositories(self, image: PlatformImage) -> set[str]:
        """Return the names of the repositories from which the same manifest was accepted, ever."""
        return {line.partition(" ")[2] for line in self._lines(image)}

    def record(self, image: PlatformImage) -> None:
        """Record that the image was accepted. Without its folder, nothing is recorded.

        :raises StorageError: when the record cannot be written.
        """
        root = self._workspace.root
        folder = os.path.join(root, image.folder)
        if not os.path.isdir(folder) or os.path.islink(folder) or self.has(image):
            return
        with self._workspace.changing, explaining(f"cannot write to cache_dir {root}"):
            os.replace(self._workspace.temporary(self.with_image(image)), os.path.join(folder, RECORD))

    def with_image(self, image: PlatformImage) -> bytes:
        """Return the record of a folder with the image in it."""
        return "".join(f"{line}\n" for line in sorted({*self._lines(image), self._line(image)})).encode()

    def _line(self, image: PlatformImage) -> str:
        return f"{self.configuration} {image.repository.key}"

    def _lines(self, image: PlatformImage) -> set[str]:
        text = read_small(os.path.join(self._workspace.root, image.folder, RECORD)).decode("utf-8", "replace")
        return {line for line in text.splitlines() if HEX.fullmatch(line.partition(" ")[0])}
