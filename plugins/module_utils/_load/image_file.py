# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of a file with images that container engines import: a tar of which each byte has its place. Pure.

It is an OCI image layout (image-spec, image-layout.md) for containerd, K3s and RKE2, with Docker's ``manifest.json``
(moby, image/tarexport) beside it for ``podman load`` of several images, and ``docker load``.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from .._archive.tar import RECORD
from .._archive.tar_header import header_of
from .._base.json import Json, compact
from .._oci.descriptor import Descriptor, descriptor_json
from .._oci.image import hex_of
from .._oci.layout import OCI_LAYOUT
from .._oci.manifest import Manifest
from .._oci.media_types import OCI_INDEX
from .._oci.reference import Reference
from .contents import Content
from .naming import Target

BLOCK = 512
_FOLDERS = ("blobs", "blobs/sha256")
_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"


@dataclass(frozen=True)
class FileImage:
    """An image of the file.

    :param target: its name in the file.
    :param for_docker: the manifest that Docker's ``manifest.json`` lists; ``None`` if it lists none.
    """

    reference: Reference
    target: Target
    content: Content
    for_docker: Manifest | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which containerd finds it. Kubernetes looks for one with tag and digest by the digest alone."""
        tags = [str(self.target)] if self.reference.tag or not self.reference.digest else []
        digests = [f"{self.target.repository}@{self.reference.digest}"] if self.reference.digest else []
        return (*tags, *digests)

    def needs(self) -> Iterator[Descriptor]:
        """Yield everything that has to be in the file; what several parts of it name comes more than once."""
        yield self.content.top
        for child in self.content.children:
            yield child.descriptor
            yield from child.blobs


@dataclass(frozen=True)
class Member:
    """A member of the tar.

    :param position: of its header.
    :param header: its bytes.
    :param size: bytes of its content, which follows.
    :param raw: its content, if that is not a blob.
    :param digest: of the blob that it is; empty: it is none.
    """

    position: int
    header: bytes
    size: int
    raw: bytes = b""
    digest: str = ""

    @property
    def start(self) -> int:
        """The position of its content."""
        return self.position + BLOCK

    @property
    def end(self) -> int:
        """The position of what follows."""
        return self.start + self.size + -self.size % BLOCK


@dataclass(frozen=True)
class ImageFile:
    """The whole file: its members in their order, and its bytes."""

    members: tuple[Member, ...]
    size: int

    def blobs(self) -> dict[str, Member]:
        """Return the members that are blobs, by digest."""
        return {member.digest: member for member in self.members if member.digest}


def lay_out(images: Sequence[FileImage]) -> ImageFile:
    """Give each byte its place. The same images give the same file."""
    members: list[Member] = []
    position = 0
    for name in _FOLDERS:
        members.append(Member(position, header_of(f"{name}/", tarfile.DIRTYPE, 0o755), 0))
        position = members[-1].end
    documents = {"oci-layout": OCI_LAYOUT, "index.json": _index(images), "manifest.json": _docker_manifests(images)}
    for name, raw in documents.items():
        members.append(Member(position, _file_header(name, len(raw)), len(raw), raw))
        position = members[-1].end
    for digest, size in _sizes(images).items():
        members.append(Member(position, _file_header(_path_of(digest), size), size, digest=digest))
        position = members[-1].end
    size = position + 2 * BLOCK
    return ImageFile(tuple(members), size + -size % RECORD)


def _sizes(images: Iterable[FileImage]) -> dict[str, int]:
    """Return the sizes of all blobs by digest, each once, image by image."""
    return {blob.digest: blob.size for image in images for blob in image.needs()}


def _index(images: Iterable[FileImage]) -> bytes:
    """Write ``index.json``, with an entry for each name."""
    entries: dict[str, Json] = {}
    for image in images:
        for name in image.names:
            annotations = {_CONTAINERD_NAME: name, _REF_NAME: name}
            entries[name] = descriptor_json(replace(image.content.top, annotations=annotations))
    return compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*entries.values()]})


def _docker_manifests(images: Iterable[FileImage]) -> bytes:
    """Write Docker's ``manifest.json``, which has one platform of each image, and cannot name digests."""
    entries: dict[str, Json] = {}
    for image in images:
        manifest = image.for_docker
        if manifest is not None and manifest.config is not None:
            entries[str(image.target)] = {
                "Config": _path_of(manifest.config.digest),
                "RepoTags": [str(image.target)],
                "Layers": [_path_of(layer.digest) for layer in manifest.layers],
            }
    return compact([*entries.values()])


def _file_header(name: str, size: int) -> bytes:
    return header_of(name, tarfile.REGTYPE, 0o644, size=size)


def _path_of(digest: str) -> str:
    return f"blobs/sha256/{hex_of(digest)}"
