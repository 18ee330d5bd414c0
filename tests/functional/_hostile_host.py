# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed hosts that mean harm: an interpreter that lies, and what may not happen to a controller."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._role import NAME, Site
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult, run_playbook

MIB = 1024 * 1024
LIMIT = 64 * MIB
TIB = 1024 * 1024 * MIB
SHA = "ab" * 32

# Runs what it is given. Of the answer, what ``lies.json`` names is replaced; files that it names grow afterwards.
LIAR = """#!/usr/bin/python3
import glob, json, os, subprocess, sys

done = subprocess.run(["/usr/bin/python3", *sys.argv[1:]], stdout=subprocess.PIPE)
lies = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lies.json"), encoding="utf-8"))


def lie(said, lies):
    for name, value in lies.items():
        if name in said:
            nested = isinstance(value, dict) and isinstance(said[name], dict)
            said[name] = lie(said[name], value) if nested else value
    return said


try:
    print(json.dumps({**lie(json.loads(done.stdout), lies["answers"]), **lies["adds"]}))
except ValueError:
    sys.stdout.buffer.write(done.stdout)
for path in glob.glob(os.path.join(lies["folder"], "remote", "*", "*.tar")):
    with open(path, "rb") as file:
        raw = file.read()
    for old, new in lies["forge"].items():
        raw = raw.replace(bytes.fromhex(old), bytes.fromhex(new))
    with open(path, "wb") as file:
        file.write(raw)
        file.truncate(max(len(raw), lies["length"]))
for path, size in lies["grow"].items():
    os.truncate(path, size)
sys.exit(done.returncode)
"""


class Hostile:
    """One host with an archive, a decoy elsewhere, and an interpreter that lies."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self.name = name
        self.variables = site.inventory(name)[name]
        self.folder = site.on_host(name)
        self.out, self.decoy = self.folder / "out", self.folder / "decoy"
        for folder in (self.out, self.decoy):
            folder.mkdir()
        self.media = site.media / name
        self.source = f"{self.out}/{NAME}"

    def lie(
        self,
        answers: Mapping[str, Any],
        *,
        adds: Mapping[str, Any] | None = None,
        grow: Mapping[Path, int] | None = None,
        forge: Mapping[bytes, bytes] | None = None,
        length: int = 0,
    ) -> None:
        """Has the host answer this from now on, where it answers anything of that name.

        :param adds: what it adds to each answer.
        :param grow: sizes of files once they were looked at.
        :param forge: bytes to be replaced in a bundle of small files.
        :param length: bytes that the bundle has at least.
        """
        liar = self.folder / "liar"
        liar.write_text(LIAR, encoding="utf-8")
        liar.chmod(0o755)
        sizes = {str(path): size for path, size in (grow or {}).items()}
        forged = {old.hex(): new.hex() for old, new in (forge or {}).items()}
        lies = {"answers": answers, "adds": adds or {}, "grow": sizes, "forge": forged, "length": length}
        lies["folder"] = str(self.folder)
        (self.folder / "lies.json").write_text(json.dumps(lies), encoding="utf-8")
        for path in grow or {}:
            path.chmod(0o666)
        self.variables["ansible_python_interpreter"] = str(liar)
        self.variables["ansible_remote_tmp"] = f"{self.folder}/remote"

    def save(self, parts: Mapping[str, bytes], *, into: Path | None = None, compress: str = "gzip") -> None:
        """Writes an archive whose lock file names these parts, whatever they are called."""
        folder = into or self.out
        name = os.path.basename(self.source)
        sums = {part: hashlib.sha256(data).hexdigest() for part, data in parts.items()}
        for part, data in parts.items():
            if "/" not in part:
                (folder / part).write_bytes(data)
            elif part.startswith("share/sha256/") and part[len("share/sha256/") :] == sums[part]:
                (folder / name / part).parent.mkdir(parents=True, exist_ok=True)
                (folder / name / part).write_bytes(data)
        lock = {
            "version": 1,
            "options": {"compress": compress},
            "images": [],
            "parts": [{"name": part, "size": len(data), "sha256": sums[part]} for part, data in parts.items()],
        }
        lines = "".join(f"{sums[part]}  {part}\n" for part in parts)
        (folder / f"{name}.sha256").write_text(lines, encoding="utf-8")
        (folder / f"{name}.lock.json").write_text(json.dumps(lock), encoding="utf-8")

    def fetched(self) -> dict[str, bytes]:
        """Return those of its files that are on the controller, hidden or not."""
        return {
            str(path.relative_to(self.media)): path.read_bytes() for path in self.media.rglob("*") if path.is_file()
        }


class Ground:
    """A controller with something precious beside the target, and its hosts."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._precious = site.folder / "canary" / "precious"
        self._precious.parent.mkdir()
        self._precious.write_bytes(b"precious")
        self._count = 0

    def hosts(self, count: int) -> list[Hostile]:
        return [self.host() for _number in range(count)]

    def host(self) -> Hostile:
        self._count += 1
        return Hostile(self.site, f"h{self._count}")

    def fetch(self, *hosts: Hostile, check: bool = False) -> PlaybookResult:
        """Runs a play that fetches the archives, as verbose as it gets without debugging."""
        dest = f"{self.site.media}/{{{{ inventory_hostname }}}}"
        given = {"src": "{{ source }}", "dest": dest, "retries": "{{ again | default(0) }}"}
        # For a list that is missing, the interpreter is asked, and not the shell, which does not lie here.
        given["failed_list"] = "{{ source }}-failed.txt"
        task = {"name": "Fetch", "airgap.images.image_fetch": given}
        play = {"name": "Play", "hosts": "all", "gather_facts": False, "tasks": [task]}
        inventory = {host.name: {**host.variables, "source": host.source} for host in hosts}
        options = ["-vv", "--forks", "20", *(["--check"] if check else [])]
        return run_playbook([play], inventory=inventory, env=self.site.hosts.env, options=options)

    def assert_nothing_else(self) -> None:
        """Beside the target nothing was made, changed or removed on the controller."""
        assert {path.name for path in self.site.folder.iterdir()} <= {"canary", "media", "sources"}
        assert [path.name for path in self._precious.parent.iterdir()] == ["precious"]
        assert self._precious.read_bytes() == b"precious"
