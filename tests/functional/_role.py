# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of the tests of the role: plays on hosts over ssh, and what they left on the controller.

A host of the inventory is a folder; hosts with different variables are different cases of one run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._helpers import check
from ansible_collections.airgap.images.tests.support.archive import Archive, file_sha256
from ansible_collections.airgap.images.tests.support.playbook import (
    PlaybookResult,
    RunningPlay,
    TaskResult,
    start_playbook,
)
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts

ROLE = "airgap.images.image_save"
NAME = "images.tar.gz"

Variables = Mapping[str, Any]
Inventory = Mapping[str, Mapping[str, Any]]

JOB = {"async": 3600}
"""Given to ``Site.variables`` where the module runs as a job."""

_BANNER = re.compile(r"(PLAY|TASK|\s*$|\S+ +: ok=|(ok|changed|skipping): \[|included: |\[WARNING\]: Module)")

SHOW = {"name": "Show the result", "ansible.builtin.debug": {"var": "image_save_result"}}


class Site:
    """Hosts that save, and the controller's folder; ``media`` is where the archives are fetched to."""

    def __init__(self, hosts: SshHosts, folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder
        self.media = folder / "media"
        self._names: set[str] = set()

    def close(self) -> None:
        """Removes what is on the hosts."""
        self.hosts.remove(*self._names)

    def inventory(self, *names: str, port: int = 0, **variables: Any) -> dict[str, dict[str, Any]]:
        """The hosts of these names; ``work`` is the folder of each."""
        self._names.update(names)
        found = self.hosts.inventory(names, port=port, **variables)
        return {name: {"work": str(self.hosts.folder(name)), **each} for name, each in found.items()}

    def unreachable(self, name: str) -> dict[str, dict[str, Any]]:
        """A host that refuses connections."""
        self._names.add(name)
        return {name: {"work": str(self.hosts.folder(name)), **self.hosts.unreachable(name)[name]}}

    def variables(self, **more: Any) -> dict[str, Any]:
        """The role's variables for a small archive: no TLS, no installation, no job but where a test is about it."""
        usual = {
            "image_save_dest": f"{{{{ work }}}}/out/{NAME}",
            "image_save_cache_dir": "{{ work }}/cache",
            "image_save_fetch_dest": str(self.media),
            "image_save_validate_certs": False,
            "image_save_install": False,
            "image_save_async": 0,
            "image_save_poll": 1,
            "image_save_retries": 0,
        }
        return {**usual, **{f"image_save_{name}": each for name, each in more.items()}}

    def start(
        self,
        inventory: Inventory,
        variables: Variables,
        *,
        plays: Path | Sequence[Mapping[str, Any]] | None = None,
        options: Sequence[str] = (),
        env: Mapping[str, str | None] | None = None,
        fresh: bool = False,
        one_screen: bool = False,
    ) -> RunningPlay:
        """Starts plays, by default one that has the role under ``roles``, with these as extra variables."""
        return start_playbook(
            plays or [play()],
            inventory=inventory,
            variables=variables,
            options=options,
            env={**self.hosts.env, **(env or {})},
            fresh=fresh,
            one_screen=one_screen,
        )

    def run(self, inventory: Inventory, variables: Variables, **keywords: Any) -> PlaybookResult:
        """Runs plays to their end; see ``start``."""
        with self.start(inventory, variables, **keywords) as running:
            return running.wait()

    def on_host(self, name: str, path: str = "") -> Path:
        """A path below the folder of a host."""
        return self.hosts.folder(name) / path

    def fetched(self, name: str) -> Path:
        """The archive of a host on the controller, as the path that its parts are named by."""
        shared = self.media / name / shared_name(name)
        return shared if Path(f"{shared}.lock.json").exists() else self.media / name / NAME

    def checked(self, name: str, *, beside: Sequence[str] = ()) -> Archive:
        """Asserts that a host's archive is whole on the controller and the same as on the host."""
        archive = check(self.fetched(name), beside=beside)
        for path in [*archive.files, *(Path(f"{self.fetched(name)}{suffix}") for suffix in (".sha256", ".lock.json"))]:
            assert file_sha256(path) == file_sha256(self.on_host(name, f"out/{path.name}")), f"{path} is another"
        assert not [path.name for path in self.fetched(name).parent.iterdir() if path.name.startswith(".")]
        return archive


def shared_name(host: str) -> str:
    """The name of a host's archive when the work is shared."""
    return NAME.replace(".", f"-{host}.", 1)


def play(*, hosts: str = "all", how: str = "roles", variables: Variables | None = None, **keywords: Any) -> Any:
    """A play with the role under ``roles``, or by ``include_role`` or ``import_role``, that shows the result."""
    common = {"name": f"Play for {hosts}", "hosts": hosts, "gather_facts": False, "vars": dict(variables or {})}
    if how == "roles":
        return {**common, "roles": [{"role": ROLE}], "post_tasks": [SHOW], **keywords}
    task = {"name": "The role", f"ansible.builtin.{how}": {"name": ROLE}}
    return {**common, "tasks": [{"name": "All of it", "block": [task], "always": [SHOW]}], **keywords}


def on(result: PlaybookResult, host: str) -> list[TaskResult]:
    """The results of one host."""
    return [each for each in result.tasks if each.host == host]


def assert_well(result: PlaybookResult) -> None:
    """The run ended well."""
    assert result.rc == 0, f"{result.stdout}\n{result.stderr}"


def changed(result: PlaybookResult) -> list[tuple[str, str]]:
    """The host and the name of each task that changed something."""
    return [(each.host, each.task) for each in result.tasks if each.changed]


def assert_unchanged(result: PlaybookResult) -> None:
    """The run ended well, no task of it says that it changed anything, and the recap agrees."""
    assert_well(result)
    assert not changed(result), result.stdout
    recap = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+) ", result.stdout, re.MULTILINE)
    assert recap and all(count == "0" for _host, count in recap), result.stdout


