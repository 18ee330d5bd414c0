# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore script: the results of unpacking, and ways to call it. Failures are in test_restore_trouble.py."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._archive.record import with_parts
from ansible_collections.airgap.images.tests.functional._restore import (
    KINDS,
    SAVED,
    SHELLS,
    command_of,
    content,
    kind_of,
    programs,
    run,
    save_kind,
    script_for,
    script_of,
    site_commands,
    unpacked,
)
from ansible_collections.airgap.images.tests.functional._restore import replace as put_in_place_of
from ansible_collections.airgap.images.tests.support.archive import ROOT, archive_files, read_archive
from ansible_collections.airgap.images.tests.support.extent import repetitions
from ansible_collections.airgap.images.tests.support.push import PushedImage
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.skopeo import registry_digests
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

pytestmark = pytest.mark.spread

HOSTILE = 'it\'s a "$HOME" `id` \\n é * ; [x] '
EACH_SHELL = pytest.mark.parametrize("shell", SHELLS)
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def archives(restorable: dict[str, Path]) -> dict[str, Path]:
    """An archive of each kind with its script. They must not be written to."""
    return restorable


@pytest.mark.each_value
@EACH_SHELL
@EACH_KIND
def test_unpacks_all_that_is_in_the_archive(archives: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """With nothing installed but what it says it needs, and in the archive's directory nothing changes."""
    dest = archives[kind]
    beside = {path: path.stat().st_mtime_ns for path in dest.parent.rglob("*")}
    path = programs(workdir / "bin", kind_of(dest), shell)
    ran = run(dest, workdir / "target", by=shell, path=path)
    assert ran.status == 0, ran.err
    assert unpacked(workdir / "target") == content(dest)
    files = archive_files(dest) if kind != "dir" else [each for each in dest.rglob("*") if each.is_file()]
    assert len(files) > 10 or "parts" not in kind
    for number in (1, 2, len(files)) if len(files) > 1 else (1,):
        assert f"checking file {number} of {len(files)}: " in ran.err
    assert f"all {len(files)} files are whole" in ran.err
    assert f"{workdir}/target/{ROOT} is whole: {len(SAVED)} images." in ran.out
    assert {path: path.stat().st_mtime_ns for path in dest.parent.rglob("*")} == beside


def test_the_parts_are_more_than_ten(archives: dict[str, Path]) -> None:
    assert all(len(archive_files(archives[f"{kind} in parts"])) > 10 for kind in ("gzip", "zstd", "none"))


@pytest.fixture(scope="module")
def of_each_form(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An archive whose references are of each form. It must not be written to."""
    host = seeded_source.registry.host
    images: list[str | PushedImage] = [
        seeded_source["oci/index:1"],
        f"{host}/oci/plain@{seeded_source['oci/plain:1'].digest}",
        f"{host}/docker/single:1@{seeded_source['docker/single:1'].digest}",
    ]
    with Workbench(tmp_path_factory.mktemp("forms")) as bench:
        yield save_kind(bench, images, bench.dest, "gzip in parts")


@pytest.mark.each_value
@pytest.mark.parametrize("place", ["target", 'it\'s "$one" `x`\\', "with:colon and blank"])
@EACH_SHELL
def test_the_commands_it_names_copy_the_images(
    of_each_form: Path, source: Source, registry: Registry, workdir: Path, shell: str, place: str
) -> None:
    """A reference of each form arrives under its tag, with the digest that the archive's index has for it."""
    digest, dest = source["oci/plain:1"].digest, of_each_form
    ran = run(dest, place, by=shell, cwd=workdir)
    assert ran.status == 0, ran.err
    commands = site_commands(ran.commands, registry)
    subprocess.run([*command_of(dest, by=shell)[:-1], "-c", commands], cwd=workdir, check=True, timeout=120)
    named = list(read_archive(dest).references.values())
    tags = [("oci/index", "1"), ("oci/plain", f"digest-{digest[7:]}"), ("docker/single", "1")]
    assert [registry_digests(registry, *tag)[0] for tag in tags] == named
    (hangar,) = [shlex.split(line.strip("()")) for line in ran.commands if "hangar" in line]
    load = f"cd {shlex.quote(f'./{place}')} && hangar load --compress dir --source {ROOT} --destination REGISTRY"
    assert hangar == shlex.split(load)


@pytest.mark.each_value
@EACH_SHELL
@pytest.mark.parametrize("kind", ["gzip in parts", "dir"])
@pytest.mark.parametrize("name", [HOSTILE, "-dash", "new.tar.gz"])
def test_names_of_all_characters(
    bench: Workbench, source: Source, workdir: Path, kind: str, name: str, shell: str
) -> None:
    dest = save_kind(bench, [source["oci/plain:1"]], bench.dest.with_name(name), kind)
    home = workdir / HOSTILE
    ran = run(dest, home / "target", by=shell, path=programs(workdir / "bin", kind_of(dest), shell))
    assert ran.status == 0, ran.err
    assert unpacked(home / "target") == content(dest)
    shown = run(dest, "--help", by=shell)
    usage = shown.out.splitlines()[0].removeprefix("usage: ")
    assert shlex.split(usage) == ["sh", str(script_of(dest)), "TARGET_DIR"]


@EACH_SHELL
def test_called_from_anywhere(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    """By a relative path, from its own directory, through links, with a name that begins like an option."""
    dest = archives["gzip in parts"]
    script = script_of(dest)
    links = workdir / "a link"
    links.mkdir()
    (links / "first").symlink_to("-second")
    (links / "-second").symlink_to(os.path.relpath(script, links))
    calls: list[tuple[Path, str]] = [
        (workdir, os.path.relpath(script, workdir)),
        (script.parent, script.name),
        (links, "./-second"),
        (links, "first"),
        (workdir, "a link/first"),
    ]
    for number, (cwd, name) in enumerate(calls):
        ran = run(dest, workdir / str(number), by=shell, cwd=cwd, script=name)
        assert ran.status == 0, ran.err
        assert unpacked(workdir / str(number)) == content(dest)


@EACH_SHELL
def test_where_files_lie_beside_a_link_they_are_taken(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    """A tree of links to the script and all parts, as some package managers make them."""
    dest = archives["zstd in parts"]
    for path in [*archive_files(dest), script_of(dest)]:
        (workdir / path.name).symlink_to(path)
    (workdir / archive_files(dest)[3].name).unlink()
    ran = run(dest, "--check", by=shell, script=workdir / script_of(dest).name)
    assert (ran.status, ran.err.count("missing: ")) == (1, 1)


@EACH_SHELL
def test_targets_of_all_kinds(archives: dict[str, Path], workdir: Path, shell: str) -> None:
    dest = archives["zstd"]
    (workdir / "there").mkdir()
    (workdir / "there" / "other").write_text("stays", encoding="utf-8")
    (workdir / "link").symlink_to("there")
    for arguments, place in [
        (["made/with/parents/"], "made/with/parents"),
        (["--", "-dash"], "-dash"),
        (["./--check"], "--check"),
        (["link"], "there"),
    ]:
        ran = run(dest, *arguments, by=shell, cwd=workdir)
        assert ran.status == 0, ran.err
        assert content(workdir / place) == content(dest)
        assert set(os.listdir(workdir / place)) <= {ROOT, "other"}
    assert (workdir / "there" / "other").read_text("utf-8") == "stays"


@EACH_SHELL
@EACH_KIND
def test_images_and_check(archives: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """Neither needs more than it uses: the list no program at all."""
    dest = archives[kind]
    bare = workdir / "bare"
    bare.mkdir()
    ran = run(dest, "--images", by=shell, path=bare)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == list(read_archive(dest).references)
    (bare / "sha256sum").symlink_to(str(shutil.which("sha256sum")))
    ran = run(dest, "--check", by=shell, path=bare, cwd=workdir)
    assert ran.status == 0, ran.err
    assert sorted(path.name for path in workdir.iterdir()) == ["bare"]


@EACH_SHELL
@pytest.mark.parametrize("arguments", [[], [""], ["one", "two"], ["--chek"], ["--check", "there"]])
def test_wrong_use(archives: dict[str, Path], workdir: Path, arguments: list[str], shell: str) -> None:
    ran = run(archives["gzip"], *arguments, by=shell, cwd=workdir)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert "usage: sh " in ran.err
    assert list(workdir.iterdir()) == []


@EACH_SHELL
def test_a_partial_archive_says_so(bench: Workbench, source: Source, workdir: Path, shell: str) -> None:
    lost = f"{source.registry.host}/not/there:1"
    images: list[str | PushedImage] = [source["oci/plain:1"], lost]
    save_kind(bench, images, bench.dest, "gzip", allow_partial=True)
    for arguments in (["--check"], [str(workdir / "target")]):
        ran = run(bench.dest, *arguments, by=shell)
        assert ran.status == 0, ran.err
        assert ran.err.endswith(
            f"This archive is partial. 1 of the images asked for could not be saved, and are not in it:\n  {lost}\n"
        )
    assert "partial" not in run(save_kind(bench, [source["oci/plain:1"]], bench.dest, "gzip"), "--check").err


@EACH_SHELL
@pytest.mark.parametrize("kind", ["gzip", "none", "dir"])
def test_surroundings_do_not_matter(archives: dict[str, Path], workdir: Path, kind: str, shell: str) -> None:
    """Settings that tar and gzip would take, a language, and an environment with the script's own names."""
    dest = archives[kind]
    env = {
        "TAR_OPTIONS": "--exclude=*",
        "GZIP": "--list",
        "LC_ALL": "C.UTF-8",
        "CDPATH": "/",
        "IFS": "a/",
        "child": "1",
        "missing": "7",
        "change": "rm -r / && ",
    }
    ran = run(dest, workdir / "target", by=shell, env=env)
    assert ran.status == 0, ran.err
    assert unpacked(workdir / "target") == content(dest)
    assert "rm -r" not in ran.out


@pytest.mark.thorough(repeats=True)
def test_many_parts(archives: dict[str, Path], workdir: Path) -> None:
    """Two thousand, and in the test command hundreds; each takes the same time."""
    count = repetitions(300, 2_000)
    whole = archives["gzip"]
    data = whole.read_bytes()
    dest = workdir / "many.tar.gz"
    names = part_names(dest.name, count, split=True, digits=None)
    size = len(data) // (count - 1)
    parts: list[Part] = []
    for number, name in enumerate(names):
        piece = data[number * size : (number + 1) * size] if number < count - 1 else data[number * size :]
        (workdir / name).write_bytes(piece)
        parts.append(Part(name, len(piece), hashlib.sha256(piece).hexdigest()))
    lock = read_lock(Path(f"{whole}.lock.json").read_bytes(), path="lock")
    Path(f"{dest}.lock.json").write_bytes(
        write_lock(replace(with_parts(lock, parts, ""), options={"compress": "gzip"}))
    )
    script_of(dest).write_bytes(script_for(dest))
    ran = run(dest, workdir / "target", path=programs(workdir / "bin", "gzip"))
    assert ran.status == 0, ran.err[-2000:]
    assert unpacked(workdir / "target") == content(whole)
    assert 150 < len(ran.err.splitlines()) < 250, "it names about a hundred of them, twice"


@pytest.mark.each_value
@pytest.mark.parametrize("expander", ["pigz", "python3", "gzip"])
def test_the_quickest_program_expands(archives: dict[str, Path], workdir: Path, expander: str) -> None:
    """Stored blocks are most of an archive; gzip copies them at a fifth of the speed of the others."""
    dest, used = archives["gzip"], workdir / "used"
    path = programs(workdir / "bin", "gzip")
    real = shutil.which(expander)
    assert real is not None, f"{expander} is not installed here"
    (path / "gzip").unlink()
    (path / "gzip").write_text("#!/bin/sh\nexit 9\n")
    (path / expander).write_text(f'#!/bin/sh\n: >{used}\nexec {real} "$@"\n')
    for name in {"gzip", expander}:
        (path / name).chmod(0o755)
    ran = run(dest, workdir / "target", path=path)
    assert ran.status == 0, ran.err
    assert used.exists()
    assert content(workdir / "target/saved-image-cache") == content(dest)

    put_in_place_of(path, "cat", "sys.stdout.buffer.write(sys.stdin.buffer.read()[:-9])\n")
    ran = run(dest, workdir / "other", path=path)
    assert ran.status == 1 and "cannot unpack" in ran.err
    assert os.listdir(workdir / "other") == []
