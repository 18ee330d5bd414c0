# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platform images that the client copies byte for byte, without skopeo.

That is where nothing is left for skopeo to decide: the signature policy accepts anything, and registries.conf does not
name their registry. There the client also copies what skopeo cannot, although it can be fetched and checked. Artefacts
that were found because they refer to an image, such as its signature, are copied so under any policy.
"""

from __future__ import annotations

from .._base.errors import NotCarried, quoted
from .._oci.image import PlatformImage
from .._oci.manifest import Manifest
from .._oci.media_types import DOCKER_MANIFEST, OCI_ARTIFACT
from .._oci.schema1 import Schema1
from .._registry.client import RegistryClient
from .policy_rules import PolicyRules
from .registries_conf import RegistriesConf
from .work import AUTO

_DOCKER_LAYERS = frozenset(
    f"application/vnd.docker.image.rootfs.{kind}"
    for kind in ("diff.tar", "diff.tar.gzip", "foreign.diff.tar", "foreign.diff.tar.gzip")
)


class UnsupportedImages:
    """Tells the platform images that the client copies from those that skopeo copies.

    :param registries: knows how they have answered.
    :param skopeo_copy: see :class:`Work`.
    """

    def __init__(
        self, registries: RegistryClient, rules: PolicyRules, configuration: RegistriesConf, skopeo_copy: str = AUTO
    ) -> None:
        self._is_allowed = skopeo_copy == AUTO
        self._registries = registries
        self._rules = rules
        self._configuration = configuration

    def includes(self, image: PlatformImage) -> bool:
        """Return True if skopeo cannot, or would not, copy an image, and the client may."""
        is_readable = not self._hindrance(image)
        if self._is_beyond_policies(image) and (self._is_allowed or (is_readable and not self._accepts(image))):
            return True
        return not is_readable and self.may_be_copied(image)

    def may_be_copied(self, image: PlatformImage) -> bool:
        """Return True if nothing is left for skopeo to decide, so that the client may copy an image."""
        if not self._is_allowed or isinstance(image.content, Schema1):
            return False
        return not self._configuration.applies_to(image.repository) and self._accepts(image)

    def can_be_read(self, image: PlatformImage) -> bool:
        """Return True if skopeo can read an image, as far as is known."""
        return not self._hindrance(image)

    def ensure_can_copy(self, image: PlatformImage) -> None:
        """:raises NotCarried: when it can be copied neither with skopeo nor without."""
        hindrance = self._hindrance(image)
        if hindrance and not self.includes(image):
            raise NotCarried(
                f"{hindrance}. Without skopeo it is copied only if skopeo_copy is auto, the signature policy accepts "
                f"anything for {image.repository.as_named}, and registries.conf does not name its registry (and no "
                "Docker schema 1 image is)"
            )

    def _is_beyond_policies(self, image: PlatformImage) -> bool:
        """Return True for an artefact that refers to an image, such as its signature, as nobody signs signatures.

        A policy has its say about the image that it refers to. What names a platform could be run, so it is an image.
        """
        is_proof = image.is_referrer and image.is_artefact and isinstance(image.content, Manifest)
        return is_proof and not self._configuration.applies_to(image.repository)

    def _accepts(self, image: PlatformImage) -> bool:
        return self._rules.accept_anything(image.repository.as_named, image.digest)

    def _hindrance(self, image: PlatformImage) -> str:
        """Return why skopeo cannot copy an image, and what to do; empty if it can."""
        registry = image.repository.registry
        addresses = [name for name in (registry, image.repository.as_named.registry) if name.startswith("[")]
        return (
            (unreadable(image.content) if isinstance(image.content, Manifest) else "")
            or (_ADDRESS.format(registry=addresses[0]) if addresses else "")
            or (_OPEN_DOOR.format(registry=registry) if self._registries.has_open_door(registry) else "")
        )


_ADDRESS = "skopeo does not accept an address such as {registry} as a registry; use a name for it"
_OPEN_DOOR = (
    "{registry} answers /v2/ to anybody and asks for a login below it only, so that skopeo sends none; have its owner "
    "ask for it at /v2/ too"
)


def unreadable(manifest: Manifest) -> str:
    """Return why skopeo cannot read a manifest, and what to do; empty if it can."""
    if manifest.media_type == OCI_ARTIFACT:
        return "skopeo does not know OCI artifact manifests; push it again as an image manifest, as oras 1.1 does"
    if manifest.media_type != DOCKER_MANIFEST:
        return ""
    for layer in manifest.layers:
        if layer.media_type not in _DOCKER_LAYERS:
            return (
                f"skopeo does not read Docker manifests with a layer of the type {quoted(layer.media_type, 120)}; push "
                "the image again with OCI types (docker buildx: oci-mediatypes=true)"
            )
    return ""
