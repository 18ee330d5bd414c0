# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs fetched by our client and by skopeo, what stays of them in the cache, and runs that have nothing to do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import configure, contents, saved, snapshot
from ansible_collections.airgap.images.tests.support.extent import is_full, repetitions
from ansible_collections.airgap.images.tests.support.faults import Reset, Respond, Rule
from ansible_collections.airgap.images.tests.support.images import build_image, build_index
from ansible_collections.airgap.images.tests.support.layers import random_layer
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import AMD64, ARM64, small
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

NAMES = ("oci/plain:1", "docker/list:1", "oci/zstd:1", "oci/many-layers:1")
NAMES += ("oci/index:1", "docker/single:1") if is_full() else ()
OURS = "airgap.images/"
WAYS, MORE_WAYS = ("oci/plain:1", "docker/list:1", "oci/attested:1"), ("docker/single:1", "oci/zstd:1")
WAYS += ("oci/artifact:1", "oci/gzip:1", "oci/variants:1") if is_full() else ()
MORE_WAYS += ("oci/index:1", "oci/many-layers:1", "oci/no-platforms:1") if is_full() else ()


def layers_of(image: PushedImage) -> set[str]:
    """The layers of the platforms that are saved."""
    wanted = [platform for platform in image.platforms if platform.arch in ("amd64", "arm64")]
    return {layer.digest for platform in wanted for layer in platform.layers}


def fetched_by_us(proxy: Proxy, digests: set[str]) -> set[str]:
    """Those of the blobs that our client asked for."""
    asked = [each for each in proxy.requests() if each.headers.get("user-agent", "").startswith(OURS)]
    return {digest for digest in digests if any(each.path.endswith(f"/blobs/{digest}") for each in asked)}


@pytest.mark.thorough(repeats=True)
@pytest.mark.parametrize("compress", ["gzip", pytest.param("dir", marks=THOROUGH)])
def test_both_ways_give_the_same_bytes(source: Source, bench: Workbench, home: Path, compress: str) -> None:
    """A registry that registries.conf mentions is left to skopeo; the archive shows neither that nor the jobs."""
    proxy = bench.proxy(source.registry)
    references = [f"{proxy.host}/{name}" for name in NAMES]
    wanted = set().union(*(layers_of(source[name]) for name in NAMES))
    ours, theirs = bench.directory / "ours" / "images", bench.directory / "theirs" / "images"
    saved(bench.save(references, dest=ours, compress=compress, cache_dir=bench.directory / "cache-1"))
    assert fetched_by_us(proxy, wanted) == wanted
    assert [proxy.blob_gets()[digest] for digest in sorted(wanted)] == [1] * len(wanted)
    proxy.clear()
    configure(home, f'[[registry]]\nlocation = "{proxy.host}"\ninsecure = true\n')
    saved(bench.save(references, dest=theirs, compress=compress, cache_dir=bench.directory / "cache-2", jobs=13))
    assert fetched_by_us(proxy, wanted) == set()
    assert [proxy.blob_gets()[digest] for digest in sorted(wanted)] == [1] * len(wanted)
    assert contents(ours.parent) == contents(theirs.parent)


def manifests_given(proxy: Proxy, *, to_us: bool) -> Counter[str]:
    """How often each manifest was given, by path."""
    given = [each for each in proxy.requests() if each.method == "GET" and "/manifests/" in each.path]
    return Counter(each.path for each in given if each.headers.get("user-agent", "").startswith(OURS) is to_us)


