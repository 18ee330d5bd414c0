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

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._errors import ImageSaveError, OptionError, StorageError
from ansible_collections.airgap.images.plugins.module_utils._failed_list import is_failed_list
from ansible_collections.airgap.images.plugins.module_utils._lock import Lock, read_lock
from ansible_collections.airgap.images.plugins.module_utils._size import format_size
from ansible_collections.airgap.images.plugins.plugin_utils import _arrival
from ansible_collections.airgap.images.plugins.plugin_utils._arrival import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._transport import without_compression

ARGUMENTS: dict[str, dict[str, object]] = {
    "src": {"type": "path"},
    "dest": {"type": "path", "required": True},
    "failed_list": {"type": "path"},
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
            raise AnsibleActionFail(str(error)) from error
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
    """

    def __init__(self, action: ActionBase, task_vars: dict[str, Any], *, retries: int, delay: float) -> None:
        self._action = action
        self._task_vars = task_vars
        self._retries = retries
        self._delay = delay
        self._display = Display()
        self.name = str(task_vars.get("inventory_hostname", "the host"))

    def look(self, path: str, *, name: str = "") -> Item | None:
        """What a file of the host is; ``None`` where there is none.

        :raises StorageError: when the login user cannot read it.
        """
        arguments = {"path": path, "follow": True, "get_checksum": True, "checksum_algorithm": "sha256"}
        found: dict[str, Any] = self._action._execute_module(
            module_name="ansible.legacy.stat", module_args=arguments, task_vars=self._task_vars
        )
        if found.get("failed"):
            raise StorageError(f"{path} on {self.name} cannot be looked at: {found.get('msg', 'no reason was given')}")
        stat = found["stat"]
        if not stat["exists"]:
            return None
        if not stat.get("isreg") or not stat.get("readable"):
            raise StorageError(
                f"{path} on {self.name} is no file that the login user can read, and files are never fetched with "
                "become: give the archive a mode (image_save_mode: '0644') and let the user enter its directory"
            )
        return Item(str(stat["path"]), name or os.path.basename(path), int(stat["size"]), str(stat["checksum"]))

    def transfer(self, item: Item, path: str) -> None:
        """Bring a file to the controller, and make sure that it is whole.

        :raises StorageError: when it could not be had, after all retries.
        """
        for attempt in range(self._retries + 1):
            problem = self._try(item, path)
            if not problem:
                return
            if attempt < self._retries:
                wait = min(self._delay * 2**attempt, 60.0)
                self._display.warning(f"{item.source} on {self.name}: {problem}; trying again in {wait:g} seconds")
                time.sleep(wait)
        raise StorageError(
            f"{item.source} could not be fetched from {self.name}: {problem}. What has arrived is kept; run again"
        )

    def _try(self, item: Item, path: str) -> str:
        try:
            self._action._connection.fetch_file(item.source, path)
        except AnsibleError as error:  # also of a connection that is lost
            self._reconnect()
            return str(error)
        if _arrival.is_sound(path, item):
            return ""
        return f"what arrived has not the sha256 {item.sha256} of its lock file; look at the file and the disks of both"

    def _reconnect(self) -> None:
        reset: Callable[[], None] | None = getattr(self._action._connection, "reset", None)
        if reset is not None:
            try:
                reset()
            except AnsibleError as error:
                self._display.vv(f"{self.name}: {error}")

    def say(self, text: str) -> None:
        """Tell what is going on, with C(-vv)."""
        self._display.vv(text, host=self.name)


def fetch(host: Host, arguments: Mapping[str, Any], *, check: bool, diff: bool) -> dict[str, Any]:
    """Compare, transfer what is missing, and publish.

    :param arguments: as ``ARGUMENTS`` describes them.
    :returns: what the task returns.
    :raises ImageSaveError: nothing under a final name was touched then, unless publishing itself failed.
    """
    source, failed_list = arguments["src"], arguments["failed_list"]
    place = Place(_absolute(arguments["dest"]), os.path.basename(source or failed_list))
    failed = host.look(failed_list) if failed_list else None
    lock, records = (None, []) if source is None else read_records(host, place, source, check=check)
    parts = _arrival.items_of(lock, records[-1].source[: -len(".lock.json")]) if lock else []
    items = [*parts, *([failed] if failed else []), *records]

    wanted = _arrival.missing(place, items)
    stale = _arrival.older(place, items) if lock else []
    if failed_list and not failed:
        stale += [path for path in [_beside(place, failed_list)] if is_failed_list(path)]
    changed = bool(wanted or stale or (lock and _arrival.lacks_link(place, lock)))
    expected = [item for item in wanted if not _arrival.is_sound(place.temporary(item), item)]
    if changed and not check:
        receive(host, place, expected)
        _arrival.publish(place, items, [*arguments["outdated"], *stale])
    returned = describe(place, parts, records, failed)
    returned.update(changed=changed, transferred=[item.name for item in expected], removed=stale)
    returned["msg"] = _message(host, place, expected, stale, check=check)
    if diff:
        returned["diff"] = _diff(place, items, wanted, stale)
    return returned


def read_records(host: Host, place: Place, source: str, *, check: bool) -> tuple[Lock, list[Item]]:
    """The lock file of an archive, and what stands beside it: the checksums and the lock file itself.

    :raises ImageSaveError: when there is no archive that is whole.
    """
    records = []
    for suffix in (".sha256", ".lock.json"):
        record = host.look(f"{source}{suffix}")
        if record is None:
            raise OptionError(f"src: there is no {source}{suffix} on {host.name}; save the archive first")
        records.append(record)
    item = records[-1]
    if _arrival.is_sound(place.final(item), item):
        return _read(place.final(item), item), records
    if check:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "lock.json")
            host.transfer(item, path)
            return _read(path, item), records
    path = place.temporary(item)
    if not _arrival.is_sound(path, item):
        path = _arrival.make_room(place, item)
        host.transfer(item, path)
    return _read(path, item), records


def receive(host: Host, place: Place, items: Sequence[Item]) -> None:
    """Transfer files into the hidden directory, from which they are published together."""
    if items and host.look(items[0].source) is None:
        raise StorageError(f"{items[0].source} is not on {host.name} any more; save the archive again")
    _arrival.ensure_space(place, items)
    for number, item in enumerate(items, start=1):
        host.say(f"fetching file {number} of {len(items)}: {item.source} ({format_size(item.size)})")
        host.transfer(item, _arrival.make_room(place, item))


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


def _read(path: str, item: Item) -> Lock:
    with open(path, "rb") as file:
        return read_lock(file.read(), path=item.source)


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise OptionError(f"dest: {path!r} must be an absolute path, or begin with '~'")
    return os.path.normpath(path)


def _beside(place: Place, failed_list: str) -> str:
    return os.path.join(place.directory, os.path.basename(failed_list))


def _message(host: Host, place: Place, items: Sequence[Item], stale: Sequence[str], *, check: bool) -> str:
    verb = "would be fetched" if check else "fetched"
    size = format_size(sum(item.size for item in items))
    removed = f", {len(stale)} older ones removed" if stale and not check else ""
    return f"{len(items)} files ({size}) {verb} from {host.name} to {place.directory}{removed}"


def _diff(place: Place, items: Sequence[Item], wanted: Sequence[Item], stale: Sequence[str]) -> dict[str, str]:
    kept = [item for item in items if item not in wanted]
    replaced = [f"{item.name}\n" for item in wanted if os.path.lexists(place.final(item))]
    before = [f"{item.sha256}  {item.name}\n" for item in kept] + replaced + [f"{path}\n" for path in stale]
    after = [f"{item.sha256}  {item.name}\n" for item in items]
    return {
        "before_header": place.directory,
        "after_header": place.directory,
        "before": "".join(sorted(before)),
        "after": "".join(sorted(after)),
    }
