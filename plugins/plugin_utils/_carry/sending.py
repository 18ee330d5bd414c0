# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies files from the controller to a host, tried again when the connection fails, and checked there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError, printable
from ansible_collections.airgap.images.plugins.plugin_utils._carry.cargo import Item
from ansible_collections.airgap.images.plugins.plugin_utils._carry.convoy import Convoy
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._hosts import transport

_LONGEST_WAIT = 60.0


class Connection(transport.Connection, Protocol):
    """The part of a connection plugin that is used to send files."""

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller to a path on the host."""


class Receiver(Protocol):
    """The host, asked as the user who logs in."""

    def has_arrived(self, directory: str, item: Item, temporary: str) -> bool:
        """Check a file that has arrived, and give it its name; returns whether it has the right content."""


@dataclass(frozen=True)
class Patience:
    """How often a transfer is tried again, and the seconds before the first retry; each further one takes twice."""

    retries: int
    delay: float


def send(
    items: Sequence[Item],
    directory: str,
    connection: Connection,
    receiver: Receiver,
    *,
    host: str,
    patience: Patience,
    ticker: Ticker,
) -> None:
    """Copy files to a directory on a host. A file has its final name there only when it is whole.

    :param host: its name in the inventory.
    :raises StorageError: when a file did not arrive after all retries. Those before it are there.
    """
    transport.without_compression(connection)
    convoy = Convoy(items, ticker)
    for item in items:
        temporary = temporary_of(item.name, host)
        path = os.path.join(directory, temporary)
        for attempt in range(patience.retries + 1):
            with convoy.shown(item):
                problem = _put(connection, item.path, path)
            if not problem and receiver.has_arrived(directory, item, temporary):
                break
            problem = problem or "what arrived does not have the right sha256; check the file and both disks"
            if attempt == patience.retries:
                raise StorageError(
                    f"cannot copy {item.path} to {host}: {problem}. Files that have arrived are kept; run again"
                )
            wait = min(patience.delay * 2**attempt, _LONGEST_WAIT)
            ticker.warn(f"{item.path}: {problem}; trying again in {wait:g} seconds")
            time.sleep(wait)


def temporary_of(name: str, host: str) -> str:
    """Return the name of a file on its way; hosts that share a disk have different ones."""
    return f".{name}.{hashlib.sha256(host.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.new"


def _put(connection: Connection, source: str, path: str) -> str:
    """Copy a file once, by the first method that works.

    :returns: the problem with the first method; empty if there was none.
    """
    problems = []
    for method in transport.transfer_methods(connection) or ("",):
        if method:
            connection.set_option("ssh_transfer_method", method)
        try:
            connection.put_file(source, path)
        except (AnsibleError, OSError) as error:  # also of a connection that is lost
            reset = getattr(connection, "reset", None)
            if reset is not None:
                try:
                    reset()
                except AnsibleError as lost:
                    Display().vv(printable(str(lost)))
            problems.append(printable(str(error)))
        else:
            return ""
    return problems[0]
