# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of an archive and their order: the same images give the same bytes on any host.

Platform folders and blobs image by image in list order, each blob once; then the documents of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .._oci.descriptor import Descriptor
from .._oci.image import StoredImage, hex_of
from .._oci.layout import (
    BLOBS,
    FOLDER_TARGET,
    OCI_LAYOUT,
    ROOT,
    SAVED_IMAGES,
    SHARE,
    WHOLE_TARGET,
    SavedImage,
    archive_index,
    folder_index,
    saved_images_list,
)
from .tar import Writer


class Blobs(Protocol):
    """The source of an archive's blobs."""

    def path(self, digest: str) -> str:
        """Path of the blob's file, whether it is there or not."""

    def is_checked(self, digest: str, descriptor: int) -> bool:
        """Whether the blob in an open file was checked in this run, and the file was not touched since."""

    def forget_check(self, digest: str) -> None:
        """Take note that the blob is in the archive, and is not read any more."""

    def read_document(self, digest: str) -> bytes | None:
        """A small blob, if its bytes are those that the digest names."""

    def store_document(self, digest: str, raw: bytes) -> None:
        """Keep a small blob that was checked already."""


def write_members(
    images: Iterable[SavedImage], blobs: Blobs, writer: Writer
) -> tuple[list[SavedImage], dict[str, int]]:
    """Write an archive from images as they become ready.

    :param images: in list order; may wait for copies.
    :param blobs: where theirs are.
    :param writer: takes the members; the caller finishes it.
    :returns: the images written, and the size in bytes of everything in ``share`` by digest.
    :raises DamagedBlobError: when a blob is not what its name says.
    """
    for name in (ROOT, f"{ROOT}/share", f"{ROOT}/{SHARE}"):
        writer.directory(name)
    writer.end_image()
    members = _Members(blobs, writer)
    saved: list[SavedImage] = []
    for image in images:
        for stored in image.stored:
            members.add_platform(stored)
        for digest, raw in image.documents.items():
            members.add_document(digest, raw)
        writer.end_image()
        saved.append(image)
    for name, raw in whole_documents(saved).items():
        writer.document(f"{ROOT}/{name}", raw)
    writer.link(f"{ROOT}/{BLOBS}", WHOLE_TARGET)
    writer.document(f"{ROOT}/{SAVED_IMAGES}", saved_images_list(saved))
    return saved, members.blobs


def whole_documents(images: Iterable[SavedImage]) -> dict[str, bytes]:
    """The files that make an OCI image layout of the whole, by name."""
    return {"index.json": archive_index(images), "oci-layout": OCI_LAYOUT}


class _Members:
    """Members that were written already."""

    def __init__(self, source: Blobs, writer: Writer) -> None:
        self._source = source
        self._writer = writer
        self._folders: set[str] = set()
        self.blobs: dict[str, int] = {}

    def add_platform(self, stored: StoredImage) -> None:
        if stored.source.digest not in self._folders:
            self._folders.add(stored.source.digest)
            folder = f"{ROOT}/{stored.source.folder}"
            self._writer.directory(folder)
            self._writer.document(f"{folder}/oci-layout", OCI_LAYOUT)
            self._writer.document(f"{folder}/index.json", folder_index(stored.descriptor))
            self._writer.link(f"{folder}/{BLOBS}", FOLDER_TARGET)
        for blob in stored.all_blobs():
            if blob.digest not in self.blobs:
                self.blobs[blob.digest] = blob.size
                self._writer.blob(_blob_name(blob.digest), self._source.path(blob.digest), blob)
                self._source.forget_check(blob.digest)

    def add_document(self, digest: str, raw: bytes) -> None:
        if digest not in self.blobs:
            self.blobs[digest] = len(raw)
            if self._source.read_document(digest) is None:
                self._source.store_document(digest, raw)
            self._writer.blob(_blob_name(digest), self._source.path(digest), Descriptor("", digest, len(raw)))


def _blob_name(digest: str) -> str:
    return f"{ROOT}/{SHARE}/{hex_of(digest)}"
