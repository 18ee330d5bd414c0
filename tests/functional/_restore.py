# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of the tests of the restore script: archives of each kind, and shells that have few programs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock
from ansible_collections.airgap.images.plugins.module_utils._report.restore import restore_script
from ansible_collections.airgap.images.tests.support.archive import ROOT, SHARE, read_archive
from ansible_collections.airgap.images.tests.support.push import PushedImage
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.workbench import Workbench

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
# More than POSIX's; tcsh, which is none, cannot read it.
LOGIN_SHELLS = {"ksh": ["ksh93"], "mksh": ["mksh"], "zsh": ["zsh"]}
_CALLED = {**SHELLS, **LOGIN_SHELLS, "tcsh": ["tcsh"]}
KINDS = ("gzip", "gzip in parts", "zstd", "zstd in parts", "none", "none in parts", "dir")
PAIR_KINDS = ("gzip in parts", "zstd", "none", "dir")
SAVED = ("oci/index:1", "docker/single:1", "charts/app:1.2.3", "oci/plain:1", "oci/many-layers:1")
"""The images of the archives that all tests share."""

NEEDED = ("sha256sum", "cat", "mkdir", "mv", "rm", "ln")
TIMEOUT = 600.0

_MORE = {"gzip": ("tar", "gzip"), "zstd": ("tar", "zstd"), "none": ("tar",), "dir": ()}
_APPLETS = frozenset({"cat", "gzip", "ln", "mkdir", "mv", "rm", "sha256sum", "tar"})


def save_kind(bench: Workbench, images: Sequence[str | PushedImage], dest: Path, kind: str, **params: Any) -> Path:
    """Saves an archive of one of ``KINDS``; returns its path with the suffix of its kind."""
    compress, _, parts = kind.partition(" in ")
    if parts:
        params["part_size"] = 16 * 1024
    result = bench.save(images, dest=dest, compress=compress, env={"HOME": str(bench.directory)}, **params)
    assert not result.failed, result.msg
    dest = Path(result["dest"])
    assert script_of(dest).read_bytes() == script_for(dest)
    return dest


def site_commands(commands: list[str], registry: Registry) -> str:
    """The commands that the script prints, for a registry without TLS."""
    text = "\n".join(line for line in commands if "hangar" not in line and " && tar " not in line)
    assert text.count("skopeo copy --all --preserve-digests ") == 2
    return text.replace("skopeo copy", "skopeo --insecure-policy copy -q --dest-tls-verify=false").replace(
        "docker://REGISTRY/", f"docker://{registry.host}/"
    )


def script_for(dest: Path) -> bytes:
    """The expected restore script of an archive."""
    lock = read_lock(Path(f"{dest}.lock.json").read_bytes(), path=f"{dest}.lock.json")
    return restore_script(dest.name, lock)


def script_of(dest: Path) -> Path:
    """The restore script beside an archive."""
    return dest.with_name(f"{dest.name}.restore.sh")


def content(place: Path) -> dict[str, tuple[str, str, str]]:
    """The members of an archive, or of a directory of unpacked files: kind, target and sha256 by name."""
    return {member.name: (member.kind, member.target, member.sha256) for member in read_archive(place).members}


def kind_of(dest: Path) -> str:
    """``compress`` of an archive."""
    return str(json.loads(Path(f"{dest}.lock.json").read_bytes())["options"]["compress"])


