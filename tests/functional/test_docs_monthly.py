# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/guides/monthly.md, followed from top to bottom, while sticks are damaged and a registry loses a layer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._pages import FOLLOWED, Reader, file_name
from ansible_collections.airgap.images.tests.functional._role import Site
from ansible_collections.airgap.images.tests.functional.test_docs_followed import REGISTRY, reader
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.images import build_image
from ansible_collections.airgap.images.tests.support.layers import random_layer
from ansible_collections.airgap.images.tests.support.markdown import blocks
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.target import gaps, tags
from ansible_collections.airgap.images.tests.support.workbench import Workbench

PAGE = "docs/guides/monthly.md"
LOADER = "loader.site.example.com"
LINE = "269f2822525f4ea2-39f62ff49d575865"
"""What the operator of the ship reads out on the page."""

COMMON = random_layer(800, 60_000)
"""A layer of all releases of one image."""

VERIFY, LOAD = (f"ansible-playbook -i site.ini {name}.yml -e archive=2026-" for name in ("verify", "load"))
LATER = (
    "$ sed -i s/nginx:1.26.3/nginx:1.27.3/ images.txt",
    "$ mkdir records/ship",
    "$ ansible-playbook -i inventory.ini save.yml -e archive=2026-12 -e arrived=",
)
"""The saves behind the last load, which the test command passes over."""


def damage(archive: Path, *numbers: int) -> None:
    """Turn one bit of each of these parts."""
    for number in numbers:
        path = Path(f"{archive}.part{number}")
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 4
        path.write_bytes(raw)


def collect(registry: Registry, repository: str) -> None:
    """Have a registry lose a repository, and then what nothing else there needs."""
    registry.stop()
    shutil.rmtree(registry.storage / "docker/registry/v2/repositories" / repository)
    command = ["docker-registry", "garbage-collect", str(registry.directory / "config.json")]
    subprocess.run(command, check=True, capture_output=True)
    assert not registry.blob_path(COMMON.digest).exists()
    registry.start()


def read_out(people: Reader, inside: Registry) -> None:
    """Take the line of the January archive for the ship, and have the registry of the plant lose a layer."""
    found = re.search(r"to confirm by telephone: ([0-9a-f]{16}-[0-9a-f]{16})", people.typed[-1][1])
    assert found is not None
    people.words = {**people.words, LINE: found[1]}
    collect(inside, "library/nginx")


def shown_on_the_page(people: Reader) -> list[str]:
    """The lines that the page shows and that no command has written."""
    page = blocks((COLLECTION / PAGE).read_text("utf-8"))
    shown = [one.text for one in page if one.language == "text" and not file_name(PAGE, one)]
    lines = [line for text in shown for line in text.splitlines()]
    assert lines
    said = " ".join(output for _command, output in people.typed)
    return [line for line in lines if line.replace(REGISTRY, people.words[REGISTRY]) not in said]


def months(site: Site, outside: Registry, inside: Registry) -> Reader:
    """Both people of the page, with one folder and with sticks of a few files."""
    for stick in ("usb1", "usb2"):
        (site.folder / stick).mkdir()
    words = {"/media/usb": str(site.folder / "usb"), "4GB": "24KB"}
    people = reader(site, "monthly", outside, inside, "north.example.com", LOADER, **words)
    people.env = {**people.env, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2])}
    settings = people.folder / "host_vars" / f"{LOADER}.json"
    more = {"image_load_validate_certs": False, "image_load_install": False, "vault_registry_password": "open-sesame"}
    settings.write_text(json.dumps({**json.loads(settings.read_text("utf-8")), **more}), "utf-8")
    return people


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


@pytest.mark.thorough(repeats=True)
def test_the_months_of_two_sites(bench: Workbench, site: Site) -> None:
    """One part is damaged, then two; a layer is collected; all that is asked for comes, and is loaded."""
    outside, inside = bench.registry(), bench.registry()
    push(outside, "pause", "3.9", oci_index())
    push(outside, "library/busybox", "1.36", small(2, docker=True))
    for number, tag in enumerate(("1.26.2", "1.26.3", "1.27.3")):
        push(outside, "library/nginx", tag, build_image([COMMON, random_layer(810 + number, 6_000)]))
    people = months(site, outside, inside)
    january = site.folder / "usb1" / "2026-01" / "2026-01.tar.gz"
    people.failing = {(f"{VERIFY}01", 1), (f"{LOAD}02", 0)}
    people.after = {
        ("sync -f /media/usb1 && sync -f /media/usb2", 0): lambda: damage(january, 1),
        (f"{VERIFY}01", 0): lambda: damage(january, 2, 6),
        (f"{LOAD}01", 0): lambda: read_out(people, inside),
    }
    people.passed_over = () if is_full() else LATER
    people.follow(PAGE)
    assert tuple(people.followed) == FOLLOWED["test_the_months_of_two_sites"]
    assert shown_on_the_page(people) == []
    asking = people.folder / "out" / LOADER / "2026-02.tar.gz.request.json"
    failing = next(said for command, said in people.typed if command == f"{LOAD}02")
    assert f"or carry {asking} (on the controller) out, for a bundle" in " ".join(failing.split())
    assert tags(inside).keys() == {"pause:3.9", "library/busybox:1.36", "library/nginx:1.26.3"}
    assert gaps(inside) == []
    records, media = people.folder / "records" / "plant", people.folder / "media" / "north.example.com"
    filed = sorted(path.name for path in records.glob("*.lock.json"))
    assert filed == [f"2026-{name}.tar.gz.lock.json" for name in ("01", "02")]
    receipts = [read(path) for path in records.glob("*.receipt*.json")]
    assert sorted(name for one in receipts for name in one["locks"].values()) == filed
    assert all(one["complete"] for one in receipts)
    february = read(media / "2026-02.tar.gz.lock.json")
    assert [one["receipt"] for one in february["base"]] == [True] and COMMON.digest in february["requires"]
    full = ["2026-01", "2026-12"] if is_full() else ["2026-01"]
    assert sorted(path.name for path in media.glob("*.parity")) == [f"{name}.tar.gz.parity" for name in full]
    if is_full():
        march, ship, december = (read(media / f"2026-{name}.tar.gz.lock.json") for name in ("03", "03-ship", "12"))
        assert [one["receipt"] for one in march["base"]] == [True] * 2
        assert [(one["name"], one["receipt"]) for one in ship["base"]] == [("2026-01.tar.gz", True)]
        assert march["images"] == ship["images"] == december["images"]
        assert december["version"] == 1 and COMMON.digest in december["blobs"]
