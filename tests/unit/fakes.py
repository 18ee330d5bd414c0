# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-ins for registries and skopeo in unit tests, and values made quickly."""

from __future__ import annotations

import json
import math
import os
import select
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, cast

import pytest
import zstandard
from ansible.module_utils import basic
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS

from ansible_collections.airgap.images.plugins.module_utils._base.errors import Missing, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._cache.cache import Cache
from ansible_collections.airgap.images.plugins.module_utils._host.attributes import NoAttributes
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.progress import Progress
from ansible_collections.airgap.images.plugins.module_utils._host.stages import Stages
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor, digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.image import (
    FailedImage,
    PlatformImage,
    ResolvedImage,
    StoredImage,
    hex_of,
    key_of,
)
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import ImageList, ListedImage, Origin
from ansible_collections.airgap.images.plugins.module_utils._oci.manifest import Manifest
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import Platform
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository, parse_reference
from ansible_collections.airgap.images.plugins.module_utils._registry.client import RequestCount
from ansible_collections.airgap.images.plugins.module_utils._registry.fetched_manifest import FetchedManifest
from ansible_collections.airgap.images.plugins.module_utils._registry.outage import Outages
from ansible_collections.airgap.images.plugins.module_utils._save.accepted import Accepted
from ansible_collections.airgap.images.plugins.module_utils._save.image_set import ImageSet, Pin, RequestedImage
from ansible_collections.airgap.images.plugins.module_utils._save.options import Options
from ansible_collections.airgap.images.plugins.module_utils._save.params import Params, read_options
from ansible_collections.airgap.images.plugins.module_utils._save.run import Run
from ansible_collections.airgap.images.plugins.modules.image_save import argument_spec
from ansible_collections.airgap.images.tests.support.images import Image, Index

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
ARM_V7 = Platform("linux", "arm", "v7")
WINDOWS = Platform("windows", "amd64", os_version="10.0.17763.1")
UNKNOWN = Platform("unknown", "unknown")

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

DAMAGED_BLOBS: dict[str, tuple[bytes, str]] = {
    "truncated": (b"12345678", "it has 8 bytes instead of 9"),
    "longer": (b"1234567890", "it has more than 9 bytes"),
    "much longer": (b"123456789" * 1_000_000, "it has more than 9 bytes"),
    "flipped": (b"123456780", "its bytes have another sha256"),
    "empty": (b"", "it has 0 bytes instead of 9"),
}
"""Bytes in place of those of a blob with the content 123456789, and what is said of them."""

PARAMS: dict[str, Any] = {
    **{name: spec.get("default") for name, spec in {**FILE_COMMON_ARGUMENTS, **argument_spec()}.items()},
    "images": ["nginx"],
    "dest": "/srv/a",
}


def make_params(**changed: Any) -> Params:
    """The module's parameters with their defaults, but for those given."""
    assert changed.keys() <= PARAMS.keys()
    return cast(Params, {**PARAMS, **changed})


def make_options(folder: Path | str = "/srv", *, check: bool = False, **changed: Any) -> Options:
    """Options of a run that writes ``folder/out/images`` and has its cache in ``folder/cache``."""
    places = {"dest": os.path.join(folder, "out", "images"), "cache_dir": os.path.join(folder, "cache")}
    return read_options(make_params(**{**places, **changed}), check=check)


@contextmanager
def module_arguments(monkeypatch: pytest.MonkeyPatch, **values: Any) -> Iterator[None]:
    """Give the next module these arguments, in the way of whichever ansible-core is there."""
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:
        raw = json.dumps({"ANSIBLE_MODULE_ARGS": values}).encode()
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", raw)
        yield
    else:
        with patch_module_args(values):
            yield


def listed(reference: str, number: int = 1) -> ListedImage:
    """An image of the ``images`` option."""
    return ListedImage(number, parse_reference(reference), Origin(None, number))


def describe(data: bytes, media_type: str = OCI_LAYER, **more: Any) -> Descriptor:
    """The descriptor of some bytes."""
    return Descriptor(media_type, digest_of(data), len(data), **more)


def repository_of(reference: str) -> Repository:
    """The repository of a reference, at its own registry."""
    parsed = parse_reference(reference)
    return Repository(parsed.registry, parsed.repository)


