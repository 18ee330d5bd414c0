# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that cannot be reached: given up as a whole, so that a list of thousands does not try each image."""

from __future__ import annotations

import threading

from .._base.errors import ConnectionRefused, ProxyLoginRefused, TransferError

_ENOUGH = 5


class Outages:
    """Counts, for each registry, the images in a row that ended because connections were refused.

    An image is named by its reference, as all of its transfers may end so. An answer of the registry, whatever it says,
    ends the row. A proxy that refuses the login on the way to it is enough at once.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._rows: dict[str, set[str]] = {}
        self._given_up: dict[str, TransferError] = {}

    def check(self, registry: str) -> None:
        """:raises TransferError: when the registry was given up."""
        with self._mutex:
            if registry in self._given_up:
                raise self._given_up[registry]

    def give_up(self, registry: str, error: TransferError) -> None:
        """Ask a registry nothing more.

        :param error: why; the first one counts.
        """
        with self._mutex:
            self._given_up.setdefault(registry, error)

    def answered(self, registry: str) -> None:
        """The registry has said something."""
        with self._mutex:
            self._rows.pop(registry, None)

    def ended(self, registry: str, reference: str, error: TransferError) -> TransferError:
        """An image ended.

        :param error: why.
        :returns: the reason to give for it; another one where its registry was given up while it was tried.
        """
        with self._mutex:
            given_up = self._given_up.get(registry)
            if isinstance(error, ProxyLoginRefused):
                self._given_up[registry] = error
            if not isinstance(error, ConnectionRefused):
                return error
            row = self._rows.setdefault(registry, set())
            if given_up is not None and reference not in row:
                return given_up
            row.add(reference)
            if len(row) >= _ENOUGH and given_up is None:
                self._given_up[registry] = TransferError(
                    f"{registry} was given up: the last {_ENOUGH} images that it was asked for ended with a refused "
                    "connection, and it answered nothing between. Check its name and port, then run again",
                    heals=False,
                    is_final=True,
                )
            return error
