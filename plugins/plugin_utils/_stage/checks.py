# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the role's variables before anything is done. Pure but for the search for files on the controller."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.airgap.images.plugins.module_utils._archive.output import DIR, compress_of
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, printable, quoted
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import check_carried, check_remote
from ansible_collections.airgap.images.plugins.plugin_utils._set.names import LOCK
from ansible_collections.airgap.images.plugins.plugin_utils._set.record import is_file_name
from ansible_collections.airgap.images.plugins.plugin_utils._stage.options import Options

_LISTS = ("images", "list_files", "manifest_files", "remote_list_files", "include", "exclude", "take_over", "since")
_SOURCES = ("images", "list_files", "remote_list_files", "list_urls", "manifest_files")
_OURS = re.compile(r"_*image_(save|load|verify)_")
_URL = re.compile(r"(https?|ftp)://\S+")


@dataclass(frozen=True)
class Play:
    """The hosts of a play, by their names in the inventory.

    :param host: the host of this task.
    :param running: those that have not failed.
    :param batch: those that run at the same time (C(serial)).
    :param all: those that the play began with.
    :param inventory: all hosts that there are, whatever the play and C(--limit) leave out.
    """

    host: str
    running: list[str]
    batch: list[str]
    all: list[str]
    inventory: list[str] = field(default_factory=list)


def refuse_facts(facts: Iterable[str], host: str) -> None:
    """Refuse facts with the names of the roles' variables: Ansible ranks them above the inventory and the defaults, so
    a host could choose what is read and written on the controller.

    :param facts: the names of a host's facts.
    :raises OptionError: names them.
    """
    found = sorted(name for name in facts if _OURS.match(name))
    if found:
        raise OptionError(
            f"{host} has facts with the names of variables of this role ({printable(', '.join(found))}), which Ansible "
            "would use in place of the variables. Find out whether the host returned them; nothing is read or written "
            "for it on the controller. Facts that set_fact stored with cacheable look the same."
        )


def check_options(options: Options, play: Play, find: Callable[[str], str | None]) -> None:
    """Check everything that can be known without the host.

    :param find: returns the path of a file on the controller, or None if there is none.
    :raises OptionError: names the variable, and says what is expected.
    """
    for name in _LISTS:
        check_list(f"image_save_{name}", getattr(options, name))
    for number, entry in enumerate(options.list_urls, start=1):
        _check_url(entry, number)
    for name in ("list_files", "manifest_files"):
        for path in getattr(options, name):
            require_file(f"image_save_{name}", path, find)
    if options.from_lock and options.from_lock_file:
        raise OptionError(
            "image_save_from_lock (a lock file on the host), image_save_from_lock_file (a lock file on the "
            "controller): give one or the other."
        )
    for path in options.since:
        _check_base(path, options, find)
    if options.request:
        require_file("image_save_request", options.request, find)
    if options.from_lock_file:
        require_file("image_save_from_lock_file", options.from_lock_file, find)
    if not options.is_locked and not any(getattr(options, name) for name in _SOURCES):
        raise OptionError(
            "There is nothing to save: set image_save_images (references), image_save_list_files (files on the "
            "controller), image_save_remote_list_files (files on the host), image_save_list_urls, "
            "image_save_manifest_files (manifests on the controller), image_save_from_lock (a lock file on the host) "
            "or image_save_from_lock_file (a lock file on the controller)."
        )
    if not re.match(r"(/|~/).*[^/]$", options.dest, re.DOTALL):
        raise OptionError(
            "image_save_dest: expected the absolute path of the archive on the host, ending in a name, but it is "
            f"{printable(options.dest) or 'not set'}."
        )
    if options.fetch:
        _check_fetch(options, play.host)
    elif not options.keep_remote_archive:
        raise OptionError(
            "image_save_keep_remote_archive: false removes the archive from the host once it was fetched, but "
            "image_save_fetch is false."
        )
    if options.poll <= 0:
        raise OptionError(
            "image_save_poll: expected the seconds between two checks of the job, at least 1, but it is "
            f"{options.poll}."
        )
    if options.distribute:
        _check_distribution(options, play)


def require_file(option: str, path: str, find: Callable[[str], str | None]) -> str:
    """Find a file on the controller.

    :raises OptionError: when there is none.
    """
    found = find(path)
    if found is None:
        raise OptionError(
            f"{option}: file {quoted(path)} not found on the controller (relative paths are searched for beside the "
            "playbook and in its directory files)."
        )
    return found


def _check_base(path: str, options: Options, find: Callable[[str], str | None]) -> None:
    """Check a file that a bundle rests on: it must be there, and still be there at the end of the run."""
    found = require_file("image_save_since", path, find) if options.since_missing == "error" else find(path)
    ours = os.path.join(os.path.expanduser(options.fetch_dest), LOCK)
    is_replaced = options.distribute and options.fetch
    if is_replaced and found is not None and os.path.normpath(found) == os.path.normpath(ours):
        raise OptionError(
            f"image_save_since: {path} is the lock file of the set in image_save_fetch_dest, which this run replaces; "
            "copy that directory to another place, and name images.lock.json of the copy."
        )


def check_list(option: str, value: object) -> None:
    """Check that a variable is a list.

    :raises OptionError: when it is not.
    """
    if not isinstance(value, (list, tuple)):
        shown = printable(str(value))
        raise OptionError(f"{option}: expected a list, but it is the text {shown}; write [{shown}]")


def _check_url(entry: object, number: int) -> None:
    """The entry may hold a secret, so only its number is shown."""
    url = entry.get("url") if isinstance(entry, Mapping) else entry
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise OptionError(
            f"image_save_list_urls, item {number}: expected a URL, or a dictionary with url, and if needed checksum, "
            "headers, username, password and validate_certs."
        )


def _check_fetch(options: Options, host: str) -> None:
    is_absolute = os.path.expanduser(options.fetch_dest).startswith("/")
    if not is_absolute or "/" in host or host in (".", ".."):
        raise OptionError(
            "image_save_fetch_dest: expected the absolute path of a directory on the controller, but it is "
            f"{printable(options.fetch_dest) or 'not set'}, with a directory {printable(host)} in it; to leave the "
            "archive on the host, set image_save_fetch to false."
        )
    check_remote("image_save_dest", options.dest)
    if options.distribute:
        check_remote("image_save_dest, with the name of the host", f"{options.dest}-{host}")
    if options.failed_list:
        check_remote("image_save_failed_list", options.failed_list)
    check_carried("image_save_fetch_dest", options.fetch_dest)
    if options.compress == DIR and compress_of(os.path.basename(options.dest)) != DIR:
        raise OptionError(
            f"image_save_dest: {options.dest} has the suffix of an archive in one file, but image_save_compress is "
            "dir; choose another name."
        )


def _check_distribution(options: Options, play: Play) -> None:
    if not is_file_name(play.host):
        raise OptionError(
            f"image_save_distribute: the name of each host becomes part of file names, but {printable(play.host)} is "
            "not a valid file name."
        )
    is_whole = {*play.running} <= {*play.batch} <= {*play.all}
    if options.from_lock or not is_whole:
        raise OptionError(
            "image_save_distribute: the list is shared out over all hosts of the play at the same time. It cannot be "
            "combined with serial or with image_save_from_lock; use image_save_from_lock_file."
        )
