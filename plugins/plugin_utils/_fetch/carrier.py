# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on their way from a host to the controller: tried again when the connection fails, cut off when too large."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from typing import Protocol

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.airgap.images.plugins.module_utils._base.errors import StorageError, printable
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.plugin_utils._fetch.place import Item, Place
from ansible_collections.airgap.images.plugins.plugin_utils._hosts import transport
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.bounds import no_file_beyond

_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


class Connection(transport.Connection, Protocol):
    """The part of a connection plugin that a carrier uses."""

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the host to a path of the controller."""


class Carrier:
    """Transfers files from one host.

    :param connection: the task's.
    :param whose: name of the host.
    :param source: returns the path to ask a transfer for, from the path that the play gave.
    :param retries: how often a transfer is tried again.
    :param delay: seconds before the first retry; each further one is twice as long.
    :param warn: shows a warning; as Ansible does if not given.

    ``transferred`` grows with what has arrived whole.
    """

    def __init__(
        self,
        connection: Connection,
        whose: str,
        source: Callable[[str], str],
        *,
        retries: int,
        delay: float,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._connection = connection
        self._whose = whose
        self._source = source
        self._retries = retries
        self._delay = delay
        self._methods = transport.transfer_methods(connection)
        self._display = Display()
        self.warn = warn or self._display.warning
        self.transferred: list[Item] = []

    def transfer(self, item: Item, place: Place, path: str) -> None:
        """Bring a file to the controller, and make sure that it is whole.

        :param path: to write it to.
        :raises StorageError: when it did not arrive, after all retries, or the host sent more than that.
        """
        problem = ""
        for attempt in range(self._retries + 1):
            problem = self._try(item, place, path)
            if not problem:
                self.transferred.append(item)
                return
            if attempt < self._retries:
                wait = min(self._delay * 2**attempt, 60.0)
                self.warn(f"{item.source} on {self._whose}: {problem}; trying again in {wait:g} seconds")
                time.sleep(wait)
        raise StorageError(
            f"cannot fetch {item.source} from {self._whose}: {problem}. Files that have arrived are kept; run again"
        )

    def _try(self, item: Item, place: Place, path: str) -> str:
        problem = self.bring(item.source, path, most=item.most, announced=item.size)
        if problem or place.holds(path, item):
            return problem
        return f"what arrived does not have the sha256 {item.sha256} of its lock file; check the file and both disks"

    def bring(self, source: str, path: str, *, most: int, announced: int) -> str:
        """Transfer a file once, by the first method that works.

        :param source: path on the host.
        :param path: to write it to; a part of the file may be there after a problem.
        :param most: bytes at which it is cut off.
        :param announced: bytes that it has according to the host.
        :returns: the problem with the first method; empty if there was none.
        :raises StorageError: when the host sent more than that.
        """
        problems = []
        for method in self._methods or ("",):
            if method:
                self._connection.set_option("ssh_transfer_method", method)
            try:
                with no_file_beyond(most + 1):
                    self._connection.fetch_file(self._source(source), path)
            except (AnsibleError, OSError) as error:  # also of a connection that is lost
                self._reconnect()
                self._check(source, path, most=most, announced=announced)
                problems.append(printable(str(error)))
            else:
                self._check(source, path, most=most, announced=announced)
                return ""
        return problems[0]

    def _check(self, source: str, path: str, *, most: int, announced: int) -> None:
        """Make sure that no more has arrived than was to come, and that it is an ordinary file.

        :raises StorageError: when it is more.
        """
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return
        if found.st_size > most:
            os.unlink(path)
            raise StorageError(
                f"{self._whose} sent more than {format_size(most)} for {source}, which it announced with "
                f"{format_size(announced)}; the transfer was cut off. Nothing of that file is kept"
            )
        if found.st_mode & _SPECIAL:  # scp takes these from the host
            os.chmod(path, stat.S_IMODE(found.st_mode) & ~_SPECIAL)

    def _reconnect(self) -> None:
        reset: Callable[[], None] | None = getattr(self._connection, "reset", None)
        if reset is not None:
            try:
                reset()
            except AnsibleError as error:
                self._display.vv(f"{self._whose}: {printable(str(error))}")
