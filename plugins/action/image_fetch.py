# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings an archive to the controller. The documentation is in plugins/modules/image_fetch.py."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, read_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.output import (
    BESIDE,
    CHECKSUM_SUFFIX,
    COMPANIONS,
    LOCK_SUFFIX,
)
from ansible_collections.airgap.images.plugins.module_utils._base.checks import check_range
from ansible_collections.airgap.images.plugins.module_utils._base.empty import without_empty
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ImageSaveError,
    OptionError,
    StorageError,
    quoted,
)
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count, format_size
from ansible_collections.airgap.images.plugins.module_utils._host.hold import Hold
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.arrival import (
    Delivery,
    clear_way,
    compare,
    discard_arrived,
    ensure_fits,
    ensure_space,
    explaining_full,
    items_of,
    publish,
    refuse_other_spelling,
    tidy_if_refused,
)
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.convoy import Convoy
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.host import Host
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.transport import without_compression
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD, MOST_VALUES
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import check_carried, check_length

_WAITS_FOR_OTHERS = 600.0

# Paths of the host are texts here: a type that expands "~" would take the controller's home for it.
ARGUMENTS: dict[str, dict[str, object]] = {
    "src": {"type": "str"},
    "dest": {"type": "path", "required": True},
    "failed_list": {"type": "str"},
    "outdated": {"type": "list", "elements": "path", "default": []},
    "retries": {"type": "int", "default": 3},
    "retry_delay": {"type": "float", "default": 2.0},
}


class ActionModule(ActionBase):
    """C(airgap.images.image_fetch)."""

    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._arguments()
        # Through become, files would have to pass through memory as a whole, at both ends.
        self._connection.set_become_plugin(None)  # type: ignore[arg-type]
        without_compression(self._connection)
        variables = task_vars or {}
        ticker = Ticker.of(self._task, variables)
        host = Host(self, variables, ticker, retries=arguments["retries"], delay=arguments["retry_delay"])
        try:
            returned = fetch(host, arguments, check=self._task.check_mode, diff=self._task.diff)
            if returned["changed"] and not self._task.check_mode:
                host.ticker.say(returned["msg"])
                host.ticker.say_paths(returned)
            result.update(returned)
        except ImageSaveError as error:
            result.update(failed=True, msg=str(error))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]
        return result

    def _arguments(self) -> dict[str, Any]:
        self._task.args = without_empty(self._task.args, ARGUMENTS)
        validated: tuple[object, dict[str, Any]] = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            ARGUMENTS, required_one_of=[("src", "failed_list")]
        )
        return validated[1]


