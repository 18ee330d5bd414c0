# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode answers from the plan and touches nothing; diff mode shows what changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    assert_counts,
    below,
    cached,
    flip,
    outcomes,
    saved,
    snapshot,
    traffic,
)
from ansible_collections.airgap.images.tests.support.archive import file_sha256
from ansible_collections.airgap.images.tests.support.faults import Respond, Rule
from ansible_collections.airgap.images.tests.support.images import ARM64, Index, build_index
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import docker_list, oci_index, small
from ansible_collections.airgap.images.tests.support.workbench import Workbench

Prepare = Callable[[Workbench, Registry, list[PushedImage]], list[PushedImage]]


def nothing_there(bench: Workbench, registry: Registry, images: list[PushedImage]) -> list[PushedImage]:
    return images


def all_saved(bench: Workbench, registry: Registry, images: list[PushedImage]) -> list[PushedImage]:
    saved(bench.save(images))
    return images


def one_more(bench: Workbench, registry: Registry, images: list[PushedImage]) -> list[PushedImage]:
    saved(bench.save(images[:1]))
    return images


def one_less(bench: Workbench, registry: Registry, images: list[PushedImage]) -> list[PushedImage]:
    saved(bench.save(images))
    return images[:1]


def tag_moved(bench: Workbench, registry: Registry, images: list[PushedImage]) -> list[PushedImage]:
    saved(bench.save(images))
    moved = build_index([small(10), small(77, platform=ARM64)])
    return [push(registry, images[0].repository, images[0].tag, moved), *images[1:]]


def archive_gone(bench: Workbench, registry: Registry, images: list[PushedImage]) -> list[PushedImage]:
    saved(bench.save(images))
    bench.dest.unlink()
    return images


def archive_and_cache_damaged(bench: Workbench, registry: Registry, images: list[PushedImage]) -> list[PushedImage]:
    saved(bench.save(images))
    flip(bench.dest)
    cached(bench.cache, images[0].platforms[0].layers[-1].digest).write_bytes(b"")
    return images


@pytest.mark.parametrize(
    "prepare",
    [
        nothing_there,
        all_saved,
        *(pytest.param(each, marks=pytest.mark.thorough) for each in (one_more, one_less, archive_gone)),
        tag_moved,
        archive_and_cache_damaged,
    ],
)
def test_check_mode_touches_nothing_and_foresees_the_real_run(
    registry: Registry, bench: Workbench, prepare: Prepare
) -> None:
    """``changed``, ``reason``, images, blobs and bytes are those of the run that follows."""
    pushed = [push(registry, "some/index", "1", oci_index()), push(registry, "some/list", "1", docker_list())]
    bench.dest.parent.mkdir(parents=True)
    images = prepare(bench, registry, pushed)
    before = snapshot(bench.dest.parent, bench.cache, bench.directory / "home")
    registry.clear()
    foreseen = bench.save(images, check=True)
    assert not foreseen.failed, foreseen.msg
    assert snapshot(bench.dest.parent, bench.cache, bench.directory / "home") == before
    layers = {layer.digest for image in images for each in image.platforms for layer in each.layers}
    assert not layers & set(registry.blob_gets())
    registry.clear()
    sound = {f"sha256:{path.name}" for path in bench.cache.glob("share/sha256/*") if file_sha256(path) == path.name}
    real = bench.save(images)
    saved(real, changed=prepare is not all_saved)
    assert (foreseen.changed, foreseen["reason"]) == (real.changed, real["reason"])
    assert foreseen["images"] == real["images"]
    assert ("plan" in foreseen.data) is foreseen.changed
    if foreseen.changed:
        # skopeo asks for manifest and config at each copy, whatever the cache has.
        plan, fetched = foreseen["plan"], traffic(registry).fetched - sound
        assert (plan["blobs"], plan["bytes"]) == (
            len(fetched),
            sum(registry.blob_path(digest).stat().st_size for digest in fetched),
        )
        assert (plan["blobs"], plan["bytes"]) == (
            real["stats"]["blobs_downloaded"],
            real["stats"]["bytes_downloaded"],
        )
        assert bench.dest.stat().st_size <= plan["archive_bytes"] < 3 * bench.dest.stat().st_size
        assert plan["dest_free"] > 0 and plan["cache_free"] > 0
        assert (foreseen["dest"], foreseen["lock_file"]) == (real["dest"], real["lock_file"])


