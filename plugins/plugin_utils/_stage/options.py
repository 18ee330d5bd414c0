# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role that decide what is staged, and the paths that follow from them. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.output import with_suffix
from ansible_collections.airgap.images.plugins.plugin_utils._set import names

_TEXTS = (
    "list_format",
    "dest",
    "staging_dir",
    "failed_list",
    "from_lock",
    "compress",
    "fetch_dest",
    "since_missing",
    "balance",
)
_LISTS_OF_TEXTS = ("images", "list_files", "manifest_files", "remote_list_files", "include", "exclude", "since")


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
    from_lock_file: str
    since: Sequence[str]
    since_missing: str
    request: str
    compress: str
    fetch: bool
    fetch_dest: str
    distribute: bool
    balance: str
    take_over: Sequence[str]
    remove_orphans: bool
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
        return not self.is_locked and bool(self.remote_list_files or self.list_urls)

    @property
    def balances_sizes(self) -> bool:
        """True if the shares of several hosts are to have the same size, and not the same number of images."""
        return self.balance == "size"

    @property
    def is_locked(self) -> bool:
        """True if a lock file takes the place of all lists, also that of an archive of which something is asked for."""
        return bool(self.from_lock or self.from_lock_file or self.request)

    @property
    def media(self) -> str:
        """The directory of all hosts' archives on the controller; empty if nothing is fetched."""
        return os.path.expanduser(self.fetch_dest) if self.fetch else ""

    @property
    def names_home(self) -> bool:
        """True if a path of the host begins with the home directory of whoever reads it."""
        return self.dest.startswith("~") or self.failed_list.startswith("~")


@dataclass(frozen=True)
class Paths:
    """Paths made of the variables alone: nothing that a host says is part of them.

    :param archive: on the host, with its suffix; ``~`` is left to whoever reads the path.
    :param formerly: the name that the archive had before the work was shared, on the host; empty if it is not shared.
    :param files: the archive and everything beside it, on the host.
    :param directory: of the archive on the host.
    :param list_file: on the host.
    :param since_dir: directory of the lock files and receipts on the host that a bundle rests on.
    :param local_dir: directory of the host's archive on the controller; empty if nothing is fetched.
    :param media: directory of all hosts' archives on the controller; empty if nothing is fetched.
    :param merged_lock: lock file of the set on the controller; empty if nothing is fetched.
    :param set_files: the files of the set there that no longer hold once an archive has changed.
    """

    archive: str
    formerly: str
    files: list[str]
    directory: str
    list_file: str
    since_dir: str
    local_dir: str
    media: str
    merged_lock: str
    set_files: list[str]


def paths_of(options: Options, host: str) -> Paths:
    """Work out the paths of a host.

    :param host: its name in the inventory.
    :raises OptionError: when C(dest) has no name at its end.
    """
    alone = with_suffix(options.dest, options.compress)
    archive = names.archive_of(options.dest, options.compress, host) if options.distribute else alone
    media = options.media
    carried = reversed(names.CARRIED) if media and options.distribute else ()
    staged = os.path.basename(options.dest) + (".lock.json" if options.from_lock_file else ".txt")
    return Paths(
        archive=archive,
        formerly=alone if options.distribute else "",
        files=names.files_of(archive),
        directory=os.path.dirname(options.dest),
        list_file=os.path.join(options.staging_dir, staged),
        since_dir=os.path.join(options.staging_dir, f"{os.path.basename(options.dest)}.since"),
        local_dir=os.path.normpath(os.path.join(media, host)) if media else "",
        media=os.path.normpath(media) if media else "",
        merged_lock=os.path.join(media, names.LOCK) if media else "",
        set_files=[os.path.join(media, name) for name in carried],
    )