@pytest.mark.thorough(repeats=True)
@pytest.mark.parametrize("compress", ["zstd", pytest.param("dir", marks=THOROUGH)])
def test_with_and_without_skopeo_the_archive_is_the_same(source: Source, bench: Workbench, compress: str) -> None:
    """Without it, each manifest and index is asked for once; skopeo copies one image of each registry, as a witness."""
    first, second = bench.proxy(source.registry), bench.proxy(source.registry)
    references = [f"{proxy.host}/{name}" for proxy, names in ((first, WAYS), (second, MORE_WAYS)) for name in names]
    ours, theirs = bench.directory / "auto" / "images", bench.directory / "always" / "images"
    auto = bench.save(references, dest=ours, compress=compress, cache_dir=bench.directory / "cache-1")
    saved(auto)
    assert auto["notes"] == []
    for proxy in (first, second):
        assert set(manifests_given(proxy, to_us=True).values()) == {1}
        assert sum(manifests_given(proxy, to_us=False).values()) == 1
        proxy.clear()
    always = bench.save(
        references, dest=theirs, compress=compress, cache_dir=bench.directory / "cache-2", skopeo_copy="always"
    )
    saved(always)
    copied = [manifests_given(proxy, to_us=False) for proxy in (first, second)]
    assert [sum(each.values()) for each in copied] == [len(each) for each in copied]
    assert sum(len(each) for each in copied) == always["stats"]["platform_images"]
    assert contents(ours.parent) == contents(theirs.parent)
    folders = [contents(bench.directory / name) for name in ("cache-1", "cache-2")]
    for found in folders:
        for name in ("verified.json", "accepted.json"):  # they name the archive
            found.pop(name)
    assert folders[0] == folders[1], "the caches too"


def test_a_mirror_is_used(source: Source, bench: Workbench, home: Path) -> None:
    """The registry itself gives out no blob; only skopeo knows the mirror that does."""
    image = source["oci/index:1"]
    dead = bench.proxy(source.registry, Rule(Respond(403), path="/blobs/"))
    mirror = bench.proxy(source.registry)
    text = (
        f'[[registry]]\nlocation = "{dead.host}"\ninsecure = true\n'
        f'[[registry.mirror]]\nlocation = "{mirror.host}"\ninsecure = true\n'
    )
    reference = f"{dead.host}/{image.repository}:{image.tag}"
    configure(home, text)
    saved(bench.save([reference]))
    assert set(mirror.blob_gets()) >= layers_of(image)
    assert not dead.blob_gets()


def test_what_our_client_is_refused_is_left_to_skopeo(source: Source, bench: Workbench) -> None:
    image = source["oci/index:1"]
    (refused, *_others) = sorted(layers_of(image))
    proxy = bench.proxy(source.registry, Rule(Respond(403), path=f"/blobs/{refused}$", times=1))
    saved(bench.save([f"{proxy.host}/{image.repository}:{image.tag}"]))
    assert proxy.blob_gets()[refused] == 2
    assert fetched_by_us(proxy, layers_of(image)) == layers_of(image)


def test_a_layer_that_breaks_off_is_resumed(source: Source, bench: Workbench) -> None:
    """The second request asks for the rest only, and the third for what is left then."""
    image = source["oci/gzip:1"]
    layer = image.platforms[0].layers[-1]
    rule = Rule(Reset(10_000), path=f"/blobs/{layer.digest}$", times=2)
    proxy = bench.proxy(source.registry, rule)
    saved(bench.save([f"{proxy.host}/{image.repository}:{image.tag}"], retry_delay=0.01))
    asked = [each for each in proxy.requests() if each.path.endswith(layer.digest)]
    ranges = [each.headers.get("range", "") for each in asked]
    starts = [int(text.removeprefix("bytes=").removesuffix("-")) if text else 0 for text in ranges]
    assert len(asked) == 3 and starts == sorted(starts) and starts[0] == 0 < starts[-1]
    assert asked[-1].status == 206 and asked[-1].sent == layer.size - starts[-1]


def shared_images(registry: Registry) -> list[PushedImage]:
    """Images of two platforms over one base layer."""
    base = random_layer(1, 40_000)
    return [
        push(
            registry,
            f"some/image-{number}",
            "1",
            build_index(
                [
                    build_image([base, random_layer(10 * number + place, 30_000)], platform=platform)
                    for place, platform in enumerate((AMD64, ARM64))
                ]
            ),
        )
        for number in range(1, repetitions(3, 5) + 1)
    ]


