# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and registries that fail for a while, or for good."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import leftovers, saved
from ansible_collections.airgap.images.tests.support.faults import (
    Action,
    Corrupt,
    Reset,
    Respond,
    Rule,
    Stall,
    Truncate,
)
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.samples import big
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough


def through(proxy: Proxy, image: PushedImage) -> str:
    """The reference by way of the proxy."""
    return f"{proxy.host}/{image.repository}:{image.tag}"


def layer_path(image: PushedImage) -> str:
    """Matches the path of the last layer's blob."""
    return f"/blobs/{image.platforms[0].layers[-1].digest}$"


@pytest.mark.parametrize(
    "action",
    [
        Respond(503),
        pytest.param(
            Respond(429, {"Retry-After": "0"}, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'),
            marks=THOROUGH,
        ),
        pytest.param(Truncate(10_000), marks=THOROUGH),
        pytest.param(Reset(10_000), marks=THOROUGH),
        Corrupt(5_000),
    ],
    ids=lambda action: f"{type(action).__name__}{getattr(action, 'status', '')}",
)
def test_what_can_heal_is_tried_again(source: Source, bench: Workbench, action: Action) -> None:
    """Twice the same fault, then the registry is well: the image is saved, and the good layers come once."""
    image = source["oci/gzip:1"]
    rule = Rule(action, path=layer_path(image), times=2)
    proxy = bench.proxy(source.registry, rule)
    archive = saved(bench.save([through(proxy, image)], retry_delay=0.01, retries=4))
    assert rule.hits == 2, "the fault was not met"
    assert archive.references == {through(proxy, image): image.digest}
    sound = [layer.digest for layer in image.platforms[0].layers[:-1]]
    assert [proxy.blob_gets()[digest] for digest in sound] == [1, 1]
    assert not leftovers(bench.cache)


@pytest.mark.parametrize(
    "action", [Respond(429, {"Retry-After": "0"}), pytest.param(Corrupt(100), marks=THOROUGH)], ids=repr
)
def test_manifests_are_asked_for_again(source: Source, bench: Workbench, action: Action) -> None:
    image = source["oci/gzip:1"]
    rule = Rule(action, path="/manifests/", times=2)
    proxy = bench.proxy(source.registry, rule)
    archive = saved(bench.save([through(proxy, image)], retry_delay=0.01, retries=4))
    assert rule.hits == 2, "the fault was not met"
    assert archive.references == {through(proxy, image): image.digest}


def test_a_large_layer_gets_over_a_link_that_breaks_again_and_again(bench: Workbench) -> None:
    """More often than there are retries; no byte comes twice."""
    registry = bench.registry()
    image = push(registry, "some/large", "1", big(3, [6_500_000]))
    rule = Rule(Truncate(1_100_000), path=layer_path(image))
    proxy = bench.proxy(registry, rule)
    archive = saved(bench.save([through(proxy, image)], retry_delay=0.01, retries=1))
    assert archive.references == {through(proxy, image): image.digest}
    assert rule.hits == 6
    assert sum(each.sent for each in proxy.requests() if "/blobs/" in each.path) < 6_520_000


def test_hangar_fault_13_a_stalled_transfer_is_ended_and_tried_again(source: Source, bench: Workbench) -> None:
    image = source["oci/gzip:1"]
    rule = Rule(Stall(10_000), path=layer_path(image), times=1)
    proxy = bench.proxy(source.registry, rule)
    saved(bench.save([through(proxy, image)], stall_timeout=1, retry_delay=0.01))
    assert rule.hits == 1
    assert not leftovers(bench.cache)


def test_a_registry_that_accepts_and_says_nothing_is_not_waited_for(source: Source, bench: Workbench) -> None:
    image = source["oci/gzip:1"]
    rule = Rule(Stall(0), path="/manifests/", times=1)
    proxy = bench.proxy(source.registry, rule)
    saved(bench.save([through(proxy, image)], stall_timeout=1, retry_delay=0.01))
    assert rule.hits == 1


@pytest.mark.parametrize(
    ("params", "said"),
    [
        pytest.param({"stall_timeout": 1, "retries": 1}, "stall_timeout", marks=THOROUGH),
        ({"timeout": 2, "retries": 5}, "timeout"),
    ],
    ids=str,
)
def test_a_transfer_that_never_comes_to_an_end_fails_with_a_sentence(
    source: Source, bench: Workbench, params: dict[str, Any], said: str
) -> None:
    image = source["oci/gzip:1"]
    proxy = bench.proxy(source.registry, Rule(Stall(10_000), path=layer_path(image)))
    result = bench.save([through(proxy, image)], retry_delay=0.01, **params)
    assert result.failed and not result.changed
    assert said in result["failed_images"][0]["reason"] or "no byte" in result["failed_images"][0]["reason"]
    assert proxy.blob_gets()[image.platforms[0].layers[-1].digest] == (2 if "stall_timeout" in params else 1)
    assert not leftovers(bench.cache)


@pytest.mark.parametrize(
    ("action", "path", "words"),
    [
        (Respond(404, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'), "/manifests/", "does not exist"),
        (Respond(403, {}, b'{"errors":[{"code":"DENIED"}]}'), "/manifests/", "denied|refuse|allowed|permission|403"),
        (Respond(404, {}, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}'), "/blobs/", "blob|layer|404"),
    ],
    ids=["no manifest", "denied", "no blob"],
)
def test_what_can_not_heal_fails_at_once(
    source: Source, bench: Workbench, action: Action, path: str, words: str
) -> None:
    image = source["oci/gzip:1"]
    proxy = bench.proxy(source.registry, Rule(action, method="GET|HEAD", path=path))
    result = bench.save([through(proxy, image)], retry_delay=30, retries=5)
    assert result.failed
    reason = result["failed_images"][0]["reason"]
    assert any(word in reason.lower() for word in words.split("|")), reason
    asked = [each for each in proxy.requests() if path in each.path and each.status in (403, 404)]
    assert 1 <= len(asked) <= 5, "asked again and again"


def test_retries_come_to_an_end(source: Source, bench: Workbench) -> None:
    image = source["oci/gzip:1"]
    rule = Rule(Respond(503), path=layer_path(image))
    proxy = bench.proxy(source.registry, rule)
    result = bench.save([through(proxy, image)], retries=2, retry_delay=0.01)
    assert result.failed and rule.hits == 3
    assert "503" in result["failed_images"][0]["reason"]


def test_a_blob_that_is_always_wrong_never_gets_into_the_cache(source: Source, bench: Workbench) -> None:
    image = source["oci/gzip:1"]
    proxy = bench.proxy(source.registry, Rule(Corrupt(5_000), path=layer_path(image)))
    result = bench.save([through(proxy, image)], retries=1, retry_delay=0.01)
    assert result.failed
    assert not list(bench.cache.rglob(image.platforms[0].layers[-1].digest[7:]))


@pytest.mark.parametrize(
    ("host", "words"),
    [("127.0.0.1:1", "refused|connect"), ("registry.invalid", "resolve|name|known|no such host")],
)
def test_a_registry_that_is_not_there(bench: Workbench, host: str, words: str) -> None:
    result = bench.save([f"{host}/some/image:1"], retries=1, retry_delay=0.01)
    assert result.failed
    reason = result["failed_images"][0]["reason"]
    assert host.partition(":")[0] in reason
    assert any(word in reason.lower() for word in words.split("|")), reason
    assert "Traceback" not in reason and "HTTPConnectionPool" not in reason, "not for people"


@pytest.mark.parametrize(
    "params",
    [
        {"jobs": 0},
        *(pytest.param(each, marks=THOROUGH) for each in ({"jobs": 21}, {"retries": -1}, {"stall_timeout": 0})),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused(source: Source, bench: Workbench, params: dict[str, Any]) -> None:
    result = bench.save([source["oci/gzip:1"]], **params)
    assert result.failed and not result.changed
    assert next(iter(params)) in result.msg


def test_skopeo_that_is_not_there_is_named(source: Source, bench: Workbench) -> None:
    result = bench.save([source["oci/gzip:1"]], skopeo_path="/nowhere/skopeo")
    assert result.failed and "/nowhere/skopeo" in result.msg
    assert not list(bench.dest.parent.iterdir())
