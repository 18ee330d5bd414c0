# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that take images out of an archive: a containerd of a test's own, podman, buildah, skopeo.

What they keep lies in one folder, which is removed with the block; nothing of the system's is touched. They want root,
or sudo without a password.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TIMEOUT = 300
_UNPRIVILEGED = os.geteuid() != 0

# The plugins that are left out look at the system's networks, or write to /opt.
_CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/containerd.sock"
[ttrpc]
  address = "{folder}/containerd.sock.ttrpc"
"""
_STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{folder}/storage"
runroot = "{folder}/storage-run"
"""
_CONTAINERS = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
static_dir = "{folder}/libpod"
tmp_dir = "{folder}/libpod-tmp"
volume_path = "{folder}/volumes"
"""


class ConsumerError(Exception):
    """A program failed; the text has what it said."""


class Consumers:
    """Programs that find their settings in the environment, so that commands are typed as they are printed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._env: dict[str, str] = {
            "CONTAINERD_ADDRESS": f"{folder}/containerd.sock",
            "CONTAINERD_SNAPSHOTTER": "native",
            "CONTAINERS_CONF": str(self._file("containers.conf", _CONTAINERS)),
            "CONTAINERS_STORAGE_CONF": str(self._file("storage.conf", _STORAGE)),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"],
            # Where an archive is unpacked to be read.
            "TMPDIR": str(folder),
        }

    @property
    def caller(self) -> tuple[str, ...]:
        """The words that a command line begins with."""
        become = ["sudo", "-n"] if _UNPRIVILEGED else []
        return (*become, "env", "-i", *(f"{name}={value}" for name, value in self._env.items()))

    def type(self, command: str, *, cwd: Path | None = None) -> str:
        """Has a shell run a command; returns what it wrote to standard output.

        :raises ConsumerError: it failed
        """
        done = subprocess.run(
            [*self.caller, "bash", "-o", "pipefail", "-c", command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise ConsumerError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def of_containerd(self, namespace: str) -> dict[str, str]:
        """The images of a namespace: the digest of each by its name."""
        listed = self.type(f"ctr --namespace {shlex.quote(namespace)} image ls").splitlines()[1:]
        return {line.split()[0]: re.findall(r"\bsha256:[0-9a-f]{64}\b", line)[-1] for line in listed}

    def content_of_containerd(self, namespace: str) -> set[str]:
        """The digests of all blobs of a namespace."""
        return set(self.type(f"ctr --namespace {shlex.quote(namespace)} content ls --quiet").split())

    def of_podman(self) -> dict[str, str]:
        """The images that podman, buildah and skopeo share: the digest of each by its name."""
        images = json.loads(self.type("podman images --format json"))
        return {name: str(image["Digest"]) for image in images for name in image.get("Names") or [image["Id"]]}

    @contextmanager
    def containerd(self) -> Iterator[None]:
        """It runs until the block ends."""
        config = self._file("containerd.toml", _CONTAINERD)
        command = [*(["sudo", "-n"] if _UNPRIVILEGED else []), "containerd", "--config", str(config)]
        with (self._folder / "containerd.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            # It tries until there is a socket, and gives up at one that nobody listens at yet.
            self.type("for _ in 1 2 3 4 5; do ctr --connect-timeout 60s version && exit; sleep 1; done; exit 1")
            yield
        finally:
            self.type(f"kill {process.pid}")
            process.wait(_TIMEOUT)

    def close(self) -> None:
        """Removes all that they have kept."""
        self.type(f"rm -rf {shlex.quote(str(self._folder))}")

    def _file(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text.format(folder=self._folder), "utf-8")
        return path


@contextmanager
def consumers() -> Iterator[Consumers]:
    """Programs that have kept nothing yet. The path is short, because one of a socket has to be."""
    made = Consumers(Path(tempfile.mkdtemp(prefix="airgap-t", dir="/tmp")))
    try:
        yield made
    finally:
        made.close()
