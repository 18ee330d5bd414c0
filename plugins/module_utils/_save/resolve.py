# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From references to platform images: what each tag is today, and which of its platforms are wanted.

Two questions, so that a run with nothing new asks only the first: the digests (HEAD), then the manifests (GET) of what
the cache does not have.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Callable

from .._base.deadline import time_left
from .._base.errors import (
    ImagesError,
    ManifestError,
    Missing,
    MissingPlatform,
    TransferError,
    printable,
)
from .._base.parallel import parallel_map
from .._base.slots import slotted
from .._base.stop import Check, go_on
from .._cache.cache import Cache
from .._host.log import Log
from .._oci.descriptor import Descriptor
from .._oci.image import FailedImage, Resolution, ResolvedImage, SkippedImage
from .._oci.image_list import ListedImage
from .._oci.manifest import Index, Manifest, parse_manifest
from .._oci.platform import Platform
from .._oci.reference import Repository
from .._oci.schema1 import Schema1
from .._registry.failures import Failures
from .._registry.fetched_manifest import FetchedManifest
from .._skopeo.unsupported import UnsupportedImages
from .choose import ensure_all
from .documents import Documents
from .image_notes import notes_of
from .image_reader import ImageReader
from .image_set import RequestedImage
from .index_reader import IndexReader
from .options import Selection
from .questions import Client

CONNECTIONS = 8
_MAX_NAMED_PLATFORMS = 10


@slotted
@dataclass(frozen=True)
class LookedUp:
    """An image and the digest that its registry gave.

    :param is_told: whether the registry gave it in this run.
    :param fetched: the manifest, if the registry gave the digest only together with it.
    :param error: why there is no digest; ``None`` if there is one.
    """

    image: RequestedImage
    digest: str = ""
    is_told: bool = False
    fetched: FetchedManifest | None = None
    error: ImagesError | None = None

    @property
    def listed(self) -> ListedImage:
        """The image as the list has it."""
        return self.image.listed

    @property
    def repository(self) -> Repository:
        """The repository that it is pulled from."""
        return self.image.repository


def nothing_is_known(repository: Repository, digest: str) -> bool:
    """Answer for a cache that nobody has used."""
    return False


