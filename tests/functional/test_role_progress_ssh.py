# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on hosts that can be reached over ssh: the connection goes, the controller goes, and what it all costs."""

from __future__ import annotations

import os
import re
import signal
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._host.job_files import RESULT
from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_layers_once,
    command_lines,
    holds,
    leftovers,
)
from ansible_collections.airgap.images.tests.functional._progress import (
    by_way_of,
    layer_path,
    measured,
    open_jobs,
    play,
    read,
    task,
    until,
    whole,
)
from ansible_collections.airgap.images.tests.functional._role import Site
from ansible_collections.airgap.images.tests.functional._secrets import NEEDLES, OWNER, closed
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.faults import Hold, Rule
from ansible_collections.airgap.images.tests.support.module import descendants, wait_for_end
from ansible_collections.airgap.images.tests.support.playbook import RunningPlay, start_playbook
from ansible_collections.airgap.images.tests.support.relay import Relay
from ansible_collections.airgap.images.tests.support.surveillance import FileWatch, ProcessWatch, everybody
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

ARGUMENTS = {
    "dest": "{{ work }}/out/images.tar.gz",
    "cache_dir": "{{ work }}/cache",
    "progress_file": "{{ work }}/progress.json",
    "validate_certs": False,
    "skopeo_copy": "always",
}


class Held:
    """Two images whose first layers come; a layer of one is held back from us, the other's config from skopeo."""

    def __init__(self, source: Source, bench: Workbench) -> None:
        self.images = [source["oci/gzip:1"], source["docker/list:1"]]
        self.hold = Hold()
        held = [layer_path(self.images[0].platforms[0]), f"/blobs/{self.images[1].platforms[0].config_digest}"]
        self.proxy = bench.proxy(source.registry, *(Rule(self.hold, path=path) for path in held))
        self.references = [by_way_of(self.proxy, each) for each in self.images]

    def start(self, site: Site, host: str, **variables: Any) -> RunningPlay:
        """A run on a host."""
        inventory = site.inventory(host, ansible_async_dir="{{ work }}/jobs", **variables)
        site.on_host(host, "").mkdir(exist_ok=True)
        plays = [play(task({**ARGUMENTS, "images": self.references}))]
        return start_playbook(plays, inventory=inventory, env=site.hosts.env)

    def await_held(self, running: RunningPlay, site: Site, host: str) -> int:
        """Returns the module's process id once both are held and the rest is there."""
        file = site.on_host(host, "progress.json")
        until(lambda: len(read(file).get("copying", ())) == 2, "two copies", play=running)
        pid = int(read(file)["pid"])
        until(lambda: any("skopeo" in line for line in command_lines(descendants(pid))), "skopeo", play=running)
        cache = site.on_host(host, "cache/share/sha256")
        there = [each.digest for each in self.images[0].platforms[0].layers[:-1]]
        until(lambda: all((cache / each.partition(":")[2]).exists() for each in there), "the layers", play=running)
        return pid


def sessions(site: Site) -> int:
    """How many commands the sshd has run."""
    return site.hosts.log().count("Starting session: ")


def module_files(site: Site) -> list[Path]:
    """The module's files, with its parameters, that Ansible has brought to a user's home."""
    return list(site.on_host("home").glob(".ansible/tmp/*/AnsiballZ_image_save.py"))


def kill_connections(site: Site, pid: int) -> None:
    """Kill what the sshd has started, but not the run and its supervisor."""
    spared = {pid, int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])}
    for each in set(descendants(site.hosts.pid)) - spared - set(descendants(pid)):
        with suppress(ProcessLookupError):  # a look that has just ended
            os.kill(each, signal.SIGKILL)


def test_the_run_survives_its_connections(source: Source, bench: Workbench, site: Site) -> None:
    """The sshd's own processes are killed twice, the first time with the command that has started the run and still
    waits for it; then the sshd cannot be reached for a while, which the task says.

    Between them, the run is looked at, and not more often than need be. The module's file, which has its secrets, does
    not stay for longer because nobody has heard the answer to its start.
    """
    case = Held(source, bench)
    with (
        Relay(site.hosts.port) as relay,
        case.start(site, "north", ansible_port=relay.port, ansible_pipelining=False) as running,
    ):
        file = site.on_host("north", "progress.json")
        until(lambda: read(file), "the start", play=running)
        assert module_files(site)
        kill_connections(site, read(file)["pid"])
        pid = case.await_held(running, site, "north")
        assert pid not in descendants(site.hosts.pid), "the run would end with its connection"
        until(lambda: not module_files(site), "the module's file to be removed", play=running)
        kill_connections(site, pid)
        before = sessions(site)
        until(lambda: sessions(site) > before + 1, "a look over a new connection", play=running)
        relay.drop(2)
        until(lambda: "the connection is lost" in running.output()[1], "the loss", play=running)
        until(lambda: "the connection is restored" in running.output()[1], "the return", play=running)
        before, started = sessions(site), time.monotonic()
        until(lambda: sessions(site) > before + 4, "some looks at it", play=running)
        took = time.monotonic() - started
        assert sessions(site) - before < 6 + 2 * took
        assert read(site.on_host("north", "progress.json"))["pid"] == pid
        case.hold.release()
        result = running.wait()
    assert result.rc == 0, result.stdout + result.stderr
    assert list(whole(site.on_host("north", "out/images.tar.gz")).references) == case.references
    assert_layers_once(source.registry, [case.images[0].platforms[0]])
    assert not list(site.on_host("north", "jobs").iterdir())
    assert len(measured(result.stderr, "north")) <= 3, result.stderr


