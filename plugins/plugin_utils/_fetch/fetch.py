# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow of ``image_fetch``: compare, transfer what is wanted, publish."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ansible import constants

from ansible_collections.airgap.images.plugins.module_utils._archive.output import (
    CHECKSUM_SUFFIX,
    COMPANIONS,
    LOCK_SUFFIX,
)
from ansible_collections.airgap.images.plugins.module_utils._base.checks import check_range
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, StorageError, quoted
from ansible_collections.airgap.images.plugins.module_utils._host.hold import Hold
from ansible_collections.airgap.images.plugins.module_utils._host.verified_files import VerifiedFiles
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch import result
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.carrier import Carrier
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import compare, items_of, parity_items_of
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.host import Host
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.incoming import tidy_if_refused
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.publish import publish
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.receive import Receiver
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.renamed import keep_arrived, take_over
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.room import ensure_fits, refuse_other_spelling
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import check_carried, check_length

_WAITS_FOR_OTHERS = 600.0


@dataclass(frozen=True)
class Fetch:
    """One task that fetches an archive.

    :param arguments: of the task, validated by Ansible.
    :param is_check: whether nothing may be changed (C(--check)).
    :param is_diff: whether the difference is returned, too (C(--diff)).
    """

    host: Host
    carrier: Carrier
    ticker: Ticker
    arguments: Mapping[str, Any]
    is_check: bool
    is_diff: bool

    def run(self) -> dict[str, Any]:
        """Fetch the archive. Only one run at a time does so for the same place.

        :returns: what the task returns.
        :raises ImagesError: no file under a final name was changed, unless publishing itself failed.
        """
        place = self._place()
        folder = memory_folder(self.arguments["dest"])
        if self.is_check:
            return self._fetch(replace(place, memory=VerifiedFiles(folder)))
        name = hashlib.sha256(place.archive.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        lock = os.path.join(folder, f"{name}.lock")
        what = f"{place.root} on the controller"
        remedy = "Let that one end, or give each host a directory of its own"
        with ExitStack() as stack:
            try:
                stack.enter_context(Hold(lock, what=what, timeout=_WAITS_FOR_OTHERS, remedy=remedy))
            except StorageError as error:
                self.host.say(f"{what} cannot be locked against other runs: {error}")
            # Only now is it known what the previous run has brought.
            return self._fetch(replace(place, memory=VerifiedFiles(folder)))

    def _place(self) -> Place:
        """Check the arguments.

        :raises OptionError: when one is not usable.
        """
        arguments = self.arguments
        check_range("retries", arguments["retries"], 0, 100)
        check_range("retry_delay", arguments["retry_delay"], 0, 3600)
        directory = _absolute(arguments["dest"])
        for option in ("src", "failed_list"):
            if arguments[option]:
                self.host.check_path(option, arguments[option])
                check_length(arguments[option], directory)
        formerly = arguments["formerly"] or ""
        if os.path.basename(formerly) != formerly or formerly in (".", ".."):
            raise OptionError(f"formerly: {quoted(formerly)} must be a file name without a directory")
        source = arguments["src"] or arguments["failed_list"]
        place = Place(directory, os.path.basename(source))
        self.host.refuse_same(source, place)
        refuse_other_spelling(place)
        return place

    def _fetch(self, place: Place) -> dict[str, Any]:
        source, failed_list = self.arguments["src"], self.arguments["failed_list"]
        found = self.host.survey(self.arguments)
        failed = found.pop("failed_list", None)
        if source:
            require_records(self.host, source, found)
        records = list(found.values())  # the lock file is the last
        receiver = Receiver(self.host, self.carrier, place, self.ticker)
        with tidy_if_refused(place, [] if self.is_check else records):
            lock = receiver.lock(records[-1], is_check=self.is_check) if records else None
            parts = items_of(lock, records[-1].source[: -len(LOCK_SUFFIX)]) if lock else []
            parity = parity_items_of(lock, records[-1].source[: -len(LOCK_SUFFIX)]) if lock else []
            if self.arguments["only"]:
                parts, parity = _only(parts, self.arguments["only"]), []
            items = [*parts, *parity, *([failed] if failed else []), *records]
            outdated = [*self.arguments["outdated"]]
            if not self.is_check:
                receiver.recover(items)
                keep_arrived(place, parts)
                if lock and self.arguments["formerly"]:
                    outdated += take_over(place, [*parts, *parity], self.arguments["formerly"])
            delivery = compare(
                place,
                items,
                lock=lock,
                failed_list=os.path.basename(failed_list) if failed_list else None,
                untrue=[f"{place.root}{suffix}" for suffix in COMPANIONS] if lock else [],
            )
            difference = {"diff": result.difference(delivery, lock)} if self.is_diff else {}
            ensure_fits(delivery)
            coming = {*receiver.transferred, *delivery.coming}  # the lock file came first, also in check mode
            transferred = [item for item in delivery.wanted if item in coming]
            if not self.is_check:
                receiver.receive(delivery, self.arguments)
        if not self.is_check:
            if delivery.is_change:
                publish(delivery, outdated)
            if place.memory is not None:
                place.memory.save()
        return {
            "changed": delivery.is_change,
            "msg": result.message(self.host.name, delivery, transferred, is_check=self.is_check),
            "transferred": [item.name for item in transferred],
            "renamed": [item.name for item in delivery.renamed],
            "removed": list(delivery.stale),
            **result.paths(place, parts, parity, found, failed),
            **difference,
        }


def memory_folder(directory: str) -> str:
    """Return where is recorded which files of a directory were verified, so that not every run reads 100 GB again.

    It is in Ansible's home on the controller, not beside files that are carried away.
    """
    name = hashlib.sha256(os.path.abspath(directory).encode("utf-8", "surrogateescape")).hexdigest()
    return os.path.join(constants.config.get_config_value("ANSIBLE_HOME"), "airgap-images", name[:16])


def require_records(host: Host, source: str, found: Mapping[str, Item]) -> None:
    """Make sure that the files exist without which there is no archive.

    :raises OptionError: when one is missing.
    """
    for name, suffix in (("checksum_file", CHECKSUM_SUFFIX), ("lock_file", LOCK_SUFFIX)):
        if name not in found:
            raise OptionError(f"src: {source}{suffix} not found on {host.name}; save the archive first")


def _only(parts: Sequence[Item], numbers: Iterable[int]) -> list[Item]:
    """Return the parts with these numbers.

    :raises OptionError: when the archive does not have one of them.
    """
    wanted = sorted({*numbers})
    if wanted[0] < 0 or wanted[-1] >= len(parts):
        raise OptionError(f"only: the archive has the parts 0 to {len(parts) - 1}, and {wanted} are asked for")
    return [parts[number] for number in wanted]


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise OptionError(f"dest: {quoted(path)} must be an absolute path, or begin with '~'")
    check_carried("dest", path)
    return os.path.normpath(path)