class Resolver:
    """Asks registries, through the cache, for several images at once.

    :param failures: makes the failures of images.
    :param keep: store what is fetched in the cache; not in check mode.
    :param timeout: seconds for all questions about one image.
    :param is_known: returns whether a manifest or index was accepted from a repository before.
    :param unsupported: knows which images cannot be copied; ``None``: all can.
    :param check: called while answers are waited for; raises when the run is to end.
    :ivar fetched: bytes of each manifest and configuration that was not in the cache, by digest.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        log: Log,
        selection: Selection,
        failures: Failures,
        *,
        keep: bool,
        timeout: float,
        is_known: Callable[[Repository, str], bool] = nothing_is_known,
        unsupported: UnsupportedImages | None = None,
        check: Check = go_on,
    ) -> None:
        self._client = client
        self._cache = cache
        self._log = log
        self._selection = selection
        self._failures = failures
        self._was_accepted = is_known
        self._unsupported = unsupported
        self._timeout = timeout
        self._check = check
        self._late = TransferError(
            f"its registry did not answer completely within timeout ({timeout:g} s); run again, or raise it",
            heals=False,
        )
        self.fetched: dict[str, int] = {}
        self._read_with(Documents(client, cache, keep=keep, fetched=self.fetched))

    def _read_with(self, documents: Documents) -> None:
        self._documents = documents
        self._images = ImageReader(
            documents, self._client, self._cache, self._selection, self._unsupported, self._was_accepted
        )
        self._indexes = IndexReader(self._images, self._selection, self._log)

    def that_keeps_nothing(self) -> Resolver:
        """Return the same for an archive that stays: what is fetched for it is not stored."""
        other = copy.copy(self)
        other._read_with(self._documents.that_keep_nothing())
        return other

    def look_up(self, images: Sequence[RequestedImage]) -> list[LookedUp]:
        """Find the digest of each image; one that names a digest, or is pinned, needs no request.

        :raises Interrupted: when the run was stopped.
        """

        def one(image: RequestedImage) -> LookedUp:
            known = image.pin.digest if image.pin is not None else image.reference.digest
            if known:
                return LookedUp(image, digest=known)
            with self._log.about(image.listed.number), time_left(self._timeout):
                try:
                    return self._look_up_tag(image)
                except (TransferError, ManifestError) as error:
                    return LookedUp(image, error=self._failure(image, error))

        def late(image: RequestedImage) -> LookedUp:
            return LookedUp(image, error=self._late)

        return parallel_map(one, images, workers=CONNECTIONS, timeout=self._timeout, late=late, check=self._check)

    def resolve(self, images: Sequence[LookedUp]) -> list[Resolution]:
        """Read the manifests and choose the platforms.

        :returns: for each image, in list order: resolved, skipped or failed.
        :raises Interrupted: when the run was stopped.
        """

        def one(image: LookedUp) -> Resolution:
            if image.error is not None:
                return FailedImage(image.listed, image.error)
            with self._log.about(image.listed.number), time_left(self._timeout):
                try:
                    return self.resolve_as_of_now(image)
                except (TransferError, ManifestError) as error:
                    return FailedImage(image.listed, self._failure(image.image, error), image.digest)

        def late(image: LookedUp) -> Resolution:
            return FailedImage(image.listed, self._late, image.digest)

        return parallel_map(one, images, workers=CONNECTIONS, timeout=self._timeout, late=late, check=self._check)

    def _failure(self, image: RequestedImage, error: ImagesError) -> ImagesError:
        return self._failures.of_image(image.repository.registry, str(image.reference), error)

    def _look_up_tag(self, image: RequestedImage) -> LookedUp:
        tag = image.reference.tag or ""
        digest = self._client.head_manifest(image.repository, tag)
        if digest:
            return LookedUp(image, digest=digest, is_told=True)
        fetched = self._client.get_manifest(image.repository, tag)
        return LookedUp(image, digest=fetched.digest, is_told=True, fetched=fetched)

    def resolve_as_of_now(self, image: LookedUp) -> Resolution:
        """Resolve; if a manifest has vanished since its tag was looked up, look the tag up once more.

        :raises TransferError: when a registry does not give what is needed.
        :raises ManifestError: when something is not valid, or cannot be saved.
        """
        try:
            return self._resolve_where_it_is(image)
        except Missing:
            if image.image.pin is not None or image.listed.reference.digest:
                raise
            # By its tag: some registries do not have by digest what they have by tag.
            fetched = self._client.get_manifest(image.repository, image.listed.reference.tag or "")
            if fetched.digest == image.digest and self._has_come(image):
                raise
        return self._resolve_where_it_is(replace(image, digest=fetched.digest, fetched=fetched))

    def _has_come(self, image: LookedUp) -> bool:
        """Return True if the manifest that a tag names has come already, so that something else is missing."""
        if image.fetched is not None or image.digest in self.fetched:
            return True
        return self._documents.cached(image.digest) is not None

    def _resolve_where_it_is(self, image: LookedUp) -> Resolution:
        """Resolve, and make sure that the repository itself has what the cache has from other ones."""
        if not image.is_told and not self._was_accepted(image.repository, image.digest):
            # A digest says nothing of a repository, and skopeo is never asked for an index.
            image = replace(image, fetched=self._documents.manifest_now(image.repository, image.digest))
        return self._resolve_one(image)

    def _resolve_one(self, image: LookedUp) -> Resolution:
        if image.fetched is not None:
            self._documents.keep(image.digest, image.fetched.raw)
        fetched = image.fetched or self._documents.manifest(image.repository, image.digest)
        content = parse_manifest(fetched.raw, fetched.media_type)
        if isinstance(content, Index):
            return self._from_index(image, fetched.raw, content)
        return self._from_manifest(image, len(fetched.raw), content)

    def _from_manifest(self, image: LookedUp, size: int, content: Manifest | Schema1) -> Resolution:
        """Resolve a tag that names a manifest.

        :param size: bytes of the manifest.
        """
        descriptor = Descriptor(content.media_type, image.digest, size)
        child = self._images.image(image.repository, descriptor, content)
        is_referrer = bool(image.listed.refers_to)
        child = replace(child, is_referrer=is_referrer)
        if image.is_told:
            child = replace(child, tag=image.listed.reference.tag or "")
        platform, pin = child.descriptor.platform, image.image.pin
        if pin is not None:
            ensure_all(pin, {child.digest})
        elif platform is not None and not is_referrer and not self._selection.platforms.matches(platform):
            return self._unwanted(image, [platform])
        self._images.ensure_carried(child)
        if image.fetched is None:
            self._images.ensure_there(child)
        resolved = ResolvedImage(
            listed=image.listed,
            digest=image.digest,
            media_type=content.media_type,
            index=None,
            children=(child,),
            is_whole=True,
            notes=(),
        )
        return replace(resolved, notes=notes_of(resolved, self._selection))

    def _from_index(self, image: LookedUp, raw: bytes, index: Index) -> Resolution:
        children = self._indexes.children(image.image, index)
        if not children.images:
            return self._unwanted(image, children.platforms)
        resolved = ResolvedImage(
            listed=image.listed,
            digest=image.digest,
            media_type=index.media_type,
            index=raw,
            children=children.images,
            is_whole=children.is_whole,
            notes=(),
        )
        return replace(resolved, notes=(*notes_of(resolved, self._selection, index), *children.notes))

    def _unwanted(self, image: LookedUp, offered: Iterable[Platform]) -> Resolution:
        names = sorted({str(platform) for platform in offered if not platform.is_unknown})
        told = ", ".join(printable(name, 60) for name in names[:_MAX_NAMED_PLATFORMS]) or "none"
        if len(names) > _MAX_NAMED_PLATFORMS:
            told += f" and {len(names) - _MAX_NAMED_PLATFORMS} more"
        error = MissingPlatform(f"none of the wanted platforms ({self._selection.platforms}); the image has {told}")
        if self._selection.fail_on_missing_platform:
            return FailedImage(image.listed, self._failure(image.image, error), image.digest)
        return SkippedImage(image.listed, str(error), image.digest)
