# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a run of image_save, typed. Pure: uses no file and no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .._archive.lock import PARITY
from .._archive.output import AT_SIZE, Output
from .._base.json import Json
from .._oci.image_list import Origin
from .._oci.platform import PlatformFilter
from .._registry.access import Access
from .._skopeo.work import Work

AUTO, NO_REFERRERS = "auto", "none"
"""Values of ``referrers``."""


@dataclass(frozen=True)
class Selection:
    """The images to save, and their platforms.

    :param images: references of the ``images`` option.
    :param list_files: paths of lists.
    :param list_format: their format (:data:`_oci.image_list.LIST_FORMATS`).
    :param referrers: ``auto`` to save what refers to the images, such as signatures, with them; or ``none``.
    :param origins: the places of the lines in the lists that those of the options were made of; empty: they are their
        own.
    :param from_lock: path of a lock file whose digests are saved instead of a list.
    """

    images: tuple[str, ...]
    list_files: tuple[str, ...]
    list_format: str
    from_lock: str | None
    platforms: PlatformFilter
    fail_on_missing_platform: bool
    include_foreign_layers: bool
    referrers: str = NO_REFERRERS
    origins: tuple[Origin, ...] = ()


ERROR, FULL = "error", "full"
MISSING = (ERROR, FULL)
"""The ways to go on where a base cannot be read."""


@dataclass(frozen=True)
class Since:
    """The options that make an archive a bundle.

    :param paths: lock files and receipts; none: the archive is full.
    :param missing: one of :data:`MISSING`.
    :param confirmed: lines that were read out over the telephone, each for a complete receipt.
    """

    paths: tuple[str, ...] = ()
    missing: str = ERROR
    confirmed: tuple[str, ...] = ()


class Asking(Protocol):
    """The options that say what is asked of registries, and how."""

    @property
    def selection(self) -> Selection:
        """The images, and their platforms."""

    @property
    def access(self) -> Access:
        """The ways to reach registries."""

    @property
    def work(self) -> Work:
        """The settings of the work itself."""

    @property
    def check(self) -> bool:
        """True if nothing is kept."""


@dataclass(frozen=True)
class Options:
    """All options of a run.

    :param check: check mode: foresee the result, and change nothing.
    :param since: what the other side has already.
    :param request: path of a request, which takes the place of the list; ``None``: there is none.
    """

    selection: Selection
    output: Output
    access: Access
    work: Work
    check: bool = False
    since: Since = Since()
    request: str | None = None


def lock_options(options: Options, policy: str) -> dict[str, Json]:
    """Return the options that decide over an archive's content and bytes, as a lock file records them.

    :param policy: name of the signature policy in force.
    """
    selection, output = options.selection, options.output
    # Lock files of archives that do not use an option keep the bytes that they had before it came.
    later: dict[str, Json] = {} if output.part_at == AT_SIZE else {"part_at": output.part_at}
    later.update({PARITY: True} if output.parity else {})
    later.update({"referrers": AUTO} if selection.referrers == AUTO else {})
    return {
        "arch": [str(architecture) for architecture in selection.platforms.architectures],
        "os": list(selection.platforms.operating_systems),
        "fail_on_missing_platform": selection.fail_on_missing_platform,
        "include_foreign_layers": selection.include_foreign_layers,
        "compress": output.compress,
        "compress_level": output.compress_level,
        "part_size": output.part_size,
        "part_digits": output.part_digits,
        "signature_policy": policy,
        **later,
    }
