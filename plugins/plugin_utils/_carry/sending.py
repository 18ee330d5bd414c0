# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies files from the controller to a host, tried again when the connection fails, and checked there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError, printable
from ansible_collections.airgap.images.plugins.module_utils._host.disk_errors import explained
from ansible_collections.airgap.images.plugins.module_utils._host.files import sha256_of
from ansible_collections.airgap.images.plugins.plugin_utils._carry.cargo import Item, temporary_of
from ansible_collections.airgap.images.plugins.plugin_utils._carry.convoy import Convoy
from ansible_collections.airgap.images.plugins.plugin_utils._display.ticker import Ticker
from ansible_collections.airgap.images.plugins.plugin_utils._hosts import transport

_LONGEST_WAIT = 60.0
_BATCH = 256 * 1024 * 1024
_WRONG = (
    "what arrived does not have the right sha256, although the file on the controller has it; check the connection and "
    "the disk of the host"
)


class Connection(transport.Connection, Protocol):
    """The part of a connection plugin that is used to send files."""

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller to a path on the host."""


class Receiver(Protocol):
    """The host, asked as the user who logs in."""

    def receive(self, directory: str, items: Sequence[Item], host: str) -> list[Item]:
        """Check files that have arrived, give them their names, and return those with the wrong content."""


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
    :raises StorageError: when a file did not arrive after all retries, or is damaged on the controller. Those before it
        are there.
    """
    transport.without_compression(connection)
    convoy = Convoy(items, ticker)
    whole: set[str] = set()
    for batch in batches(items):
        left, attempt = batch, 0
        while left:
            arrived, problem = _put_until_problem(left, directory, connection, convoy, host)
            wrong = receiver.receive(directory, arrived, host) if arrived else []
            for item in wrong:
                if item.path not in whole:
                    _refuse_damaged(item, host)
                    whole.add(item.path)
            problem = problem or (f"{wrong[0].path}: {_WRONG}" if wrong else "")
            before, left = len(left), [item for item in left if item in wrong or item not in arrived]
            attempt = 0 if len(left) < before else attempt
            if not problem:
                break
            if attempt == patience.retries:
                raise StorageError(f"cannot copy to {host}: {problem}. Files that have arrived are kept; run again")
            wait = min(patience.delay * 2**attempt, _LONGEST_WAIT)
            ticker.warn(f"{problem}; trying again in {wait:g} seconds")
            time.sleep(wait)
            attempt += 1


def _refuse_damaged(item: Item, host: str) -> None:
    """Find out whether a file that arrived with the wrong content has the right one on the controller.

    :raises StorageError: when it has not, so that another try would not help.
    """
    try:
        found = sha256_of(item.path)
    except OSError as error:
        raise explained(f"cannot read {item.path} on the controller", error) from error
    if found != item.sha256:
        raise StorageError(
            f"cannot copy to {host}: {item.path} is damaged on the controller: its sha256 begins with {found[:12]} "
            f"instead of {item.sha256[:12]}. Carry it across again, or run the role image_verify with its directory in "
            "image_verify_controller_src, and with image_verify_repair if there are parity files"
        )


def batches(items: Sequence[Item], *, most: int = _BATCH) -> Iterator[list[Item]]:
    """Yield items in groups that are checked together: asking the host takes as long as sending a small file.

    :param most: bytes of a group, unless it is a single item.
    """
    batch: list[Item] = []
    for item in items:
        if batch and sum(each.size for each in batch) + item.size > most:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _put_until_problem(
    items: Sequence[Item], directory: str, connection: Connection, convoy: Convoy, host: str
) -> tuple[list[Item], str]:
    """Copy files, up to the first one that cannot be copied.

    :returns: those that have arrived, and what the problem is with the next one.
    """
    arrived: list[Item] = []
    for item in items:
        with convoy.shown(item):
            problem = _put(connection, item.path, os.path.join(directory, temporary_of(item.name, host)))
        if problem:
            return arrived, f"{item.path}: {problem}"
        arrived.append(item)
    return arrived, ""


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