@pytest.mark.parametrize("retries", [0, 2])
def test_a_result_that_is_lost_on_its_way(source: Source, bench: Workbench, site: Site, retries: int) -> None:
    """The host has written it to a connection that is dead. It is asked for, or ssh sends the same command again."""
    case = Held(source, bench)
    jobs, file = site.on_host("north", "jobs"), site.on_host("north", "progress.json")
    with (
        Relay(site.hosts.port) as relay,
        case.start(site, "north", ansible_port=relay.port, ansible_ssh_retries=retries) as running,
    ):
        until(lambda: read(file), "the start", play=running)
        relay.stall_after(0)
        pid = read(file)["pid"]
        case.hold.release()
        until(lambda: list(jobs.glob(f"*{RESULT}")), "the result on the host", play=running)
        relay.cut()
        relay.go_on()
        result = running.wait()
    assert result.rc == 0, result.stdout + result.stderr
    assert result.task("task").changed and "saved 2 images" in result.task("task").data["msg"]
    assert read(file)["pid"] == pid, "it was run once"
    assert not open_jobs(jobs)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_home_of_the_task_does_not_hide_its_job(
    source: Source, bench: Workbench, site: Site, pipelining: bool
) -> None:
    """The files of a job are in the home of the user who runs it, whatever the task's environment says of it."""
    case = Held(source, bench)
    inventory = site.inventory("plain", ansible_pipelining=pipelining)
    inventory.update(site.inventory("root", ansible_pipelining=pipelining, ansible_become=True))
    tasks = [task({**ARGUMENTS, "images": case.references}, environment={"HOME": "{{ work }}"})]
    for name in inventory:
        site.on_host(name, "")
    with start_playbook([play(*tasks)], inventory=inventory, options=["-f", "2"], env=site.hosts.env) as running:
        for name in inventory:
            until(lambda name=name: measured(running.output()[1], name), f"a line about {name}", play=running)
        case.hold.release()
        result = running.wait()
    assert result.rc == 0, result.stdout + result.stderr
    for name in inventory:
        whole(site.on_host(name, "out/images.tar.gz"))
        assert not site.on_host(name, ".ansible_async").exists()
    assert not open_jobs(site.on_host("home", ".ansible_async"))


def stop_by_terminal(running: RunningPlay) -> None:
    """Ctrl-C."""
    running.signal(signal.SIGINT, group=True)


def stop_by_service(running: RunningPlay) -> None:
    """SIGTERM to the program alone, as from a service manager or a pipeline."""
    running.signal(signal.SIGTERM)


# In the test command, the sudo that says more is stopped by the terminal.
WAYS: dict[str, Callable[[RunningPlay], None]] = {
    **({"int": stop_by_terminal} if is_full() else {}),
    "term": stop_by_service,
    "kill": RunningPlay.kill,
}


@pytest.mark.thorough(repeats=True)
def test_the_controller_is_stopped(source: Source, bench: Workbench, site: Site) -> None:
    """As root on the hosts. Runs end in order and leave blobs alone, or go on. All are taken up again."""
    case = Held(source, bench)
    in_order = [name for name in WAYS if name != "kill"]
    with ExitStack() as stack:
        plays = {name: stack.enter_context(case.start(site, name, ansible_become=True)) for name in WAYS}
        pids = {name: case.await_held(running, site, name) for name, running in plays.items()}
        children = {name: descendants(pid) for name, pid in pids.items()}
        for name, stop in WAYS.items():
            stop(plays[name])
        for name in in_order:
            wait_for_end([pids[name], *children[name]])
            result = plays[name].wait()
            assert result.rc not in (0, 2), result
            assert "Traceback" not in result.stdout + result.stderr
            assert_in_order(site, name, case)
        assert not command_lines([each for name in in_order for each in children[name]])
        # The controller of this one is gone, but not the run.
        assert command_lines([pids["kill"]])
        case.hold.release()
        wait_for_end([pids["kill"]])
    assert read(site.on_host("kill", "progress.json"))["ended"]
    whole(site.on_host("kill", "out/images.tar.gz"))
    assert resumed(source, site, case) == {**dict.fromkeys(in_order, True), "kill": False}


