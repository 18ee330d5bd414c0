# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed host that means harm: its module answers what it likes, its lock files name what they like.

It is a real sshd; its interpreter runs what it is given, and changes the answers. What would be harm is only marked: a
decoy that must not be fetched, files beside the target that must stay as they are.

Each host costs a second, so the test command has the first cases of each kind of harm; the unit tests have all of them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._role import NAME, Site, assert_well, failure, on
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult, run_playbook
from ansible_collections.airgap.images.tests.support.relay import Relay
from ansible_collections.airgap.images.tests.support.workbench import Source

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
        """What of it is on the controller, hidden or not."""
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

    def hosts(self, count: int) -> list[Hostile]:
        return [Hostile(self.site, f"h{number}") for number in range(count)]

    def host(self) -> Hostile:
        return Hostile(self.site, "one")

    def fetch(self, *hosts: Hostile, check: bool = False, **arguments: Any) -> PlaybookResult:
        """Runs a play that fetches the archives, as verbose as it gets without debugging."""
        dest = f"{self.site.media}/{{{{ inventory_hostname }}}}"
        given = {"src": "{{ source }}", "dest": dest, "retries": 0, **arguments}
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


@pytest.fixture
def ground(site: Site) -> Ground:
    return Ground(site)


FOLDERS = ["it's\\here", "../decoy", "decoy", 'a"b\nc']


@pytest.mark.thorough(repeats=True)
def test_a_host_does_not_choose_what_is_asked_for(ground: Ground) -> None:
    """It says that the files are elsewhere, by a path that programs would read in their own ways."""
    folders = FOLDERS if is_full() else FOLDERS[:2]
    hosts = ground.hosts(len(folders))
    for host, folder in zip(hosts, folders):
        host.save({NAME: b"asked for"})
        decoy = host.out / folder
        decoy.mkdir(exist_ok=True)
        host.save({NAME: b"of the decoy"}, into=decoy)
        suffixes = {"lock_file": ".lock.json", "checksum_file": ".sha256"}
        paths = {name: {"path": f"{decoy}/{NAME}{suffix}"} for name, suffix in suffixes.items()}
        path = f"{decoy}/{NAME}"
        host.lie({"found": paths, "dest": path, "path": path, "stat": {"path": path}})
    names = [NAME, f"{NAME}.sha256", f"{NAME}.lock.json"]
    for check in (True, False):
        result = ground.fetch(*hosts, check=check)
        assert_well(result)
        for host in hosts:
            expected = {name: (host.out / name).read_bytes() for name in names}
            assert host.fetched() == ({} if check else expected)
            (said,) = on(result, host.name)
            assert said.data["files"] == [str(host.media / name) for name in names]
        ground.assert_nothing_else()


def test_the_role_does_not_believe_where_an_archive_is(ground: Ground, source: Source) -> None:
    site, host = ground.site, ground.host()
    shutil.rmtree(host.out)
    host.save({NAME: b"of the decoy"}, into=host.decoy)
    path = f"{host.decoy}/{NAME}"
    host.lie({"dest": path, "parts": [{"path": path}], "path": path})
    image = source["oci/gzip:1"]
    result = site.run({"one": host.variables}, site.variables(images=[image.reference], keep_remote_archive=False))
    assert_well(result)
    names = sorted([NAME, f"{NAME}.lock.json", f"{NAME}.sha256"])
    assert sorted(path.name for path in host.decoy.iterdir()) == names, "the role removes what it has asked for"
    assert not [path for path in host.out.iterdir() if path.name.startswith(NAME)]
    lock = json.loads(Path(f"{site.fetched('one')}.lock.json").read_bytes())
    assert [each["reference"] for each in lock["images"]] == [str(image.reference)]
    ground.assert_nothing_else()


def test_the_role_does_not_take_its_variables_from_a_host(ground: Ground, source: Source) -> None:
    """Any module can return facts, and they count for more than the inventory."""
    site = ground.site
    image = source["oci/gzip:1"]
    usual = site.variables(images=[image.reference])
    hosts = ground.hosts(3)
    for host, name in zip(hosts, ("image_save_fetch_dest", "__image_save_local_dir", "image_save_list_files")):
        host.variables.update(usual)
        value = [str(site.folder / "canary" / "precious")] if name.endswith("files") else str(site.folder / "canary")
        host.lie({}, adds={"ansible_facts": {name: value}})
    result = site.run({host.name: host.variables for host in hosts}, {})
    for host in hosts:
        assert "has facts with the names of variables of this role" in failure(result, host.name)
        said = [path for path in host.folder.rglob("*") if path.is_file() and b"precious" in path.read_bytes()]
        assert {path.name for path in said} <= {"lies.json"}, "what is on the controller was sent to the host"
    assert not site.media.exists()
    ground.assert_nothing_else()


