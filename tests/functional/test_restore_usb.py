# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore script on USB sticks: an archive that was saved there without links, and one that is unpacked there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._restore import (
    PAIR_KINDS,
    SHELLS,
    command_of,
    content,
    kind_of,
    programs,
    run,
    site_commands,
    tar_files,
    tar_of,
    unpacked,
)
from ansible_collections.airgap.images.tests.support.archive import read_archive
from ansible_collections.airgap.images.tests.support.disks import exfat_disk
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.skopeo import registry_digests
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

pytestmark = pytest.mark.spread

SIZE = 64 * 1024 * 1024
EACH_SHELL = pytest.mark.parametrize("shell", SHELLS)
LEFT_OUT = "has no symbolic links, so the links called blobs are left out"


@pytest.fixture
def archives(restorable_pairs: dict[str, Path]) -> dict[str, Path]:
    """An archive of each kind on an ordinary disk. They must not be written to."""
    return restorable_pairs


@pytest.fixture
def stick(workdir: Path) -> Iterator[Path]:
    with exfat_disk(workdir / "stick", workdir / "stick.img", SIZE) as path:
        yield path


@EACH_SHELL
@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_unpacked_there_it_is_whole_but_for_its_links(
    archives: dict[str, Path], registry: Registry, workdir: Path, stick: Path, kind: str, shell: str
) -> None:
    """And the commands that it names copy the images all the same."""
    dest = archives[kind]
    path = programs(workdir / "bin", kind_of(dest), shell)
    ran = run(dest, stick / "target", by=shell, path=path)
    assert ran.status == 0, ran.err
    assert ran.err.count(LEFT_OUT) == 1 and "It is without its links" in ran.out
    files = {name: (kind, target, sum_) for name, (kind, target, sum_) in content(dest).items() if not target}
    assert len(files) < len(content(dest)), "the archive has no links, so nothing is shown"
    assert unpacked(stick / "target") == files
    assert "\n".join(ran.commands).count("skopeo copy --all --preserve-digests --src-shared-blob-dir ") == 2
    assert not [line for line in ran.commands if " && tar " in line], "that needs the links"
    commands = site_commands(ran.commands, registry)
    subprocess.run([*command_of(dest, by=shell)[:-1], "-c", commands], check=True, timeout=120)
    index, plain = read_archive(dest).references.values()
    assert registry_digests(registry, "oci/index", "1")[0] == index
    assert registry_digests(registry, "oci/plain", f"digest-{plain.partition(':')[2]}") == [plain]


@EACH_SHELL
@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_the_tar_for_containerd_is_written_there(
    archives: dict[str, Path], workdir: Path, stick: Path, kind: str, shell: str
) -> None:
    """It needs no links."""
    ran = run(archives[kind], "--oci-tar", stick / "all.tar", by=shell)
    assert ran.status == 0, ran.err
    assert LEFT_OUT not in ran.err
    assert [path.name for path in stick.iterdir()] == ["all.tar"]
    assert tar_files(stick / "all.tar") == tar_of(archives[kind])


@EACH_SHELL
def test_what_was_saved_there_gets_its_links_where_it_is_unpacked(
    archives: dict[str, Path], source: Source, bench: Workbench, workdir: Path, stick: Path, shell: str
) -> None:
    images = [source["oci/index:1"], f"{source.registry.host}/oci/plain@{source['oci/plain:1'].digest}"]
    result = bench.save(images, dest=stick / "images", compress="dir")
    assert not result.failed, result.msg
    assert "no links blobs" in result["msg"] and not list(stick.rglob("blobs"))
    ran = run(stick / "images", workdir / "target", by=shell, path=programs(workdir / "bin", "dir", shell))
    assert ran.status == 0, ran.err
    assert LEFT_OUT not in ran.err and "without its links" not in ran.out
    assert unpacked(workdir / "target") == content(archives["dir"])
