# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings an archive to the controller. The documentation is in plugins/modules/image_fetch.py."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._errors import ImageSaveError, OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._lock import Lock, read_lock
from ansible_collections.airgap.images.plugins.module_utils._options import check_range
from ansible_collections.airgap.images.plugins.module_utils._size import format_size
from ansible_collections.airgap.images.plugins.plugin_utils._arrival import (
    LOCK_SUFFIX,
    Delivery,
    clear_way,
    compare,
    discard_arrived,
    ensure_space,
    items_of,
    publish,
)
from ansible_collections.airgap.images.plugins.plugin_utils._place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._transport import without_compression

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
        host = Host(self, task_vars or {}, retries=arguments["retries"], delay=arguments["retry_delay"])
        try:
            result.update(fetch(host, arguments, check=self._task.check_mode, diff=self._task.diff))
        except ImageSaveError as error:
            result.update(failed=True, msg=str(error))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]
        return result

    def _arguments(self) -> dict[str, Any]:
        validated: tuple[object, dict[str, Any]] = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            ARGUMENTS, required_one_of=[("src", "failed_list")]
        )
        return validated[1]


class Host:
    """The managed host, as far as files have to be looked at and transferred.

    :param retries: how often a transfer is tried again.
    :param delay: seconds before the first retry; each further one is twice as long.

    ``transferred`` grows with what has arrived whole.
    """

    def __init__(self, action: ActionBase, task_vars: dict[str, Any], *, retries: int, delay: float) -> None:
        self._action = action
        self._task_vars = task_vars
        self._retries = retries
        self._delay = delay
        self._display = Display()
        self.name = str(task_vars.get("inventory_hostname", "the host"))
        self.transferred: list[Item] = []

    def look(self, path: str) -> Item | None:
        """What a file of the host is; ``None`` where there is none.

        :raises StorageError: when the login user cannot read it.
        """
        stat = self._stat(path, hashed=True)
        if stat is None:
            return None
        return Item(str(stat["path"]), os.path.basename(path), int(stat["size"]), str(stat["checksum"]))

    def require(self, path: str) -> None:
        """Make sure that the login user can read a file, without reading it.

        :raises StorageError: when that is not so.
        """
        if self._stat(path, hashed=False) is None:
            raise StorageError(f"{path} is not on {self.name} any more; save the archive again")

    def transfer(self, item: Item, place: Place, path: str) -> None:
        """Bring a file to the controller, and make sure that it is whole.

        :raises StorageError: when it could not be had, after all retries.
        """
        problem = ""
        for attempt in range(self._retries + 1):
            problem = self._try(item, place, path)
            if not problem:
                self.transferred.append(item)
                return
            if attempt < self._retries:
                wait = min(self._delay * 2**attempt, 60.0)
                self._display.warning(f"{item.source} on {self.name}: {problem}; trying again in {wait:g} seconds")
                time.sleep(wait)
        raise StorageError(
            f"{item.source} could not be fetched from {self.name}: {problem}. What has arrived is kept; run again"
        )

    def say(self, text: str) -> None:
        """Tell what is going on, with C(-vv)."""
        self._display.vv(text, host=self.name)

    def _stat(self, path: str, *, hashed: bool) -> dict[str, Any] | None:
        arguments = {"path": path, "follow": True, "get_checksum": hashed, "checksum_algorithm": "sha256"}
        found: dict[str, Any] = self._action._execute_module(
            module_name="ansible.legacy.stat", module_args=arguments, task_vars=self._task_vars
        )
        if found.get("failed"):
            raise StorageError(f"{path} on {self.name} cannot be looked at: {found.get('msg', 'no reason was given')}")
        stat: dict[str, Any] = found["stat"]
        if stat["exists"] and not (stat.get("isreg") and stat.get("readable")):
            raise StorageError(
                f"{path} on {self.name} is no file that the login user can read, and files are never fetched with "
                "become: give the archive a mode (image_save_mode: '0644') and let the user enter its directory"
            )
        return stat if stat["exists"] else None

    def _try(self, item: Item, place: Place, path: str) -> str:
        try:
            self._action._connection.fetch_file(item.source, path)
        except (AnsibleError, OSError) as error:  # also of a connection that is lost
            self._reconnect()
            return str(error)
        if place.holds(path, item):
            return ""
        return f"what arrived has not the sha256 {item.sha256} of its lock file; look at the file and the disks of both"

    def _reconnect(self) -> None:
        reset: Callable[[], None] | None = getattr(self._action._connection, "reset", None)
        if reset is not None:
            try:
                reset()
            except AnsibleError as error:
                self._display.vv(f"{self.name}: {error}")


