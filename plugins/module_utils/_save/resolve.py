# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From references to platform images: what each tag is today, and which of its platforms are wanted.

Two questions, so that a run with nothing new asks only the first: the digests (HEAD), then the manifests (GET) of what
the cache does not hold.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable

from .._base.errors import (
    ManifestError,
    Missing,
    NestedIndex,
    TransferError,
    printable,
)
from .._base.parallel import parallel_map
from .._base.stop import Check, go_on
from .._cache.cache import Cache
from .._host.log import Log
from .._http.timed import time_left
from .._oci.extras import is_extra, may_be_left_out, notes_on
from .._oci.image import (
    FailedImage,
    PlatformImage,
    Resolution,
    ResolvedImage,
    SkippedImage,
)
from .._oci.image_list import ListedImage
from .._oci.manifest import (
    DOCKER_SCHEMA1,
    MAX_MANIFEST_BYTES,
    OCI_INDEX,
    Descriptor,
    Index,
    Manifest,
    Schema1,
    digest_of,
    parse_config_platform,
    parse_manifest,
)
from .._oci.platform import Platform
from .._oci.reference import Repository, SourceRegistry, pulled_from
from .._registry.client import FetchedManifest
from .._skopeo.carriage import Carriage
from .options import Selection
from .questions import Client

CONNECTIONS = 8
_MAX_CONFIG_BYTES = MAX_MANIFEST_BYTES
_MAX_NAMED_PLATFORMS = 10
_MAX_BLOBS = 20_000
_MAX_UNNAMED = 50  # each costs two requests and memory before anything is known about the image


@dataclass(frozen=True)
class Pin:
    """What a lock file says an image is.

    :param digest: of the manifest or index.
    :param platforms: digests of the platform images to save.
    """

    digest: str
    platforms: frozenset[str]


@dataclass(frozen=True)
class AskedImage:
    """A reference and the digest that its registry gave.

    :param is_told: whether it gave it in this run.
    :param fetched: the manifest, where the registry told the digest only together with it.
    :param failure: why there is no digest; empty where there is one.
    """

    listed: ListedImage
    digest: str = ""
    is_told: bool = False
    fetched: FetchedManifest | None = None
    failure: str = ""


@dataclass(frozen=True)
class _Reading:
    """The manifests of an index as they are read.

    :param entries: all of the index.
    :param pinned: digests of those that have to be there.
    :ivar lacking: why an extra is not to be had, by its digest; grows.
    """

    repository: Repository
    entries: Sequence[Descriptor]
    pinned: frozenset[str]
    lacking: dict[str, TransferError | ManifestError] = field(default_factory=dict)


def nothing_is_known(repository: Repository, digest: str) -> bool:
    """Of a cache that nobody has used."""
    return False


