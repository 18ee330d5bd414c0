# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A month of saves with three hosts, and what the screen shows of it.

The plays follow one another, as each finds what those before it have left. What a screen shows is compared without what
differs between runs: paths, ports, sizes and digests have names, and lines that depend on the time are left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._role import ROLE, Site
from ansible_collections.airgap.images.tests.support.disks import fill, small_disk
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Credentials
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.ssh_hosts import SshHosts
from ansible_collections.airgap.images.tests.support.workbench import Workbench

HOSTS = ("north", "east", "south")
LIST = (
    *("postgres:17", "redis:7.4", "nginx:1.27"),
    *("quay.io/shop/cart:5.1", "quay.io/shop/search:5.1", "quay.io/shop/web:5.1"),
    *("quay.io/shop/pay:5.1", "quay.io/shop/mail:5.1", "quay.io/shop/login:5.1"),
)
"""Three images of each host. Those of quay.io want a login, which is most of them."""

ROBOT = Credentials("robot", "r1ght-p4ssword")
WRONG = "wr0ng-p4ssword"
PLAYS = [{"name": "Save the images of the shop", "hosts": "all", "gather_facts": False, "roles": [{"role": ROLE}]}]

_DISK = 4 * 1024 * 1024
_SIZE = re.compile(r"\b\d+(\.\d+)? (bytes|[KMGT]iB)")
_DIGEST = re.compile(r"\bsha256:[0-9a-f]{64}\b")
# How far a step is, which depends on when one looks, and a warning of Ansible's that depends on earlier plays.
_FLEETING = re.compile(
    r"\w+: (asking registries|checking the existing|comparing with|fetching file|putting the archive|reading the list"
    r"|\d+ of \d+ images?\b)|\[WARNING\]: Module remote_tmp "
)


class Month:
    """A list, the registries that have its images, and three hosts; the disk of ``south`` is small.

    :param folder: of the controller and the registries.
    """

    def __init__(self, hosts: SshHosts, folder: Path) -> None:
        self._stack = ExitStack()
        self.site = Site(hosts, folder)
        self._stack.callback(self.site.close)
        bench = self._stack.enter_context(Workbench(folder / "bench"))
        self._open = bench.registry()
        self._closed = bench.registry(tokens=bench.tokens(users=(ROBOT,)))
        for line in LIST:
            self.push(line, 70)
        self._list = folder / "shop.txt"
        self.write(*LIST)
        self._inventory = self.site.inventory(*HOSTS)
        self._disk = self._stack.enter_context(small_disk(hosts.folder("south"), _DISK))
        if os.geteuid() == 0:
            shutil.chown(self._disk, hosts.user)
        self._screens: dict[str, PlaybookResult] = {}

    def close(self) -> None:
        """End the registries, and remove what is on the hosts."""
        self._stack.close()

    def push(self, line: str, seed: int) -> None:
        """Have the registry of a line hold an image with the content of ``seed``."""
        name, _, tag = line.partition(":")
        registry, repository = self._open, f"library/{name}"
        if name.startswith("quay.io/"):
            registry, repository = self._closed, name.removeprefix("quay.io/")
        push(registry, repository, tag, small(seed))

    def write(self, *lines: str) -> None:
        """Write the list."""
        self._list.write_text("\n".join(["# What the shop runs", *lines, ""]), encoding="utf-8")

    def fill(self) -> Path:
        """Leave no space on the disk of ``south``; returns the file that takes it."""
        fill(self._disk / "other.img")
        return self._disk / "other.img"

    def run(
        self,
        *options: str,
        inventory: Mapping[str, Mapping[str, Any]] | None = None,
        password: str = ROBOT.password,
        **more: Any,
    ) -> PlaybookResult:
        """Save with all hosts, unless another inventory is given."""
        registries = [
            {"host": "docker.io", "mirror": self._open.host},
            {"host": "quay.io", "mirror": self._closed.host},
            {"host": self._closed.host, "username": ROBOT.username, "password": password},
        ]
        usual = {"distribute": True, "list_files": [str(self._list)], "failed_list": "{{ work }}/out/failed.txt"}
        return self.site.run(
            inventory or self._inventory,
            self.site.variables(registries=registries, **{**usual, **more}),
            plays=PLAYS,
            options=options,
            # One host after the other, so that their lines have an order.
            env={"ANSIBLE_FORKS": "1"},
            one_screen=True,
        )

    def without_south(self) -> PlaybookResult:
        """Save while ``south`` refuses connections."""
        return self.run(inventory={**self._inventory, **self.site.unreachable("south")}, install=True)

    def run_alone(self) -> tuple[PlaybookResult, int]:
        """Save with ``north`` alone the images that it has.

        :returns: the outcome, and the number of images.
        """
        lock = json.loads((self.site.on_host("north") / "out" / "images-north.tar.gz.lock.json").read_bytes())
        images = [str(image["reference"]) for image in lock["images"]]
        self.write(*images)
        inventory = self.site.inventory("north")
        alone = {"distribute": False, "install": True, "dest": "{{ work }}/out/images-north.tar.gz"}
        return self.run(inventory=inventory, **alone), len(images)

    def result(self, step: str) -> PlaybookResult:
        """Return the outcome of a step, having taken it and all before it once."""
        for name, take in STEPS.items():
            if name not in self._screens:
                self._screens[name] = take(self)
            if name == step:
                break
        return self._screens[step]

    def screen(self, step: str) -> str:
        """Return what the screen shows of a step, with paths as short as a user's."""
        return self.as_shown(self.result(step).stdout)

    def as_shown(self, text: str) -> str:
        """Give the places of a run the names that they could have."""
        names = {
            str(COLLECTION): "/home/me/.ansible/collections/ansible_collections/airgap/images",
            str(self.site.folder): "/home/me/shop",
            str(self.site.hosts.directory): "/srv",
            self._open.host: "mirror.lan",
            self._closed.host: "login.lan",
        }
        for place, name in names.items():
            text = text.replace(place, name)
        return re.sub(r"127\.0\.0\.1( port \d+)?", "10.0.0.9", text)


