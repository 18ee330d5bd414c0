# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks registries while resolving: with our own client, or with skopeo if the host's configuration mentions a registry.

This is decided only here, by registry, so that manifests come the same way as layers.
"""

from __future__ import annotations

from typing import Protocol

from .._oci.descriptor import Descriptor
from .._oci.reference import Repository
from .._registry.fetched_manifest import FetchedManifest
from .._registry.outage import Outages
from .._skopeo.registries_conf import RegistriesConf


class Client(Protocol):
    """Asks a registry. All methods raise :class:`TransferError`, after all tries."""

    outages: Outages

    def head_manifest(self, repository: Repository, tag: str) -> str:
        """Return a tag's digest; an empty string if the registry gives it only with the manifest."""

    def get_manifest(self, repository: Repository, name: str) -> FetchedManifest:
        """Return a manifest by tag or digest."""

    def get_blob(self, repository: Repository, descriptor: Descriptor, *, limit: int, of: str = "") -> bytes:
        """Return a configuration, or another small blob.

        :param limit: how many bytes are accepted at most.
        :param of: digest of the manifest that names it.
        """

    def blob_size(self, repository: Repository, digest: str) -> int:
        """Return the bytes of a blob; 0 if the registry does not say."""

    def gives_blobs(self, repository: Repository) -> bool:
        """Return True if any small blob can be asked for, and not only configurations."""

    def lists_referrers(self, repository: Repository) -> bool:
        """Return True if :meth:`referrers` may be answered."""

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        """Return what refers to a manifest; ``None`` if the registry keeps no such lists."""

    def tags(self, repository: Repository) -> frozenset[str] | None:
        """Return the tags of a repository that say what they refer to; ``None`` if they cannot be listed."""


class Questions:
    """Asks each registry with the client that reaches it.

    :param ours: asks registries at their own address.
    :param skopeo: follows the host's configuration.
    """

    def __init__(self, ours: Client, skopeo: Client, configuration: RegistriesConf) -> None:
        self._ours = ours
        self._skopeo = skopeo
        self._configuration = configuration
        self.outages = ours.outages

    def head_manifest(self, repository: Repository, tag: str) -> str:
        """See :meth:`RegistryClient.head_manifest`."""
        return self._of(repository).head_manifest(repository, tag)

    def get_manifest(self, repository: Repository, name: str) -> FetchedManifest:
        """See :meth:`RegistryClient.get_manifest`."""
        return self._of(repository).get_manifest(repository, name)

    def get_blob(self, repository: Repository, descriptor: Descriptor, *, limit: int, of: str = "") -> bytes:
        """See :meth:`RegistryClient.get_blob`."""
        return self._of(repository).get_blob(repository, descriptor, limit=limit, of=of)

    def blob_size(self, repository: Repository, digest: str) -> int:
        """See :meth:`RegistryClient.blob_size`."""
        return self._of(repository).blob_size(repository, digest)

    def gives_blobs(self, repository: Repository) -> bool:
        """See :meth:`RegistryClient.gives_blobs`."""
        return self._of(repository).gives_blobs(repository)

    def lists_referrers(self, repository: Repository) -> bool:
        """See :meth:`RegistryClient.lists_referrers`."""
        return self._of(repository).lists_referrers(repository)

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        """See :meth:`RegistryClient.referrers`."""
        return self._of(repository).referrers(repository, digest)

    def tags(self, repository: Repository) -> frozenset[str] | None:
        """See :meth:`RegistryClient.tags`."""
        return self._of(repository).tags(repository)

    def _of(self, repository: Repository) -> Client:
        return self._skopeo if self._configuration.applies_to(repository) else self._ours
