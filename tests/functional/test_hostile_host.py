# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed host that means harm: its module answers what it likes, its lock files name what they like.

It is a real sshd; its interpreter runs what it is given, and changes the answers. What would be harm is only marked: a
decoy that must not be fetched, files beside the target that must stay as they are.

All hosts are in one play. Each costs a second, so the test command has the first cases of each kind of harm; the unit
tests have all of them.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._hostile_host import LIMIT, MIB, SHA, TIB, Ground, Hostile
from ansible_collections.airgap.images.tests.functional._role import NAME, Site, failure, on
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult
from ansible_collections.airgap.images.tests.support.relay import Relay
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts

FOLDERS = ["it's\\here", "../decoy", "decoy", 'a"b\nc']
NAMES = [NAME, f"{NAME}.sha256", f"{NAME}.lock.json"]
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
ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"found": "\x1b[31m"}, "cannot inspect HOST: no reason was given"),
    ({"found": {"lock_file": {"size": LIMIT + 1}}}, f"{NAME}.lock.json on HOST has 64.0 MiB; "),
    ({"found": {"lock_file": {"sha256": f"{SHA}\n"}}}, "unexpected answer from HOST"),
]
"""Answers of a host, and the message about each."""

BLOBS = [f"blob {number}".encode() for number in range(20)]
BUNDLE = {f"share/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in BLOBS}


def cases(few: int, every: Sequence[Any]) -> list[Any]:
    """The first cases, or all."""
    return list(every if is_full() else every[:few])


def elsewhere(ground: Ground) -> Iterator[tuple[Hostile, str]]:
    """It says that the files are elsewhere, by a path that programs would read in their own ways."""
    for folder in cases(1, FOLDERS):
        host = ground.host()
        host.save({NAME: b"asked for"})
        decoy = host.out / folder
        decoy.mkdir(exist_ok=True)
        host.save({NAME: b"of the decoy"}, into=decoy)
        suffixes = {"lock_file": ".lock.json", "checksum_file": ".sha256"}
        paths = {name: {"path": f"{decoy}/{NAME}{suffix}"} for name, suffix in suffixes.items()}
        path = f"{decoy}/{NAME}"
        host.lie({"found": paths, "dest": path, "path": path, "stat": {"path": path}})
        yield host, folder


def forged_locks(ground: Ground) -> Iterator[tuple[Hostile, str]]:
    """Its lock file names something else, of an archive and of a directory."""
    forged = [("gzip", name) for name in cases(1, STREAM_NAMES)] + [("dir", name) for name in cases(1, LAYOUT_NAMES)]
    for compress, name in forged:
        host = ground.host()
        known, archive = (f"{NAME}.part0", NAME) if compress == "gzip" else ("index.json", "images")
        host.source = f"{host.out}/{archive}"
        host.save({known: b"known", name: b"forged"}, compress=compress)
        yield host, name


def other_kinds(ground: Ground) -> Iterator[tuple[Hostile, str]]:
    """Its lock file is of another kind of archive."""
    for compress in cases(1, ["it's\x1b[31m", "dir", "zstd", "none"]):
        host = ground.host()
        host.save({"index.json" if compress == "dir" else NAME: b"x"}, compress=compress)
        yield host, compress


def growing(ground: Ground, relay: Relay) -> Iterator[tuple[Hostile, tuple[str, str]]]:
    """A file has 1 TiB when it is asked for, and had some bytes when it was looked at."""
    ways, suffixes = ("sftp", "scp", "local"), (".lock.json", ".sha256", "")
    for way, suffix in itertools.product(ways, suffixes) if is_full() else (("sftp", ".lock.json"), ("local", "")):
        host = ground.host()
        host.save({NAME: b"small"})
        host.lie({}, grow={host.out / f"{NAME}{suffix}": TIB})
        name = "ansible_connection" if way == "local" else "ansible_ssh_transfer_method"
        host.variables.update({"ansible_port": relay.port, name: way, "again": 2})
        yield host, (way, suffix)


def forged_bundles(ground: Ground, relay: Relay) -> Iterator[tuple[Hostile, str]]:
    """A bundle of small files has something else in it; with what is said of it, nothing where it comes again."""
    asked = f"images/{list(BUNDLE)[5]}".encode()
    outside = b"../../canary/precious"
    lies: list[tuple[dict[bytes, bytes], int, str]] = [
        ({_header(asked): _header(outside)}, 0, f"found the file '{outside.decode()}'"),
        ({_header(asked): _header(asked, tarfile.SYMTYPE, "/etc/passwd")}, 0, "found the link 'images/"),
        ({_header(asked): _header(asked, tarfile.CHRTYPE)}, 0, "found the special file 'images/"),
        ({BLOBS[5]: b"forged"}, 0, ""),
        ({}, TIB, " sent more than 2"),
    ]
    for forge, length, said in lies if is_full() else [lies[0], *lies[-2:]]:
        host = ground.host()
        host.source = f"{host.out}/images"
        host.save(BUNDLE, compress="dir")
        host.lie({}, forge=forge, length=length)
        host.variables["ansible_port"] = relay.port
        yield host, said


def _header(name: bytes, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    info = tarfile.TarInfo(name.decode())
    info.size, info.mode, info.type, info.linkname = len(BLOBS[5]), 0o644, kind, target
    return info.tobuf(tarfile.GNU_FORMAT)


def strange_answers(ground: Ground) -> Iterator[tuple[Hostile, str]]:
    for answer, said in cases(2, ANSWERS):
        host = ground.host()
        host.save({NAME: b"x"})
        host.lie(answer)
        yield host, said.replace("HOST", host.name)


def at_home(ground: Ground, folder: Path) -> Iterator[tuple[Hostile, str]]:
    """Below a home, in a directory that looks like an option."""
    for way in cases(1, ("sftp", "scp")):
        host = ground.host()
        host.source = f"~/{folder.name}/{NAME}"
        host.save({NAME: b"at home"}, into=folder)
        host.lie({"found": {"lock_file": {"path": f"{host.decoy}/{NAME}.lock.json"}}})
        host.variables["ansible_ssh_transfer_method"] = way
        yield host, way


@dataclass(frozen=True)
class Harm:
    """The play, and one in check mode; the hosts of each kind of harm, each with what is special about it.

    :ivar sent: Bytes that came from hosts whose files grow, and from those with bundles.
    """

    ground: Ground
    hosts: Mapping[str, Sequence[tuple[Hostile, Any]]]
    foreseen: PlaybookResult
    done: PlaybookResult
    sent: Mapping[str, int]


@pytest.fixture(scope="module")
def harm(ssh_hosts: SshHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harm]:
    folder = tmp_path_factory.mktemp("harm")
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("HOME", str(folder / "home"))
        site = Site(ssh_hosts, folder / "work")
        stack.callback(site.close)
        ground = Ground(site)
        relays = {name: stack.enter_context(Relay(ssh_hosts.port)) for name in ("growing", "bundles")}
        option = Path(os.path.expanduser(f"~{ssh_hosts.user}"), f"-v{os.getpid()}")
        option.mkdir()
        stack.callback(shutil.rmtree, option)
        hosts: dict[str, list[tuple[Hostile, Any]]] = {
            "elsewhere": list(elsewhere(ground)),
            "locks": list(forged_locks(ground)),
            "kinds": list(other_kinds(ground)),
            "growing": list(growing(ground, relays["growing"])),
            "bundles": list(forged_bundles(ground, relays["bundles"])),
            "answers": list(strange_answers(ground)),
            "home": list(at_home(ground, option)),
        }
        foreseen = ground.fetch(*(host for kind in ("elsewhere", "locks") for host, _case in hosts[kind]), check=True)
        made = list(site.media.rglob("*"))
        done = ground.fetch(*(host for kind in hosts.values() for host, _case in kind))
        assert made == [], "check mode has fetched something"
        yield Harm(ground, hosts, foreseen, done, {name: relay.sent for name, relay in relays.items()})


def assert_host_well(result: PlaybookResult, host: Hostile) -> None:
    assert [each.status for each in on(result, host.name)] == ["ok"], f"{result.stdout}\n{result.stderr}"


def test_nothing_happens_to_the_controller(harm: Harm) -> None:
    harm.ground.assert_nothing_else()
    for result in (harm.foreseen, harm.done):
        output = f"{result.stdout}{result.stderr}"
        assert "\x1b[31m" not in output and "\u202e" not in output


@pytest.mark.thorough(repeats=True)
def test_a_host_does_not_choose_what_is_asked_for(harm: Harm) -> None:
    for result in (harm.foreseen, harm.done):
        for host, _folder in harm.hosts["elsewhere"]:
            assert_host_well(result, host)
            (said,) = on(result, host.name)
            assert said.data["files"] == [str(host.media / name) for name in NAMES]
    for host, _folder in harm.hosts["elsewhere"]:
        assert host.fetched() == {name: (host.out / name).read_bytes() for name in NAMES}


@pytest.mark.thorough(repeats=True)
def test_a_forged_lock_file_is_refused_before_anything_else_comes(harm: Harm) -> None:
    for result in (harm.foreseen, harm.done):
        for host, name in harm.hosts["locks"]:
            (said,) = on(result, host.name)
            message = str(said.data["msg"])
            assert said.status == "failed" and f"{host.source}.lock.json " in message, f"{name!r}: {message}"
            assert "is not expected in" in message or "is not a valid part name" in message, message
            assert "\n" not in message
            assert host.fetched() == {}, name


@pytest.mark.thorough(repeats=True)
def test_a_lock_file_of_another_kind_of_archive_is_refused(harm: Harm) -> None:
    for host, _compress in harm.hosts["kinds"]:
        assert f"the name {NAME} is that of an archive with compress=gzip" in failure(harm.done, host.name)
        assert host.fetched() == {}


@pytest.mark.thorough(repeats=True)
def test_a_transfer_is_cut_off(harm: Harm) -> None:
    hosts = harm.hosts["growing"]
    # One transfer for each, and what was on its way when it was cut off.
    assert harm.sent["growing"] < len([way for _host, (way, _) in hosts if way != "local"]) * (LIMIT + 32 * MIB)
    for host, (_way, suffix) in hosts:
        assert f"{host.name} sent more than 64.0 MiB for {host.source}{suffix}, " in failure(harm.done, host.name)
        assert not [data for data in host.fetched().values() if len(data) > MIB]
        assert not [name for name in host.fetched() if not name.startswith(".")]


@pytest.mark.thorough(repeats=True)
def test_a_bundle_of_small_files_is_what_was_asked_for_or_nothing(harm: Harm) -> None:
    assert harm.sent["bundles"] < 32 * MIB
    for host, said in harm.hosts["bundles"]:
        if said:
            assert said in failure(harm.done, host.name)
            assert not [name for name in host.fetched() if not name.startswith(".")]
        else:  # what has another sha256 comes again, by itself
            assert {f"images/{name}": data for name, data in BUNDLE.items()}.items() <= host.fetched().items()
        assert {path.name for path in host.media.rglob("*") if path.is_symlink()} <= {"blobs"}


@pytest.mark.thorough(repeats=True)
def test_whatever_a_host_answers_is_told_in_a_sentence(harm: Harm) -> None:
    for host, said in harm.hosts["answers"]:
        assert said in failure(harm.done, host.name)
        assert not host.media.exists()


@pytest.mark.thorough(repeats=True)
def test_a_home_is_where_the_transfer_begins(harm: Harm) -> None:
    """Also where its next directory looks like an option."""
    for host, _way in harm.hosts["home"]:
        assert_host_well(harm.done, host)
        assert host.fetched()[NAME] == b"at home"
