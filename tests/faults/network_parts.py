# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of an image that are asked for, by whom, and how the proxy knows these requests."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..support.faults import Action, Rule
from ..support.push import PushedImage
from ..support.registry import Registry

_CLIENT, _SKOPEO = r"^airgap\.images/", r"^skopeo/"

TAG, MANIFEST, LAYER = "digest of a tag", "manifest", "layer"
"""Parts that the module's own client asks for."""

COPIED, CONFIG = "manifest for skopeo", "configuration"
"""Parts that skopeo asks for."""


@dataclass(frozen=True)
class Part:
    """Something that is asked for.

    :param kind: one of the above.
    :param size: bytes of the answer's body; 0 where it has none.
    :param digest: of that body.
    :param media_type: of a manifest.
    """

    kind: str
    path: str
    size: int
    digest: str
    media_type: str = ""

    def rule(self, action: Action, *, times: int | None, for_all: bool = False) -> Rule:
        """Takes this request so many times.

        :param for_all: whoever sends it; skopeo tries what the client could not.
        """
        by_skopeo = self.kind in (COPIED, CONFIG)
        agent = _SKOPEO if by_skopeo else "" if for_all else _CLIENT
        # A registry that refuses HEAD is asked with GET.
        return Rule(action, method="HEAD|GET" if self.kind == TAG else "GET", path=self.path, agent=agent, times=times)


def parts_of(image: PushedImage, registry: Registry, *, shared: Collection[str]) -> Iterator[Part]:
    """All that is asked for when an image is saved.

    :param shared: digests that come with other images too, which are left out.
    """
    at = f"^/v2/{re.escape(image.repository)}"
    yield Part(TAG, f"{at}/manifests/{re.escape(image.tag)}$", 0, image.digest)
    manifests = {each.digest: (each.size, each.media_type) for each in image.platforms}
    for digest, (size, media_type) in {image.digest: (len(image.raw), image.media_type), **manifests}.items():
        yield Part(MANIFEST, f"{at}/manifests/{digest}$", size, digest, media_type)
    for platform in image.platforms:
        yield Part(COPIED, f"{at}/manifests/{platform.digest}$", platform.size, platform.digest)
        config = platform.config_digest
        yield Part(CONFIG, f"{at}/blobs/{config}$", registry.blob_path(config).stat().st_size, config)
        for layer in platform.layers:
            if layer.digest not in shared:
                yield Part(LAYER, f"{at}/blobs/{layer.digest}$", layer.size, layer.digest)
