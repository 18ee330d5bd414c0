# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's configuration of registries: what skopeo would do is what happens, for manifests as for layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import (
    configure,
    contents,
    saved,
    snapshot,
    without_reports,
)
from ansible_collections.airgap.images.tests.functional._mirrors import (  # noqa: F401
    AWAY,
    INDEX,
    hub,
    mirror,
    moved,
    reason,
    site,
)
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.images import build_image
from ansible_collections.airgap.images.tests.support.layers import random_layer
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.skopeo import push_schema1
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

THOROUGH = pytest.mark.thorough

NAMES = ("index:1", "zstd:1", "plain:1", "many-layers:1")


# -- where images come from


@pytest.mark.thorough(repeats=True)
@pytest.mark.field(
    "configuration",
    given="an unreachable registry with a mirror in `registries.conf`",
    happens="both manifests and layers come from the mirror; this has no effect on the archive",
)
def test_what_only_a_mirror_has(source: Source, bench: Workbench, home: Path) -> None:
    """The same archive as from the mirror itself, to the byte; and nothing is done for it a second time."""
    names = NAMES if is_full() else NAMES[:2]
    references = [f"{AWAY}/{name}" for name in names]
    hub = f"{source.registry.host}/oci"
    direct, by_mirror = bench.directory / "direct" / "images", bench.directory / "mirror" / "images"
    way: dict[str, Any] = {"compress": "dir", "source_registry": hub}
    saved(bench.save(references, dest=direct, cache_dir=bench.directory / "other", **way))
    configure(home, mirror(hub))
    source.registry.clear()
    way = {"compress": "dir", "dest": by_mirror}
    foreseen = bench.save(references, check=True, **way)
    assert foreseen.changed and not bench.cache.exists() and not list(by_mirror.parent.iterdir())
    done = bench.save(references, **way)
    saved(done)
    assert foreseen["plan"]["images"] == len(names)
    assert (foreseen["plan"]["bytes"], foreseen["plan"]["blobs"]) == (
        done["stats"]["bytes_downloaded"],
        done["stats"]["blobs_downloaded"],
    )
    ours, theirs = (without_reports(contents(each.parent)) for each in (direct, by_mirror))
    assert {name: ours[name] for name in ours if "lock" not in name} == {
        name: theirs[name] for name in theirs if "lock" not in name
    }
    assert {each.user_agent.partition("/")[0] for each in source.registry.requests()} == {"skopeo"}
    before = snapshot(bench.cache, by_mirror.parent)
    for check in (True, False):
        source.registry.clear()
        again = bench.save(references, check=check, **way)
        saved(again, changed=False)
        assert source.registry.manifest_gets() == {f"oci/{name}": 1 for name in names}
        assert again["stats"]["manifest_requests"] == {"HEAD": 0, "GET": len(names)}
        assert not source.registry.blob_gets()
    assert snapshot(bench.cache, by_mirror.parent) == before


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("home", marks=THOROUGH),
        "drop-in",
        "CONTAINERS_REGISTRIES_CONF",
        pytest.param("REGISTRIES_CONFIG_PATH", marks=THOROUGH),
    ],
)
def test_wherever_it_is_configured(site: Registry, bench: Workbench, home: Path, place: str) -> None:
    env: dict[str, str | None] = {}
    text = mirror(f"{site.host}/hub")
    if place == "home":
        configure(home, text)
    elif place == "drop-in":
        configure(home, text, name="registries.conf.d/50-site.conf")
    else:
        (bench.directory / "site.conf").write_text(text)
        env[place] = str(bench.directory / "site.conf")
    reference = f"{AWAY}/team/app:1"
    assert saved(bench.save([reference], env=env)).references == {reference: INDEX.digest}


@pytest.mark.field(
    "configuration",
    given="`CONTAINERS_REGISTRIES_CONF`",
    happens="is respected, although skopeo itself does not read it",
)
def test_a_variable_that_names_no_file(site: Registry, bench: Workbench) -> None:
    result = bench.save([f"{site.host}/hub/team/app:1"], env={"CONTAINERS_REGISTRIES_CONF": "/no/such.conf"})
    assert "/no/such.conf: no such file or directory; correct that file, or remove it" in result.msg
    assert not site.requests()


@pytest.mark.field(
    "configuration",
    given="a `location` that differs from the `prefix`",
    happens="the image is requested there, under the name that it has there",
)
def test_another_location(site: Registry, bench: Workbench, home: Path) -> None:
    configure(home, moved(f"{site.host}/hub/team", prefix=f"{AWAY}/some/where"))
    reference = f"{AWAY}/some/where/app:1"
    assert saved(bench.save([reference])).references == {reference: INDEX.digest}


