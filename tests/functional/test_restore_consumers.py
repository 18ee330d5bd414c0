# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Use of what the restore script leaves by containerd, podman, buildah, skopeo and umoci: docs/consumers.md."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._restore import Ran, run, save_kind
from ansible_collections.airgap.images.tests.support.archive import ROOT, SHARE, Archive, read_archive
from ansible_collections.airgap.images.tests.support.consumers import ConsumerError, Consumers, consumers
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.skopeo import registry_digests
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

# OCI and Docker, single and not, whole and not, gzip, zstd and plain layers, variants, attestations, foreign layers
# that are left out, artefacts, another platform than that of this machine, a deep path.
SAVED = (
    "oci/index:1",
    "docker/list:1",
    "docker/single:1",
    "oci/zstd:1",
    "oci/plain:1",
    "oci/variants:1",
    "oci/attested:1",
    "windows/list:1",
    "docker/arm64:1",
    "charts/app:1.2.3",
    "oci/artifact:1",
    "a/b/c/d:1.0",
)
RUNNABLE = ("oci/index:1", "docker/list:1", "docker/single:1", "oci/zstd:1", "oci/plain:1", "a/b/c/d:1.0")
TARS = ("script", "by hand", "plain")
EACH_TAR = ("script", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in TARS[1:]))


@dataclass(frozen=True)
class Unpacked:
    """An archive that was restored, and the tars that may be made of it."""

    archive: Archive
    layout: Path
    tars: dict[str, Path]
    ran: Ran
    ran_for_tar: Ran

    def reference(self, name: str) -> str:
        """The reference that ends so."""
        (found,) = [each for each in self.archive.references if each.endswith(f"/{name}")]
        return found


@pytest.fixture(scope="module")
def unpacked(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpacked]:
    folder = tmp_path_factory.mktemp("consumers")
    with Workbench(folder) as bench:
        digest = f"{seeded_source.registry.host}/oci/gzip@{seeded_source['oci/gzip:1'].digest}"
        images = [*(seeded_source[name] for name in SAVED), digest]
        dest = save_kind(bench, images, bench.dest, "gzip in parts")
        ran = run(dest, folder / "site")
        as_tar = run(dest, "--oci-tar", folder / "script.tar")
        assert (ran.status, as_tar.status) == (0, 0), ran.err + as_tar.err
        layout = folder / "site" / ROOT
        (by_hand,) = [line for line in ran.commands if " && tar " in line]
        subprocess.run(["sh", "-c", by_hand], check=True)
        # What somebody may type who knows nothing of this collection.
        subprocess.run(["tar", "-C", layout, "-cf", folder / "plain.tar", "."], check=True)
        tars = dict(zip(TARS, (folder / "script.tar", folder / "site" / "images.tar", folder / "plain.tar")))
        yield Unpacked(read_archive(dest), layout, tars, ran, as_tar)


@pytest.fixture(scope="module")
def programs() -> Iterator[Consumers]:
    """With a containerd that runs."""
    with consumers() as made, made.containerd():
        yield made


@pytest.mark.parametrize("kind", EACH_TAR)
def test_containerd_imports_each_image_under_its_name(unpacked: Unpacked, programs: Consumers, kind: str) -> None:
    """With its digest, and each blob with ``--all-platforms``; it cannot read the archive itself."""
    namespace = kind.replace(" ", "-")
    tar = shlex.quote(str(unpacked.tars[kind]))
    programs.type(f"ctr --namespace {namespace} image import --no-unpack --all-platforms {tar}")
    assert programs.of_containerd(namespace) == unpacked.archive.references
    stored = programs.content_of_containerd(namespace)
    # The source's index stands beside a generated one, and is what no name leads to.
    beside = {str(image["digest"]) for image in unpacked.archive.lock["images"]}
    assert set(unpacked.archive.blobs) - stored <= beside - set(unpacked.archive.references.values())


def test_containerd_takes_what_the_script_prints(unpacked: Unpacked, programs: Consumers) -> None:
    """Each image of this machine's platform can then be used; without --no-unpack, the first of another ends it."""
    (line,) = [command for command in unpacked.ran_for_tar.commands if command.startswith("ctr ")]
    programs.type(line)
    assert programs.of_containerd("k8s.io") == unpacked.archive.references
    for number, name in enumerate(RUNNABLE):
        programs.type(f"ctr --namespace k8s.io container create {shlex.quote(unpacked.reference(name))} c{number}")
    with pytest.raises(ConsumerError, match="no match for platform in manifest"):
        programs.type(line.replace(" --no-unpack", "").replace("k8s.io", "other"))
    assert programs.of_containerd("other") == unpacked.archive.references, "the names are there all the same"


def test_containerd_does_not_know_the_archive_itself(unpacked: Unpacked, programs: Consumers, workdir: Path) -> None:
    whole = workdir / "archive.tar"
    subprocess.run(["tar", "-C", unpacked.layout.parent, "-cf", whole, ROOT], check=True)
    with pytest.raises(ConsumerError, match="unrecognized image format"):
        programs.type(f"ctr image import --no-unpack {whole}")
    with pytest.raises(ConsumerError, match="does not match any of the supported"):
        programs.type(f"podman load -i {whole}")


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("podman", "script"),
        *(pytest.param("podman", kind, marks=pytest.mark.thorough) for kind in TARS[1:]),
        ("buildah", "script"),
    ],
)
def test_podman_and_buildah_pull_out_of_the_tar(unpacked: Unpacked, kind: str, program: str) -> None:
    """Under the image's name and digest, as the script prints it; ``podman load`` wants one image alone."""
    with consumers() as programs:
        (line,) = [each for each in unpacked.ran_for_tar.commands if each.startswith(f"{program} ")]
        line = line.replace(str(unpacked.tars["script"]), str(unpacked.tars[kind]))
        printed = next(iter(unpacked.archive.references))
        assert printed in line
        digest = next(each for each in unpacked.archive.references if "@" in each)
        chosen = ("docker/list:1", "oci/zstd:1") if kind == "script" else ("oci/index:1",)
        pulled = {name: unpacked.archive.references[name] for name in (*map(unpacked.reference, chosen), digest)}
        for reference in pulled:
            programs.type(line.replace(printed, reference))
        found = programs.of_podman()
        # 4.3.1 lists one by digest without a name.
        assert {name: each for name, each in found.items() if name in pulled} | {digest: pulled[digest]} == pulled
        assert sorted(found.values()) == sorted(pulled.values())
        if program == "podman":
            with pytest.raises(ConsumerError, match="more than one image in oci, choose an image"):
                programs.type(f"podman load -i {unpacked.tars[kind]}")


