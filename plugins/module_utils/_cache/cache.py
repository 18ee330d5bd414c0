# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache on disk: what is complete, what is sound, who uses it, and what is left over.

It is an OCI image layout as a whole, and holds one folder per platform image, named by the manifest's digest. Blobs of
all images lie in ``share/sha256``. Nothing gets its final name before it is whole.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from .._base.errors import DamagedBlobError, ManifestError, StorageError
from .._base.json import JsonError, parse_object
from .._base.stop import Check, go_on
from .._host.disk_errors import explained
from .._host.files import (
    make_directories,
    open_regular,
    sha256_of_open,
    write_new,
)
from .._host.filesystem import filesystem_of, link_if_possible, set_mode
from .._host.hold import Hold
from .._host.private_place import PrivatePlace
from .._host.trust import distrust, distrust_directory
from .._oci.image import PlatformImage, StoredImage, hex_of
from .._oci.layout import (
    BLOBS,
    FOLDER_TARGET,
    OCI_LAYOUT,
    SHARE,
    folder_index,
    links_of,
)
from .._oci.manifest import (
    Descriptor,
    Manifest,
    digest_of,
    parse_descriptor,
    parse_manifest,
)

_LOCK = ".lock"
_RUN = ".run-"
_ACCEPTED = "accepted"
_NO_CONFIGURATION = "0" * 64
_HEX = re.compile(r"^[0-9a-f]{64}$")
_BLOB_MODE = 0o644
_LARGEST_DOCUMENT = 16 * 1024 * 1024


