# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the target registry what it has, and plans what it lacks. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable

from .._archive.receipt import BLOBS, TAGS
from .._base.deadline import not_done_in_time
from .._base.errors import ImagesError, Interrupted, OptionError, TransferError
from .._base.parallel import parallel_map
from .._base.stop import Check
from .._oci.descriptor import Descriptor, digest_of
from .._oci.manifest import Index, parse_manifest
from .._oci.media_types import OCI_INDEX
from .._oci.reference import Repository
from .._oci.referrer import digests_in_list, subject_of_list, with_referrers
from .._registry.pusher import Pusher
from .._registry.refusals import Faulty
from .._source.errors import SourceGone
from .contents import Child, Content, LoadImage, read_content
from .ledger import BlobLedger
from .naming import Target
from .options import AUTO, FAIL, KEEP, REPLACE, Rules
from .projects import Projects
from .result import KEPT, PRESENT

CONNECTIONS = 8
"""Requests at a time that only ask."""

TO_DO = "to do"


@dataclass(frozen=True)
class Answer:
    """The state of an image in the target registry.

    :param before: the digest that the tag names there; empty: it does not exist.
    :param state: ``present`` or ``kept`` (:mod:`result`), or ``to do``.
    :param content: the image's documents, where they had to be read.
    :param lacking: manifests that are not there, in the order in which they have to be pushed.
    :param has_top: whether the registry has what the tag is to name, under its digest.
    :param lists: the digest whose referrers the tag lists; empty: it is no such list, and is not merged with another.
    """

    image: LoadImage
    before: str
    state: str
    content: Content | None = None
    lacking: tuple[Child, ...] = ()
    has_top: bool = False
    lists: str = ""
    error: ImagesError | None = field(default=None, compare=False)


