# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a set: which host has which repository. Pure.

It is a file of the controller, C(images.set.json), made from the inventory and the lists. Nothing in it comes from what
a host says of its archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, printable, quoted
from ansible_collections.airgap.images.plugins.module_utils._base.json import Json, JsonError, canonical, parse_object

VERSION = 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Record:
    """The shares of a set.

    :param archives: the name of each host's archive, by host: all hosts of the set.
    :param repositories: the host of each repository.
    :param left: the hosts that are no longer in the set, with the names of their archives.
    :param references: the host of each image of a repository that is on several hosts.
    :param joining: hosts that get their share from the others in the next run of all hosts.
    """

    archives: Mapping[str, str] = field(default_factory=dict)
    repositories: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    joining: tuple[str, ...] = ()


def write_record(record: Record) -> bytes:
    """Write the record; equal shares give equal bytes."""
    members = {"hosts": record.archives, "repositories": record.repositories, "left": record.left}
    if record.references:
        members["references"] = record.references
    ordered: dict[str, Json] = {name: {key: values[key] for key in sorted(values)} for name, values in members.items()}
    if record.joining:
        ordered["joining"] = [*sorted(record.joining)]
    return canonical({"version": VERSION, **ordered})


def read_record(raw: bytes, *, path: str) -> Record:
    """Read the record.

    :param path: its path, for the error.
    :raises OptionError: when it is not a record of this version.
    """
    try:
        document = parse_object(raw)
        if document.integer("version") != VERSION:
            raise JsonError(f"version is {document.integer('version')}, expected {VERSION}")
        record = Record(
            document.text_map("hosts"),
            document.text_map("repositories"),
            document.text_map("left"),
            document.text_map("references"),
            document.texts("joining"),
        )
        for host, archive in [*record.archives.items(), *record.left.items()]:
            if not is_file_name(host) or (archive and not is_file_name(archive)):
                raise JsonError(f"{quoted(host, 100)} or {quoted(archive, 100)} is not a valid file name")
        holders = {*record.repositories.values(), *record.references.values(), *record.joining}
        strangers = sorted(holders - {*record.archives})
        if strangers:
            raise JsonError(f"{quoted(strangers[0], 100)} has repositories, but is not a host of the set")
    except JsonError as error:
        raise OptionError(
            f"{path} is not the record of a set: {printable(str(error))}. Restore it from a backup, or remove it to "
            "share out all images again"
        ) from error
    return record


def is_file_name(name: str) -> bool:
    """Return True if a name can be that of a file or directory, and of nothing else."""
    return name not in ("", ".", "..") and "/" not in name and not _CONTROL.search(name)
