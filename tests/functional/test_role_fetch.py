# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from the host to the controller: interrupted, damaged, dropped, too large."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import traffic
from ansible_collections.airgap.images.tests.functional._role import (
    JOB,
    NAME,
    Site,
    assert_well,
    failure,
)
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.faults import Hold, Rule
from ansible_collections.airgap.images.tests.support.playbook import run_playbook, start_playbook
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.relay import Relay
from ansible_collections.airgap.images.tests.support.samples import big
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

MIB = 1024 * 1024
GIB = 1024 * MIB
# Far more than what a run may hold in memory for it.
LARGE = 64 * MIB

# Runs a command and writes the largest resident size of any of its processes, in KiB.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as out:
    out.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def test_a_fetch_that_was_killed_goes_on_with_what_is_missing(registry: Registry, site: Site) -> None:
    image = push(registry, "team/large", "1", big(60, [3_400_000]))
    variables = site.variables(images=[image.reference], part_size=MIB)
    media = site.media / "one"

    with Relay(site.hosts.port) as relay:
        inventory = site.inventory("one", port=relay.port)
        # The first part is there, and a half of the second.
        relay.stall_after(MIB + MIB // 2)
        with site.start(inventory, variables) as running:
            relay.wait_for_stall()
            assert running.running()
            running.kill()
        relay.cut()
        relay.go_on()
        for path in media.iterdir() if media.exists() else []:
            if path.name.startswith(NAME):
                assert file_sha256(path) == file_sha256(site.on_host("one", f"out/{path.name}")), f"half of {path}"

        sent = relay.sent
        registry.clear()
        result = site.run(inventory, variables)
        assert_well(result)
        archive = site.checked("one")
        shown = [line for line in result.stderr.splitlines() if "fetching file" in line]
        assert re.match(rf"one: fetching file 1 of 8, {NAME}\.part1, \S+ \w+ of 2\.3 MiB", shown[0]), shown
        assert traffic(registry).nothing
        size = sum(path.stat().st_size for path in archive.files)
        assert len(archive.files) == 4
        assert size - 2 * MIB < relay.sent - sent < size - MIB // 2, "not only the missing parts were transferred"


@pytest.mark.thorough
def test_saving_goes_on_while_ssh_is_away(source: Source, bench: Workbench, site: Site) -> None:
    """The connection breaks while the module waits for a layer, and two attempts to come back fail.

    The test command has the same without the role, in ``test_role_progress_ssh.py``.
    """
    image = source["oci/gzip:1"]
    hold = Hold()
    layers = [layer.digest for layer in image.platforms[0].layers]
    proxy = bench.proxy(source.registry, Rule(hold, path=f"/blobs/{layers[-1]}"))
    variables = site.variables(images=[f"{proxy.host}/{image.repository}:{image.tag}"], **JOB)
    with Relay(site.hosts.port) as relay, site.start(site.inventory("one", port=relay.port), variables) as running:
        proxy.wait_for(lambda seen: any(each.action is hold for each in seen), timeout=120)
        relay.drop(2)
        hold.release()
        result = running.wait()
    assert_well(result)
    site.checked("one")
    assert [proxy.blob_gets()[digest] for digest in layers] == [1] * len(layers), "saved twice"


def fabricate(folder: Path, *sizes: int) -> Path:
    """An archive whose parts hold nothing but zeros and take no space; only its files are as they should be.

    The checksum of what is larger than 1 GiB is a wrong one.
    """
    folder.mkdir()
    parts: list[dict[str, Any]] = []
    for number, size in enumerate(sizes):
        part = folder / f"{NAME}.part{number}"
        part.touch()
        os.truncate(part, size)
        parts.append({"name": part.name, "size": size, "sha256": file_sha256(part) if size <= GIB else "0" * 64})
    lock = {
        "version": 1,
        "options": {"compress": "gzip"},
        "images": [],
        "skipped": [],
        "failed": [],
        "blobs": {},
        "compressor": "zlib 1.3",
        "parts": parts,
    }
    checksums = "".join(f"{part['sha256']}  {part['name']}\n" for part in parts)
    (folder / f"{NAME}.sha256").write_text(checksums, encoding="utf-8")
    (folder / f"{NAME}.lock.json").write_text(json.dumps(lock), encoding="utf-8")
    return folder / NAME


def fetch(dest: Path) -> list[dict[str, Any]]:
    """A play that fetches what was fabricated, as root."""
    arguments = {"src": "{{ archive }}", "dest": f"{dest}/{{{{ inventory_hostname }}}}"}
    task = {"name": "Fetch", "airgap.images.image_fetch": arguments}
    return [{"name": "Play", "hosts": "all", "gather_facts": False, "become": True, "tasks": [task]}]


@pytest.fixture
def zeros(site: Site) -> Any:
    """The inventory with one small archive and one large; the files, which are no samples, are removed."""
    inventory = site.inventory("small", "large")
    for name, size in (("small", MIB), ("large", LARGE)):
        inventory[name]["archive"] = str(fabricate(site.on_host(name, "out"), size))
    yield inventory
    shutil.rmtree(site.media, ignore_errors=True)


def test_memory_does_not_grow_with_a_part(site: Site, zeros: dict[str, Any]) -> None:
    """With become, where fetching a file as Ansible does would hold all of it in memory."""
    peaks: dict[str, int] = {}
    for name in ("small", "large"):
        report = site.folder / f"peak-{name}"
        result = run_playbook(
            fetch(site.media),
            inventory={name: zeros[name]},
            env=site.hosts.env,
            prefix=[sys.executable, "-c", MEASURE, str(report)],
        )
        assert_well(result)
        part, lock = (Path(f"{site.fetched(name)}{suffix}") for suffix in (".part0", ".lock.json"))
        assert file_sha256(part) == json.loads(lock.read_bytes())["parts"][0]["sha256"]
        peaks[name] = int(report.read_text("utf-8")) * 1024
    assert part.stat().st_size == LARGE
    assert peaks["large"] - peaks["small"] < 40 * MIB, peaks


def small_files(folder: Path, count: int = 60) -> Path:
    """An archive of ``compress: dir`` that is nothing but so many small files."""
    root = folder / "images"
    (root / "share" / "sha256").mkdir(parents=True)
    parts: list[dict[str, Any]] = []
    for number in range(count):
        data = f"{number} ".encode() * 4000
        digest = hashlib.sha256(data).hexdigest()
        (root / "share" / "sha256" / digest).write_bytes(data)
        parts.append({"name": f"share/sha256/{digest}", "size": len(data), "sha256": digest})
    lock = {"version": 1, "options": {"compress": "dir"}, "images": [], "parts": parts}
    checksums = "".join(f"{part['sha256']}  images/{part['name']}\n" for part in parts)
    (folder / "images.sha256").write_text(checksums, encoding="utf-8")
    (folder / "images.lock.json").write_text(json.dumps(lock), encoding="utf-8")
    return root


def files_in(folder: Path) -> dict[str, bytes]:
    """All files below a folder, the links of layouts aside."""
    found = [path for path in folder.rglob("*") if path.is_file() and "blobs" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def logins(site: Site) -> int:
    """How often sftp was begun so far."""
    return site.hosts.log().count("subsystem request for sftp")


@pytest.mark.parametrize(
    ("method", "pipelining"), [("sftp", True), pytest.param("scp", False, marks=pytest.mark.thorough)]
)
def test_small_files_come_together(site: Site, method: str, pipelining: bool) -> None:
    """As root on the host, over either program; nothing of it stays in the temporary directory there."""
    inventory = site.inventory("one", ansible_ssh_transfer_method=method, ansible_pipelining=pipelining)
    out = site.on_host("one", "out")
    out.mkdir()
    inventory["one"]["archive"] = str(small_files(out))
    remote_tmp = site.on_host("one", "tmp")
    inventory["one"]["ansible_remote_tmp"] = str(remote_tmp)
    before = logins(site)
    result = run_playbook(fetch(site.media), inventory=inventory, env=site.hosts.env)
    assert_well(result)
    assert files_in(site.media / "one") == files_in(out)
    assert logins(site) - before <= (12 if method == "sftp" else 14)
    assert not list(remote_tmp.rglob("*.tar")) and not list(remote_tmp.iterdir())


def test_what_came_before_a_kill_is_kept_of_small_files(site: Site) -> None:
    """Half of them are in one file that nobody has taken them out of."""
    out = site.on_host("one", "out")
    out.mkdir()
    source = small_files(out, 400)
    size = sum(len(data) for data in files_in(source).values())
    with Relay(site.hosts.port) as relay:
        inventory = site.inventory("one", port=relay.port, archive=str(source))
        sent_for_lock = (out / "images.lock.json").stat().st_size
        relay.stall_after(sent_for_lock + size // 2)
        with start_playbook(fetch(site.media), inventory=inventory, env=site.hosts.env) as running:
            relay.wait_for_stall()
            assert running.running()
            running.kill()
        relay.cut()
        relay.go_on()
        assert [path.name for path in (site.media / "one").iterdir()] == [".images.fetching"]
        sent = relay.sent
        assert_well(run_playbook(fetch(site.media), inventory=inventory, env=site.hosts.env))
        assert relay.sent - sent < size * 3 // 4, "what has arrived came again"
    assert files_in(site.media / "one") == files_in(out)


@pytest.mark.thorough
def test_a_connection_that_breaks_among_small_files(site: Site) -> None:
    out = site.on_host("one", "out")
    out.mkdir()
    source = small_files(out, 400)
    size = sum(len(data) for data in files_in(source).values())
    with Relay(site.hosts.port) as relay:
        inventory = site.inventory("one", port=relay.port, archive=str(source))
        relay.stall_after((out / "images.lock.json").stat().st_size + size // 2)
        with start_playbook(fetch(site.media), inventory=inventory, env=site.hosts.env) as running:
            relay.wait_for_stall()
            relay.cut()
            relay.go_on()
            result = running.wait()
        assert_well(result)
        assert relay.sent < size * 2
    assert files_in(site.media / "one") == files_in(out)


@pytest.mark.parametrize(
    ("words", "most"),
    [
        pytest.param("echo Welcome, you have mail", 12, id="before"),
        pytest.param("trap 'echo Good bye' EXIT", 70, id="after", marks=pytest.mark.thorough),
    ],
)
def test_small_files_from_a_user_whose_shell_talks(workdir: Path, words: str, most: int) -> None:
    """bash reads this file though nobody logs in on a terminal (bash(1), "INVOCATION").

    Where it has the last word, Ansible takes that for the temporary directory; then files come one by one.
    """
    with SshHosts("/bin/bash") as hosts:
        site = Site(hosts, workdir)
        home = Path(os.path.expanduser(f"~{hosts.user}"))
        (home / ".bashrc").write_text(f"{words}\n", encoding="utf-8")
        try:
            inventory = site.inventory("one")
            out = site.on_host("one", "out")
            out.mkdir()
            inventory["one"]["archive"] = str(small_files(out))
            assert_well(run_playbook(fetch(site.media), inventory=inventory, env=hosts.env))
            assert files_in(site.media / "one") == files_in(out)
            assert logins(site) <= most
        finally:
            site.close()


def test_the_space_on_the_controller_is_looked_at_first(site: Site) -> None:
    """The second part is larger than what is free, so the first does not come either."""
    inventory = site.inventory("one")
    site.media.mkdir()
    size = shutil.disk_usage(site.media).free + GIB
    inventory["one"]["archive"] = str(fabricate(site.on_host("one", "out"), MIB, size))
    with Relay(site.hosts.port) as relay:
        inventory["one"]["ansible_port"] = relay.port
        result = run_playbook(fetch(site.media), inventory=inventory, env=site.hosts.env)
        assert relay.sent < MIB // 2
    assert result.rc == 2, result.stdout
    assert str(site.media) in failure(result, "one")
    assert "space" in failure(result, "one") or "free" in failure(result, "one")
    assert not [*site.media.rglob("*.part*")]