LAYOUT_NAMES = [
    f"share/sha256/../../../canary/{SHA}",
    "two\nlines",
    "/canary/precious",
    "../canary/precious",
    f"{SHA}/blobs/sha256/{SHA}",
    f"blobs/sha256/{SHA}",
    f"share/sha256/{SHA.upper()}",
    f"{'٣' * 64}/index.json",
    "it's \\here",
    'of "two words"',
    "\x1b[31mred\u202e",
    "notes.txt",
]
STREAM_NAMES = [
    "../canary/precious",
    "\x1b[31mred\u202e",
    f"{NAME}.part10000",
    f"{NAME}.part٣",
    f"{NAME}.part0'",
    f"{NAME}.part0\\",
    f"{NAME}.part0\n",
    f"{NAME}.lock.json",
]


@pytest.mark.thorough(repeats=True)
def test_a_forged_lock_file_is_refused_before_anything_else_comes(ground: Ground) -> None:
    """Of an archive and of a directory."""
    most = None if is_full() else 2
    cases = [("gzip", name) for name in STREAM_NAMES[:most]] + [("dir", name) for name in LAYOUT_NAMES[:most]]
    hosts = ground.hosts(len(cases))
    for host, (compress, name) in zip(hosts, cases):
        known, archive = (f"{NAME}.part0", NAME) if compress == "gzip" else ("index.json", "images")
        host.source = f"{host.out}/{archive}"
        host.save({known: b"known", name: b"forged"}, compress=compress)
    for check in (True, False):
        result = ground.fetch(*hosts, check=check)
        for host, (_compress, name) in zip(hosts, cases):
            (said,) = on(result, host.name)
            message = str(said.data["msg"])
            assert said.status == "failed" and f"{host.source}.lock.json " in message, f"{name!r}: {message}"
            assert "is not expected in" in message or "is not a valid part name" in message, message
            assert "\n" not in message
            assert host.fetched() == {}, name
        output = f"{result.stdout}{result.stderr}"
        assert "\x1b[31m" not in output and "\u202e" not in output
        ground.assert_nothing_else()


@pytest.mark.thorough(repeats=True)
def test_a_lock_file_of_another_kind_of_archive_is_refused(ground: Ground) -> None:
    kinds = ["zstd", "none", "dir", "it's\x1b[31m"] if is_full() else ["dir", "it's\x1b[31m"]
    hosts = ground.hosts(len(kinds))
    for host, compress in zip(hosts, kinds):
        host.save({"index.json" if compress == "dir" else NAME: b"x"}, compress=compress)
    result = ground.fetch(*hosts)
    for host in hosts:
        assert f"the name {NAME} is that of an archive with compress=gzip" in failure(result, host.name)
        assert host.fetched() == {}
    assert "\x1b[31m" not in f"{result.stdout}{result.stderr}"


@pytest.mark.thorough(repeats=True)
def test_a_transfer_is_cut_off(ground: Ground) -> None:
    """A file has 1 TiB when it is asked for, and had some bytes when it was looked at."""
    ways, suffixes = ("sftp", "scp", "local"), (".lock.json", ".sha256", "")
    cases = list(itertools.product(ways, suffixes)) if is_full() else list(zip(ways, suffixes))
    hosts = ground.hosts(len(cases))
    with Relay(ground.site.hosts.port) as relay:
        for host, (way, suffix) in zip(hosts, cases):
            host.save({NAME: b"small"})
            host.lie({}, grow={host.out / f"{NAME}{suffix}": TIB})
            host.variables["ansible_port"] = relay.port
            name = "ansible_connection" if way == "local" else "ansible_ssh_transfer_method"
            host.variables[name] = way
        result = ground.fetch(*hosts, retries=2)
        # One transfer for each, and what was on its way when it was cut off.
        assert relay.sent < len([way for way, _suffix in cases if way != "local"]) * (LIMIT + 32 * MIB)
    for host, (_way, suffix) in zip(hosts, cases):
        assert f"{host.name} sent more than 64.0 MiB for {host.source}{suffix}, " in failure(result, host.name)
        assert not [data for data in host.fetched().values() if len(data) > MIB]
        assert not [name for name in host.fetched() if not name.startswith(".")]
    ground.assert_nothing_else()