@pytest.mark.field(
    "configuration", given="`*.domain` as prefix", happens="all hosts below it, with any port, are left to skopeo"
)
def test_all_hosts_below_a_domain(site: Registry, bench: Workbench, home: Path) -> None:
    configure(home, moved(f"{site.host}/hub", prefix="*.corp.invalid"))
    references = [f"{host}.corp.invalid/team/app:1" for host in ("a", "a.b")]
    assert saved(bench.save(references)).references == dict.fromkeys(references, INDEX.digest)
    ported = "a.corp.invalid:5000/team/app:1"  # skopeo makes `HOST/hub:5000/team/app` of it
    assert "rewriting reference: invalid reference format" in reason(bench.save([ported]), ported)


@pytest.mark.field(
    "configuration",
    given="`insecure = true` for a registry",
    happens="plain HTTP is used there, although certificates are verified otherwise",
)
def test_an_insecure_registry(site: Registry, bench: Workbench, home: Path) -> None:
    reference = f"{site.host}/hub/team/app:1"
    assert bench.save([reference], validate_certs=True, retries=0).failed
    configure(home, f'[[registry]]\nlocation = "{site.host}"\ninsecure = true\n')
    assert saved(bench.save([reference], validate_certs=True)).references == {reference: INDEX.digest}


BLOCKS = {
    "host": '[[registry]]\nlocation = "{host}"\nblocked = true\n',
    "path": '[[registry]]\nlocation = "{host}/hub"\nblocked = true\n',
    "domain": '[[registry]]\nprefix = "*.0.0.1"\nlocation = "127.0.0.1"\nblocked = true\n',
    "version 1": '[registries.block]\nregistries = ["{host}"]\n',
}


@pytest.mark.each_value
@pytest.mark.field(
    "configuration",
    given="`blocked = true`",
    happens="the registry is never contacted, not even with HEAD; the image fails with that reason",
)
@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("check", [True, False])
def test_a_blocked_registry_is_not_asked(site: Registry, bench: Workbench, home: Path, kind: str, check: bool) -> None:
    configure(home, BLOCKS[kind].format(host=site.host))
    reference = f"{site.host}/hub/team/app:1"
    result = bench.save([reference], check=check)
    assert result.failed
    assert " is blocked in " in reason(result, reference)
    assert "take it out of the list, or have registries.conf allow it" in reason(result, reference)
    assert not site.requests()


def test_what_was_saved_before_is_not_let_through_once_it_is_blocked(
    site: Registry, bench: Workbench, home: Path
) -> None:
    """All of it is in the cache, and its digest says all; skopeo is asked nevertheless, and nobody else."""
    reference = f"{site.host}/hub/team/app@{INDEX.digest}"
    saved(bench.save([reference]))
    configure(home, BLOCKS["host"].format(host=site.host))
    site.clear()
    result = bench.save([reference], dest=bench.directory / "out" / "second.tar.gz")
    assert " is blocked in " in reason(result, reference)
    assert not site.requests()


@pytest.mark.field(
    "configuration",
    given="a mirror of `docker.io`, and short names (`[aliases]`)",
    happens="a bare name means `docker.io/library` and comes from the mirror; aliases have no effect",
)
def test_a_bare_name_is_docker_hubs(site: Registry, bench: Workbench, home: Path) -> None:
    push(site, "hub/library/app", "1", INDEX)
    alias = f'short-name-mode = "permissive"\n[aliases]\n"app" = "{site.host}/wrong/app"\n'
    configure(home, alias, name="registries.conf.d/10-names.conf")
    configure(home, moved(f"{site.host}/hub", prefix="docker.io"))
    assert saved(bench.save(["app:1"])).references == {"docker.io/library/app:1": INDEX.digest}


# -- beside it


def test_other_registries_are_asked_as_ever(source: Source, site: Registry, bench: Workbench, home: Path) -> None:
    """By our own client, with HEAD."""
    configure(home, mirror(f"{site.host}/hub"))
    image, other = source["oci/plain:1"], f"{AWAY}/team/app:1"
    saved(bench.save([image, other]))
    source.registry.clear()
    site.clear()
    again = bench.save([image, other])
    saved(again, changed=False)
    (asked,) = [each for each in source.registry.requests() if each.manifest]
    assert (asked.method, asked.user_agent.partition("/")[0]) == ("HEAD", "airgap.images")
    assert again["stats"]["manifest_requests"] == {"HEAD": 1, "GET": 1}
    assert {each.user_agent.partition("/")[0] for each in site.requests()} == {"skopeo"}


def test_old_images_over_one_layer(site: Registry, bench: Workbench, home: Path) -> None:
    """Docker schema 1: nobody tells how large a layer is; one that is there already is used all the same."""
    base = random_layer(1, 40_000)
    names = []
    for number in (2, 3):
        image = push(site, f"hub/new/app{number}", "1", build_image([base, random_layer(number, 20_000)], docker=True))
        push_schema1(site, image, f"hub/old/app{number}", "1")
        names.append(f"{AWAY}/old/app{number}:1")
    configure(home, mirror(f"{site.host}/hub"))
    saved(bench.save(names[:1]))
    site.clear()
    assert set(saved(bench.save(names)).references) == set(names)
    assert site.blob_gets()[base.digest] == 0
    site.clear()
    saved(bench.save(names, check=True), changed=False)