class Resolver:
    """Asks registries through the cache.

    :param keep: store what is fetched in the cache; not in check mode.
    :param timeout: seconds for all questions about one image.
    :param is_known: whether a manifest or index was let through from a repository before.
    :param carriage: knows which images cannot be copied; ``None``: all can.
    :param check: is asked while answers are waited for; raises when the run is to end.
    :ivar fetched: bytes of each manifest and configuration that was not in the cache, by digest.
    """

    def __init__(
        self,
        registries: Client,
        cache: Cache,
        log: Log,
        selection: Selection,
        source: SourceRegistry | None,
        *,
        keep: bool,
        timeout: float,
        is_known: Callable[[Repository, str], bool] = nothing_is_known,
        carriage: Carriage | None = None,
        check: Check = go_on,
    ) -> None:
        self._registries = registries
        self._cache = cache
        self._log = log
        self._selection = selection
        self._source = source
        self._was_let_through = is_known
        self._carriage = carriage
        self._keep = keep
        self._timeout = timeout
        self._check = check
        self._late = f"its registry did not answer completely within timeout ({timeout:g} s); run again, or raise it"
        self.fetched: dict[str, int] = {}

    def that_keeps_nothing(self) -> Resolver:
        """The same, for an archive that stands: what is asked for it need not be there afterwards."""
        other = copy.copy(self)
        other._keep = False
        return other

    def ask(self, images: Sequence[ListedImage], pins: dict[int, Pin]) -> list[AskedImage]:
        """Ask what each reference is today; one that names a digest, or is pinned, needs no question.

        :param pins: by the image's number.
        """

        def one(listed: ListedImage) -> AskedImage:
            pin = pins.get(listed.number)
            known = pin.digest if pin is not None else listed.reference.digest
            if known:
                return AskedImage(listed, digest=known)
            with self._log.about(listed.number), time_left(self._timeout):
                try:
                    return self._ask_tag(listed, pulled_from(listed.reference, self._source))
                except (TransferError, ManifestError) as error:
                    return AskedImage(listed, failure=self._reason(listed, error))

        def late(listed: ListedImage) -> AskedImage:
            return AskedImage(listed, failure=self._late)

        return parallel_map(one, images, workers=CONNECTIONS, timeout=self._timeout, late=late, check=self._check)

    def resolve(self, asked: Sequence[AskedImage], pins: dict[int, Pin]) -> list[Resolution]:
        """Read the manifests and choose the platforms.

        :returns: one answer for each image, in list order: resolved, skipped or failed.
        """

        def one(image: AskedImage) -> Resolution:
            if image.failure:
                return FailedImage(image.listed, image.failure)
            with self._log.about(image.listed.number), time_left(self._timeout):
                try:
                    return self._resolve_as_of_now(image, pins.get(image.listed.number))
                except (TransferError, ManifestError) as error:
                    return FailedImage(image.listed, self._reason(image.listed, error), image.digest)

        def late(image: AskedImage) -> Resolution:
            return FailedImage(image.listed, self._late, image.digest)

        return parallel_map(one, asked, workers=CONNECTIONS, timeout=self._timeout, late=late, check=self._check)

    def _reason(self, listed: ListedImage, error: TransferError | ManifestError) -> str:
        """Why an image ends here."""
        if isinstance(error, ManifestError):
            return str(error)
        registry = pulled_from(listed.reference, self._source).registry
        return str(self._registries.outages.ended(registry, str(listed.reference), error))

    def _ask_tag(self, listed: ListedImage, repository: Repository) -> AskedImage:
        tag = listed.reference.tag or ""
        digest = self._registries.head_manifest(repository, tag)
        if digest:
            return AskedImage(listed, digest=digest, is_told=True)
        fetched = self._registries.get_manifest(repository, tag)
        return AskedImage(listed, digest=fetched.digest, is_told=True, fetched=fetched)

    def _resolve_as_of_now(self, asked: AskedImage, pin: Pin | None) -> Resolution:
        """Resolve; where a manifest has vanished since its tag was asked for, ask for the tag once more."""
        try:
            return self._resolve_where_it_is(asked, pin)
        except Missing:
            if pin is not None or asked.listed.reference.digest:
                raise
            repository = pulled_from(asked.listed.reference, self._source)
            # By its tag: some registries do not have by digest what they have by tag.
            fetched = self._registries.get_manifest(repository, asked.listed.reference.tag or "")
            if fetched.digest == asked.digest and self._is_known(asked):
                raise
        return self._resolve_where_it_is(replace(asked, digest=fetched.digest, fetched=fetched), pin)

    def _resolve_where_it_is(self, asked: AskedImage, pin: Pin | None) -> Resolution:
        """Resolve, and make sure that the repository has what the cache holds from other ones.

        skopeo reads the manifests there before anything is archived. What it would be refused is known now, in check
        mode too.
        """
        repository = pulled_from(asked.listed.reference, self._source)
        if not asked.is_told and not self._was_let_through(repository, asked.digest):
            # A digest says nothing of a repository, and skopeo is never asked for an index.
            asked = replace(asked, fetched=self._manifest_now(repository, asked.digest))
        return self._resolve_one(asked, pin)

    def _ensure_carried(self, image: PlatformImage) -> None:
        """:raises NotCarried: now, before a layer is fetched in vain."""
        if self._carriage is not None:
            self._carriage.ensure(image)

    def _ensure_there(self, image: PlatformImage) -> None:
        if self._cache.comes_from_elsewhere(image):
            self._registries.get_manifest(image.repository, image.digest)

    def _resolve_one(self, asked: AskedImage, pin: Pin | None) -> Resolution:
        repository = pulled_from(asked.listed.reference, self._source)
        if asked.fetched is not None:
            self._keep_document(asked.digest, asked.fetched.raw)
        fetched = asked.fetched or self._manifest(repository, asked.digest)
        content = parse_manifest(fetched.raw, fetched.media_type)
        if isinstance(content, Index):
            return self._from_index(asked, repository, fetched, content, pin)
        descriptor = Descriptor(content.media_type, asked.digest, len(fetched.raw))
        image = self._platform_image(repository, descriptor, content)
        if asked.is_told:
            image = replace(image, tag=asked.listed.reference.tag or "")
        platform = image.descriptor.platform
        if pin is not None:
            _ensure_all(pin, {image.digest})
        elif platform is not None and not self._selection.platforms.matches(platform):
            return self._unwanted(asked, [platform])
        self._ensure_carried(image)
        if asked.fetched is None:
            self._ensure_there(image)
        return self._resolved(asked, content.media_type, None, [image], is_whole=True)

    def _from_index(
        self, asked: AskedImage, repository: Repository, fetched: FetchedManifest, index: Index, pin: Pin | None
    ) -> Resolution:
        unnamed = sum(1 for entry in index.manifests if entry.platform is None)
        if unnamed > _MAX_UNNAMED:
            raise ManifestError(f"its index has {unnamed} entries without platform, more than {_MAX_UNNAMED}")
        reading = _Reading(repository, index.manifests, frozenset() if pin is None else pin.platforms)
        looked = {e.digest: self._child_unless_lacking(reading, e) for e in index.manifests if e.platform is None}
        entries = [_described(entry, looked.get(entry.digest)) for entry in index.manifests]
        present = [entry for entry in entries if entry.digest not in reading.lacking]
        chosen = choose(present, self._selection) if pin is None else choose_pinned(present, self._selection, pin)
        if not chosen and reading.lacking:
            raise next(iter(reading.lacking.values()))
        if not chosen:
            return self._unwanted(asked, [entry.platform for entry in entries if entry.platform is not None])
        images = self._children(reading, chosen, looked)
        is_whole = {_place(image.descriptor) for image in images} == {_place(entry) for entry in entries}
        resolved = self._resolved(asked, index.media_type, fetched.raw, images, is_whole=is_whole)
        return replace(resolved, notes=(*resolved.notes, *notes_on(reading.lacking, entries)))

    def _children(
        self, reading: _Reading, chosen: Sequence[Descriptor], looked: dict[str, PlatformImage | None]
    ) -> list[PlatformImage]:
        """An image for each manifest and platform, each manifest read once; no more than a run can deal with.

        :param looked: those that were read already, by digest.
        """
        read: dict[str, PlatformImage] = {}
        blobs = 0
        for entry in chosen:
            if entry.digest in read or entry.digest in reading.lacking:
                continue
            image = self._carried_unless_lacking(reading, entry, looked.get(entry.digest))
            if image is None:
                continue
            read[entry.digest] = image
            blobs += len(image.blobs)
            if blobs > _MAX_BLOBS:
                raise ManifestError(f"the images of its index have more than {_MAX_BLOBS} layers, which is refused")
        if reading.lacking and all(is_extra(image.descriptor, reading.entries) for image in read.values()):
            raise next(iter(reading.lacking.values()))  # beside nothing, an extra is what is wanted
        # Of entries for one manifest and one platform, which a lock file does not tell apart, the last counts.
        there = [_described(entry, read[entry.digest]) for entry in chosen if entry.digest in read]
        return [replace(read[one.digest], descriptor=one) for one in {_place(one): one for one in there}.values()]

    def _child_unless_lacking(self, reading: _Reading, entry: Descriptor) -> PlatformImage | None:
        """Read a manifest of an index; an extra that is not to be had is taken down as that."""
        return self._unless_lacking(reading, entry, lambda: self._child(reading.repository, entry))

    def _carried_unless_lacking(
        self, reading: _Reading, entry: Descriptor, read: PlatformImage | None
    ) -> PlatformImage | None:
        """The same for one that is chosen, and so has to be copied.

        :param read: the image, where it was read before.
        """

        def get() -> PlatformImage:
            image = read or self._child(reading.repository, entry)
            self._ensure_carried(image)
            if is_extra(entry, reading.entries):
                self._have_small_blobs(image)
            return image

        return self._unless_lacking(reading, entry, get)

    def _have_small_blobs(self, image: PlatformImage) -> None:
        """Fetch the blobs of an extra now: a mirror may lack these too, and they are no reason to fail later."""
        if not self._registries.gives_blobs(image.repository):
            return
        for blob in image.blobs:
            if blob.size <= MAX_MANIFEST_BYTES and not self._cache.has_blob(blob):
                self._keep_document(
                    blob.digest, self._registries.get_blob(image.repository, blob, limit=MAX_MANIFEST_BYTES)
                )

    def _unless_lacking(
        self, reading: _Reading, entry: Descriptor, get: Callable[[], PlatformImage]
    ) -> PlatformImage | None:
        try:
            return get()
        except (TransferError, ManifestError) as error:
            is_wanted = entry.digest in reading.pinned or not is_extra(entry, reading.entries)
            if is_wanted or not may_be_left_out(error):
                raise
            self._log.warning(f"left out: {error}")
            reading.lacking[entry.digest] = error
            return None

    def _child(self, repository: Repository, entry: Descriptor) -> PlatformImage:
        """Read a manifest of an index; where its entry names no platform, the configuration may."""
        fetched = self._manifest(repository, entry.digest)
        content = parse_manifest(fetched.raw, entry.media_type)
        if isinstance(content, Index):
            raise NestedIndex(f"its index names another index ({entry.digest}), which cannot be saved")
        # The digest decides what it is: docker before 18.09 wrote lists with wrong sizes.
        descriptor = replace(entry, media_type=content.media_type, size=len(fetched.raw))
        image = self._platform_image(repository, descriptor, content)
        self._ensure_there(image)
        return image

    def _platform_image(
        self, repository: Repository, descriptor: Descriptor, content: Manifest | Schema1
    ) -> PlatformImage:
        if isinstance(content, Schema1):
            blobs = tuple(
                Descriptor(DOCKER_SCHEMA1, digest, self._registries.blob_size(repository, digest))
                for digest in content.layer_digests
            )
            platform = descriptor.platform or content.platform
            return PlatformImage(replace(descriptor, platform=platform), repository, content, blobs)
        if descriptor.platform is None and content.config is not None and content.is_image:
            platform = self._config_platform(repository, descriptor.digest, content, content.config)
            # Signatures have an image's configuration that names no platform: artefacts.
            descriptor = replace(descriptor, platform=platform if platform.os and platform.architecture else None)
        foreign_too = self._selection.include_foreign_layers
        blobs = tuple(blob for blob in content.blobs() if foreign_too or not blob.is_foreign)
        return PlatformImage(descriptor, repository, content, blobs)

    def _manifest(self, repository: Repository, digest: str) -> FetchedManifest:
        raw = self._cached(digest)
        return self._manifest_now(repository, digest) if raw is None else FetchedManifest(raw, digest, "")

    def _manifest_now(self, repository: Repository, digest: str) -> FetchedManifest:
        fetched = self._registries.get_manifest(repository, digest)
        parse_manifest(fetched.raw, fetched.media_type)  # nothing is kept that would be refused
        self._keep_document(digest, fetched.raw)
        return fetched

    def _is_known(self, asked: AskedImage) -> bool:
        """Whether the manifest that a tag names has come already, so that it is something else that is missing."""
        return asked.fetched is not None or asked.digest in self.fetched or self._cached(asked.digest) is not None

    def _cached(self, digest: str) -> bytes | None:
        """A document that the cache has; a layer under whose digest a registry looks for one is not read."""
        try:
            is_small = os.path.getsize(self._cache.blob_path(digest)) <= MAX_MANIFEST_BYTES
        except OSError:
            return None
        return self._cache.read_document(digest) if is_small else None

    def _keep_document(self, digest: str, raw: bytes) -> None:
        self.fetched[digest] = len(raw)
        # A signed schema 1 manifest has a digest that is not its bytes'; it cannot be kept as a blob.
        if digest_of(raw) == digest:
            (self._cache.store_document if self._keep else self._cache.foresee_document)(digest, raw)

    def _config_platform(self, repository: Repository, digest: str, manifest: Manifest, config: Descriptor) -> Platform:
        """The platform that an image's configuration names; empty where it is none.

        :param digest: of the manifest.
        """
        raw = self._cached(config.digest)
        if raw is None:
            raw = self._registries.get_blob(repository, config, limit=_MAX_CONFIG_BYTES, of=digest)
            self._keep_document(config.digest, raw)
        try:
            return parse_config_platform(raw)
        except ManifestError:
            if manifest.is_of_old_docker:
                return Platform("", "")  # an artefact after all
            raise

    def _unwanted(self, asked: AskedImage, offered: Iterable[Platform]) -> Resolution:
        names = sorted({str(platform) for platform in offered if not platform.is_unknown})
        told = ", ".join(printable(name, 60) for name in names[:_MAX_NAMED_PLATFORMS]) or "none"
        if len(names) > _MAX_NAMED_PLATFORMS:
            told += f" and {len(names) - _MAX_NAMED_PLATFORMS} more"
        reason = f"none of the wanted platforms ({self._selection.platforms}); the image has {told}"
        kind = FailedImage if self._selection.fail_on_missing_platform else SkippedImage
        return kind(asked.listed, reason, asked.digest)

    def _resolved(
        self,
        asked: AskedImage,
        media_type: str,
        index: bytes | None,
        images: Sequence[PlatformImage],
        *,
        is_whole: bool,
    ) -> ResolvedImage:
        resolved = ResolvedImage(
            listed=asked.listed,
            digest=asked.digest,
            media_type=media_type,
            index=index,
            platforms=tuple(images),
            is_whole=is_whole,
            notes=tuple(dict.fromkeys(_notes(asked.digest, images, self._selection))),
        )
        return replace(resolved, notes=(*_lost_pin(resolved), *_wrong_sizes(resolved), *resolved.notes))