class Sample:
    """A platform image with the bytes of all its blobs, manifest included.

    :param layers: the layers' bytes.
    """

    def __init__(
        self, *layers: bytes, platform: Platform | None = AMD64, repository: str = "reg.lan/app", **more: Any
    ) -> None:
        system = {} if platform is None else {"architecture": platform.architecture, "os": platform.os}
        config = json.dumps(system).encode()
        content = Manifest(OCI_MANIFEST, describe(config, OCI_CONFIG), tuple(describe(layer) for layer in layers))
        self.raw = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": _entry(content.config),
                "layers": [_entry(layer) for layer in content.layers],
            }
        ).encode()
        self.blobs = {digest_of(data): data for data in (self.raw, config, *layers)}
        descriptor = describe(self.raw, OCI_MANIFEST, platform=platform, **more)
        self.image = PlatformImage(descriptor, repository_of(repository), content, tuple(content.blobs()))

    @property
    def stored(self) -> StoredImage:
        """As the cache would give it."""
        return StoredImage(self.image, self.image.descriptor, self.image.blobs)

    def put(self, cache: Cache) -> StoredImage:
        """Place it in an open cache."""
        for digest, data in self.blobs.items():
            Path(cache.blobs.path(digest)).write_bytes(data)
        folder = cache.folders.new(self.image)
        write_folder(folder, self.image.descriptor)
        return cache.folders.adopt(folder, self.image)


def resolved(
    reference: str, *samples: Sample, number: int = 1, is_whole: bool = True, media_type: str = OCI_INDEX
) -> ResolvedImage:
    """A reference over several samples has an index; over one it is that manifest."""
    platforms = tuple(sample.image for sample in samples)
    if len(samples) == 1:
        descriptor = platforms[0].descriptor
        return ResolvedImage(
            listed(reference, number), descriptor.digest, descriptor.media_type, None, platforms, True, ()
        )
    entries = [_entry(image.descriptor) for image in platforms]
    index = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).encode()
    return ResolvedImage(listed(reference, number), digest_of(index), media_type, index, platforms, is_whole, ())


def write_folder(folder: str, *descriptors: Descriptor) -> None:
    """The files that skopeo leaves in the folder of a layout."""
    os.makedirs(folder)
    Path(folder, "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    Path(folder, "index.json").write_text(
        json.dumps({"schemaVersion": 2, "manifests": [_entry(descriptor) for descriptor in descriptors]})
    )


def make_run(options: Options, cache: Cache, log: Log, **more: Any) -> Run:
    """A run of these options, but for what is given; its list is not read."""
    parts: dict[str, Any] = {
        "images": ImageSet(ImageList((), (), 0), (), options.selection),
        "policy": "system",
        "accepted": Accepted(cache, options.output.lock_file, {}),
        "memory": VerifiedFiles(cache.root),
        "stop": Stop(),
        "attributes": NoAttributes(),
        "stages": Stages(log, Progress()),
    }
    return Run(options=options, cache=cache, log=log, **{**parts, **more})


def requested(reference: str, number: int = 1, *, pin: Pin | None = None) -> RequestedImage:
    """An image of a list, from its own registry."""
    return RequestedImage(listed(reference, number), repository_of(reference), pin)


def failed_image(image: ListedImage, reason: str, digest: str = "") -> FailedImage:
    """An image that failed for a reason."""
    return FailedImage(image, TransferError(reason, heals=False), digest)


class Nothing:
    """No archive of the same name stands."""

    def path(self, name: str, sha256: str) -> str:
        return ""


class Mode(NoAttributes):
    """Gives files a mode."""

    def __init__(self, mode: int) -> None:
        self._mode = mode

    def differ(self, path: str, final: str = "") -> bool:
        return stat.S_ISREG(os.lstat(path).st_mode) and stat.S_IMODE(os.lstat(path).st_mode) != self._mode

    def give(self, path: str, final: str = "") -> bool:
        differs = self.differ(path)
        if differs:
            os.chmod(path, self._mode)
        return differs