def fact(result: PlaybookResult, host: str) -> dict[str, Any]:
    """``image_save_result`` of a host."""
    (shown,) = [each for each in on(result, host) if each.task == SHOW["name"] and each.status == "ok"]
    value: dict[str, Any] = shown.data["image_save_result"]
    return value


def failure(result: PlaybookResult, host: str) -> str:
    """Everything that the failed tasks of a host say."""
    failed = [each for each in on(result, host) if each.status == "failed"]
    assert failed, f"{host} has not failed:\n{result.stdout}\n{result.stderr}"
    return "\n".join(f"{each.data.get('msg')}\n{json.dumps(each.data)}" for each in failed)


def assert_not_failed(result: PlaybookResult, host: str) -> None:
    """No task has failed on a host, whatever happened on others."""
    assert on(result, host), f"{host} did nothing:\n{result.stdout[-10000:]}\n{result.stderr}"
    failed = [
        (each.task, each.data.get("msg")) for each in on(result, host) if each.status in ("failed", "unreachable")
    ]
    assert not failed, failed


def assert_secret(result: PlaybookResult, *secrets: str) -> None:
    """None of these is in the output, or in what the tasks gave to callbacks."""
    text = f"{result.stdout}\n{result.stderr}\n{json.dumps([each.data for each in result.tasks])}"
    for secret in secrets:
        lines = [line for line in text.splitlines() if secret in line]
        assert not lines, f"a secret is shown: {lines[0][:2000]}"


def own_lines(text: str) -> list[str]:
    """Return the lines on a screen of 120 columns, without Ansible's own banners and states."""
    lines = [line for line in text.splitlines() if not _BANNER.match(line)]
    return [line[start : start + 120] for line in lines for start in range(0, len(line), 120)]


def staged(site: Site, host: str) -> list[str]:
    """The lines of the list that a host saved."""
    return site.on_host(host, f"out/lists/{NAME}.txt").read_text("utf-8").splitlines()


def references(archive: Archive) -> list[str]:
    """The references in an archive's lock, in order."""
    return [str(each["reference"]) for each in archive.lock["images"]]


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of every file in a folder, by name: other ones where a file was written again."""
    stats = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}