def _ensure_all(pin: Pin, found: set[str]) -> None:
    absent = sorted(pin.platforms - found)
    if absent:
        raise ManifestError(f"the lock file names {absent[0]} as one of its platform images, but it is none")


def choose(entries: Sequence[Descriptor], selection: Selection) -> list[Descriptor]:
    """The entries of an index to save: images of the wanted platforms, their attestations, and artefacts.

    Artefacts (no platform, or ``unknown/unknown``) belong to an image's tag, not to a platform; where the index holds
    images, but none that is wanted, they are no reason to save it.
    """
    images = [entry for entry in entries if entry.platform is not None and not entry.platform.is_unknown]
    matching = [e for e in images if e.platform is not None and selection.platforms.matches(e.platform)]
    if images and not matching:
        return []
    wanted = {entry.digest for entry in matching}
    chosen = {_place(entry) for entry in [*matching, *(entry for entry in entries if _belongs(entry, wanted))]}
    return [entry for entry in entries if _place(entry) in chosen]


def choose_pinned(entries: Sequence[Descriptor], selection: Selection, pin: Pin) -> list[Descriptor]:
    """The entries of an index that a lock file names: of several for one manifest, those of the wanted platforms.

    :param selection: as the lock file records it.
    :raises ManifestError: when the index has no entry for a platform image of the lock file.
    """
    _ensure_all(pin, {entry.digest for entry in entries})
    wanted = {_place(entry) for entry in choose(entries, selection)}
    known = {digest for digest, _platform in wanted}
    return [
        entry
        for entry in entries
        if entry.digest in pin.platforms and (_place(entry) in wanted or entry.digest not in known)
    ]


