# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A credential in the hands of Ansible and the role: it is in no output, no log, no command line and no file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._role import Site
from ansible_collections.airgap.images.tests.functional._secrets import NEEDLES, OWNER, Closed, closed
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult, start_playbook
from ansible_collections.airgap.images.tests.support.surveillance import FileWatch, ProcessWatch, SystemLog, everybody
from ansible_collections.airgap.images.tests.support.workbench import Workbench

pytestmark = pytest.mark.both_ways


def assert_untold(result: PlaybookResult) -> None:
    """Neither in the output nor in what tasks gave to callbacks."""
    for text in (result.stdout, result.stderr, json.dumps([each.data for each in result.tasks], ensure_ascii=False)):
        assert not NEEDLES.seen(text)


def hosts(site: Site, source: Closed) -> dict[str, dict[str, Any]]:
    """The same credentials in different ways; secrets are variables of hosts, as a vault would make them."""
    login = {"username": OWNER.username, "password": OWNER.password}
    options = {f"image_save_{name}": value for name, value in login.items()}
    cases: dict[str, dict[str, Any]] = {
        "registries": {"image_save_registries": [{"host": source.proxy.host, **login}], "ansible_become": True},
        "missing": {**options, "image_save_images": [source.reference, f"{source.reference}x"]},
    }
    if not is_full():
        cases = {"both": {**cases["registries"], **cases["missing"], "image_save_allow_partial": True}}
    given = {"image_save_images": [source.reference], "image_save_debug": True}
    return {name: {**site.inventory(name)[name], **given, **variables} for name, variables in cases.items()}


@pytest.mark.thorough(repeats=True)
def test_a_run_over_ssh_tells_nobody(bench: Workbench, site: Site) -> None:
    """As a job, as root, with an image that is missing. Every process of the machine is looked at."""
    source = closed(bench)
    hold = source.hold()
    inventory = hosts(site, source)
    variables = site.variables(log_file="{{ work }}/run.log", failed_list="{{ work }}/out/failed.txt")
    folders = [site.on_host(name) for name in (*inventory, "home")]
    with (
        FileWatch(NEEDLES, [site.media.parent]) as files,
        ProcessWatch(lambda: everybody(os.getpid())) as processes,
        # Not a fork, whose command line would be that of the server.
        site.start(inventory, variables, options=["-vvvv", "--diff"], fresh=True) as running,
    ):
        source.proxy.wait_for(lambda seen: sum(each.action is hold for each in seen) >= len(inventory), timeout=240)
        processes.look()
        hold.release()
        result = running.wait()
    assert result.rc == (2 if is_full() else 0), result.stdout  # of the image that is missing
    seen = [line for line in processes.command_lines if "skopeo" in line and "--src-authfile" in line]
    assert len(seen) >= len(inventory), "no skopeo was seen"
    for texts in (processes.command_lines, processes.environments):
        for text in texts:
            assert not NEEDLES.seen(text)
    assert_untold(result)
    assert not files.sights
    assert not NEEDLES.below(*folders, site.media)
    assert "SSH: EXEC" in result.stdout, "too little was said"


@pytest.mark.thorough
def test_the_log_of_the_system_does_not_tell(bench: Workbench, workdir: Path) -> None:
    """On a host with a log, Ansible takes down how each module was called; also one that fails, and in check mode.

    The test command looks at this log where ``test_secrets.py`` runs the module.
    """
    source = closed(bench, tokens=False)
    login = {"username": OWNER.username, "password": OWNER.password}
    usual = bench.params([source.reference])
    tasks = [
        {"name": "looks", "airgap.images.image_save": {**usual, **login}, "check_mode": True},
        {"name": "saves", "airgap.images.image_save": {**usual, "registries": [{"host": source.proxy.host, **login}]}},
        {"name": "fails", "airgap.images.image_save": {**usual, **login, "images": [f"{source.reference}x"]}},
    ]
    bench.dest.parent.mkdir()
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    with SystemLog() as log, start_playbook(plays, options=["-vvvv", "--diff"], prefix=log.prefix) as running:
        result = running.wait()
    assert [each.status for each in result.tasks] == ["ok", "ok", "failed"], result.stdout
    invoked = [line for line in log.lines if "images.image_save: Invoked with" in line]
    assert len(invoked) == len(tasks), log.lines
    assert all(source.reference in line for line in invoked)
    assert not [line for line in log.lines if NEEDLES.seen(line)]
    assert_untold(result)
