# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries that go away, change in the midst of a run, or take their time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.airgap.images.tests.functional._field import (  # noqa: F401
    Batch,
    registry,
    served,
    site,
)
from ansible_collections.airgap.images.tests.functional._helpers import saved
from ansible_collections.airgap.images.tests.functional._hostile import HONEST, Site, reasons, refused
from ansible_collections.airgap.images.tests.functional._mirrors import closed_port
from ansible_collections.airgap.images.tests.support.field_registry import (
    FieldRegistry,
    always,
    drips,
    gives_token,
    hints,
    wants_token,
    when,
)
from ansible_collections.airgap.images.tests.support.hostile import Asked, Reply, manifest_reply
from ansible_collections.airgap.images.tests.support.images import AMD64, ARM64, build_index
from ansible_collections.airgap.images.tests.support.samples import small

HINTED = build_index([small(3, platform=each) for each in (AMD64, ARM64)])


def given_up(found: dict[str, str], host: str) -> list[str]:
    return [name for name, reason in found.items() if f"{host} was given up" in reason]


# -- a registry that refuses connections


@pytest.mark.field(
    "networks",
    given="a registry that refuses connections",
    happens=("given up after five images; its other images fail with that reason, and other registries are tried"),
)
@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.thorough), 20])
def test_a_registry_that_is_gone_is_given_up_after_five_images(site: Site, registry: FieldRegistry, jobs: int) -> None:
    """Others of the list are saved all the same, and each line has its reason."""
    host = closed_port()
    honest = registry.add("honest", HONEST)
    names = [f"{host}/some/image:{number}" for number in range(40)]
    result = site.save([*names, honest], jobs=jobs, retries=1)
    found = reasons(result)
    assert sorted(found) == sorted(names)
    assert len(given_up(found, host)) == 35
    assert len([reason for reason in found.values() if f"no connection to {host}" in reason]) == 5
    assert saved(result).references == {honest: HONEST.digest}


@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.thorough), 8])
def test_also_where_it_goes_while_layers_are_fetched(site: Site, registry: FieldRegistry, jobs: int) -> None:
    images = [small(number) for number in range(25)]
    names = [registry.add(f"some/image{number}", image) for number, image in enumerate(images)]
    layers = {layer.digest for image in images for layer in image.layers}

    def leave(asked: Asked, _reply: Reply) -> Reply:
        registry.stop_listening()
        return Reply(503)

    registry.manners.append(lambda asked, reply: leave(asked, reply) if asked.path[-71:] in layers else reply)
    result = site.save(names, jobs=jobs)
    assert result.failed
    found = reasons(result)
    assert sorted(found) == sorted(names)
    # What was under way may have been answered, or cut off, after the first connections were refused.
    own = len(names) - len(given_up(found, registry.host))
    assert 5 <= own <= 5 + jobs + 1


def test_a_registry_that_answers_now_and_then_is_not_given_up(site: Site, registry: FieldRegistry) -> None:
    """Whatever it answers."""
    names = [f"{registry.host}/absent/image:{number}" for number in range(20)]
    assert not given_up(reasons(site.save(names)), registry.host)


# -- what takes its time
@pytest.mark.field(
    "tokens",
    given="a token service that sends a byte now and then",
    happens="given up after `timeout`",
)
def test_a_token_that_only_drips_takes_no_longer_than_timeout(site: Site, registry: FieldRegistry) -> None:
    """The token for the layers, after that for the manifest has expired."""
    name = registry.add("some/image", HONEST)
    layer = HONEST.layers[-1].digest
    registry.manners += [
        when("/token", drips()),
        when("/token", gives_token("first"), times=1),
        wants_token(lambda asked: "second" if layer in asked.path else "first", f"{registry.url}/token"),
    ]
    result = site.save([name], timeout=2)
    assert "within timeout" in refused(result, name)
    assert len(registry.asked("/token")) >= 2


BY_TAG = {"digest": small(5), "nothing": small(6)}
"""Images by what the registry says of them with their tag: the digest, or nothing."""

