# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Foresees what a load would do, from the answers of the registry alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._base.size import format_count, format_size
from .inquiry import TO_DO, Answer
from .lacking import LackingBlob, errors_of
from .ledger import MOUNTED, PUSHED, WAYS, BlobLedger, Moved
from .result import FAILED, TAGGED, Loaded
from .result import PUSHED as WITH_MANIFESTS


@dataclass(frozen=True)
class Forecast:
    """The blobs that a load would move."""

    moved: Moved

    @property
    def sentence(self) -> str:
        """The sizes, to be shown."""
        blobs, sizes = self.moved.blobs, self.moved.bytes
        mounted = f", {format_count(blobs[MOUNTED], 'blob')} to mount" if blobs[MOUNTED] else ""
        return f"To push: {format_count(blobs[PUSHED], 'blob')}, {format_size(sizes[PUSHED])}{mounted}"


def foresee(answers: Sequence[Answer], ledger: BlobLedger) -> Forecast:
    """Count the blobs that images lack. Each is pushed once, and mounted wherever else it is needed."""
    blobs, sizes = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0)
    seen: set[tuple[object, str]] = set()
    pushed: set[str] = set()
    for answer in answers:
        repository = answer.image.target.repository
        for blob in (blob for child in answer.lacking for blob in child.blobs):
            if (repository, blob.digest) in seen:
                continue
            seen.add((repository, blob.digest))
            way = ledger.way_of(repository, blob.digest)
            if way == PUSHED and blob.digest in pushed:
                way = MOUNTED
            elif way == PUSHED:
                pushed.add(blob.digest)
            blobs[way] += 1
            sizes[way] += blob.size
    return Forecast(Moved(blobs, sizes))


def outcome_of(answer: Answer) -> Loaded:
    """Return what would become of an image."""
    image = answer.image
    if answer.error is not None:
        action = FAILED
    elif answer.state != TO_DO:
        action = answer.state
    else:
        action = TAGGED if answer.has_top else WITH_MANIFESTS
    return Loaded(image.listed, image.target, image.digest, action, before=answer.before, error=answer.error)


def outcomes_without(answers: Sequence[Answer], lacking: Sequence[LackingBlob]) -> list[Loaded]:
    """Return what becomes of images where nothing is begun because blobs are nowhere."""
    errors = errors_of([answer.image for answer in answers], lacking)
    return [
        outcome_of(replace(answer, error=answer.error or errors[id(answer.image)]))
        if answer.state == TO_DO
        else outcome_of(answer)
        for answer in answers
    ]