def test_check_mode_with_everything_that_writes(registry: Registry, bench: Workbench) -> None:
    """No log, no failed list, no cache; what fails is told as the real run tells it."""
    image = push(registry, "some/image", "1", small(1))
    absent = f"{registry.host}/some/image:2"
    bench.dest.parent.mkdir(parents=True)
    params: dict[str, Any] = {
        "log_file": bench.directory / "run.log",
        "failed_list": bench.directory / "failed.txt",
        "dest": bench.directory / "new" / "folder" / "images.tar.gz",
        "prune_cache": True,
    }
    params["dest"].parent.mkdir(parents=True)
    before = snapshot(bench.directory / "out", bench.directory / "new")
    foreseen = bench.save([image.reference, absent, "no reference"], check=True, **params)
    assert foreseen.failed
    assert snapshot(bench.directory / "out", bench.directory / "new") == before
    assert not (bench.directory / "run.log").exists() and not (bench.directory / "failed.txt").exists()
    assert not bench.cache.exists()
    real = bench.save([image.reference, absent, "no reference"], **params)
    assert real.failed and (bench.directory / "failed.txt").exists()
    for key in ("changed", "failed_images", "invalid_lines", "skipped_images"):
        assert foreseen[key] == real[key]
    assert_counts(foreseen, 3)


def test_check_mode_with_what_the_cache_has_from_elsewhere(registry: Registry, bench: Workbench) -> None:
    """Nothing is to be downloaded, but the repository is asked whether it has it, as skopeo will ask."""
    first = push(registry, "some/app", "1", oci_index())
    saved(bench.save([first]))
    second = push(registry, "other/app", "1", oci_index())
    assert second.digest == first.digest
    before = snapshot(bench.dest.parent, bench.cache)
    registry.clear()
    foreseen = bench.save([second], check=True)
    assert not foreseen.failed, foreseen.msg
    platforms = {f"other/app@{second.platform(arch).digest}" for arch in ("amd64", "arm64")}
    assert set(registry.manifest_gets()) == platforms and not registry.blob_gets()
    assert foreseen["stats"]["manifest_requests"] == {"HEAD": 1, "GET": len(platforms)}
    assert (foreseen["plan"]["images"], foreseen["plan"]["platform_images"]) == (1, len(platforms))
    assert (foreseen["plan"]["blobs"], foreseen["plan"]["bytes"]) == (0, 0)
    assert snapshot(bench.dest.parent, bench.cache) == before
    real = bench.save([second])
    saved(real)
    assert real["stats"]["manifest_requests"] == foreseen["stats"]["manifest_requests"]
    assert real["stats"]["blobs_downloaded"] == 0
    assert real["images"] == foreseen["images"]

    # A digest needs no question about a tag, and the cache has all of it; its repository does not.
    absent = f"{registry.host}/third/app@{first.digest}"
    foreseen, real = bench.save([absent], check=True), bench.save([absent])
    assert foreseen.failed and real.failed
    assert foreseen["failed_images"] == real["failed_images"]
    assert "does not exist" in foreseen["failed_images"][0]["reason"]
    assert foreseen["stats"]["manifest_requests"] == real["stats"]["manifest_requests"]