class FakeRegistries:
    """Registries in memory, with the methods of ``RegistryClient`` that resolving and fetching use.

    :ivar asked: what was asked for, one ``METHOD NAME`` each.
    :ivar failures: raised instead of an answer, by ``METHOD NAME``; each once.
    :ivar lists: what refers to each digest, if it ``keeps_lists``.
    :ivar lost: digests of blobs that a repository has not, though others have.
    """

    def __init__(self) -> None:
        self.count = RequestCount()
        self.outages = Outages()
        self.asked: list[str] = []
        self.failures: dict[str, TransferError] = {}
        self.lost: dict[str, set[str]] = {}
        self.tells_digests = True
        self.reaches_lists = True
        self.keeps_lists = False
        self.lists_tags = True
        self.lists: dict[str, tuple[Descriptor, ...]] = {}
        self._mutex = threading.Lock()
        self._tags: dict[str, str] = {}
        self._given: set[str] = set()
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.closed = False

    def push(self, reference: str, item: Image | Index) -> str:
        """Put an image or index and all that it names under a tag.

        :returns: its digest.
        """
        parsed = parse_reference(reference)
        self._tags[f"{parsed.name}:{parsed.tag}"] = item.digest
        self._add(item)
        return item.digest

    def push_raw(self, reference: str, raw: bytes, media_type: str, digest: str = "") -> str:
        """Put any bytes under a tag."""
        parsed = parse_reference(reference)
        digest = digest or digest_of(raw)
        self._tags[f"{parsed.name}:{parsed.tag}"] = digest
        self.manifests[digest] = (raw, media_type)
        return digest

    def head_manifest(self, repository: Repository, tag: str) -> str:
        self._ask("HEAD", f"{repository}:{tag}")
        self.count.head += 1
        digest = self._tag(repository, tag)
        return digest if self.tells_digests else ""

    def get_manifest(self, repository: Repository, name: str) -> FetchedManifest:
        self._ask("GET", f"{repository}@{name}")
        self.count.get += 1
        digest = name if name.startswith("sha256:") else self._tag(repository, name)
        if digest not in self.manifests:
            raise Missing(f"{repository}@{name} does not exist", heals=False)
        raw, media_type = self.manifests[digest]
        self._given.add(key_of(repository, digest))
        return FetchedManifest(raw, digest, media_type)

    def has_given(self, repository: Repository, digest: str) -> bool:
        return key_of(repository, digest) in self._given

    def get_blob(self, repository: Repository, descriptor: Descriptor, *, limit: int, of: str = "") -> bytes:
        self._ask("GET", f"blob {descriptor.digest}")
        if descriptor.digest not in self.blobs:
            raise Missing(f"blob {descriptor.digest} of {repository} does not exist", heals=False)
        return self.blobs[descriptor.digest]

    def gives_blobs(self, repository: Repository) -> bool:
        return True

    def lists_referrers(self, repository: Repository) -> bool:
        return self.reaches_lists

    def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...] | None:
        self._ask("GET", f"referrers {digest}")
        return self.lists.get(digest, ()) if self.keeps_lists else None

    def tags(self, repository: Repository) -> frozenset[str] | None:
        self._ask("GET", f"tags {repository}")
        names = (name.rpartition(":") for name in self._tags)
        return frozenset(tag for name, _colon, tag in names if name == str(repository)) if self.lists_tags else None

    def has_open_door(self, registry: str) -> bool:
        return False

    def blob_size(self, repository: Repository, digest: str) -> int:
        self._ask("HEAD", f"blob {digest}")
        return len(self.blobs[digest])

    def fetch_blob(
        self, repository: Repository, descriptor: Descriptor, path: str, *, deadline: float = math.inf
    ) -> None:
        self._ask("GET", f"blob {descriptor.digest}")
        if descriptor.digest not in self.blobs or descriptor.digest in self.lost.get(str(repository), ()):
            raise TransferError(f"blob {descriptor.digest} does not exist", heals=False)
        Path(path).write_bytes(self.blobs[descriptor.digest])

    def close(self) -> None:
        self.closed = True

    def _ask(self, method: str, name: str) -> None:
        with self._mutex:
            self.asked.append(f"{method} {name}")
            failure = self.failures.pop(f"{method} {name}", None)
        if failure is not None:
            raise failure

    def _tag(self, repository: Repository, tag: str) -> str:
        try:
            return self._tags[f"{repository}:{tag}"]
        except KeyError:
            raise Missing(f"{repository}:{tag} does not exist", heals=False) from None

    def _add(self, item: Image | Index) -> None:
        self.manifests[item.digest] = (item.raw, item.media_type)
        if isinstance(item, Index):
            for entry in item.entries:
                self._add(entry.item)
        else:
            self.blobs[digest_of(item.config)] = item.config
            self.blobs.update({layer.digest: layer.data for layer in item.layers if layer.present})


