# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From registry to cache: single blobs by our own client, each image as a whole by skopeo.

skopeo writes an image's layout and checks the signature policy, once for every repository that the image is wanted
from. It fetches blobs as well where it may know a way that the client does not: registries that its configuration
mentions, conversions, and whatever the client was refused. A blob that a repository has lost comes from another one
that names it.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Callable, TypeVar

from .._archive.output import DIR
from .._base.clock import Clock
from .._base.errors import ManifestError, Missing, TransferError
from .._cache.cache import Cache
from .._cache.layout_writer import write_layout
from .._cache.pool import Lack
from .._host.disk_errors import explained
from .._host.log import Log
from .._host.progress import Progress
from .._oci.image import PlatformImage, StoredImage, hex_of
from .._oci.manifest import Descriptor, Manifest, Schema1
from .._oci.reference import Repository
from .._registry.retry import retrying
from .accepted import Accepted
from .content import Content
from .options import Options
from .run import Run
from .tools import Tools

Result = TypeVar("Result")


class Fetcher:
    """Brings blobs and platform images into the cache, and counts what that downloaded.

    :param places: by the key of each platform image, the number of its reference in the list, and its own there.
    :param names: the reference of each platform image by its key, for who watches.
    :param sources: the repositories that name a blob, where several do.
    :param accepted: what was let through, from which repository.
    :ivar downloaded: bytes by digest.
    """

    def __init__(
        self,
        tools: Tools,
        cache: Cache,
        log: Log,
        options: Options,
        *,
        places: Mapping[str, tuple[int, int]],
        names: Mapping[str, str],
        sources: Mapping[str, Sequence[Repository]],
        accepted: Accepted,
        progress: Progress,
    ) -> None:
        self._tools = tools
        self._cache = cache
        self._log = log
        self._places = places
        self._names = names
        self._sources = sources
        self._accepted = accepted
        self._progress = progress
        self._timeout = options.work.timeout
        self._is_archive = options.output.compress == DIR
        self._mutex = threading.Lock()
        self._clocks: dict[str, Clock] = {}
        self._refused: dict[tuple[str, str], TransferError] = {}
        self._with_skopeo: dict[str, dict[str, Descriptor]] = {}
        self.downloaded: dict[str, int] = {}

    def arrived_bytes(self) -> int:
        """What has come so far, with what is in files that still grow."""
        with self._mutex:
            finished = sum(self.downloaded.values())
            half = {digest: blob for missing in self._with_skopeo.values() for digest, blob in missing.items()}
            unknown = [blob for digest, blob in half.items() if digest not in self.downloaded]
        return finished + sum(blob.size for blob in unknown if self._cache.has_blob(blob)) + self._cache.growing_bytes()

    def lack(self, image: PlatformImage) -> Lack:
        """What the image lacks, and who fetches it. Its folder is written by one copy at a time."""
        missing = self._missing(image)
        fetched = self._for_client(image, missing)
        return Lack(tuple(fetched.values()), frozenset({image.digest, *missing}.difference(fetched)))

    def fetch_blob(self, image: PlatformImage, blob: Descriptor) -> bool:
        """Fetch one blob; the client leaves to skopeo what it is refused.

        :raises TransferError: why it could not be fetched, after all tries.
        """
        with self._working_on(image) as deadline:
            self._cache.drop_unsound([blob])
            if self._cache.has_blob(blob):
                return True
            try:
                self._fetch_from_any(image, blob, deadline)
            except TransferError as error:
                if blob.is_foreign:  # skopeo leaves them out
                    raise TransferError(f"foreign layer: {error}", heals=False) from error
                if error.is_final or self._tools.carriage.is_ours(image):
                    raise
                self._log.debug(f"{error}; left to skopeo")
                with self._mutex:
                    self._refused[str(image.repository), blob.digest] = error
                return False
            return True

    def _fetch_from_any(self, image: PlatformImage, blob: Descriptor, deadline: float) -> None:
        """From the image's own repository, or else from another one that names the blob.

        :raises TransferError: why its own does not give it, where no other one does.
        """
        try:
            self._fetch_from(image.repository, blob, deadline)
        except TransferError as error:
            if not self._fetch_elsewhere(image, blob, deadline):
                raise
            self._log.warning(f"{error}; another repository of this run had it")

    def _fetch_elsewhere(self, image: PlatformImage, blob: Descriptor, deadline: float) -> bool:
        """:returns: whether another repository of this run had the blob."""
        for repository in self._sources.get(blob.digest, ()):
            if repository == image.repository or self._tools.configuration.concerns(repository.registry):
                continue
            try:
                self._fetch_from(repository, blob, deadline)
            except TransferError as error:
                self._log.debug(str(error))
            else:
                return True
        return False

    def _fetch_from(self, repository: Repository, blob: Descriptor, deadline: float) -> None:
        if self._tools.configuration.concerns(repository.registry):
            raise TransferError(
                f"registries.conf of this host leaves {repository.registry} to skopeo, which copies none; leave "
                "include_foreign_layers out, or save the image from a registry that is not mentioned there",
                heals=False,
            )
        path = os.path.join(self._cache.run_directory, f"blob-{hex_of(blob.digest)}")
        with _nothing_left_of(path):
            self._tools.registries.fetch_blob(repository, blob, path, deadline=deadline)
        if self._is_archive:  # the file itself is shared with it
            _begin_writing_out(path)
        self._cache.adopt_blob(path, blob.digest)
        with self._mutex:
            self.downloaded[blob.digest] = blob.size
        self._log.debug(f"fetched blob {blob.digest} ({blob.size} bytes)")

    def copy(self, image: PlatformImage) -> StoredImage:
        """Have skopeo copy an image, with the blobs that are not there yet; of one that is there, only let it through.

        :raises TransferError: why it could not be copied, or was not let through, after all tries.
        """
        stored = self._cache.stored(image)
        if stored is not None:
            if not self._accepted.holds(image):
                self.accept(image)
            return stored
        with self._working_on(image) as deadline:
            missing = self._missing(image)
            with self._mutex:
                self._with_skopeo[image.key] = missing
            self._log.info(f"copying {image.repository}@{image.digest} ({image.descriptor.platform or 'artefact'})")
            started = time.monotonic()
            try:
                stored = self._copy_patiently(image, deadline)
            except TransferError as error:
                self._say_what_we_were_told(image, missing, error)
                raise
            finally:
                with self._mutex:
                    del self._with_skopeo[image.key]
            self._log.info(f"copied with {len(missing)} blobs in {time.monotonic() - started:.1f} s")
        with self._mutex:
            new = stored.all_blobs() if image.is_converted else (b for b in stored.all_blobs() if b.digest in missing)
            self.downloaded.update({blob.digest: blob.size for blob in new})
        return stored

    def _say_what_we_were_told(self, image: PlatformImage, missing: Iterable[str], error: TransferError) -> None:
        """Raise what the client was told of a blob before skopeo was, and what skopeo says, which often says less."""
        with self._mutex:
            told = [self._refused.get((str(image.repository), digest)) for digest in missing]
        for ours in filter(None, told):
            raise error.ended(f"{ours}; {error}") from error

    def accept(self, image: PlatformImage) -> None:
        """Have skopeo ask the image's repository for it, and check the signature policy; no layer is fetched.

        :raises TransferError: why it was not let through, after all tries.
        """
        with self._working_on(image) as deadline:
            self._log.info(f"asking whether {image.key} may be saved ({image.descriptor.platform or 'artefact'})")
            if self._tools.carriage.is_ours(image):
                self._manifest_of(image)  # whoever has it is let through
            else:
                self._patiently(lambda: self._have_skopeo_accept(image, deadline), deadline)
            self._accepted.take_down(image)

    def _copy_patiently(self, image: PlatformImage, deadline: float) -> StoredImage:
        try:
            return self._patiently(lambda: self._copy(image, deadline), deadline)
        except TransferError as error:
            if error.is_final:
                raise
            lost = [blob for digest, blob in self._missing(image).items() if digest != image.digest]
            found = [self._fetch_elsewhere(image, blob, deadline) for blob in lost]
            if not any(found):
                raise
        return self._patiently(lambda: self._copy(image, deadline), deadline)

    def _patiently(self, action: Callable[[], Result], deadline: float) -> Result:
        return retrying(
            action,
            policy=self._tools.policy,
            stop=self._tools.stop,
            deadline=deadline,
            on_retry=self._log.warning,
        )

    @contextmanager
    def _working_on(self, image: PlatformImage) -> Iterator[float]:
        """Give the ``time.monotonic()`` at which the image is given up; waiting for its turn takes none of its time."""
        number, platform = self._places[image.key]
        with self._mutex:
            clock = self._clocks.setdefault(image.key, Clock(self._timeout))
        what = f"{self._names[image.key]} ({image.descriptor.platform or 'artefact'})"
        registry = image.repository.registry
        with self._log.about(number, platform), self._progress.working_on(what), clock.running() as deadline:
            try:
                yield deadline
            except TransferError as error:
                told = self._tools.registries.outages.ended(registry, self._names[image.key], error)
                if told is not error:
                    raise told from error
                raise
            except OSError as error:
                raise explained(f"cannot write to cache_dir {self._cache.root}", error) from error

    def _copy(self, image: PlatformImage, deadline: float) -> StoredImage:
        outages = self._tools.registries.outages
        outages.check(image.repository.registry)
        self._cache.drop_unsound(image.all_blobs())
        config = image.content.config if isinstance(image.content, Manifest) else None
        if config is not None:  # skopeo writes it anew, and would not tell that it was damaged
            self._cache.drop_damaged(config)
        if self._tools.carriage.is_ours(image):
            return self._copy_without_skopeo(image, deadline)
        folder = self._cache.new_folder(image)
        with _nothing_left_of(folder):
            self._have_skopeo_copy(image, folder, deadline)
            outages.answered(image.repository.registry)
            try:
                stored = self._cache.adopt_folder(folder, image)
            except ManifestError as error:
                raise TransferError(str(error), heals=True) from error
        self._accepted.take_down(image)
        return stored

    def _copy_without_skopeo(self, image: PlatformImage, deadline: float) -> StoredImage:
        """Fetch what is not there yet, and write the layout."""
        if self._cache.drop_damaged(image.descriptor):
            self._cache.store_document(image.digest, self._manifest_of(image))
        for blob in self._missing(image).values():
            self._fetch_from(image.repository, blob, deadline)
        try:
            stored = write_layout(self._cache, image)
        except ManifestError as error:
            raise TransferError(str(error), heals=True) from error
        self._accepted.take_down(image)
        return stored

    def _manifest_of(self, image: PlatformImage) -> bytes:
        """What the image's repository has, asked anew."""
        found: list[bytes] = []

        def ask(name: str) -> None:
            fetched = self._tools.registries.get_manifest(image.repository, name[1:])
            if fetched.digest != image.digest:
                reference = f"{image.repository}{name}"
                raise Missing(f"{reference} stands for another image by now; run again", heals=False)
            found.append(fetched.raw)

        _by_any_name(image, ask)
        return found[-1]

    def _have_skopeo_accept(self, image: PlatformImage, deadline: float) -> None:
        outages = self._tools.registries.outages
        outages.check(image.repository.registry)
        with self._cache.scratch() as directory:
            _by_any_name(image, lambda name: self._tools.skopeo.accept(image, name, directory, deadline=deadline))
        outages.answered(image.repository.registry)

    def _have_skopeo_copy(self, image: PlatformImage, folder: str, deadline: float) -> None:
        """What comes is checked in any case."""
        share = os.path.dirname(self._cache.share)
        _by_any_name(image, lambda name: self._tools.skopeo.copy(image, name, folder, share, deadline=deadline))

    def _missing(self, image: PlatformImage) -> dict[str, Descriptor]:
        return {blob.digest: blob for blob in image.all_blobs() if not self._cache.has_blob(blob)}

    def _for_client(self, image: PlatformImage, missing: Mapping[str, Descriptor]) -> dict[str, Descriptor]:
        """Those of the missing blobs that our client is the one to fetch."""
        content = image.content
        if isinstance(content, Schema1):
            return {}  # skopeo converts it
        if self._tools.carriage.is_ours(image):
            return {digest: blob for digest, blob in missing.items() if digest != image.digest}
        # skopeo fetches manifest and configuration at every copy.
        own = {image.digest, content.config.digest if content.config is not None else ""}
        if self._tools.configuration.concerns(image.repository.registry):
            return {layer.digest: layer for layer in image.foreign_layers if layer.digest in missing}
        return {digest: blob for digest, blob in missing.items() if digest not in own}


@contextmanager
def _nothing_left_of(path: str) -> Iterator[None]:
    """Remove a file, or a directory, if what makes it fails: the next try makes it anew, or there is none."""
    try:
        yield
    except BaseException:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            os.unlink(path)
        raise


def fetcher_of(run: Run, tools: Tools, content: Content) -> Fetcher:
    """A fetcher for what is wanted."""
    return Fetcher(
        tools,
        run.cache,
        run.log,
        run.options,
        places=content.places,
        names=content.names,
        sources=content.sources,
        accepted=run.accepted,
        progress=run.progress,
    )


def _by_any_name(image: PlatformImage, ask: Callable[[str], None]) -> None:
    """Ask for an image by its digest; by its tag where the registry has it by that alone."""
    try:
        ask(f"@{image.digest}")
    except Missing:
        if not image.tag:
            raise
        ask(f":{image.tag}")


def _begin_writing_out(path: str) -> None:
    """Have the kernel begin to write a file to disk, and do not wait: publishing will, and then finds it done.

    posix_fadvise(2): what is dirty cannot be dropped, so Linux writes it.
    """
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