def comparable(text: str) -> str:
    """Return the lines of a screen that are the same in each run."""
    lines = [line.rstrip() for line in text.splitlines() if not _FLEETING.match(line)]
    # Not every release of ansible-core shows that a task that has failed has failed.
    lines = [line.replace('"failed": true, ', "") if line.startswith("fatal: ") else line for line in lines]
    return _DIGEST.sub("DIGEST", _SIZE.sub("SIZE", "\n".join(lines))).strip() + "\n"


def _moved_tag(month: Month) -> PlaybookResult:
    month.push("nginx:1.27", 71)
    return month.run("--diff")


def _removed_image(month: Month) -> PlaybookResult:
    month.write(*_WITHOUT_PAY)
    return month.run("--check", "--diff")


def _limit(month: Month) -> PlaybookResult:
    return month.run("--limit", "north,east")


def _typo(month: Month) -> PlaybookResult:
    month.write(*_WITHOUT_PAY, "quay.io/shop/basket 5.1")
    return month.run()


def _missing_image(month: Month) -> PlaybookResult:
    month.write(*_WITHOUT_PAY, "quay.io/shop/basket:5.9")
    return month.run()


def _wrong_password(month: Month) -> PlaybookResult:
    month.write(*_WITHOUT_PAY)
    return month.run(password=WRONG)


def _full_disk(month: Month) -> PlaybookResult:
    month.push("quay.io/shop/cart:5.1", 72)  # of south
    taken = month.fill()
    try:
        return month.run()
    finally:
        taken.unlink()


_WITHOUT_PAY = [line for line in LIST if "/pay:" not in line]

STEPS: dict[str, Callable[[Month], PlaybookResult]] = {
    "first": Month.run,
    "again": Month.run,
    "moved-tag": _moved_tag,
    "removed-image": _removed_image,
    "limit": _limit,
    "typo": _typo,
    "missing-image": _missing_image,
    "wrong-password": _wrong_password,
    "full-disk": _full_disk,
    "dead-host": Month.without_south,
}
"""In their order; see ``Month.result``."""

FAILING = [*STEPS][[*STEPS].index("typo") :]