def test_check_mode_tells_of_a_bad_line_what_would_be(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", small(1))
    foreseen = bench.save([image.reference, "no reference"], check=True)
    assert foreseen.failed and not bench.cache.exists()
    assert f"1 of 2 images would fail, so {bench.dest} would be left as it is: " in foreseen.msg
    assert "stays" not in foreseen.msg and "was left" not in foreseen.msg
    real = bench.save([image.reference, "no reference"])
    assert f"1 of 2 images failed, so {bench.dest} was left as it was: " in real.msg


def test_check_mode_with_allow_partial(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", small(1))
    absent = f"{registry.host}/some/image:2"
    foreseen = bench.save([image.reference, absent], check=True, allow_partial=True)
    assert foreseen.changed and not foreseen.failed
    assert outcomes(foreseen) == {image.reference: "saved", absent: "failed"}


def test_check_mode_with_a_change_of_mode_alone(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", small(1))
    saved(bench.save([image], mode="0644"))
    before = snapshot(bench.dest.parent, bench.cache)
    assert bench.save([image], mode="0600", check=True).changed
    assert snapshot(bench.dest.parent, bench.cache) == before
    assert bench.save([image], mode="0600").changed


def diff_text(diff: Any) -> tuple[str, str]:
    """The texts before and after, of one difference or several."""
    each = diff if isinstance(diff, list) else [diff]
    return "".join(str(one["before"]) for one in each), "".join(str(one["after"]) for one in each)


def test_diff_shows_the_images_and_digests_before_and_after(registry: Registry, bench: Workbench) -> None:
    stays = push(registry, "some/stays", "1", small(1))
    old = push(registry, "some/app", "1", oci_index())
    gone = push(registry, "some/gone", "1", small(2))
    saved(bench.save([stays, old, gone]))
    new = push(registry, "some/app", "1", build_index([small(10), small(88, platform=ARM64)]))
    added = push(registry, "some/added", "1", small(3))
    before, after = diff_text(bench.save([stays, new, added], check=True, diff=True)["diff"])
    for image, text in ((stays, before + after), (gone, before), (added, after)):
        assert image.reference in text and image.platforms[0].digest in text
    assert gone.reference not in after and added.reference not in before
    assert old.platform("arm64").digest in before and old.platform("arm64").digest not in after
    assert new.platform("arm64").digest in after and new.platform("arm64").digest not in before


def test_diff_of_a_first_run_and_of_one_that_changes_nothing(registry: Registry, bench: Workbench) -> None:
    image = push(registry, "some/image", "1", small(1))
    before, after = diff_text(bench.save([image], diff=True)["diff"])
    assert image.reference not in before and image.platforms[0].digest in after
    result = bench.save([image], diff=True)
    before, after = diff_text(result["diff"])
    assert not result.changed and before == after
    assert "diff" not in bench.save([image]).data


def test_an_image_whose_copy_fails_each_time(registry: Registry, bench: Workbench) -> None:
    """Check mode says what a run says: nothing changed, and why the image failed; until its copy succeeds."""
    good, bad = push(registry, "some/good", "1", small(1)), push(registry, "some/bad", "1", small(2))
    lost = bad.platforms[0].layers[-1].digest
    rule = Rule(Respond(404), path=f"/blobs/{lost}")
    proxy = bench.proxy(registry, rule)
    failed = bench.directory / "failed.txt"
    params = {"source_registry": proxy.host, "allow_partial": True, "failed_list": failed, "retries": 0}

    def run(*, check: bool) -> Result:
        return bench.save([below(registry, good), below(registry, bad)], check=check, **params)

    def told(result: Result) -> tuple[object, ...]:
        return result.changed, result["reason"], result["failed_images"], outcomes(result)

    first = run(check=False)
    saved(first)
    assert [each["reference"].rpartition("/")[2] for each in first["failed_images"]] == ["bad:1"]
    before = snapshot(bench.dest.parent, failed)
    foreseen = run(check=True)
    assert snapshot(bench.dest.parent, failed) == before
    again = run(check=False)
    assert told(foreseen) == told(again) == (False, "nothing changed", first["failed_images"], outcomes(first))
    after = snapshot(bench.dest.parent, failed)
    assert {**after, str(bench.dest.parent): ()} == {**before, str(bench.dest.parent): ()}
    rule.end()
    healed = run(check=False)
    assert len(saved(healed).references) == 2 and not failed.exists()
    assert not run(check=True).changed and not run(check=False).changed


def test_what_a_prune_would_remove(registry: Registry, bench: Workbench) -> None:
    """For an archive that stays, and for one that is to be made; nothing goes in check mode."""
    first, second = (push(registry, f"some/image{number}", "1", oci_index_of(number)) for number in range(2))
    saved(bench.save([first, second]))
    for wanted in ([first], [first]):
        before = snapshot(bench.cache / "share")
        foreseen = bench.save(wanted, check=True, prune_cache=True)
        assert snapshot(bench.cache / "share") == before
        result = bench.save(wanted, prune_cache=True)
        assert not result.failed and foreseen.changed == result.changed
        assert foreseen["stats"]["bytes_pruned"] == result["stats"]["bytes_pruned"]
    assert result["stats"]["bytes_pruned"] == 0


def oci_index_of(number: int) -> Index:
    """Two platforms in Docker's list, for which an index is generated; no two are the same."""
    return build_index([small(10 + number), small(20 + number, platform=ARM64)], docker=bool(number % 2))