HINTS = {"one": (103,), "several": (100, 102, 103)}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """Repositories with hints before answers, and with manifests that are served by their tag alone, saved twice."""
    with served(tmp_path_factory.mktemp("odd")) as batch:
        registry = batch.registry
        references = [registry.add(f"hints/{name}", HINTED) for name in HINTS]
        for name, statuses in HINTS.items():
            registry.manners.append(when(f"/hints/{name}/", hints(*statuses)))
        for name, image in BY_TAG.items():
            references.append(registry.add(f"tag/{name}", image))
            registry.manners.append(when(f"/tag/{name}/manifests/{image.digest}", always(Reply(404))))
        plain = manifest_reply(BY_TAG["nothing"].raw, BY_TAG["nothing"].media_type)
        registry.replies["/v2/tag/nothing/manifests/1"] = Reply(headers=plain.headers[:1], body=plain.body)
        for _time in range(2):
            batch.save(*references)
        yield batch


def test_nothing_is_new_the_second_time(odd: Batch) -> None:
    assert [(result.changed, result.failed) for result in odd.results] == [(True, False), (False, False)]


@pytest.mark.field(
    "networks",
    given="informational responses (102, 103) before the final one",
    happens="ignored",
)
@pytest.mark.parametrize("name", HINTS)
def test_hints_before_an_answer_are_passed_over(odd: Batch, name: str) -> None:
    assert odd.archive.references[odd.registry.reference(f"hints/{name}")] == HINTED.digest


# -- what changes in the midst of a run
@pytest.mark.field(
    "head",
    given="a tag that moves between HEAD and GET",
    happens="the tag is resolved again, and its current image is saved",
)
def test_a_tag_that_moves_between_two_questions(site: Site, registry: FieldRegistry) -> None:
    """Its first manifest is gone when it is asked for, as after a cleaning up of untagged ones."""
    before, after = small(3), small(4)
    name = registry.add("some/image", before)

    def move(_asked: Asked, reply: Reply) -> Reply:
        del registry.replies[f"/v2/some/image/manifests/{before.digest}"]
        registry.add("some/image", after)
        return reply

    registry.manners.append(when("/manifests/1", move, method="HEAD", times=1))
    assert saved(site.save([name])).references == {name: after.digest}
    assert len([each for each in registry.asked("/manifests/1") if not each.by_skopeo]) == 2


@pytest.mark.field(
    "head",
    given="a manifest that is served by its tag but not by its digest",
    happens="requested by its tag, and saved if its digest is correct",
)
@pytest.mark.parametrize("name", BY_TAG)
def test_a_manifest_that_is_served_by_its_tag_alone(odd: Batch, name: str) -> None:
    """Also where the registry does not say the digest."""
    assert odd.archive.references[odd.registry.reference(f"tag/{name}")] == BY_TAG[name].digest


# -- proxies


@pytest.mark.field(
    "networks",
    given="a proxy that refuses the login (407)",
    happens="the login is sent once for any number of images, and the message names the proxy",
)
@pytest.mark.parametrize("validate_certs", [True, False])
def test_a_proxy_that_refuses_the_login_is_asked_once(site: Site, validate_certs: bool) -> None:
    with FieldRegistry() as proxy:
        proxy.manners.append(always(Reply(407, headers=(("Proxy-Authenticate", 'Basic realm="x"'),))))
        address = f"http://somebody:wrong-pa55@{proxy.host}"
        env = {"http_proxy": address, "https_proxy": address}
        names = [f"registry.example:5000/some/image:{number}" for number in range(20)]
        result = site.save(names, retries=3, env=env, validate_certs=validate_certs)
        assert len(proxy.asked()) == 1
        assert all(f"the proxy {proxy.host} refused the login" in reason for reason in reasons(result).values())
        assert "wrong-pa55" not in str(result.data["failed_images"])


@pytest.mark.field(
    "networks",
    given="a proxy that blocks access to a host (403)",
    happens="not retried; the message says so",
)
def test_a_proxy_that_blocks_a_host(site: Site) -> None:
    with FieldRegistry() as proxy:
        proxy.manners.append(always(Reply(403)))
        name = "registry.example:5000/some/image:1"
        result = site.save([name], retries=3, env={"https_proxy": proxy.url}, validate_certs=True)
        assert "the proxy on the way to registry.example:5000 failed" in refused(result, name)
        assert len(proxy.asked()) <= 2