class FakeSkopeo:
    """Copies from :class:`FakeRegistries` what the cache lacks, as skopeo does.

    :ivar copied: digests of the manifests, in the order of the copies.
    :ivar accepted: keys of the images that it copied without layers, in that order.
    :ivar failures: raised instead of a copy, by digest; each once.
    :ivar refused: raised whenever an image is asked for, by its key.
    :ivar before: called at the start of each copy.
    """

    def __init__(self, registries: FakeRegistries) -> None:
        self._registries = registries
        self._mutex = threading.Lock()
        self.copied: list[str] = []
        self.accepted: list[str] = []
        self.fetched: list[str] = []
        self.checks = 0
        self.commands = self  # has none, but what they need
        self.authfile: str | None = None
        self.needs_directory = False
        self.failures: dict[str, list[TransferError]] = {}
        self.refused: dict[str, TransferError] = {}
        self.before: Callable[[PlatformImage], None] = lambda _image: None

    def check(self) -> str:
        self.checks += 1
        return "/usr/bin/skopeo"

    def copy_without_layers(self, image: PlatformImage, name: str, directory: str, *, deadline: float) -> None:
        with self._mutex:
            self.accepted.append(image.key)
            if image.key in self.refused:
                raise self.refused[image.key]
        share = os.path.join(directory, "share")
        os.makedirs(os.path.join(share, "sha256"))
        for digest in image.layer_digests:
            self._write(share, digest, b"")
        raw, media_type = self._registries.manifests[image.digest]
        self._write(share, image.digest, raw)
        assert isinstance(image.content, Manifest) and image.content.config is not None
        config = image.content.config.digest
        self._write(share, config, self._registries.blobs[config])
        write_folder(os.path.join(directory, "layout"), Descriptor(media_type, image.digest, len(raw)))

    def copy(self, image: PlatformImage, name: str, folder: str, share: str, *, deadline: float) -> None:
        self.before(image)
        with self._mutex:
            self.copied.append(image.digest)
            if image.key in self.refused:
                raise self.refused[image.key]
            failures = self.failures.get(image.digest, [])
            failure = failures.pop(0) if failures else None
        if failure is not None:
            raise failure
        raw, media_type = self._registries.manifests[image.digest]
        self._write(share, image.digest, raw)
        assert isinstance(image.content, Manifest)
        for blob in image.content.blobs():
            path = os.path.join(share, "sha256", hex_of(blob.digest))
            if not blob.is_foreign and not os.path.lexists(path):
                with self._mutex:
                    self.fetched.append(blob.digest)
                self._write(share, blob.digest, self._registries.blobs[blob.digest])
        write_folder(folder, Descriptor(media_type, image.digest, len(raw)))

    @staticmethod
    def _write(share: str, digest: str, data: bytes) -> None:
        path = os.path.join(share, "sha256", hex_of(digest))
        Path(f"{path}.put").write_bytes(data)
        os.replace(f"{path}.put", path)


def names_below(root: Path) -> list[str]:
    """All files, links and folders below a folder, sorted."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def mark(path: Path | str) -> tuple[int, int, int]:
    """The attributes that change when a file is written or replaced, but not when it is read."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def join(paths: Iterable[str]) -> bytes:
    """The bytes of files one after the other, as ``cat`` gives them."""
    return b"".join(Path(path).read_bytes() for path in paths)


def unzstd(raw: bytes) -> bytes:
    """The content of zstd frames, one after the other to the last byte."""
    reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    data = reader.read()
    assert reader.read(1) == b""
    return data


def wait_for_pipe(path: Path) -> None:
    """Wait until another process writes to a named pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert select.select([descriptor], [], [], 60)[0], f"nothing came through {path}"
    finally:
        os.close(descriptor)


def _entry(descriptor: Descriptor) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
    if descriptor.platform is not None:
        entry["platform"] = {"architecture": descriptor.platform.architecture, "os": descriptor.platform.os}
    return entry
