# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A blob that one repository of a registry has, as the source of the same blob in another one."""

from __future__ import annotations

from dataclasses import dataclass

from .._base.errors import ImagesError, WrongBytes
from .._oci.reference import Repository
from .._registry.blob_stream import RegistryBlobs
from .._source.blob_reader import BlobReader, Content


@dataclass(frozen=True)
class Home:
    """A repository to read blobs from; what :class:`BlobReader` reads."""

    blobs: RegistryBlobs
    repository: Repository

    def reader(self, digest: str, size: int) -> BlobReader:
        """Return a reader that compares the blob with its digest as it passes."""
        return BlobReader(digest, size, self)

    def start(self, digest: str) -> Content:
        """Open a blob at its first byte."""
        return self.blobs.open(self.repository, digest)

    def explain(self, digest: str, found: str) -> ImagesError:
        """Make the error for a blob that came out wrong."""
        return WrongBytes(f"blob {digest} of {self.repository} came with other bytes than its digest names", heals=True)