class Cache:
    """A cache directory.

    :param root: its path; a run in check mode reads it and makes nothing.
    :param configuration: sha256 of what decides today which images may be saved; see :mod:`_skopeo.policy`.
    :param check: is asked where something takes long; raises when the run is to end.
    :ivar repaired: digests of blobs that were not what their names say, and were removed to be fetched again.
    """

    def __init__(self, root: str, configuration: str = _NO_CONFIGURATION, check: Check = go_on) -> None:
        self.root = root
        self.configuration = configuration
        self._check = check
        self.share = os.path.join(root, *SHARE.split("/"))
        self.repaired: set[str] = set()
        self._storing = threading.Lock()
        self._foreseen: dict[str, int] = {}
        self._run: str | None = None
        self._private_place = PrivatePlace(root, os.environ)
        self._private: str | None = None

    # -- a run's hold on it ---------------------------------------------------

    @contextmanager
    def opened(self, lock_timeout: float) -> Iterator[str]:
        """Make the cache if it is not there, hold its lock, clear what killed runs left, and clean up at the end.

        :returns: :attr:`run_directory`.

        :raises BusyError: when another run holds it for longer than ``lock_timeout`` seconds.
        :raises StorageError: when it cannot be written.
        """
        self.refuse_open()
        with _explained(f"cannot use cache_dir {self.root}"):
            self._make_directories()
        lock = os.path.join(self.root, _LOCK)
        with Hold(lock, what=f"the cache {self.root}", timeout=lock_timeout, check=self._check):
            try:
                with _explained(f"cannot use cache_dir {self.root}"):
                    self._remove_leftovers()
                    self._private_place.clear()
                    self._run = tempfile.mkdtemp(prefix=_RUN, dir=self.root)
                    self._complete_layout()
                yield self._run
            finally:
                with self._storing:  # a thread that was given up may be about to store something
                    self._run = self._private = None
                self._private_place.clear()
                with suppress(OSError):
                    self._remove_leftovers()

    @property
    def run_directory(self) -> str:
        """A directory of this run alone on the cache's filesystem; removed when the run ends.

        Its mode is 0700 where there are modes; what nobody else may read goes to :attr:`private_directory`.
        """
        if self._run is None:
            raise StorageError("the cache is not open")
        return self._run

    @property
    def private_directory(self) -> str:
        """A directory of this run alone that nobody else can read; removed when the run ends.

        :raises StorageError: when there is no place for one.
        """
        with self._storing:
            if self._private is None:
                run = self.run_directory
                self._private = run if filesystem_of(run).has_modes else self._private_place.make()
            return self._private

    def refuse_open(self) -> None:
        """Refuse a place where others could exchange the cache, or what is in it.

        :raises StorageError: says who could, and what to do.
        """
        with _explained(f"cannot use cache_dir {self.root}"):
            reason = distrust(self.root)
            for path in (os.path.dirname(self.share), self.share) if os.path.isdir(self.root) else ():
                if os.path.islink(path):
                    reason = reason or f"{path} is a link"
                elif os.path.lexists(path):
                    reason = reason or distrust_directory(path)
        if reason:
            raise StorageError(
                f"cannot use cache_dir {self.root}: {reason}. It has to be this user's own, and neither it nor a "
                "directory above it may be writable by everyone; correct that, or set another cache_dir"
            )

    def _make_directories(self) -> None:
        """What is fetched may be private, so a new root is for this user alone."""
        make_directories(self.root, 0o700)
        make_directories(self.share)
        self.refuse_open()  # it may be another's by now

    def is_clean(self) -> bool:
        """Whether it is there, and no killed run left anything in it."""
        self.refuse_open()
        try:
            return os.path.isdir(self.root) and not self.leftovers()
        except OSError as error:
            raise explained(f"cannot use cache_dir {self.root}", error) from error

    def leftovers(self) -> list[str]:
        """Paths of what killed runs left; those of a run under way are among them."""
        if not os.path.isdir(self.root):
            return []
        return [os.path.join(self.root, name) for name in os.listdir(self.root) if name.startswith(_RUN)]

    def _remove_leftovers(self) -> None:
        for path in self.leftovers():
            _remove(path)

    def _complete_layout(self) -> None:
        blobs = os.path.join(self.root, BLOBS)
        if os.path.lexists(blobs) and not os.path.islink(blobs):
            raise StorageError(f"cache_dir {self.root} is something else: {blobs} is no link. Use another directory")
        for name, target in links_of(os.path.basename(path) for path in self._folders()).items():
            _put_link(os.path.join(self.root, name), target)
        layout = os.path.join(self.root, "oci-layout")
        if _read(layout) != OCI_LAYOUT:
            self._put(layout, OCI_LAYOUT)

    # -- blobs ----------------------------------------------------------------

    def blob_path(self, digest: str) -> str:
        return os.path.join(self.share, hex_of(digest))

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is there as a regular file of the right size. Its bytes are checked when they are used."""
        if self._foreseen.get(blob.digest) == blob.size:
            return True
        try:
            found = os.lstat(self.blob_path(blob.digest))
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == blob.size

    def holds(self, digest: str) -> bool:
        """Whether anything stands under a blob's name."""
        return os.path.lexists(self.blob_path(digest))

    def check_blob(self, blob: Descriptor) -> None:
        """Read a blob and compare its sha256 with its name.

        :raises DamagedBlobError: when it is another, or is not there.
        """
        try:
            with open_regular(self.blob_path(blob.digest)) as file:
                sha256 = sha256_of_open(file, check=self._check)
        except OSError as error:
            raise DamagedBlobError(blob.digest, str(error.strerror)) from error
        if sha256 != hex_of(blob.digest):
            raise DamagedBlobError(blob.digest, "its bytes have another sha256")

    def drop_blob(self, digest: str) -> None:
        """Remove whatever stands under a blob's name."""
        with _explained(f"cannot repair cache_dir {self.root}"):
            if _remove(self.blob_path(digest)):
                self.repaired.add(digest)

    def drop_damaged(self, blob: Descriptor) -> bool:
        """Read a blob, and remove what is not what its name says.

        :returns: whether it is not there now.
        """
        try:
            self.check_blob(blob)
        except DamagedBlobError:
            self.drop_blob(blob.digest)
            return True
        return False

    def release_blob(self, digest: str) -> None:
        """Remove a sound blob that is not needed any more."""
        with _explained(f"cannot free cache_dir {self.root}"):
            _remove(self.blob_path(digest))

    def drop_unsound(self, blobs: Iterable[Descriptor]) -> None:
        """Remove what skopeo would take for the blobs though it is not: it looks for the name alone.

        :raises ManifestError: when a blob is sound, and it is the manifest that is wrong about its size.
        """
        for blob in blobs:
            if os.path.lexists(self.blob_path(blob.digest)) and not self.has_blob(blob):
                with suppress(DamagedBlobError):
                    self.check_blob(blob)
                    if not blob.size:  # nobody has said it, as with schema 1
                        continue
                    found = os.lstat(self.blob_path(blob.digest)).st_size
                    raise ManifestError(f"its manifest says that {blob.digest} has {blob.size} bytes; it has {found}")
                self.drop_blob(blob.digest)

    def read_document(self, digest: str) -> bytes | None:
        """A manifest, index or configuration, if its bytes are those that the digest names."""
        try:
            with open_regular(self.blob_path(digest)) as file:
                raw = file.read(_LARGEST_DOCUMENT)
        except OSError:
            return None
        return raw if digest_of(raw) == digest else None

    def foresee_document(self, digest: str, raw: bytes) -> None:
        """Count a small blob as one that is there, as :meth:`store_document` would have it: for a run in check mode."""
        self._foreseen[digest] = len(raw)

    def store_document(self, digest: str, raw: bytes) -> None:
        """Keep a small blob that was checked already, unless it is there."""
        with self._storing, _explained(f"cannot write to cache_dir {self.root}"):
            if self.read_document(digest) == raw:
                return
            handle, path = tempfile.mkstemp(dir=self.run_directory)
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
            set_mode(path, _BLOB_MODE)
            self.drop_blob(digest)
            os.replace(path, self.blob_path(digest))

    def growing_bytes(self) -> int:
        """Bytes of blobs that are on their way: our own, and those of skopeo, which writes ``oci-put-blob*``."""
        if self._run is None:
            return 0
        patterns = ("blob-*", "copy-*/oci-put-blob*")
        paths = (path for pattern in patterns for path in glob.iglob(os.path.join(glob.escape(self._run), pattern)))
        return sum(_size_or_none(path) for path in paths)

    def adopt_blob(self, path: str, digest: str) -> None:
        """Give a file that was fetched and checked its final name."""
        with _explained(f"cannot write to cache_dir {self.root}"):
            set_mode(path, _BLOB_MODE)
            os.replace(path, self.blob_path(digest))

    # -- platform images ------------------------------------------------------

    def stored(self, image: PlatformImage) -> StoredImage | None:
        """A platform image as the cache holds it, wherever it came from; ``None`` when anything of it is missing."""
        try:
            folder = os.path.join(self.root, image.folder)
            descriptor = _read_folder(folder)
            found = self._as_stored(image, descriptor)
        except ManifestError:
            return None
        if _read(os.path.join(folder, "oci-layout")) != OCI_LAYOUT:
            return None  # other tools would not read it
        return found if all(self.has_blob(blob) for blob in found.all_blobs()) else None

    def new_folder(self, image: PlatformImage) -> str:
        """An empty place for skopeo to copy one image into; what an earlier try left there is removed."""
        path = os.path.join(self.run_directory, f"copy-{hashlib.sha256(image.key.encode()).hexdigest()}")
        with _explained(f"cannot write to cache_dir {self.root}"):
            _remove(path)
        return path

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """A directory for one question to skopeo, removed behind it."""
        with _explained(f"cannot write to cache_dir {self.root}"):
            path = tempfile.mkdtemp(prefix="scratch-", dir=self.run_directory)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def adopt_folder(self, copied: str, image: PlatformImage) -> StoredImage:
        """Take over what skopeo wrote, after a look at what it really is.

        :raises ManifestError: when it is not the image that was asked for, or not all of it.
        """
        descriptor = _read_folder(copied)
        if not image.is_converted and descriptor.digest != image.digest:
            raise ManifestError(f"skopeo stored {descriptor.digest} instead of {image.digest}")
        descriptor = _with_source_values(descriptor, image.descriptor)
        raw = self.read_document(descriptor.digest)
        if raw is None:
            raise ManifestError(f"skopeo left no sound manifest {descriptor.digest}")
        return self.place_folder(copied, descriptor, image)

    def place_folder(self, made: str, descriptor: Descriptor, image: PlatformImage) -> StoredImage:
        """Write the folder of a platform image that was let through, in place of the one before.

        :param made: where it is made: :meth:`new_folder`, whatever stands there.
        :param descriptor: of the manifest in ``share``, with what the source's index says of it.
        :raises ManifestError: when blobs are not there.
        """
        documents = {
            "index.json": folder_index(descriptor),
            "oci-layout": OCI_LAYOUT,
            _ACCEPTED: self._acceptances_with(image),
        }
        with _explained(f"cannot write to cache_dir {self.root}"):
            _remove(made)  # nothing of it is needed, and it could hold anything
            os.mkdir(made, 0o755)
            for name, content in documents.items():
                write_new(os.path.join(made, name), content)
            link_if_possible(FOLDER_TARGET, os.path.join(made, BLOBS))
            final = os.path.join(self.root, image.folder)
            _remove(final)
            os.replace(made, final)
        stored = self.stored(image)
        if stored is None:
            raise ManifestError(f"skopeo reported success, but blobs of {image.digest} are missing in the cache")
        self._settle_modes(stored)
        return stored

    def _settle_modes(self, stored: StoredImage) -> None:
        """A directory shares files with the cache: their modes must not be those of skopeo's umask.

        A file with a second name may be somebody else's, and is left alone.
        """
        with _explained(f"cannot write to cache_dir {self.root}"):
            for blob in stored.all_blobs():
                path = self.blob_path(blob.digest)
                found = os.lstat(path)
                if stat.S_IMODE(found.st_mode) != _BLOB_MODE and found.st_nlink == 1:
                    set_mode(path, _BLOB_MODE)

    def comes_from_elsewhere(self, image: PlatformImage) -> bool:
        """Whether all of a platform image is here, but came from other repositories than the one it is wanted from."""
        repositories = {line.partition(" ")[2] for line in self._accepted(image)}
        if not repositories or str(image.repository) in repositories:
            return False
        return all(self.has_blob(blob) for blob in image.all_blobs())

    def is_accepted(self, image: PlatformImage) -> bool:
        """Whether skopeo has let a platform image through from its repository, with the configuration of today."""
        return self._acceptance(image) in self._accepted(image)

    def take_down_acceptance(self, image: PlatformImage) -> None:
        """Note that it has, beside an image that is there; of one that is not there, nothing can be noted."""
        folder = os.path.join(self.root, image.folder)
        if not os.path.isdir(folder) or os.path.islink(folder) or self.is_accepted(image):
            return
        with self._storing, _explained(f"cannot write to cache_dir {self.root}"):
            handle, path = tempfile.mkstemp(dir=self.run_directory)
            with os.fdopen(handle, "wb") as file:
                file.write(self._acceptances_with(image))
            set_mode(path, _BLOB_MODE)
            os.replace(path, os.path.join(folder, _ACCEPTED))

    def _acceptance(self, image: PlatformImage) -> str:
        return f"{self.configuration} {image.repository}"

    def _accepted(self, image: PlatformImage) -> set[str]:
        text = _read(os.path.join(self.root, image.folder, _ACCEPTED)).decode("utf-8", "replace")
        return {line for line in text.splitlines() if _HEX.fullmatch(line.partition(" ")[0])}

    def _acceptances_with(self, image: PlatformImage) -> bytes:
        lines = sorted({*self._accepted(image), self._acceptance(image)})
        return "".join(f"{line}\n" for line in lines).encode()

    def _as_stored(self, image: PlatformImage, descriptor: Descriptor) -> StoredImage:
        if not image.is_converted:
            if descriptor.digest != image.digest:
                raise ManifestError(f"the folder of {image.digest} holds {descriptor.digest}")
            return StoredImage(image, image.descriptor, image.blobs)
        manifest = parse_manifest(self.read_document(descriptor.digest) or b"")
        if not isinstance(manifest, Manifest):
            raise ManifestError(f"{descriptor.digest} is no image manifest")
        return StoredImage(image, descriptor, tuple(manifest.blobs()))

    # -- the whole ------------------------------------------------------------

    def write_layout(self, documents: dict[str, bytes]) -> None:
        """Write the files by which other tools read the cache (``index.json`` and hangar's list), each at once."""
        with _explained(f"cannot write to cache_dir {self.root}"):
            for name, raw in documents.items():
                self._put(os.path.join(self.root, name), raw)

    def _put(self, path: str, raw: bytes) -> None:
        """Write a file that appears whole, in place of whatever stands there."""
        new = os.path.join(self.run_directory, os.path.basename(path))
        write_new(new, raw)
        if os.path.isdir(path) and not os.path.islink(path):
            _remove(path)
        os.replace(new, path)

    def forget(self, image: PlatformImage) -> None:
        """Remove an image's folder; its blobs are dropped one by one."""
        with _explained(f"cannot free cache_dir {self.root}"):
            _remove(os.path.join(self.root, image.folder))

    def superfluous(self, *, folders: set[str], blobs: set[str]) -> list[str]:
        """Paths of the folders and blobs that are not named."""
        with _explained(f"cannot look through cache_dir {self.root}"):
            return self._superfluous(folders, blobs)

    def _folders(self) -> list[str]:
        """Paths of the platform images' folders."""
        return [
            entry.path
            for entry in os.scandir(self.root)
            if _HEX.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]

    def _superfluous(self, folders: set[str], blobs: set[str]) -> list[str]:
        if not os.path.isdir(self.share):
            return []
        found = [entry.path for entry in os.scandir(self.root) if _HEX.fullmatch(entry.name)]
        found = [path for path in found if os.path.basename(path) not in folders]
        return found + [
            entry.path
            for entry in os.scandir(self.share)
            if f"sha256:{entry.name}" not in blobs
            and (_HEX.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False))
        ]

    def prunable(self, *, folders: set[str], blobs: set[str]) -> int:
        """Bytes of the blobs that are not named."""
        with _explained(f"cannot look through cache_dir {self.root}"):
            found = self._superfluous(folders, blobs)
            return sum(os.lstat(path).st_size for path in found if os.path.dirname(path) == self.share)

    def prune(self, *, folders: set[str], blobs: set[str]) -> int:
        """Remove the folders and blobs that are not named.

        :returns: bytes of the blobs that were removed.
        """
        freed = 0
        for path in self.superfluous(folders=folders, blobs=blobs):
            with _explained(f"cannot prune cache_dir {self.root}"):
                if os.path.dirname(path) == self.share:
                    freed += os.lstat(path).st_size
                _remove(path)
        return freed


