# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pushes images: blobs, then the manifests that name them, the tag last. So a tag never names what is incomplete."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Callable

from .._base.errors import ImagesError, TransferError
from .._host.progress import Progress
from .._oci.descriptor import Descriptor
from .._oci.image import hex_of
from .._oci.reference import Repository
from .._registry.pusher import PushedManifest, Pusher
from .._registry.refusals import BlobsUnknown
from .contents import Child, Content, LoadImage
from .inquiry import Answer, conflict, digest_of_tag
from .ledger import MOUNTED as BLOB_MOUNTED
from .ledger import PUSHED as BLOB_PUSHED
from .ledger import BlobLedger
from .options import AUTO, FAIL, KEEP, REPLACE, Rules
from .referrers import Referrers
from .result import FAILED, KEPT, PRESENT, PUSHED, TAGGED, Loaded
from .side_by_side import Step


class Push:
    """The work on images that the registry lacks; a :class:`side_by_side.Work`.

    :param failure: returns the error as an image keeps it, without secrets.
    :param ends_run: returns True for an error after which no other image can do better.
    :ivar done: the outcome of each image that ended, by its identity.
    """

    def __init__(
        self,
        registry: Pusher,
        ledger: BlobLedger,
        rules: Rules,
        progress: Progress,
        *,
        failure: Callable[[LoadImage, ImagesError], ImagesError],
        ends_run: Callable[[ImagesError], bool],
    ) -> None:
        self._registry = registry
        self._ledger = ledger
        self._rules = rules
        self._progress = progress
        self._failure = failure
        self._ends_run = ends_run
        self._mutex = threading.Lock()
        self._has_put = False
        self._kept: set[tuple[Repository, str]] = set()
        self._referrers = Referrers(registry, may_replace=rules.on_conflict == REPLACE)
        self.done: dict[int, Loaded] = {}

    @property
    def has_changed(self) -> bool:
        """True if the registry is different now."""
        moved = self._ledger.moved.blobs
        return self._has_put or bool(moved[BLOB_PUSHED] or moved[BLOB_MOUNTED])

    def begin(self, item: Answer) -> Sequence[Step]:
        """Return a step for each blob that the image needs."""
        repository = item.image.target.repository
        blobs = {blob.digest: blob for child in item.lacking for blob in child.blobs}
        return [partial(self._bring, item, repository, blob) for blob in blobs.values()]

    def finish(self, item: Answer) -> None:
        """Push manifests and the tag.

        :raises TransferError: when the registry does not take one of them.
        """
        image, content = item.image, item.content
        if content is None:
            raise TransferError(f"{image.reference} was not read", heals=False)
        with self._progress.working_on(str(image.reference)):
            self._put_children(item, content)
            found = digest_of_tag(self._registry, image.target, self._rules)
            if item.lists:
                self._merge(item, found)
                return
            action = self._action(item, found)
            if item.has_top:
                self._kept.add((image.target.repository, content.top.digest))
            if action in (PUSHED, TAGGED):
                self._put_top(image, content, image.target.tag)
        self.end(image, Loaded(image.listed, image.target, image.digest, action, before=found))

    def failed(self, item: Answer, error: ImagesError) -> None:
        """Record why an image failed.

        :raises ImagesError: the same error, when no other image can do better.
        """
        image = item.image
        kept = self._failure(image, error)
        self.end(image, Loaded(image.listed, image.target, image.digest, FAILED, before=item.before, error=kept))
        if self._ends_run(error):
            raise error

    def give_up(self, item: Answer, error: ImagesError) -> None:
        """Record for an image that did not get its turn why the run ended early."""
        if id(item.image) not in self.done:
            kept = self._failure(item.image, error)
            outcome = Loaded(item.image.listed, item.image.target, item.image.digest, FAILED, item.before, kept)
            self.end(item.image, outcome)

    def end(self, image: LoadImage, outcome: Loaded) -> None:
        """Record the outcome of an image."""
        with self._mutex:
            self.done[id(image)] = outcome
        if outcome.action == FAILED:
            self._progress.image_failed()
        else:
            self._progress.image_ended(str(image.reference))

    def _bring(self, item: Answer, repository: Repository, blob: Descriptor) -> None:
        with self._progress.working_on(str(item.image.reference)):
            self._ledger.bring(repository, blob)

    def _put_children(self, item: Answer, content: Content) -> None:
        """Put the manifests that are not there, and have all that refer to something listed by what they refer to.

        A manifest that is put under its tag afterwards is only put here if it refers to something: a tag says that all
        was done.
        """
        image = item.image
        for child in content.children:
            # A list that is loaded as a whole names its manifests itself.
            refers = child.subject if self._rules.referrers == AUTO and child.subject != item.lists else ""
            is_lacking = child in item.lacking
            if refers:
                if is_lacking or not self._is_listed(image.target.repository, child.descriptor.digest, refers):
                    pushed = self._put_child(image, child, child.descriptor.digest)
                    self._list(image, child.descriptor, refers, pushed)
            elif is_lacking and child.descriptor != content.top:
                self._put_child(image, child, child.descriptor.digest)
        if content.subject and self._rules.referrers == AUTO:
            pushed = self._put_top(image, content, content.top.digest)
            self._list(image, content.top, content.subject, pushed)

    def _is_listed(self, repository: Repository, digest: str, subject: str) -> bool:
        """Ask whether a registry that keeps lists of referrers itself has a manifest in that of its subject."""
        listed = self._registry.referrers(repository, subject)
        return listed is not None and any(one.digest == digest for one in listed)

    def _list(self, image: LoadImage, descriptor: Descriptor, subject: str, pushed: PushedManifest) -> None:
        """Enter a manifest into the list of its subject's referrers, unless the registry has done so."""
        if pushed.subject:
            return
        raw = image.document(descriptor.digest)
        self._has_put = self._referrers.enter(image.target.repository, subject, raw, descriptor) or self._has_put

    def _merge(self, item: Answer, found: str) -> None:
        """Put a list of referrers under its tag, with what others have entered there."""
        image, repository = item.image, item.image.target.repository
        is_new = self._referrers.merge(repository, item.lists, image.document(image.digest))
        self._has_put = is_new or self._has_put
        digest = self._registry.head_manifest(repository, image.target.tag) or image.digest
        action = PUSHED if is_new or item.lacking else PRESENT
        self.end(image, Loaded(image.listed, image.target, digest, action, before=found))

    def _action(self, item: Answer, found: str) -> str:
        """Decide what becomes of the tag, which another loader may have written since it was asked for.

        :raises OptionError: when it names another image now, with ``on_conflict: fail``.
        """
        image = item.image
        if found == image.digest:
            return PUSHED if item.lacking else PRESENT
        if found and self._rules.on_conflict == KEEP:
            return KEPT
        if found and self._rules.on_conflict == FAIL:
            raise conflict(image, found)
        return TAGGED if item.has_top else PUSHED

    def _put_top(self, image: LoadImage, content: Content, name: str) -> PushedManifest:
        """Put what the tag names under the tag, or its digest. If that is an index, its manifests are there by now."""
        alone = content.children[0] if len(content.children) == 1 else None
        if alone is not None and alone.descriptor == content.top:
            return self._put_child(image, alone, name)
        try:
            return self._put(image, content.top, name)
        except BlobsUnknown:
            for child in content.children:
                self._put_child(image, child, child.descriptor.digest)
            return self._put_whole(image, content, name)

    def _put_whole(self, image: LoadImage, content: Content, name: str) -> PushedManifest:
        """Put an index, after all of its manifests that the archive has were put.

        :raises TransferError: when the registry does not take it.
        """
        try:
            return self._put(image, content.top, name)
        except BlobsUnknown as error:
            if content.is_whole:
                raise
            host = image.target.repository.registry
            raise TransferError(
                f"{host} refused the index of {image.target}, which names images that were not saved. Most registries "
                "do that; index=auto pushes an index of those that were saved",
                heals=False,
            ) from error

    def _put_child(self, image: LoadImage, child: Child, name: str) -> PushedManifest:
        """Put a manifest; once more after its blobs were asked for again, if the registry does not find them.

        :raises TransferError: also when it does not find them then.
        """
        try:
            return self._put(image, child.descriptor, name)
        except BlobsUnknown:
            repository = image.target.repository
            self._ledger.forget(repository, [blob.digest for blob in child.blobs])
            for blob in child.blobs:
                self._ledger.bring(repository, blob)
            return self._put(image, child.descriptor, name)

    def _put(self, image: LoadImage, descriptor: Descriptor, name: str) -> PushedManifest:
        """Put a manifest under its digest, and under a tag only after the registry has shown that it kept it."""
        raw = image.document(descriptor.digest)
        repository = image.target.repository
        names = [name] if (repository, descriptor.digest) in self._kept else dict.fromkeys((descriptor.digest, name))
        for each in names:
            pushed = self._registry.put_manifest(repository, each, raw, descriptor.media_type)
            self._has_put = True
            if each == descriptor.digest:
                self._require_kept(repository, descriptor.digest)
        return pushed

    def _require_kept(self, repository: Repository, digest: str) -> None:
        """Make sure that a registry can read a manifest that it has just taken.

        docker-registry keeps an empty file where its disk was full when the manifest was sent for the first time, and
        takes that file for the manifest whenever it is sent again.

        :raises TransferError: when it cannot.
        """
        if self._registry.head_manifest(repository, digest) == digest:
            self._kept.add((repository, digest))
            return
        file = f"blobs/sha256/{hex_of(digest)[:2]}/{hex_of(digest)}/data"
        raise TransferError(
            f"{repository.registry} took {repository}@{digest}, but cannot give it back. docker-registry keeps a "
            f"damaged file if its disk was full when it stored one. Have its owner remove {file} from its storage, "
            "then run again",
            heals=False,
        )
