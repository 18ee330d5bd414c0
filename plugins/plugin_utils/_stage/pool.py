# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists that all hosts of one call of the role have read, and their shares of the images.

It is kept in files of the controller and not in variables of the hosts, so that it is worked out once: if each host
collected the lists of all others from their variables, the time of a play would grow with the square of their number.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._host.files import put_whole
from ansible_collections.airgap.images.plugins.plugin_utils._lists.selection import (
    Chosen,
    Source,
    choose,
    compile_choice,
)

ShareOut = Callable[[Sequence[str]], "dict[str, list[str]]"]
"""Takes the lines of all hosts, and returns those of each."""

_LOCK = "set.lock.json"


class Pool:
    """The lists of one call.

    :param folder: private to this run of Ansible, and removed with it.
    :param call: what only the hosts of this call have in common.
    """

    def __init__(self, folder: str, call: str) -> None:
        self._folder = os.path.join(folder, f"image-save-{_name(call)}")

    def beside(self, name: str) -> str:
        """Return the path of another file of this call."""
        return os.path.join(self._folder, name)

    def put(self, host: str, sources: Sequence[Source]) -> None:
        """Keep what a host has read."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        put_whole(
            self._of(host), json.dumps([[source.name, source.text, source.places] for source in sources]).encode()
        )

    def keep_lock(self, raw: bytes) -> None:
        """Keep the lock file of the set as it is before this call, as fetching removes it. Only the first one is kept.

        :raises OSError: when it cannot be written.
        """
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        path = self.beside(_LOCK)
        if not os.path.exists(path):
            put_whole(path, raw, by=f"{path}.{os.getpid()}")

    def kept_lock(self) -> bytes:
        """Return the lock file that was kept; empty if there was none."""
        with suppress(FileNotFoundError), open(self.beside(_LOCK), "rb") as file:
            return file.read()
        return b""

    def share(
        self,
        hosts: Sequence[str],
        running: Sequence[str],
        *,
        include: Sequence[str],
        exclude: Sequence[str],
        share_out: ShareOut,
    ) -> str:
        """Choose from the lists of all hosts, and share the rest out. This is done once, whatever fails meanwhile.

        :param hosts: all hosts of the set, which get a share each.
        :param running: those of them that have not failed.
        :param include: see :func:`_lists.selection.compile_choice`.
        :param exclude: see there.
        :param share_out: shares the rest out; called by the first host that comes here.
        :returns: path of the file that :func:`read_shares` reads.
        :raises OptionError: when a host has not read its lists, or an expression is invalid.
        """
        late = [host for host in running if not os.path.exists(self._of(host))]
        if late:
            raise OptionError(
                f"image_save_distribute: {', '.join(late)} did not read any list. All hosts of the play have to run "
                "this role at the same time: with the strategy linear, and without conditions that leave some of them "
                "out."
            )
        # Not of those that run: while the first hosts stage their lists, one may fail, and the last ones see fewer.
        key = _name(json.dumps([[*hosts], [*include], [*exclude]]))
        path = os.path.join(self._folder, f"shares-{key}.json")
        with open(f"{path}.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # held by another host of this call, for as long as this takes
            if not os.path.exists(path):
                sources = dict.fromkeys(source for host in running for source in self._read(host))
                chosen = choose([*sources], compile_choice(include, exclude))
                shares = share_out(chosen.lines)
                put_whole(path, json.dumps({"chosen": asdict(chosen), "shares": shares}).encode())
        return path

    def _of(self, host: str) -> str:
        return os.path.join(self._folder, f"{_name(host)}.json")

    def _read(self, host: str) -> list[Source]:
        with open(self._of(host), "rb") as file:
            return [Source(name, text, tuple(places)) for name, text, places in json.load(file)]


def read_shares(path: str) -> tuple[Chosen, dict[str, list[str]]]:
    """Read what :meth:`Pool.share` has written: the choice from all lists, and the lines of each host."""
    with open(path, "rb") as file:
        document = json.load(file)
    return Chosen(**document["chosen"]), document["shares"]


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