def _place(entry: Descriptor) -> tuple[str, Platform | None]:
    """What a lock file says of an entry."""
    return entry.digest, entry.platform


def _described(entry: Descriptor, image: PlatformImage | None) -> Descriptor:
    """An entry with what its manifest and configuration say of it, where they were read."""
    if image is None:
        return entry
    read = image.descriptor
    return replace(entry, media_type=read.media_type, size=read.size, platform=entry.platform or read.platform)


def _belongs(entry: Descriptor, wanted: set[str]) -> bool:
    if entry.attests:
        return entry.attests in wanted
    return entry.platform is None or entry.platform.is_unknown


def _lost_pin(image: ResolvedImage) -> Iterable[str]:
    """Tells who has pinned an index that another one takes the place of; see ``assemble``."""
    if image.listed.reference.digest is None or image.index is None or image.whole_index is not None:
        return
    why = (
        "not all of its platforms are saved"
        if image.media_type == OCI_INDEX
        else "a Docker manifest list becomes an index"
    )
    yield (
        f"{image.digest} cannot be pulled from where the archive is loaded, because {why}; pin the digest of a "
        "platform image there"
    )


def _wrong_sizes(image: ResolvedImage) -> Iterable[str]:
    """Tells who will pull an index that is kept with sizes that are none; see ``assemble``."""
    if image.whole_index is None or any(child.is_converted for child in image.platforms):
        return
    index = parse_manifest(image.whole_index)
    sizes = {child.digest: child.descriptor.size for child in image.platforms}
    entries = index.manifests if isinstance(index, Index) else ()
    wrong = sorted({entry.digest for entry in entries if entry.size != sizes.get(entry.digest, entry.size)})
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        yield (
            f"its index, which is kept byte for byte, gives a wrong size of {wrong[0]}{more}: containerd refuses such "
            "an index, so pull a platform image by its digest there, or have hangar load make an index anew"
        )


