# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of three months, of which the later ones leave out what the earlier ones have carried."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedBase, Requirement
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import digest_of
from ansible_collections.airgap.images.plugins.module_utils._oci.image import ResolvedImage
from ansible_collections.airgap.images.tests.unit.carried import Carried, carry_images, noise
from ansible_collections.airgap.images.tests.unit.fakes import Sample, resolved

LAYERS = [noise(number, 90_000 + 1000 * number) for number in range(6)]
DIGESTS = [digest_of(layer) for layer in LAYERS]
A1, A2 = Sample(LAYERS[0], LAYERS[1]), Sample(LAYERS[0], LAYERS[1], LAYERS[3])
B1, B2 = Sample(LAYERS[0], LAYERS[2]), Sample(LAYERS[0], LAYERS[2], LAYERS[5])
C1, D1 = Sample(LAYERS[2], LAYERS[4]), Sample(LAYERS[3], LAYERS[4], LAYERS[1])


@dataclass(frozen=True)
class Month:
    """The images of a list, by repository."""

    samples: dict[str, Sample]

    def images(self) -> list[tuple[ResolvedImage, Sequence[Sample]]]:
        return [(resolved(f"reg.lan/{name}:1", sample), (sample,)) for name, sample in self.samples.items()]

    @property
    def tags(self) -> dict[str, str]:
        """What a registry has after a load."""
        return {f"{name}:1": sample.image.digest for name, sample in self.samples.items()}


JANUARY = Month({"a": A1, "b": B1})
FEBRUARY = Month({"a": A2, "b": B1, "c": C1})
MARCH = Month({"a": A2, "b": B2, "c": C1, "d": D1})


def full(folder: Path, month: Month, form: str = "gzip in parts", name: str = "full") -> Carried:
    """An archive of all that a month has."""
    return carry_images(folder / name, month.images(), form, dest=str(folder / "out" / name))


def bundle(folder: Path, month: Month, *bases: Carried, form: str = "gzip in parts", name: str = "news") -> Carried:
    """An archive of what a month has and its bases have not."""
    requires: dict[str, Requirement] = {}
    for base in bases:
        requires.update(base.lock.requires)
        for digest in base.blobs:
            if digest in DIGESTS:
                names = base.open().part_of(digest)
                requires[digest] = Requirement(len(base.blobs[digest]), _holders(base, digest), base.dest.name, names)

    def recorded(lock: Lock) -> Lock:
        layers = {one for sample in month.samples.values() for one in sample.blobs if one in DIGESTS}
        named = [
            LockedBase(base.dest.name, hashlib.sha256(base.lock_file.read_bytes()).hexdigest(), has_receipt=False)
            for base in bases
        ]
        return replace(
            lock, base=tuple(named), requires={one: requires[one] for one in requires if one in layers - {*lock.blobs}}
        )

    return carry_images(
        folder / name,
        month.images(),
        form,
        left_out=requires,
        recorded=recorded,
        dest=str(folder / "out" / name),
    )


def _holders(base: Carried, digest: str) -> tuple[str, ...]:
    """The repositories of a base whose images have a layer."""
    samples = {sample.image.digest: sample for month in (JANUARY, FEBRUARY, MARCH) for sample in month.samples.values()}
    found = [image.reference.name for image in base.lock.images if digest in samples[image.platforms[0].digest].blobs]
    return tuple(sorted(found))