SUDO = """#!/bin/sh
[ ! -e {flag} ] || {{ echo 'sudo: PAM account management error' >&2; exit 1; }}
echo 'sudo: unable to resolve host north: Name or service not known' >&2
exec sudo "$@"
"""


def test_a_sudo_that_says_more_than_it_is_asked(source: Source, bench: Workbench, site: Site) -> None:
    """On a terminal its words are among the answers. That it refuses for a while does not mean that the run is gone."""
    case = Held(source, bench)
    sudo, flag = site.on_host("home", "noisy-sudo"), site.on_host("home", "refuse")
    sudo.write_text(SUDO.format(flag=flag), encoding="utf-8")
    sudo.chmod(0o755)
    terminal = {"ansible_become": True, "ansible_become_exe": str(sudo), "ansible_ssh_use_tty": True}
    with case.start(site, "north", **terminal) as running:
        pid = case.await_held(running, site, "north")
        until(lambda: measured(running.output()[1], "north"), "a line", play=running)
        flag.touch()
        until(lambda: "the connection is lost" in running.output()[1], "the loss", play=running)
        assert "PAM account management error" in running.output()[1]
        flag.unlink()
        until(lambda: "the connection is restored" in running.output()[1], "the return", play=running)
        assert command_lines([pid])
        stop_by_terminal(running)
        wait_for_end([pid])
        running.wait()
    assert_in_order(site, "north", case)


def assert_in_order(site: Site, name: str, case: Held) -> None:
    """Nothing is half written, nothing looks whole, no job is left; blobs that came are kept."""
    assert read(site.on_host(name, "progress.json"))["ended"]
    # The worker may outlive ansible-playbook by a moment.
    until(lambda: not list(site.on_host(name, "jobs").iterdir()), "the job's record to be removed")
    assert not list(site.on_host(name, "out").iterdir())
    assert not leftovers(site.on_host(name, "cache"))
    assert not list(site.on_host(name, "cache").glob(".run-*"))
    for layer in case.images[0].platforms[0].layers[:-1]:
        assert (site.on_host(name, "cache/share/sha256") / layer.digest.partition(":")[2]).exists()


def resumed(source: Source, site: Site, case: Held) -> dict[str, bool]:
    """Runs again on all hosts, fetches nothing again that was there, and tells where something changed."""
    kept = {layer.digest for layer in case.images[0].platforms[0].layers[:-1]}
    source.registry.clear()
    inventory = site.inventory(*WAYS, ansible_async_dir="{{ work }}/jobs", ansible_become=True)
    plays = [play(task({**ARGUMENTS, "images": case.references}))]
    with start_playbook(plays, inventory=inventory, env=site.hosts.env) as running:
        result = running.wait()
    assert result.rc == 0, result.stdout + result.stderr
    for name in WAYS:
        whole(site.on_host(name, "out/images.tar.gz"))
        left = [each for each in site.on_host(name, "jobs").iterdir() if "image_save" in each.name]
        assert not left or name == "kill", "only what nobody waited for leaves its files"
    assert not kept & set(source.registry.blob_gets())
    return {each.host: each.changed for each in result.tasks}


def test_no_secret_is_where_others_look(bench: Workbench, site: Site) -> None:
    """Of a job of root's: folders of jobs, progress file, lines, command lines, and what the task returns.

    The module's own file, which has them, is gone while the module still runs.
    """
    secret = closed(bench)
    hold = secret.hold()
    inventory = site.inventory("north", ansible_async_dir="{{ work }}/jobs", ansible_become=True)
    login = {"username": OWNER.username, "password": OWNER.password}
    images = [secret.reference, f"{secret.reference}x"]
    tasks = task({**ARGUMENTS, "images": images, "debug": True, **login})
    folder = site.on_host("north")
    (folder / "jobs").mkdir()
    with (
        FileWatch(NEEDLES, [folder / "jobs"], [folder]) as files,
        start_playbook([play(tasks)], inventory=inventory, options=["-vvv"], env=site.hosts.env) as running,
    ):
        until(lambda: read(folder / "progress.json").get("copying"), "the copy", play=running)
        secret.proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
        with ProcessWatch(lambda: everybody(os.getpid())) as processes:
            home = site.on_host("home")
            until(lambda: not holds(home, OWNER.password), "the module's file to be removed", play=running)
            modes = {stat.S_IMODE(each.stat().st_mode) for each in (folder / "jobs").iterdir()}
            processes.look()
        hold.release()
        result = running.wait()
    assert result.rc == 2
    assert {mode & 0o077 for mode in modes} <= {0, 0o044}, modes
    assert files.events and not files.sights
    assert not [line for line in processes.command_lines if NEEDLES.seen(line)]
    for text in (result.stdout, result.stderr, (folder / "progress.json").read_text("utf-8")):
        assert not NEEDLES.seen(text)
    assert re.search(r"MANIFEST_UNKNOWN|unknown", result.stderr)
    assert not open_jobs(folder / "jobs")
