# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs skopeo, and watches it until it ends."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from typing import BinaryIO, Callable

from .._base.deadline import not_done_in_time
from .._base.errors import (
    TransferError,
    WrongBytes,
    printable,
)
from .._base.secrets import Secrets
from .._base.stop import Stop
from .._host.disk_errors import is_out_of_files, reason
from .._host.process import end, has_ended, memory_file, start
from .._http.trust_store import TrustStore
from .._oci.image import PlatformImage, hex_of
from .._oci.reference import Repository
from .._registry.access import Access
from .command import Commands
from .output import last_lines, says_too_much, size_of
from .skopeo_errors import explain
from .version import find_skopeo
from .work import Work

_POLL_SECONDS = 0.05
_LOOK_SECONDS = 1.0
_NOT_RUN = (126, 127)  # what a shell says of a program that it cannot find or run


class Skopeo:
    """Runs skopeo for the copies and questions of one run.

    :ivar commands: its command lines, and what they need beside the options.
    :ivar temporary: where skopeo and GnuPG put temporary files, which need modes and sockets; empty where their own
        choice will do.
    :param stop: set when the run is to end; copies under way are then ended too.
    :param secrets: what no error shows, although skopeo repeats what registries say.
    :param account: returns whose login is sent to a repository, in words; empty where nobody's is, or it is not known.
    """

    def __init__(
        self,
        access: Access,
        work: Work,
        trust: TrustStore,
        *,
        stop: Stop,
        secrets: Secrets,
        account: Callable[[Repository], str] = lambda repository: "",
    ) -> None:
        self.commands = Commands(access, work, trust)
        self.temporary = ""
        self._work = work
        self._stop = stop
        self._secrets = secrets
        self._account = account

    def check(self) -> str:
        """Make sure that skopeo is there and new enough.

        :returns: its path.
        :raises OptionError: says how to get it.
        """
        return find_skopeo(self._work.skopeo_path, self._stop)

    def copy(self, image: PlatformImage, name: str, folder: str, share: str, *, deadline: float) -> None:
        """Copy one platform image into an empty OCI layout whose blobs are shared.

        :param name: ``@DIGEST`` or ``:TAG`` by which its repository is asked for it.
        :param folder: path of the layout; is made by skopeo. Its parent is a directory of this run alone.
        :param share: directory that holds ``sha256/``.
        :param deadline: ``time.monotonic()`` at which the copy is given up.
        :raises TransferError: what went wrong, and whether trying again can help.
        """
        command = self.commands.copy(image, name, folder, share)
        self._run(command, image.repository, lambda: _progress(folder), deadline=deadline)

    def copy_without_layers(self, image: PlatformImage, name: str, directory: str, *, deadline: float) -> None:
        """Copy one platform image into ``layout``, with manifest and configuration in ``share/sha256`` beside it.

        As with any copy, the signature policy is checked first. skopeo takes a layer for present whose name is there,
        and so fetches none.

        :param name: ``@DIGEST`` or ``:TAG`` by which its repository is asked for it.
        :param directory: empty.
        :param deadline: ``time.monotonic()`` at which it is given up.
        :raises TransferError: what went wrong, and whether trying again can help.
        """
        self.copy_without(image.layer_digests, image, name, directory, deadline=deadline)

    def copy_without(
        self, layers: Iterable[str], image: PlatformImage, name: str, directory: str, *, deadline: float
    ) -> str:
        """Copy an image without some of its layers, as :meth:`copy_without_layers` does without any.

        :param layers: digests of those that are not to be fetched.
        :param directory: empty.
        :returns: path of the directory that has the blobs then, by their hex digits; those of the layers are empty.
        :raises TransferError: what went wrong, and whether trying again can help.
        """
        share = os.path.join(directory, "share")
        blobs = os.path.join(share, "sha256")
        os.makedirs(blobs)
        for digest in layers:
            with open(os.path.join(blobs, hex_of(digest)), "xb"):
                pass
        folder = os.path.join(directory, "layout")
        command = self.commands.copy_without_layers(image, name, folder, share)
        self._run(command, image.repository, lambda: _progress(folder), deadline=deadline)
        return blobs

    def manifest(self, repository: Repository, name: str, *, limit: int, deadline: float) -> bytes:
        """Ask for a manifest or index as it is; nothing is checked.

        :param name: ``@DIGEST`` or ``:TAG``.
        :param limit: bytes accepted at most.
        :param deadline: ``time.monotonic()`` at which it is given up.
        :raises TransferError: what went wrong, and whether trying again can help.
        """
        return self._inspect(self.commands.inspect(repository, name, ["--raw"]), repository, limit, deadline)

    def configuration(self, repository: Repository, name: str, *, limit: int, deadline: float) -> bytes:
        """Ask for the configuration of an image that is not an index; see :meth:`manifest`."""
        command = self.commands.inspect(repository, name, ["--config", "--raw"])
        return self._inspect(command, repository, limit, deadline)

    def _inspect(self, command: list[str], repository: Repository, limit: int, deadline: float) -> bytes:
        with memory_file("answer") as answer:
            self._run(command, repository, lambda: size_of(answer), deadline=deadline, output=answer)
            answer.seek(0)
            raw = answer.read(limit + 1)
        if len(raw) > limit:
            raise WrongBytes(f"skopeo: an answer has more than {limit} bytes, which is refused", heals=False)
        return raw

    def _run(
        self,
        command: list[str],
        repository: Repository,
        progress: Callable[[], object],
        *,
        deadline: float,
        output: BinaryIO | None = None,
    ) -> None:
        """Run it to its end.

        :param progress: returns a different value whenever there was progress.
        :param output: takes its standard output.
        """
        with memory_file("skopeo") as errors:
            # Messages in English are the ones that are known here.
            environment = {**os.environ, "LC_ALL": "C"}
            if self.temporary:
                environment["TMPDIR"] = self.temporary
            try:
                process = start(command, errors=errors, environment=environment, output=output)
            except OSError as error:
                raise TransferError(
                    f"skopeo cannot be started: {reason(error)}", heals=is_out_of_files(error)
                ) from error
            try:
                self._watch(process, [errors] if output is None else [errors, output], progress, deadline)
            finally:
                end(process)
            if process.returncode in _NOT_RUN:
                said = printable(last_lines(errors).strip(), 200)
                raise TransferError(f"skopeo_path: {self._work.skopeo_path} cannot be run: {said}", heals=False)
            if process.returncode != 0:
                said, account = self._secrets.hide(last_lines(errors)), self._account(repository)
                raise explain(said, process.returncode, str(repository), repository.stands_for, account=account)

    def _watch(
        self,
        process: subprocess.Popen[bytes],
        outputs: Sequence[BinaryIO],
        progress: Callable[[], object],
        deadline: float,
    ) -> None:
        """Wait for the end; give up at the deadline, at a stop, or when nothing goes on for too long."""
        seen, moved = progress(), time.monotonic()
        looked = moved
        while True:
            if has_ended(process, _POLL_SECONDS):
                return
            now = time.monotonic()
            self._stop.check()
            if any(says_too_much(one) for one in outputs):
                raise TransferError("skopeo writes output without end; is skopeo_path skopeo?", heals=False)
            if now >= deadline:
                raise not_done_in_time()
            if now - looked < min(_LOOK_SECONDS, self._work.stall_timeout / 4):
                continue
            looked, found = now, progress()
            if found != seen:
                seen, moved = found, now
            elif now - moved >= self._work.stall_timeout:
                raise TransferError(f"the transfer stalled: no byte in {self._work.stall_timeout:g} s", heals=True)


def _progress(folder: str) -> tuple[tuple[str, int], ...]:
    """Names and sizes of the files that skopeo is writing (``oci-put-blob*``); any change is progress."""
    found = []
    try:
        for entry in os.scandir(folder):
            try:
                found.append((entry.name, entry.stat(follow_symlinks=False).st_size))
            except FileNotFoundError:
                continue
    except FileNotFoundError:
        pass
    return tuple(sorted(found))
