# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role where something is wrong. Each host is a case of its own, and none of them holds up the others.

One of them is root on its host, with a strict umask; what was saved is fetched as ever.
"""

from __future__ import annotations

from ansible_collections.airgap.images.tests.functional._helpers import holds
from ansible_collections.airgap.images.tests.functional._role import (
    NAME,
    Site,
    assert_secret,
    changed,
    fact,
    failure,
    play,
    references,
)
from ansible_collections.airgap.images.tests.functional.test_role_calls import strict_sudo
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Credentials
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

WRONG = "wr0ng-p4ssword"
RIGHT = Credentials("reader", "r1ght-p4ssword")


def test_what_fails_is_named_and_what_can_be_saved_is(source: Source, bench: Workbench, site: Site) -> None:
    """Wrong and right password, a line that is none, an image that is missing, and the same with allow_partial.

    And a cache with somebody's file in it, which stays although the cache is to be removed.
    """
    closed = bench.registry(basic=RIGHT)
    private = push(closed, "team/private", "1", small(50))
    good = source["oci/gzip:1"].reference
    missing = f"{source.registry.host}/team/missing:1"
    failed = {"image_save_failed_list": "{{ work }}/out/failed.txt"}
    credentials = {"host": closed.host, "username": RIGHT.username}
    cases = {
        "password": {
            "image_save_images": [private.reference],
            "image_save_registries": [{**credentials, "password": WRONG}],
        },
        "trusted": {
            "image_save_images": [private.reference],
            "image_save_registries": [{**credentials, "password": RIGHT.password}],
        },
        "line": {"image_save_images": [good, "no reference at all!"]},
        "missing": {"image_save_images": [good, missing], **failed},
        "partial": {
            "image_save_images": [good, missing],
            **failed,
            "image_save_allow_partial": True,
            "ansible_become": True,
            "ansible_become_exe": str(strict_sudo(site.on_host("partial"))),
        },
        "foreign": {"image_save_images": [good], "image_save_keep_cache": False, "ansible_become": True},
    }
    site.on_host("foreign", "cache").mkdir()
    precious = site.on_host("foreign", "cache/precious")
    precious.write_text("not of the cache", encoding="utf-8")
    inventory = {name: {**site.inventory(name)[name], **variables} for name, variables in cases.items()}
    result = site.run(inventory, site.variables(), plays=[play(how="include_role")], options=["-vvvv"])
    assert result.rc == 2, result.stdout

    # One of them tells of all: each cause with the host that has it.
    told = "\n".join(failure(result, host) for host in ("password", "line", "missing"))
    assert f"password: image_save_images, item 1: {closed.host} refused user '{RIGHT.username}' for " in told
    assert closed.host in fact(result, "password")["msg"]
    assert fact(result, "password")["failed_images"]
    assert references(site.checked("trusted")) == [private.reference]
    assert_secret(result, WRONG, RIGHT.password)
    for name in ("password", "trusted", "home"):
        assert not holds(site.on_host(name), WRONG) and not holds(site.on_host(name), RIGHT.password)

    assert "line: image_save_images, item 2: 'no reference at all!' is not a valid reference" in told
    assert f"missing: image_save_images, item 2: {missing} does not exist on" in told
    assert "no reference at all!" in fact(result, "line")["msg"]

    told = fact(result, "missing")
    assert [each["reference"] for each in told["failed_images"]] == [missing]
    failed_list = site.media / "missing" / "failed.txt"
    assert told["fetched"]["failed_list"] == str(failed_list)
    assert [*failed_list.parent.iterdir()] == [failed_list], "only the list of what failed is there"

    assert "precious" in failure(result, "foreign")
    assert precious.exists() and site.on_host("foreign", f"out/{NAME}").exists()
    assert references(site.checked("foreign")) == [good]

    partial = site.checked("partial", beside=["failed.txt"])
    assert references(partial) == [good]
    assert fact(result, "partial")["fetched"]["failed_list"] == str(site.media / "partial" / "failed.txt")
    for name in ("missing", "partial"):
        text = (site.media / name / "failed.txt").read_text("utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert [line.split("#")[0].strip() for line in lines] == [missing]
        assert text == site.on_host(name, "out/failed.txt").read_text("utf-8")

    for name in ("password", "line", "missing"):
        assert not site.on_host(name, f"out/{NAME}").exists()
        assert not [path for path in site.media.glob(f"{name}/*") if path.name.startswith(NAME)]
    assert {host for host, _task in changed(result)} >= {"trusted", "partial", "missing"}
