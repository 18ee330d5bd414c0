# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that several of these tests need beside the fixtures in ``tests/support``."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.airgap.images.tests.support.archive import Archive, file_sha256
from ansible_collections.airgap.images.tests.support.archive_check import check_archive
from ansible_collections.airgap.images.tests.support.faults import Action, Rule
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import PushedImage, PushedPlatform
from ansible_collections.airgap.images.tests.support.registry import Registry


def check(dest: Path, *, beside: Collection[str] = (), part_digits: int = 0) -> Archive:
    """Reads an archive and asserts everything that has to hold for every archive, the lock's list of blobs included."""
    archive = check_archive(dest, beside=beside, part_digits=part_digits)
    assert archive.lock["blobs"] == archive.blobs, "the lock names other blobs than there are"
    return archive


def saved(result: Result, *, changed: bool = True) -> Archive:
    """Asserts that the run ended well, then all of ``check``."""
    assert not result.failed, f"{result.msg}\n{result.data.get('failed_images')}\n{result.stderr}"
    assert result.changed is changed, result["reason"]
    return check(Path(result["dest"]))


def platforms(archive: Archive, reference: str) -> list[str]:
    """The digests of the platform images that the lock names for a reference."""
    (image,) = [each for each in archive.lock["images"] if each["reference"] == reference]
    return [str(each["digest"]) for each in image["platforms"]]


def configure(home: Path, text: str, *, name: str = "registries.conf") -> None:
    """Has skopeo read this configuration of registries."""
    path = home / ".config" / "containers" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def digests(images: Iterable[PushedPlatform]) -> list[str]:
    """The digests of platform images."""
    return [each.digest for each in images]


def snapshot(*roots: Path) -> dict[str, tuple[object, ...]]:
    """Everything below ``roots``: kind, mode, owner, inode, times of change, size and content."""
    found: dict[str, tuple[object, ...]] = {}
    for root in roots:
        for path in [root, *root.rglob("*")] if root.exists() else []:
            stat = path.lstat()
            content = file_sha256(path) if path.is_file() and not path.is_symlink() else ""
            owner = (stat.st_uid, stat.st_gid)
            found[str(path)] = (stat.st_mode, owner, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, content)
    return found


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Has what begins in the block inherit a umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def contents(root: Path) -> dict[str, str]:
    """The sha256 of every file below ``root``, by relative path; directories are left out."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(root)): file_sha256(path) for path in files}


def without_reports(found: dict[str, str]) -> dict[str, str]:
    """Leave out the reports: they say what is new, so they depend on the archive before."""
    return {
        name: digest
        for name, digest in found.items()
        if not name.endswith((".report.html", ".report.csv", ".report.json"))
    }


def cached(cache: Path, digest: str) -> Path:
    """Where the cache keeps a blob."""
    return cache / "share" / "sha256" / digest.partition(":")[2]


def flip(path: Path, at: int = -1, *, keep_times: bool = False) -> None:
    """Flips the bits of one byte (by default the one in the middle); the length stays."""
    stat = path.stat()
    place = stat.st_size // 2 if at < 0 else at
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 0xFF]))
    if keep_times:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@dataclass(frozen=True)
class Traffic:
    """Traffic since the record was cleared: the digests and bytes sent, and how many manifests our client asked for."""

    fetched: frozenset[str]
    size: int
    heads: int
    gets: int

    @property
    def nothing(self) -> bool:
        """True if neither a blob nor a manifest was sent."""
        return not self.fetched


def traffic(registry: Registry) -> Traffic:
    """Reads the access log; each digest counts once, whoever asked for it."""
    fetched: dict[str, int] = {}
    heads = gets = 0
    for each in registry.requests():
        if each.manifest and not each.user_agent.startswith("skopeo/"):
            heads += each.method == "HEAD"
            gets += each.method == "GET"
        if each.method == "GET" and each.status == 200 and (each.blob or each.manifest):
            fetched[each.blob or each.manifest.rpartition("@")[2]] = each.size
    return Traffic(frozenset(fetched), sum(fetched.values()), heads, gets)


def assert_layers_once(registry: Registry, images: Iterable[PushedPlatform]) -> None:
    """Every layer of these images was sent exactly once; configs skopeo asks for at each copy."""
    sent = registry.blob_gets()
    for image in images:
        for layer in image.layers:
            assert sent[layer.digest] == 1, f"{layer.digest} was sent {sent[layer.digest]} times"


def outcomes(result: Result) -> dict[str, str]:
    """The status of each reference."""
    return {str(each["reference"]): str(each["status"]) for each in result["images"]}


def assert_counts(result: Result, lines: int) -> None:
    """Every line is accounted for: saved, skipped, failed, invalid or a duplicate."""
    states = list(outcomes(result).values())
    assert len(states) == len(result["images"]), "a reference comes twice"
    assert states.count("failed") == len(result["failed_images"])
    assert states.count("skipped") == len(result["skipped_images"])
    assert len(states) + len(result["invalid_lines"]) + result["stats"]["duplicates"] == lines


def write_list(path: Path, lines: Iterable[str], *, end: str = "\n", encoding: str = "utf-8") -> Path:
    """Writes a list file."""
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode(encoding))
    return path


def below(registry: Registry, image: PushedImage) -> str:
    """The reference without its registry: ``REPOSITORY:TAG``."""
    return image.reference[len(registry.host) + 1 :]


def for_skopeo(image: PushedImage, action: Action) -> Rule:
    """Takes skopeo's requests for configurations, which it makes whether it copies all images or the first one only."""
    digests = "|".join(each.config_digest for each in image.platforms)
    return Rule(action, path=f"/blobs/({digests})$", agent="^skopeo/")


def command_lines(pids: Iterable[int]) -> list[str]:
    """The command lines of processes that still run."""
    found: list[str] = []
    for pid in pids:
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:  # it has just ended
            continue
    return found


def holds(root: Path, secret: str) -> list[Path]:
    """The files below ``root`` that hold these bytes; one that vanishes meanwhile holds nothing."""
    needle = secret.encode("utf-8")
    found = []
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and needle in path.read_bytes():
                found.append(path)
    return found


def leftovers(root: Path) -> list[str]:
    """Files below ``root`` as an interrupted copy or a half-written archive would leave them."""
    strange = re.compile(r"oci-put-blob|\.tmp|\.partial|\.new|auth|~$", re.IGNORECASE)
    return [str(path.relative_to(root)) for path in root.rglob("*") if strange.search(path.name)]
