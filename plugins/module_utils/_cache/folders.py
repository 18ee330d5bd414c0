# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform images of a cache: a folder each, named by the manifest's digest, which is an OCI image layout."""

from __future__ import annotations

import hashlib
import os
import stat

from .._base.errors import DamagedBlobError, ManifestError
from .._base.json import JsonError, parse_object
from .._host.files import read_regular, write_new
from .._host.filesystem import link_if_possible, set_mode
from .._oci.descriptor import Descriptor, parse_descriptor
from .._oci.image import PlatformImage, StoredImage, hex_of
from .._oci.layout import BLOBS, FOLDER_TARGET, OCI_LAYOUT, SHARE, folder_index
from .._oci.manifest import Manifest, parse_manifest
from .acceptances import RECORD, Acceptances
from .blobs import BlobStore
from .disk import FILE_MODE, HEX, LARGEST_DOCUMENT, explaining, read_small, remove
from .workspace import Workspace


class ImageFolders:
    """The folders of a cache's platform images.

    :param workspace: the cache directory.
    :param blobs: what the images consist of.
    :param acceptances: the records in the folders.
    """

    def __init__(self, workspace: Workspace, blobs: BlobStore, acceptances: Acceptances) -> None:
        self._workspace = workspace
        self._blobs = blobs
        self._acceptances = acceptances

    def paths(self) -> list[str]:
        """Return the paths of all folders."""
        entries = os.scandir(self._workspace.root)
        return [entry.path for entry in entries if HEX.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]

    def stored(self, image: PlatformImage) -> StoredImage | None:
        """Return a platform image as the cache has it, from whatever repository; ``None`` if any part is missing."""
        folder = self._path(image)
        try:
            found = self._as_stored(image, _read_folder(folder, image.descriptor))
        except ManifestError:
            return None
        if read_small(os.path.join(folder, "oci-layout")) != OCI_LAYOUT:
            return None  # other tools would not read it
        return found if all(self._blobs.has(blob) for blob in found.all_blobs()) else None

    def is_from_elsewhere(self, image: PlatformImage) -> bool:
        """Return True if the cache has the image whole, but from other repositories than the one it is wanted from."""
        repositories = self._acceptances.repositories(image)
        if not repositories or image.repository.key in repositories:
            return False
        return all(self._blobs.has(blob) for blob in image.all_blobs())

    def new(self, image: PlatformImage) -> str:
        """Return a free path for skopeo to copy an image to; what an earlier try left there is removed.

        :raises StorageError: when that cannot be removed.
        """
        name = f"copy-{hashlib.sha256(image.key.encode()).hexdigest()}"
        path = os.path.join(self._workspace.run_directory, name)
        with explaining(f"cannot write to cache_dir {self._workspace.root}"):
            remove(path)
        return path

    def adopt(self, copied: str, image: PlatformImage) -> StoredImage:
        """Take over what skopeo wrote, after checking what it is.

        :param copied: path from :meth:`new`.
        :raises ManifestError: when it is not the image that was asked for, or a part is missing.
        """
        descriptor = _read_folder(copied)
        if not image.is_converted and descriptor.digest != image.digest:
            raise ManifestError(f"skopeo stored {descriptor.digest} instead of {image.digest}")
        descriptor = _with_source_values(descriptor, image.descriptor)
        if self._blobs.read_document(descriptor.digest) is None:
            raise ManifestError(f"skopeo left no sound manifest {descriptor.digest}")
        return self._place(copied, descriptor, image)

    def difference(self, directory: str, image: PlatformImage) -> str:
        """Compare what skopeo has copied without layers with what :meth:`write` writes.

        Descriptor, manifest and configuration have to be the same bytes. ``oci-layout``, which is written anew either
        way, has to say the same.

        :param directory: see :meth:`Skopeo.copy_without_layers`.
        :returns: the first difference in words; empty if there is none.
        """
        layout, share = os.path.join(directory, "layout"), os.path.join(directory, SHARE)
        try:
            stored = _with_source_values(_read_folder(layout), image.descriptor)
            version = parse_object(read_small(os.path.join(layout, "oci-layout"))).values()
            names = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in os.scandir(share)}
        except (ManifestError, JsonError, OSError) as error:
            return str(error)
        if folder_index(stored) != folder_index(image.descriptor):
            return f"it stored {stored.digest} as {stored.media_type} with {stored.size} bytes"
        if version != parse_object(OCI_LAYOUT).values():
            return "it wrote another oci-layout"
        content = image.content
        config = content.config if isinstance(content, Manifest) else None
        written = [image.descriptor] if config is None else [image.descriptor, config]
        expected = {hex_of(digest): 0 for digest in image.layer_digests}
        expected.update({hex_of(blob.digest): blob.size for blob in written})
        if names != expected:
            return "it wrote other blobs"
        for blob in written:
            if read_small(os.path.join(share, hex_of(blob.digest))) != read_small(self._blobs.path(blob.digest)):
                return f"it wrote other bytes for {blob.digest}"
        return ""

    def write(self, image: PlatformImage) -> StoredImage:
        """Write the folder of an image whose blobs are all in the cache, as it would be if skopeo had copied it.

        Manifest and configuration are read again here; layers were when they came, and are when they are archived.

        :raises ManifestError: when a blob is missing, or manifest or configuration is damaged.
        """
        content = image.content
        config = content.config if isinstance(content, Manifest) else None
        for blob in [image.descriptor] if config is None else [image.descriptor, config]:
            try:
                self._blobs.check(blob)
            except DamagedBlobError as error:
                raise ManifestError(str(error)) from error
        missing = [blob.digest for blob in image.blobs if not self._blobs.has(blob)]
        if missing:
            raise ManifestError(f"{missing[0]} of {image.digest} is not in the cache")
        return self._place(self.new(image), image.descriptor, image)

    def remove(self, image: PlatformImage) -> None:
        """Remove an image's folder; its blobs are removed one by one.

        :raises StorageError: when it cannot be removed.
        """
        with explaining(f"cannot free cache_dir {self._workspace.root}"):
            remove(self._path(image))

    def _place(self, made: str, descriptor: Descriptor, image: PlatformImage) -> StoredImage:
        """Write the folder of an image that was accepted, in place of the one before.

        :param made: where it is written first.
        :param descriptor: of the manifest in ``share``, with the platform and annotations of the source's index.
        :raises ManifestError: when blobs are missing.
        """
        documents = {
            "index.json": folder_index(descriptor),
            "oci-layout": OCI_LAYOUT,
            RECORD: self._acceptances.with_image(image),
        }
        with explaining(f"cannot write to cache_dir {self._workspace.root}"):
            remove(made)  # nothing that skopeo left there is needed
            os.mkdir(made, 0o755)
            for name, content in documents.items():
                write_new(os.path.join(made, name), content)
            link_if_possible(FOLDER_TARGET, os.path.join(made, BLOBS))
            final = self._path(image)
            remove(final)
            os.replace(made, final)
        stored = self.stored(image)
        if stored is None:
            raise ManifestError(f"skopeo reported success, but blobs of {image.digest} are missing in the cache")
        self._settle_modes(stored)
        return stored

    def _settle_modes(self, stored: StoredImage) -> None:
        """Give blobs their mode whatever skopeo's umask was, as a directory archive shares files with the cache.

        A file with a second name may belong to somebody else, and is left alone.
        """
        with explaining(f"cannot write to cache_dir {self._workspace.root}"):
            for blob in stored.all_blobs():
                path = self._blobs.path(blob.digest)
                found = os.lstat(path)
                if stat.S_IMODE(found.st_mode) != FILE_MODE and found.st_nlink == 1:
                    set_mode(path, FILE_MODE)

    def _as_stored(self, image: PlatformImage, descriptor: Descriptor) -> StoredImage:
        if not image.is_converted:
            if descriptor.digest != image.digest:
                raise ManifestError(f"the folder of {image.digest} holds {descriptor.digest}")
            return StoredImage(image, image.descriptor, image.blobs)
        manifest = parse_manifest(self._blobs.read_document(descriptor.digest) or b"")
        if not isinstance(manifest, Manifest):
            raise ManifestError(f"{descriptor.digest} is not an image manifest")
        return StoredImage(image, descriptor, tuple(manifest.blobs()))

    def _path(self, image: PlatformImage) -> str:
        return os.path.join(self._workspace.root, image.folder)


def _read_folder(folder: str, expected: Descriptor | None = None) -> Descriptor:
    """Return the one manifest that a folder's ``index.json`` names.

    :param expected: what it most likely names, which is quicker to compare with than to read.
    :raises ManifestError: when there is not exactly one, or the file cannot be read.
    """
    if os.path.islink(folder):
        raise ManifestError(f"{folder} is a link")
    try:
        raw = read_regular(os.path.join(folder, "index.json"), LARGEST_DOCUMENT)
        if expected is not None and raw == folder_index(expected):
            return expected
        entries = parse_object(raw).objects("manifests")
        if len(entries) != 1:
            raise ManifestError(f"{folder}/index.json names {len(entries)} manifests instead of one")
        return parse_descriptor(entries[0])
    except (OSError, JsonError) as error:
        raise ManifestError(f"{folder}/index.json cannot be read: {error}") from error


def _with_source_values(stored: Descriptor, source: Descriptor) -> Descriptor:
    """Return what skopeo stored, with the platform and annotations of the source's index."""
    return Descriptor(
        media_type=stored.media_type,
        digest=stored.digest,
        size=stored.size,
        platform=source.platform,
        annotations=source.annotations,
        artifact_type=source.artifact_type,
    )