def programs(folder: Path, kind: str, shell: str = "dash", *, without: Sequence[str] = ()) -> Path:
    """A folder for PATH that has just what a script for this kind says it needs; busybox has its own of most.

    What POSIX wants built in, or there in any case, mksh has not: printf.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*NEEDED, *_MORE[kind], *(("printf",) if shell == "mksh" else ())):
        real = shutil.which("busybox" if shell == "busybox" and name in _APPLETS else name)
        assert real is not None, f"{name} is not installed here"
        if name not in without:
            (folder / name).symlink_to(real)
    return folder


def replace(folder: Path, name: str, text: str) -> None:
    """Puts a program, in Python, in place of one of a folder; ``REAL`` is the path of the one it replaces."""
    path = folder / name
    real = path.resolve()
    path.unlink()
    call = f"[{str(real)!r}]" if real.name != "busybox" else f"[{str(real)!r}, {name!r}]"
    path.write_text(f"#!{sys.executable}\nimport os, subprocess, sys\nREAL = {call}\n{text}", encoding="utf-8")
    path.chmod(0o755)


@dataclass(frozen=True)
class Ran:
    """How a script ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def commands(self) -> list[str]:
        """The lines that it says one could type next."""
        return [line[2:] for line in self.out.splitlines() if line.startswith("  ")]


def command_of(dest: Path, *arguments: str | Path, by: str = "dash", script: str | Path = "") -> list[str]:
    """The command line that calls the script of an archive, with the shell by its path."""
    program, *options = _CALLED[by]
    real = shutil.which(program)
    assert real is not None, f"{program} is not installed here"
    return [real, *options, str(script or script_of(dest)), *map(str, arguments)]


def run(
    dest: Path,
    *arguments: str | Path,
    by: str = "dash",
    path: Path | None = None,
    cwd: Path | None = None,
    script: str | Path = "",
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Calls the script of an archive.

    :param path: of the only programs that there are.
    :param script: how it is called, where that is not its own path.
    """
    done = subprocess.run(
        command_of(dest, *arguments, by=by, script=script),
        env={"PATH": str(path or os.environ["PATH"]), **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


# Half of what it reads goes on at once; then it says so, and the rest comes as from a medium that is very slow.
SLOW = """
data = sys.stdin.buffer.read()
half = len(data) // 2
sys.stdout.buffer.write(data[:half])
sys.stdout.buffer.flush()
open(os.environ["STARTED"], "w").close()
import time
for at in range(half, len(data), 10):
    time.sleep(0.02)
    sys.stdout.buffer.write(data[at : at + 10])
    sys.stdout.buffer.flush()
"""


def _as_from_a_terminal() -> None:
    """Undo that signals are ignored, as in the background: what is ignored when a shell begins, it cannot trap."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def started(dest: Path, *arguments: str | Path, by: str, path: Path, fifo: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A script that runs, once a program of it that is :data:`SLOW` has begun; all of it ends with the block."""
    os.mkfifo(fifo)
    process = subprocess.Popen(
        command_of(dest, *arguments, by=by),
        env={"PATH": str(path), "STARTED": str(fifo)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_as_from_a_terminal,
    )
    try:
        with fifo.open("rb") as pipe:  # waits for somebody to open the other end
            assert pipe.read() == b""
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def unpacked(target: Path) -> dict[str, tuple[str, str, str]]:
    """The content of a directory that a script has unpacked to, which has to be nothing else."""
    assert os.listdir(target) == [ROOT]
    return content(target)


def tar_files(path: Path) -> dict[str, str]:
    """The sha256 of each file of a tar, which must hold directories and regular files only; each name once."""
    found: dict[str, str] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            assert member.isdir() or member.isreg(), f"{member.name} is neither file nor directory"
            if member.isreg():
                file = tar.extractfile(member)
                assert file is not None and member.name not in found
                found[member.name] = f"sha256:{hashlib.sha256(file.read()).hexdigest()}"
    return found


def tar_of(dest: Path) -> dict[str, str]:
    """The expected content of the tar of an archive: the layout of the whole, its blobs in a directory of that name."""
    inside = {name: sha256 for name, (kind, _target, sha256) in content(dest).items() if kind == "file"}
    blobs = {f"blobs/sha256/{name.rpartition('/')[2]}": each for name, each in inside.items() if name.startswith(SHARE)}
    return {**blobs, **{name: inside[f"{ROOT}/{name}"] for name in ("index.json", "oci-layout")}}