def test_a_bundle_of_small_files_is_what_was_asked_for_or_nothing(ground: Ground) -> None:
    blobs = [f"blob {number}".encode() for number in range(20)]
    parts = {f"share/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in blobs}
    asked = f"images/{list(parts)[5]}".encode()

    def header(name: bytes, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
        info = tarfile.TarInfo(name.decode())
        info.size, info.mode, info.type, info.linkname = len(blobs[5]), 0o644, kind, target
        return info.tobuf(tarfile.GNU_FORMAT)

    outside = b"../../canary/precious"
    lies: list[tuple[dict[bytes, bytes], int, str]] = [
        ({header(asked): header(outside)}, 0, f"found the file '{outside.decode()}'"),
        ({header(asked): header(asked, tarfile.SYMTYPE, "/etc/passwd")}, 0, "found the link 'images/"),
        ({header(asked): header(asked, tarfile.CHRTYPE)}, 0, "found the special file 'images/"),
        ({blobs[5]: b"forged"}, 0, ""),
        ({}, TIB, " sent more than 2"),
    ]
    hosts = ground.hosts(len(lies))
    with Relay(ground.site.hosts.port) as relay:
        for host, (forge, length, _said) in zip(hosts, lies):
            host.source = f"{host.out}/images"
            host.save(parts, compress="dir")
            host.lie({}, forge=forge, length=length)
            host.variables["ansible_port"] = relay.port
        result = ground.fetch(*hosts)
        assert relay.sent < 32 * MIB
    for host, (_forge, _length, said) in zip(hosts, lies):
        if said:
            assert said in failure(result, host.name)
            assert not [name for name in host.fetched() if not name.startswith(".")]
        else:  # what has another sha256 comes again, by itself
            assert {f"images/{name}": data for name, data in parts.items()}.items() <= host.fetched().items()
        assert {path.name for path in host.media.rglob("*") if path.is_symlink()} <= {"blobs"}
    ground.assert_nothing_else()


def test_whatever_a_host_answers_is_told_in_a_sentence(ground: Ground) -> None:
    answers: dict[str, dict[str, Any]] = {
        "h0": {"found": "\x1b[31m"},
        "h1": {"found": {"lock_file": {"size": LIMIT + 1}}},
        "h2": {"found": {"lock_file": {"sha256": f"{SHA}\n"}}},
    }
    hosts = ground.hosts(len(answers))
    for host in hosts:
        host.save({NAME: b"x"})
        host.lie(answers[host.name])
    result = ground.fetch(*hosts)
    assert "cannot inspect h0: no reason was given" in failure(result, "h0")
    assert f"{NAME}.lock.json on h1 has 64.0 MiB; " in failure(result, "h1")
    assert "unexpected answer from h2" in failure(result, "h2")
    assert "\x1b[31m" not in f"{result.stdout}{result.stderr}"
    assert not ground.site.media.exists()


def test_a_home_is_where_the_transfer_begins(ground: Ground) -> None:
    """Also where its next directory looks like an option."""
    home = Path(os.path.expanduser(f"~{ground.site.hosts.user}"))
    folder = home / f"-v{os.getpid()}"
    folder.mkdir()
    try:
        hosts = ground.hosts(2)
        for host, way in zip(hosts, ("sftp", "scp")):
            host.source = f"~/{folder.name}/{NAME}"
            host.save({NAME: b"at home"}, into=folder)
            host.lie({"found": {"lock_file": {"path": f"{host.decoy}/{NAME}.lock.json"}}})
            host.variables["ansible_ssh_transfer_method"] = way
        assert_well(ground.fetch(*hosts))
        assert [host.fetched()[NAME] for host in hosts] == [b"at home"] * 2
    finally:
        shutil.rmtree(folder)


UNUSABLE: list[tuple[str, str]] = [
    ("dest", "/srv/it's.tar.gz"),
    ("fetch_dest", "/media/a\nb"),
    ("failed_list", '/srv/"a".txt'),
    ("dest", "/srv/back\\slash.tar.gz"),
    ("dest", "/srv/$HOME.tar.gz"),
]


@pytest.mark.thorough(repeats=True)
def test_the_role_refuses_paths_before_it_saves(ground: Ground) -> None:
    """What no transfer can carry, and a home that would be another one for the transfer."""
    site = ground.site
    usual = site.variables(images=["localhost:1/a:1"])
    unusable = UNUSABLE if is_full() else UNUSABLE[:3]
    hosts = ground.hosts(len(unusable) + 1)
    for host, (variable, value) in zip(hosts, unusable):
        host.variables.update({**usual, f"image_save_{variable}": value})
    hosts[-1].variables.update({**usual, "image_save_dest": f"~/out/{NAME}", "ansible_become": True})
    result = site.run({host.name: host.variables for host in hosts}, {})
    for host, (variable, _value) in zip(hosts, unusable):
        assert f"image_save_{variable}: " in failure(result, host.name)
    assert "give an absolute path" in failure(result, hosts[-1].name)
    assert "airgap.images.image_save" not in [each.action for each in result.tasks]