def _notes(digest: str, images: Sequence[PlatformImage], selection: Selection) -> Iterable[str]:
    platforms = [
        i.descriptor.platform for i in images if i.descriptor.platform and not i.descriptor.platform.is_unknown
    ]
    absent = selection.platforms.absent(platforms) if platforms else ()
    if absent:
        yield f"not available for {', '.join(str(architecture) for architecture in absent)}"
    for image in images:
        if isinstance(image.content, Schema1):
            yield f"Docker schema 1: converted to OCI, so its digest {digest} cannot be kept"
        elif not selection.include_foreign_layers:
            left_out = [layer for layer in image.content.layers if layer.is_foreign]
            if left_out:
                yield (
                    f"{len(left_out)} foreign layers of {image.descriptor.platform} were left out; hosts that run it "
                    "fetch them from the addresses that the image names. include_foreign_layers=true saves them too"
                )
    with_zstd = [str(image.descriptor.platform) for image in images if _has_zstd_layers(image)]
    if with_zstd:
        yield f"hangar 1.6 does not load {', '.join(with_zstd)}, which has layers in zstd; skopeo does"


def _has_zstd_layers(image: PlatformImage) -> bool:
    """Whether any is in zstd: OCI's ``tar+zstd``, or Docker's ``tar.zstd``."""
    platform = image.descriptor.platform
    if platform is None or platform.is_unknown or isinstance(image.content, Schema1):
        return False
    return any(layer.media_type.endswith(("+zstd", ".zstd")) for layer in image.content.layers)
