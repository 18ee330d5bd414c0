# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the host into the hidden directory: the lock file first, then small files together, and large ones alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.airgap.images.plugins.module_utils._archive.bundle import size_of
from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ImagesError,
    StorageError,
    printable,
    quoted,
)
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.bundle import bundles_of, member_of
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.carrier import Carrier
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.convoy import Convoy
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.delivery import Delivery
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.host import Host
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.incoming import (
    clear_way,
    clear_way_for_bundle,
    discard_arrived,
    discard_bundle,
    recover_arrived,
    take_out,
)
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place, explain
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.room import ensure_space, explaining_full
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import LARGEST_RECORD, MOST_VALUES
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import fits_line


class Receiver:
    """Brings the files of one archive to the controller.

    :param host: answers questions about its files.
    :param carrier: transfers them.
    :param place: where they go.
    :param ticker: shows the progress.
    """

    def __init__(self, host: Host, carrier: Carrier, place: Place, ticker: Ticker) -> None:
        self._host = host
        self._carrier = carrier
        self._place = place
        self._ticker = ticker

    @property
    def transferred(self) -> Sequence[Item]:
        """The files that have arrived in this run."""
        return self._carrier.transferred

    def lock(self, item: Item, *, is_check: bool) -> Lock:
        """Read the lock file of the archive on the host, which is transferred if it has not arrived yet.

        :param is_check: whether nothing may be left on the controller.
        :raises ImagesError: when it cannot be fetched, or is not a lock file.
        """
        place = self._place
        for path in (place.final(item), place.temporary(item)):
            if place.holds(path, item):
                return _read_lock(path, item)
        if is_check:
            with tempfile.TemporaryDirectory() as folder:
                elsewhere = Place(os.path.realpath(folder), place.archive)
                ensure_space(elsewhere, [item])
                self._carrier.transfer(item, elsewhere, elsewhere.final(item))
                return _read_lock(elsewhere.final(item), item)
        ensure_space(place, [item])
        path = clear_way(place, item)
        with explaining_full(place, item):
            self._carrier.transfer(item, place, path)
        return _read_lock(path, item)

    def recover(self, items: Sequence[Item]) -> None:
        """Take the small files out of a bundle that a killed run has left.

        :param items: of the archive.
        """
        recover_arrived(self._place, items)

    def receive(self, delivery: Delivery, arguments: Mapping[str, Any]) -> None:
        """Transfer into the hidden directory what has not arrived yet.

        :param arguments: of the task.
        :raises ImagesError: when something could not be fetched. What has arrived stays for the next run.
        """
        if not delivery.is_change:
            discard_arrived(self._place)
            return
        coming = delivery.coming
        bundles = self._bundles(coming, arguments["src"])
        together = dict.fromkeys(item for bundle in bundles for item in bundle)
        order = [*together, *(item for item in coming if item not in together)]
        arrived = [item for item in self.transferred if item in delivery.wanted]
        convoy = Convoy(order, self._ticker, arrived=arrived)
        if coming and not bundles:
            self._host.require(coming[0].source)
        if coming:
            ensure_space(self._place, coming)
        self._receive_bundles(bundles, arguments, convoy)
        transferred = {*self.transferred}
        left = [item for item in order if item not in transferred]
        if left and bundles:
            self._host.require(left[0].source)
        for item in left:
            path = clear_way(self._place, item)
            with explaining_full(self._place, item), convoy.shown([item], path):
                self._carrier.transfer(item, self._place, path)

    def _bundles(self, coming: Sequence[Item], source: str | None) -> list[list[Item]]:
        """Return the small files that are transferred together. On the controller itself that saves nothing."""
        if source is None or self._host.is_controller:
            return []
        return list(bundles_of(coming, os.path.dirname(source)))

    def _receive_bundles(self, bundles: Sequence[Sequence[Item]], arguments: Mapping[str, Any], convoy: Convoy) -> None:
        """Transfer small files together.

        What the host leaves out, and what does not arrive whole, is left to be transferred alone: that is tried again,
        and its errors name the file. So are all small files where bundles do not work.

        :raises StorageError: when the host sends anything that it was not asked for.
        """
        for bundle in bundles:
            left, arrived, problem = bundle, bundle, "not tried yet"
            while left and problem and arrived:  # an attempt that has brought nothing is not repeated
                with convoy.shown(left, self._place.bundle):
                    arrived, problem = self._receive_bundle(left, arguments)
                self._carrier.transferred += arrived
                left = [item for item in left if item not in arrived]
                convoy.miss(left)
                if problem:
                    self._host.say(f"{format_count(len(left), 'small file')} did not arrive together: {problem}")
            if left and problem:
                return

    def _receive_bundle(self, items: Sequence[Item], arguments: Mapping[str, Any]) -> tuple[list[Item], str]:
        """Try to transfer small files together, once.

        :returns: those that have arrived whole, and why others have not; empty if all that the host sent have arrived.
        :raises StorageError: when the host sends anything that it was not asked for.
        """
        try:
            source, left_out = self._host.bundle(arguments, items)
        except (AnsibleError, StorageError) as error:
            return [], printable(str(error))
        bundled = [item for item in items if item.name not in left_out]
        path = self._place.bundle
        if not bundled:
            return [], ""
        if not fits_line(source, path):
            return [], f"the path is too long for a transfer: {quoted(source)}"
        size = size_of(map(member_of, bundled))
        arrived: list[Item] = []
        problem = ""
        try:
            clear_way_for_bundle(self._place)
            problem = self._carrier.bring(source, path, most=size, announced=size)
            arrived = take_out(self._place, bundled, is_whole=not problem, whose=self._host.name)
        except OSError as error:
            problem = problem or str(explain(error, path))  # a transfer that failed may have left no file to read
        except ImagesError:
            discard_bundle(self._place)
            raise
        discard_bundle(self._place)  # not when the run is killed: the next one takes out what has arrived
        return arrived, problem


def _read_lock(path: str, item: Item) -> Lock:
    with open(path, "rb") as file:
        return read_lock(file.read(LARGEST_RECORD), path=item.source, most=MOST_VALUES)