@pytest.mark.parametrize(
    "compress", ["gzip", *(pytest.param(each, marks=THOROUGH) for each in ("zstd", "none")), "dir"]
)
def test_without_the_cache_the_archive_is_the_same(registry: Registry, bench: Workbench, compress: str) -> None:
    """No layer stays in the cache, each was fetched once, and the next run finds that nothing changed."""
    images = shared_images(registry)
    kept, lean = bench.directory / "kept" / "images", bench.directory / "lean" / "images"
    saved(bench.save(images, dest=kept, compress=compress, cache_dir=bench.directory / "another-cache"))
    registry.clear()
    saved(bench.save(images, dest=lean, compress=compress, keep_cache=False))
    wanted = set().union(*(layers_of(image) for image in images))
    assert contents(kept.parent) == contents(lean.parent)
    assert {digest: registry.blob_gets()[digest] for digest in wanted} == dict.fromkeys(wanted, 1)
    left = {f"sha256:{path.name}" for path in (bench.cache / "share" / "sha256").iterdir()}
    assert not left & wanted and not [path for path in bench.cache.iterdir() if len(path.name) == 64]
    registry.clear()
    before = snapshot(bench.cache, lean.parent)
    again = bench.save(images, dest=lean, compress=compress, keep_cache=False)
    saved(again, changed=False)
    assert snapshot(bench.cache, lean.parent) == before
    assert not registry.blob_gets() and not registry.manifest_gets()


def test_without_the_cache_a_change_downloads_all_and_says_so(registry: Registry, bench: Workbench) -> None:
    images = shared_images(registry)
    saved(bench.save(images, keep_cache=False))
    registry.clear()
    new = push(registry, images[2].repository, "1", small(3))
    checked = bench.save(images, keep_cache=False, check=True)
    result = bench.save(images, keep_cache=False)
    archive = saved(result)
    assert archive.references[new.reference] == new.digest
    others = set().union(*(layers_of(image) for image in images if image is not images[2]))
    assert {digest: registry.blob_gets()[digest] for digest in others} == dict.fromkeys(others, 1)
    for each in (checked, result):
        assert "1 image changed; " in each["reason"] and "not in the cache any more" in each["reason"]


@THOROUGH
@pytest.mark.parametrize("compress", ["gzip", "dir"])
def test_a_run_with_nothing_new_writes_nothing(source: Source, bench: Workbench, compress: str) -> None:
    """Not even a lock: what is only looked at may be on a file system that is read-only by now."""
    images = [source[name] for name in NAMES]
    saved(bench.save(images, compress=compress, dest=bench.directory / "out" / "images"))
    source.registry.clear()
    before = snapshot(bench.cache, bench.directory / "out")
    result = bench.save(images, compress=compress, dest=bench.directory / "out" / "images")
    saved(result, changed=False)
    assert snapshot(bench.cache, bench.directory / "out") == before
    assert not source.registry.manifest_gets() and not source.registry.blob_gets()
    assert result["stats"]["manifest_requests"] == {"HEAD": len(images), "GET": 0}


def test_a_directory_takes_over_what_it_had(registry: Registry, bench: Workbench) -> None:
    """One of several images moves: the others' files are the same inodes as before, and only its blobs are fetched."""
    images = shared_images(registry)
    dest = bench.directory / "out" / "images"
    saved(bench.save(images, compress="dir", dest=dest))
    inodes = {str(path.relative_to(dest)): path.lstat().st_ino for path in dest.rglob("*") if path.is_file()}
    registry.clear()
    new = push(registry, images[2].repository, "1", small(3))
    saved(bench.save(images, compress="dir", dest=dest))
    others = set().union(*(set(platform.blobs) for i in images if i is not images[2] for platform in i.platforms))
    for digest in others:
        name = f"share/sha256/{digest.removeprefix('sha256:')}"
        assert (dest / name).lstat().st_ino == inodes[name]
    assert set(registry.blob_gets()) == set(new.platforms[0].blobs[1:])
    saved(bench.save(images, compress="dir", dest=dest), changed=False)


def test_a_file_of_the_directory_that_was_touched_is_read_again(registry: Registry, bench: Workbench) -> None:
    """Bytes changed on disk do not get into the next archive, though the name is the same."""
    images = shared_images(registry)
    dest = bench.directory / "out" / "images"
    saved(bench.save(images, compress="dir", dest=dest))
    damaged = dest / "share" / "sha256" / sorted(layers_of(images[0]))[0].removeprefix("sha256:")
    raw = bytearray(damaged.read_bytes())
    raw[100] ^= 0xFF
    damaged.write_bytes(bytes(raw))  # the cache's own file too: they are one inode
    push(registry, images[2].repository, "1", small(3))
    result = bench.save(images, compress="dir", dest=dest)
    saved(result)
    assert result["stats"]["blobs_repaired"] == 1
