# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role on one host: check mode, the first run, the second, and one with another image."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import flip, snapshot, traffic
from ansible_collections.airgap.images.tests.functional._role import (
    JOB,
    NAME,
    ROLE,
    Site,
    assert_unchanged,
    assert_well,
    changed,
    fact,
    identities,
    references,
    staged,
)
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.relay import Relay
from ansible_collections.airgap.images.tests.support.samples import big

PART = 512 * 1024
CHECK = ["--check", "--diff"]
MOST_TASKS = 12
"""Tasks of the role that a run with nothing new shows, including those that are skipped."""


@pytest.mark.thorough(repeats=True)
def test_from_nothing_to_another_image(registry: Registry, site: Site) -> None:
    """Each run follows from the one before, so they are one test."""
    first = push(registry, "team/first", "1", big(1, [2_500_000]))
    second = push(registry, "team/second", "1", big(2, [100_000, 200_000]))
    lists = site.folder / "files"
    lists.mkdir()
    (lists / "images.txt").write_text(f"# two images\n\n{first.reference}\n{second.reference}\n", encoding="utf-8")
    variables = site.variables(list_files=[lists / "images.txt"], part_size=PART, **JOB)
    host, media = site.on_host("one"), site.media / "one"

    with Relay(site.hosts.port) as relay:
        inventory = site.inventory("one", port=relay.port)

        foreseen = site.run(inventory, variables, options=CHECK)
        assert_well(foreseen)
        assert changed(foreseen), "check mode says that nothing would change"
        assert not [*host.iterdir()], "check mode has made something on the host"
        assert not site.media.exists(), "check mode has made something on the controller"
        layers = {layer.digest for image in (first, second) for layer in image.platforms[0].layers}
        assert not traffic(registry).fetched & layers, "check mode has downloaded a layer"
        assert first.reference in foreseen.stdout and second.reference in foreseen.stdout, "the difference is not shown"

        sent = relay.sent
        assert_well(done := site.run(inventory, variables))
        assert changed(done)
        archive = site.checked("one")
        assert references(archive) == staged(site, "one") == [first.reference, second.reference]
        assert len(archive.files) >= 6
        size = sum(path.stat().st_size for path in archive.files)
        assert relay.sent - sent > size, "the archive did not come over this connection"
        assert_uncompressed(site, relay)

        result = fact(done, "one")
        assert result["list_file"] == str(host / "out" / "lists" / f"{NAME}.txt")
        assert result["failed_images"] == []
        fetched = result["fetched"]
        assert [each["path"] for each in fetched["parts"]] == [str(path) for path in archive.files]
        for part in fetched["parts"]:
            path = Path(part["path"])
            assert (part["size"], part["sha256"]) == (path.stat().st_size, file_sha256(path))
        assert fetched["dest"] == str(media)
        assert fetched["checksum_file"] == str(media / f"{NAME}.sha256")
        assert fetched["lock_file"] == str(media / f"{NAME}.lock.json")
        assert fetched["failed_list"] is None
        assert sorted(fetched["files"]) == sorted(str(path) for path in media.iterdir())

        for options in ([], CHECK) if is_full() else ([],):
            before = snapshot(host / "out", site.media)
            registry.clear()
            sent = relay.sent
            again = site.run(inventory, variables, options=options)
            assert_unchanged(again)
            assert snapshot(host / "out", site.media) == before
            assert traffic(registry).nothing, "something was downloaded again"
            assert relay.sent - sent < PART, "something was transferred again"
            assert fact(again, "one")["fetched"] == fetched
            assert 0 < again.stdout.count(f"\nTASK [{ROLE} : ") <= MOST_TASKS

        # Only the second image becomes another, and only one of its layers.
        other = push(registry, "team/second", "1", big(2, [100_000, 150_000]))
        before_files = {path.name: file_sha256(path) for path in media.iterdir()}
        # Beside that, two parts are damaged, one is of a longer archive before, and a file is nobody's.
        flip(archive.files[1], keep_times=True)
        os.truncate(archive.files[2], 1000)
        shutil.copy(archive.files[0], media / f"{NAME}.part9")
        (media / "notes.txt").write_text("mine", encoding="utf-8")
        damaged = {archive.files[1].name, archive.files[2].name}
        before_identities = identities(media)
        registry.clear()
        sent = relay.sent
        assert_well(site.run(inventory, variables))
        after = site.checked("one")
        (old,), (new,) = second.platforms, other.platforms
        # The configuration names the layers, so it is another too.
        assert traffic(registry).fetched - {"team/second:1"} == set(new.blobs) - set(old.blobs)
        assert after.references[other.reference] == other.digest
        transferred = 0
        for path in after.files:
            if before_files.get(path.name) == file_sha256(path) and path.name not in damaged:
                assert identities(media)[path.name] == before_identities[path.name], f"{path.name} was written again"
            else:
                transferred += path.stat().st_size
        same = {path.name for path in after.files if before_files.get(path.name) == file_sha256(path)}
        assert damaged < same and len(same - damaged) >= 2
        assert transferred > 2 * PART, "nothing is different"
        assert relay.sent - sent < transferred + PART, "more was transferred than what is different"
        assert (media / "notes.txt").read_text("utf-8") == "mine"


def assert_uncompressed(site: Site, relay: Relay) -> None:
    """Assert that the parts came over a connection without compression, although Ansible asks for it by default."""
    compressions = site.hosts.compressions()
    carriers = [each for each in relay.connections() if each.sent > PART]
    assert carriers
    assert {compressions[each.port] for each in carriers} == {"none"}
    assert "zlib@openssh.com" in {compressions[each.port] for each in relay.connections()}
