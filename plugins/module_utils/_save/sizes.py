# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sizes of images in their registries: manifests are read, and nothing is copied or kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .._base.json import Json
from .._base.stop import Stop
from .._cache.cache import Cache
from .._host.log import Log
from .._oci.image import FailedImage, Resolution, ResolvedImage
from .._oci.image_list import PLAIN
from .._oci.platform import parse_filter
from .._registry.access import Access
from .._skopeo.work import Work
from .image_set import read_image_set
from .options import Selection
from .params import AccessParams, WorkParams, read_access, read_work
from .tools import prepared


class SizesParams(AccessParams, WorkParams):
    """The parameters of a question for sizes."""

    images: list[str]
    arch: list[str]
    os: list[str]
    include_foreign_layers: bool


@dataclass(frozen=True)
class Question:
    """Images whose sizes are wanted, and how to reach their registries."""

    selection: Selection
    access: Access
    work: Work

    @property
    def check(self) -> bool:
        """True, as nothing is kept."""
        return True


def read_question(params: SizesParams) -> Question:
    """Check the parameters, and return them with types.

    :raises OptionError: names the option, its value and what is accepted.
    """
    return Question(
        Selection(
            images=tuple(params["images"]),
            list_files=(),
            list_format=PLAIN,
            from_lock=None,
            platforms=parse_filter(params["arch"], params["os"]),
            fail_on_missing_platform=False,
            include_foreign_layers=params["include_foreign_layers"],
        ),
        read_access(params),
        read_work(params, params["cache_dir"] or ""),
    )


def sizes_of(question: Question, *, log: Log, stop: Stop) -> dict[str, Json]:
    """Ask registries for the blobs of images, of the platforms that are wanted.

    :returns: C(blobs), a list of digests and sizes; C(images), the numbers of its blobs by reference; and C(problem),
        why the first image is missing among them, empty if all are there.
    :raises ImagesError: when the run as a whole cannot go on.
    """
    images = read_image_set(question.selection, question.access.source, question.access.mirrors)
    cache = Cache(question.work.cache_dir, check=stop.check)
    with prepared(question, images, cache, log=log, stop=stop) as tools:
        resolutions = tools.resolver.resolve(tools.resolver.look_up(images.images))
    failed = [one.reason for one in resolutions if isinstance(one, FailedImage)]
    return {**_numbered(resolutions), "problem": log.secrets.hide(failed[0]) if failed else ""}


def _numbered(resolutions: Iterable[Resolution]) -> dict[str, Json]:
    """Name the blobs of images by number, as most are in several; what is skipped has none."""
    numbers: dict[tuple[str, int], int] = {}
    images: dict[str, Json] = {}
    for one in resolutions:
        if isinstance(one, FailedImage):
            continue
        children = one.children if isinstance(one, ResolvedImage) else ()
        blobs = {(blob.digest, blob.size) for child in children for blob in child.all_blobs()}
        images[str(one.listed.reference)] = [numbers.setdefault(blob, len(numbers)) for blob in sorted(blobs)]
    return {"blobs": [[digest, size] for digest, size in numbers], "images": images}