def fetch(host: Host, arguments: Mapping[str, Any], *, check: bool, diff: bool) -> dict[str, Any]:
    """Compare, transfer what is wanted, and publish.

    :param arguments: as ``ARGUMENTS`` describes them.
    :returns: what the task returns.
    :raises ImageSaveError: nothing under a final name was touched then, unless publishing itself failed.
    """
    check_range("retries", arguments["retries"], 0, 100)
    check_range("retry_delay", arguments["retry_delay"], 0, 3600)
    source, failed_list = arguments["src"], arguments["failed_list"]
    place = Place(_absolute(arguments["dest"]), os.path.basename(source or failed_list))
    failed = host.look(failed_list) if failed_list else None
    records = look_at_records(host, source) if source else []
    lock = read_arrived_lock(host, place, records[-1], check=check) if records else None
    parts = items_of(lock, records[-1].source[: -len(LOCK_SUFFIX)]) if lock else []
    delivery = compare(
        place,
        [*parts, *([failed] if failed else []), *records],
        lock=lock,
        failed_list=os.path.basename(failed_list) if failed_list else None,
    )
    difference = {"diff": _diff(delivery)} if diff else {}
    if not check:
        deliver(host, delivery, arguments["outdated"])
    # The lock file came first, also in check mode, to tell what else is wanted.
    coming = {*host.transferred, *delivery.coming}
    transferred = [item for item in delivery.wanted if item in coming]
    return {
        "changed": delivery.is_change,
        "msg": _message(host, delivery, transferred, check=check),
        "transferred": [item.name for item in transferred],
        "removed": list(delivery.stale),
        **describe(place, parts, records, failed),
        **difference,
    }


def look_at_records(host: Host, source: str) -> list[Item]:
    """What stands beside an archive: its checksums and, last, its lock file.

    :raises OptionError: when it is not there.
    """
    records = []
    for suffix in (".sha256", LOCK_SUFFIX):
        record = host.look(f"{source}{suffix}")
        if record is None:
            raise OptionError(f"src: there is no {source}{suffix} on {host.name}; save the archive first")
        records.append(record)
    return records


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
            host.transfer(item, elsewhere, elsewhere.final(item))
            return _read_lock(elsewhere.final(item), item)
    path = clear_way(place, item)
    host.transfer(item, place, path)
    return _read_lock(path, item)


def deliver(host: Host, delivery: Delivery, outdated: Sequence[str]) -> None:
    """Transfer into the hidden directory what is still to come, and publish all of it together."""
    if not delivery.is_change:
        discard_arrived(delivery.place)
        return
    if delivery.coming:
        host.require(delivery.coming[0].source)
        ensure_space(delivery)
    for number, item in enumerate(delivery.coming, start=1):
        host.say(f"fetching file {number} of {len(delivery.coming)}: {item.source} ({format_size(item.size)})")
        host.transfer(item, delivery.place, clear_way(delivery.place, item))
    publish(delivery, outdated)


def describe(place: Place, parts: Sequence[Item], records: Sequence[Item], failed: Item | None) -> dict[str, Any]:
    """Where everything is on the controller."""
    files = [*parts, *records, *([failed] if failed else [])]
    return {
        "dest": place.directory,
        "parts": [{"path": place.final(part), "size": part.size, "sha256": part.sha256} for part in parts],
        "checksum_file": place.final(records[0]) if records else None,
        "lock_file": place.final(records[1]) if records else None,
        "failed_list": place.final(failed) if failed else None,
        "files": [place.final(item) for item in files],
    }


def _read_lock(path: str, item: Item) -> Lock:
    with open(path, "rb") as file:
        return read_lock(file.read(), path=item.source)


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise OptionError(f"dest: {path!r} must be an absolute path, or begin with '~'")
    return os.path.normpath(path)


def _message(host: Host, delivery: Delivery, items: Sequence[Item], *, check: bool) -> str:
    verb = "would be fetched" if check else "fetched"
    size = format_size(sum(item.size for item in items))
    removed = f", {len(delivery.stale)} older ones removed" if delivery.stale and not check else ""
    return f"{len(items)} files ({size}) {verb} from {host.name} to {delivery.place.directory}{removed}"


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
