# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a run of image_load, typed. Pure: uses no file and no network."""

from __future__ import annotations

from dataclasses import dataclass

from .._base.json import Json, compact
from .._oci.descriptor import digest_of
from .._oci.holder import holder_of
from .._oci.image import hex_of
from .._oci.image_list import Origin
from .._registry.access import Access
from .._registry.harbor import NewProject
from .naming import Naming

REPLACE, KEEP, FAIL = "replace", "keep", "fail"
ON_CONFLICT = (REPLACE, KEEP, FAIL)
"""The ways of treating a tag that has another digest in the target registry."""

REGISTRY, CONTAINERD_IMAGES = "registry", "containerd_images"
AUTO, SOURCE = "auto", "source"
NO_REFERRERS = "none"
WHILE, FIRST = "while", "first"


@dataclass(frozen=True)
class Choice:
    """The part of the archives that is loaded; without images and list files, all of it.

    :param images: references of the ``images`` option.
    :param list_files: paths of lists.
    :param list_format: their format (:data:`_oci.image_list.LIST_FORMATS`).
    :param origins: the places of the references in the lists that they come from; empty: they are their own.
    :param exclude: references, or names of repositories, that are left out.
    :param share: the one of C(share_among) whose images these are; empty: all of them.
    :param share_among: the names among which the images are shared out.
    """

    images: tuple[str, ...] = ()
    list_files: tuple[str, ...] = ()
    list_format: str = "plain"
    origins: tuple[Origin, ...] = ()
    exclude: tuple[str, ...] = ()
    share: str = ""
    share_among: tuple[str, ...] = ()

    def is_ours(self, repository: str) -> bool:
        """Return True if the images of a repository are in the share of this run."""
        return not self.share or holder_of(repository, self.share_among) == self.share

    @property
    def is_all(self) -> bool:
        """True if no list says what to load."""
        return not self.images and not self.list_files


@dataclass(frozen=True)
class Rules:
    """The rules of a load.

    :param on_conflict: one of :data:`ON_CONFLICT`.
    :param index: ``auto``, or ``source`` to push the source's index though not all of its manifests were saved.
    :param check_target: one of :data:`_archive.receipt.DEPTHS`: how far to look before something counts as there.
    :param verify: ``while`` blobs are sent, or ``first`` all parts before.
    :param referrers: ``auto``, or ``none`` to leave out what refers to other images.
    """

    on_conflict: str = REPLACE
    index: str = AUTO
    check_target: str = "tags"
    verify: str = WHILE
    referrers: str = AUTO


@dataclass(frozen=True)
class Work:
    """The way a run works; times in seconds."""

    jobs: int = 4
    retries: int = 3
    retry_delay: float = 2.0
    timeout: int = 3600
    stall_timeout: int = 120


@dataclass(frozen=True)
class Options:
    """All options of a run.

    :param src: paths of archives, locks, first parts or unpacked directories.
    :param receipt: path of the receipt; ``None``: none is written.
    :param report: path of the report; ``None``: none is written.
    :param request_file: path of the file that asks for what is lacking; ``None``: none is written.
    :param failed_list: path of the list of what failed; ``None``: none is written.
    :param new_project: the settings of Harbor projects that are created; ``None``: none is created.
    :param check: check mode: foresee the result, and change nothing.
    """

    src: tuple[str, ...]
    choice: Choice
    naming: Naming
    rules: Rules
    access: Access
    work: Work
    receipt: str | None = None
    report: str | None = None
    request_file: str | None = None
    failed_list: str | None = None
    new_project: NewProject | None = None
    check: bool = False

    @property
    def target_key(self) -> str:
        """Hex digits that are other ones where images got other names; no name can be read from them."""
        naming = self.naming
        rewrites: list[Json] = [[rule.source, rule.target] for rule in sorted(naming.rewrites, key=str)]
        values: Json = [naming.registry.registry, naming.registry.prefix, naming.keep_registry, rewrites]
        return hex_of(digest_of(compact(values)))[:16]