class Inquiry:
    """The questions of a run.

    :param ledger: records which blobs are where.
    :param projects: those that are new, of which nothing is asked, and those that there cannot be.
    :param failure: returns the error as an image keeps it, without secrets.
    :param timeout: seconds for the questions about one image.
    """

    def __init__(
        self,
        registry: Pusher,
        ledger: BlobLedger,
        rules: Rules,
        projects: Projects,
        *,
        failure: Callable[[LoadImage, ImagesError], ImagesError],
        timeout: float,
        check: Check,
    ) -> None:
        self._registry = registry
        self._ledger = ledger
        self._rules = rules
        self._projects = projects
        self._failure = failure
        self._timeout = timeout
        self._check = check

    def ask(self, images: Sequence[LoadImage]) -> list[Answer]:
        """Ask for the tags of all images, and for what those that differ lack.

        :returns: an answer for each image, in their order; one that failed has an error.
        :raises SourceGone: when the documents of the archive cannot be read any more.
        :raises Interrupted: when the run was stopped.
        """
        return parallel_map(
            self._ask_for,
            images,
            workers=CONNECTIONS,
            timeout=self._timeout,
            late=lambda image: self._failed(image, not_done_in_time()),
            check=self._check,
        )

    def ask_for_blobs(self, answers: Iterable[Answer]) -> None:
        """Ask for the blobs that images need; the ledger has the answers. A question that fails is asked again later.

        :raises Interrupted: when the run was stopped.
        """
        wanted: dict[tuple[Repository, str], Descriptor] = {}
        for answer in answers:
            repository = answer.image.target.repository
            for child in answer.lacking:
                unknown = [blob for blob in child.blobs if self._ledger.answer(repository, blob.digest) is None]
                wanted.update({(repository, blob.digest): blob for blob in unknown})
        questions = [(repository, blob) for (repository, _digest), blob in wanted.items()]
        parallel_map(
            self._ask_for_blob,
            questions,
            workers=CONNECTIONS,
            timeout=self._timeout,
            late=lambda _question: None,
            check=self._check,
        )

    def _ask_for_blob(self, question: tuple[Repository, Descriptor]) -> None:
        repository, blob = question
        try:
            is_there = self._registry.has_blob(repository, blob.digest)
        except TransferError:
            return
        self._ledger.note(repository, blob.digest, is_there=is_there)

    def _ask_for(self, image: LoadImage) -> Answer:
        try:
            return self._answer(image)
        except (Interrupted, SourceGone):
            raise
        except ImagesError as error:
            return self._failed(image, error)

    def _failed(self, image: LoadImage, error: ImagesError) -> Answer:
        return Answer(image, "", TO_DO, error=self._failure(image, error))

    def _answer(self, image: LoadImage) -> Answer:
        target = image.target
        self._projects.ensure(target.repository)
        if self._projects.is_new(target.repository):
            return self._in_new_project(image)
        before = digest_of_tag(self._registry, target, self._rules)
        lists = self._subject_of_list(image) if before != image.digest else ""
        if lists and before:
            image = self._merged(image)
        is_same = before == image.digest
        if is_same and self._rules.check_target == TAGS:
            return Answer(image, before, PRESENT)
        if before and not is_same and not lists:
            if self._rules.on_conflict == KEEP:
                return Answer(image, before, KEPT)
            if self._rules.on_conflict == FAIL:
                raise conflict(image, before)
        content = read_content(image)
        lacking = tuple(child for child in content.children if self._is_lacking(image, child))
        has_top = not lacking and (is_same or self._has(target.repository, content.top.digest, content))
        state = PRESENT if is_same and not lacking else TO_DO
        return Answer(image, before, state, content=content, lacking=lacking, has_top=has_top, lists=lists)

    def _subject_of_list(self, image: LoadImage) -> str:
        """Return the digest whose referrers an image lists; empty if it is no list."""
        subject = subject_of_list(image.target.tag) if self._rules.referrers == AUTO else ""
        if not subject:
            return ""
        document = parse_manifest(image.document(image.digest))
        return subject if isinstance(document, Index) and document.media_type == OCI_INDEX else ""

    def _merged(self, image: LoadImage) -> LoadImage:
        """Return a list of referrers as it will be: with the entries of the one that is there."""
        present = self._registry.get_manifest(image.target.repository, image.target.tag)
        if present is None:
            return image
        merged = with_referrers(present.raw, image.document(image.digest))
        return replace(image, digest=digest_of(merged), generated=merged)

    def _in_new_project(self, image: LoadImage) -> Answer:
        """Return the answer for an image of which nothing is there."""
        content = read_content(image)
        for blob in content.blobs():
            self._ledger.note(image.target.repository, blob.digest, is_there=False)
        lists = self._subject_of_list(image)
        return Answer(image, "", TO_DO, content=content, lacking=content.children, lists=lists)

    def _has(self, repository: Repository, digest: str, content: Content) -> bool:
        """Ask for what a tag is to name; a single manifest was asked for already."""
        if len(content.children) == 1 and content.children[0].descriptor.digest == digest:
            return True
        return self._registry.head_manifest(repository, digest) is not None

    def _is_lacking(self, image: LoadImage, child: Child) -> bool:
        """Ask for a manifest, and with ``check_target: blobs`` for what it names."""
        repository = image.target.repository
        if self._registry.head_manifest(repository, child.descriptor.digest) is None:
            return True
        if child.subject and self._rules.check_target != TAGS and not self._is_listed(repository, child):
            return True
        if self._rules.check_target != BLOBS:
            requires = image.archive.lock.requires
            for blob in child.blobs:
                # What a bundle leaves out counts as there only if the registry says so.
                if blob.digest not in requires:
                    self._ledger.note(repository, blob.digest, is_there=True)
            return False
        answers = [self._has_blob(repository, blob) for blob in child.blobs]
        return not all(answers)

    def _has_blob(self, repository: Repository, blob: Descriptor) -> bool:
        is_there = self._ledger.answer(repository, blob.digest)
        if is_there is None:
            is_there = self._registry.has_blob(repository, blob.digest)
            self._ledger.note(repository, blob.digest, is_there=is_there)
        return is_there

    def _is_listed(self, repository: Repository, child: Child) -> bool:
        """Ask whether a manifest is in the list of what refers to its subject."""
        if self._rules.referrers != AUTO:
            return True
        listed = self._registry.referrers(repository, child.subject)
        if listed is None:
            present = self._registry.fallback_referrers(repository, child.subject)
            return present is not None and child.descriptor.digest in digests_in_list(present.raw)
        return any(one.digest == child.descriptor.digest for one in listed)


def without_projects(
    answers: Iterable[Answer], projects: Projects, failure: Callable[[LoadImage, ImagesError], ImagesError]
) -> list[Answer]:
    """Return answers with an error for each image whose project could not be created after all.

    :param failure: returns the error as an image keeps it, without secrets.
    """
    found: list[Answer] = []
    for answer in answers:
        try:
            projects.ensure(answer.image.target.repository)
        except TransferError as error:
            is_open = answer.state == TO_DO and answer.error is None
            found.append(replace(answer, error=failure(answer.image, error)) if is_open else answer)
        else:
            found.append(answer)
    return found


def digest_of_tag(registry: Pusher, target: Target, rules: Rules) -> str:
    """Ask for the digest that a tag names; empty if there is none, or one that cannot be read and may be replaced.

    :raises TransferError: when the registry does not say.
    """
    try:
        return registry.head_manifest(target.repository, target.tag) or ""
    except Faulty:
        if rules.on_conflict != REPLACE:
            raise
        return ""


def conflict(image: LoadImage, found: str) -> OptionError:
    """Return the error for a tag that names another image, with ``on_conflict: fail``."""
    return OptionError(
        f"{image.target} exists with another digest, {found}, and the archive has {image.digest}; "
        "on_conflict=replace moves the tag, on_conflict=keep leaves it"
    )