def fetch(host: Host, arguments: Mapping[str, Any], *, check: bool, diff: bool) -> dict[str, Any]:
    """Compare, transfer what is wanted, and publish; one run at a time does so for one archive.

    :param arguments: as ``ARGUMENTS`` describes them.
    :returns: what the task returns.
    :raises ImageSaveError: nothing under a final name was touched then, unless publishing itself failed.
    """
    check_range("retries", arguments["retries"], 0, 100)
    check_range("retry_delay", arguments["retry_delay"], 0, 3600)
    directory = _absolute(arguments["dest"])
    source = arguments["src"] or arguments["failed_list"]
    for option in ("src", "failed_list"):
        if arguments[option]:
            host.check_path(option, arguments[option])
            check_length(arguments[option], directory)
    folder = memory_folder(arguments["dest"])
    place = Place(directory, os.path.basename(source))
    host.refuse_same(source, place)
    refuse_other_spelling(place)
    if check:
        return _fetch(host, arguments, replace(place, memory=VerifiedFiles(folder)), check=check, diff=diff)
    name = hashlib.sha256(place.archive.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    lock = os.path.join(folder, f"{name}.lock")
    what = f"{place.root} on the controller"
    remedy = "Let that one end, or give each host a directory of its own"
    with ExitStack() as stack:
        try:
            stack.enter_context(Hold(lock, what=what, timeout=_WAITS_FOR_OTHERS, remedy=remedy))
        except StorageError as error:
            host.say(f"{what} cannot be kept for this run alone: {error}")
        # What the one before has brought is known only now.
        return _fetch(host, arguments, replace(place, memory=VerifiedFiles(folder)), check=check, diff=diff)


def _fetch(host: Host, arguments: Mapping[str, Any], place: Place, *, check: bool, diff: bool) -> dict[str, Any]:
    source, failed_list = arguments["src"], arguments["failed_list"]
    found = host.survey(arguments)
    failed = found.pop("failed_list", None)
    if source:
        require_records(host, source, found)
    records = list(found.values())  # the lock file is the last
    with tidy_if_refused(place, [] if check else records):
        lock = read_arrived_lock(host, place, records[-1], check=check) if records else None
        parts = items_of(lock, records[-1].source[: -len(LOCK_SUFFIX)]) if lock else []
        delivery = compare(
            place,
            [*parts, *([failed] if failed else []), *records],
            lock=lock,
            failed_list=os.path.basename(failed_list) if failed_list else None,
            untrue=[f"{place.root}{suffix}" for suffix in COMPANIONS] if lock else [],
        )
        difference = {"diff": _diff(delivery)} if diff else {}
        # The lock file came first, also in check mode, to tell what else is wanted.
        ensure_fits(delivery)
        coming = {*host.transferred, *delivery.coming}
        transferred = [item for item in delivery.wanted if item in coming]
        if not check:
            receive(host, delivery, transferred)
    if not check:
        if delivery.is_change:
            publish(delivery, arguments["outdated"])
        if place.memory is not None:
            place.memory.save()
    return {
        "changed": delivery.is_change,
        "msg": _message(host, delivery, transferred, check=check),
        "transferred": [item.name for item in transferred],
        "removed": list(delivery.stale),
        **describe(place, parts, found, failed),
        **difference,
    }


def memory_folder(directory: str) -> str:
    """Where is kept what is known of the files of a directory, so that not every run reads 100 GB again: in Ansible's
    home on the controller, and not beside files that are carried away."""
    name = hashlib.sha256(os.path.abspath(directory).encode("utf-8", "surrogateescape")).hexdigest()
    return os.path.join(constants.config.get_config_value("ANSIBLE_HOME"), "airgap-images", name[:16])


def require_records(host: Host, source: str, found: Mapping[str, Item]) -> None:
    """Make sure that there is what an archive cannot do without.

    :raises OptionError: when that is not so.
    """
    for name, suffix in (("checksum_file", CHECKSUM_SUFFIX), ("lock_file", LOCK_SUFFIX)):
        if name not in found:
            raise OptionError(f"src: there is no {source}{suffix} on {host.name}; save the archive first")


def read_arrived_lock(host: Host, place: Place, item: Item, *, check: bool) -> Lock:
    """Read the lock file of the archive on the host, which is transferred for it if need be.

    :raises ImageSaveError: when it cannot be had, or is none.
    """
    for path in (place.final(item), place.temporary(item)):
        if place.holds(path, item):
            return _read_lock(path, item)
    if check:
        with tempfile.TemporaryDirectory() as folder:
            elsewhere = Place(os.path.realpath(folder), place.archive)
            ensure_space(elsewhere, [item])
            host.transfer(item, elsewhere, elsewhere.final(item))
            return _read_lock(elsewhere.final(item), item)
    ensure_space(place, [item])
    path = clear_way(place, item)
    with explaining_full(place, item):
        host.transfer(item, place, path)
    return _read_lock(path, item)


def receive(host: Host, delivery: Delivery, transferred: Sequence[Item]) -> None:
    """Transfer into the hidden directory what is still to come.

    :param transferred: in all of this run.
    """
    if not delivery.is_change:
        discard_arrived(delivery.place)
        return
    if delivery.coming:
        host.require(delivery.coming[0].source)
        ensure_space(delivery.place, delivery.coming)
    arrived = [item for item in transferred if item not in delivery.coming]
    convoy = Convoy(delivery.coming, host.ticker, arrived=arrived)
    for item in delivery.coming:
        path = clear_way(delivery.place, item)
        with explaining_full(delivery.place, item), convoy.shown(item, path):
            host.transfer(item, delivery.place, path)


def describe(place: Place, parts: Sequence[Item], records: Mapping[str, Item], failed: Item | None) -> dict[str, Any]:
    """Where everything is on the controller."""
    files = [*parts, *records.values(), *([failed] if failed else [])]
    return {
        "dest": place.directory,
        "parts": [{"path": place.final(part), "size": part.size, "sha256": part.sha256} for part in parts],
        **{name: place.final(records[name]) if name in records else None for name in BESIDE},
        "failed_list": place.final(failed) if failed else None,
        "files": [place.final(item) for item in files],
    }


def _read_lock(path: str, item: Item) -> Lock:
    with open(path, "rb") as file:
        return read_lock(file.read(LARGEST_RECORD), path=item.source, most=MOST_VALUES)


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise OptionError(f"dest: {quoted(path)} must be an absolute path, or begin with '~'")
    check_carried("dest", path)
    return os.path.normpath(path)


def _message(host: Host, delivery: Delivery, items: Sequence[Item], *, check: bool) -> str:
    verb = "would be fetched" if check else "fetched"
    size = format_size(sum(item.size for item in items))
    removed = f", {len(delivery.stale)} older ones removed" if delivery.stale and not check else ""
    links = ", whose filesystem has no links: those called blobs are left out" if delivery.goes_without_link else ""
    count = format_count(len(items), "file")
    return f"{count} ({size}) {verb} from {host.name} to {delivery.place.directory}{links}{removed}"


def _diff(delivery: Delivery) -> dict[str, str]:
    place = delivery.place
    kept = [f"{item.sha256}  {item.name}" for item in {*delivery.items} - {*delivery.wanted}]
    replaced = [item.name for item in delivery.wanted if os.path.lexists(place.final(item))]
    stale = [os.path.relpath(path, place.directory) for path in delivery.stale]
    after = [f"{item.sha256}  {item.name}" for item in delivery.items]
    return {
        "before_header": place.directory,
        "after_header": place.directory,
        "before": "".join(f"{line}\n" for line in sorted([*kept, *replaced, *stale])),
        "after": "".join(f"{line}\n" for line in sorted(after)),
    }