def _read_folder(folder: str) -> Descriptor:
    """The one manifest that a folder's ``index.json`` names."""
    if os.path.islink(folder):
        raise ManifestError(f"{folder} is a link")
    try:
        with open_regular(os.path.join(folder, "index.json")) as file:
            entries = parse_object(file.read(_LARGEST_DOCUMENT)).objects("manifests")
        if len(entries) != 1:
            raise ManifestError(f"{folder}/index.json names {len(entries)} manifests instead of one")
        return parse_descriptor(entries[0])
    except (OSError, JsonError) as error:
        raise ManifestError(f"{folder}/index.json cannot be read: {error}") from error


def _with_source_values(stored: Descriptor, source: Descriptor) -> Descriptor:
    """What skopeo stored, with the platform and annotations that the source's index gave it."""
    return Descriptor(
        media_type=stored.media_type,
        digest=stored.digest,
        size=stored.size,
        platform=source.platform,
        annotations=source.annotations,
        artifact_type=source.artifact_type,
    )


def _put_link(path: str, target: str) -> None:
    if not os.path.islink(path) or os.readlink(path) != target:
        _remove(path)
        link_if_possible(target, path)


def _remove(path: str) -> bool:
    """Remove whatever stands there.

    :returns: whether anything did.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
        return True
    with suppress(FileNotFoundError):
        os.unlink(path)
        return True
    return False


def _read(path: str) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(_LARGEST_DOCUMENT)
    except OSError:
        return b""


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise explained(what, error) from error


def _size_or_none(path: str) -> int:
    """Bytes of a file that may just have got another name."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
