# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role that decide what is staged, and the paths that follow from them. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.output import BESIDE, with_suffix

MERGED_LOCK = "images.lock.json"

_TEXTS = ("list_format", "dest", "staging_dir", "failed_list", "from_lock", "compress", "fetch_dest")
_LISTS_OF_TEXTS = ("images", "list_files", "manifest_files", "remote_list_files", "include", "exclude")


@dataclass(frozen=True)
class Options:
    """The variables C(image_save_X) by their names X, with the default in place of an empty value.

    Lists are checked by :func:`_stage.checks.check_options`, so until then they may be anything.
    """

    images: Sequence[str]
    list_files: Sequence[str]
    list_format: str
    manifest_files: Sequence[str]
    remote_list_files: Sequence[str]
    list_urls: Sequence[str | Mapping[str, Any]]
    include: Sequence[str]
    exclude: Sequence[str]
    dest: str
    staging_dir: str
    failed_list: str
    from_lock: str
    compress: str
    fetch: bool
    fetch_dest: str
    distribute: bool
    keep_remote_archive: bool
    poll: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """Take the options out of a dictionary, as Ansible has templated it.

        YAML and templates make numbers of texts, and before 2.19 texts of numbers.

        :raises KeyError: when one is missing.
        """
        given = {field.name: values[field.name] for field in fields(cls)}
        texts = {name: str(given[name]) for name in _TEXTS}
        lists = {name: [*map(str, given[name])] for name in _LISTS_OF_TEXTS if isinstance(given[name], (list, tuple))}
        return cls(**{**given, **texts, **lists, "poll": int(given["poll"])})

    @property
    def reads_from_host(self) -> bool:
        """True if some lists can be read on the managed host only."""
        return not self.from_lock and bool(self.remote_list_files or self.list_urls)

    @property
    def names_home(self) -> bool:
        """True if a path of the host begins with the home directory of whoever reads it."""
        return self.dest.startswith("~") or self.failed_list.startswith("~")


@dataclass(frozen=True)
class Paths:
    """Paths made of the variables alone: nothing that a host says is part of them.

    :param archive: on the host, with its suffix; ``~`` is left to whoever reads the path.
    :param files: the archive and everything beside it, on the host.
    :param directory: of the archive on the host.
    :param list_file: on the host.
    :param local_dir: directory of the host's archive on the controller; empty if nothing is fetched.
    :param merged_lock: record of the whole set on the controller; empty if nothing is fetched.
    """

    archive: str
    files: list[str]
    directory: str
    list_file: str
    local_dir: str
    merged_lock: str


def paths_of(options: Options, host: str) -> Paths:
    """Work out the paths of a host.

    :param host: its name in the inventory.
    :raises OptionError: when C(dest) has no name at its end.
    """
    archive = with_suffix(options.dest, options.compress)
    media = os.path.expanduser(options.fetch_dest)
    return Paths(
        archive=archive,
        files=[archive, *(f"{archive}{suffix}" for suffix in BESIDE.values())],
        directory=os.path.dirname(options.dest),
        list_file=os.path.join(options.staging_dir, f"{os.path.basename(options.dest)}.txt"),
        local_dir=os.path.normpath(os.path.join(media, host)) if options.fetch else "",
        merged_lock=os.path.join(media, MERGED_LOCK) if options.fetch else "",
    )