def test_skopeo_puts_images_where_podman_and_buildah_find_them(unpacked: Unpacked) -> None:
    """From what was unpacked, under name and digest; podman and buildah themselves lose the name on this way."""
    reference = unpacked.reference("oci/index:1")
    expected = unpacked.archive.references[reference]
    source = shlex.quote(f"oci:{unpacked.layout}:{reference}")
    with consumers() as programs:
        programs.type(f"skopeo copy {source} containers-storage:{reference}")
        assert programs.of_podman() == {reference: expected}
    for command in ("podman pull", "buildah pull", "buildah from"):
        with consumers() as programs:
            programs.type(f"{command} {source}")
            ((name, digest),) = programs.of_podman().items()
            assert reference != name and digest == expected, command


def printed(page: Path) -> list[list[str]]:
    """The blocks of commands of a report, each with its lines."""
    blocks = re.findall(r"<pre>(.*?)</pre>", page.read_text("utf-8"), re.DOTALL)
    return [[html.unescape(line) for line in re.findall(r"<code>(.*?)</code>", block)] for block in blocks]


@pytest.mark.parametrize(
    "kind", ["gzip in parts", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in ("zstd", "none")), "dir"]
)
def test_the_commands_of_the_report(
    source: Source, bench: Workbench, registry: Registry, programs: Consumers, workdir: Path, kind: str
) -> None:
    """All that it prints, from top to bottom in the archive's directory, but for hangar's."""
    image = source["oci/index:1"]
    dest = save_kind(bench, [image], bench.dest, kind)
    there = {"TARGET_DIR": "target", "docker://REGISTRY/": f"docker://{registry.host}/", "k8s.io": bench.directory.name}
    there["skopeo copy"] = "skopeo copy --dest-tls-verify=false"
    typed = []
    for lines in printed(Path(f"{dest}.report.html")):
        if lines[0].startswith("mkdir "):  # the other way to unpack
            subprocess.run(["rm", "-r", dest.parent / "target"], check=True)
        elif lines[0].startswith("sh ") and (dest.parent / "target").exists() and "TARGET_DIR" in lines[0]:
            continue  # it stands in two places
        for line in lines:
            if "hangar" not in line:
                for word, here in there.items():
                    line = line.replace(word, here)
                programs.type(line, cwd=dest.parent)
                typed.append(line.split()[0])
    assert {"sha256sum", "sh", "mkdir", "skopeo", "ctr", "podman"} <= set(typed)
    digest = read_archive(dest).references[image.reference]
    assert registry_digests(registry, "oci/index", "1")[0] == digest
    assert programs.of_containerd(bench.directory.name) == {image.reference: digest}
    assert programs.of_podman()[image.reference] == digest


def copy_of(unpacked: Unpacked, folder: Path) -> Path:
    """Copy what was unpacked, to be harmed."""
    return Path(shutil.copytree(unpacked.layout, folder / ROOT, symlinks=True))


def blobs_of(layout: Path) -> set[str]:
    return {f"sha256:{name}" for name in os.listdir(layout / "share" / "sha256")}


def test_a_folder_is_a_layout_of_which_a_collector_removes_all_others(unpacked: Unpacked, workdir: Path) -> None:
    """Each folder has a link to the blobs of all."""
    layout = copy_of(unpacked, workdir)
    name = unpacked.archive.references[unpacked.reference("oci/plain:1")].partition(":")[2]
    folder = layout / name
    subprocess.run(["umoci", "gc", "--layout", folder], check=True, capture_output=True)
    manifest = unpacked.archive.document(f"{SHARE}/{name}")
    own = {f"sha256:{name}", manifest["config"]["digest"], *(each["digest"] for each in manifest["layers"])}
    assert blobs_of(layout) == own


def test_a_collector_removes_the_blobs_of_docker_images(seeded_source: Source, workdir: Path) -> None:
    """It does not know their manifests, and takes what they name for garbage. OCI images stay."""
    with Workbench(workdir) as bench:
        images = [seeded_source[name] for name in ("docker/single:1", "oci/plain:1", "oci/index:1")]
        dest = save_kind(bench, images, bench.dest, "dir")
        docker, oci = (read_archive(dest).blob(each.digest) for each in images[:2])
        layout = Path(shutil.copytree(dest, workdir / "copy", symlinks=True))
        subprocess.run(["umoci", "gc", "--layout", layout], check=True, capture_output=True)
        left = blobs_of(layout)
        assert {images[0].digest, images[1].digest} <= left
        assert images[2].digest not in left, "the index of the registry is kept beside a generated one"
        assert not left & {docker["config"]["digest"], *(each["digest"] for each in docker["layers"][1:])}
        assert {oci["config"]["digest"], *(each["digest"] for each in oci["layers"])} <= left
