# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each archive has a receipt of its own, which says no more than what was seen of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.base_files import archives_of
from ansible_collections.airgap.images.plugins.module_utils._archive.base_reading import files_of
from ansible_collections.airgap.images.plugins.module_utils._archive.bases import Bases
from ansible_collections.airgap.images.plugins.module_utils._archive.receipt import confirmed_by
from ansible_collections.airgap.images.plugins.module_utils._load.returned import as_returned
from ansible_collections.airgap.images.tests.support.stand_in_registry import StandInRegistry
from ansible_collections.airgap.images.tests.unit.bundles import DIGESTS, FEBRUARY, JANUARY, Month, bundle, full
from ansible_collections.airgap.images.tests.unit.carried import Carried
from ansible_collections.airgap.images.tests.unit.load_scene import Scene, load_options


@pytest.fixture
def scene() -> Iterator[Scene]:
    with StandInRegistry() as registry:
        yield Scene(registry, "")


def sha256_of(carried: Carried) -> str:
    return hashlib.sha256(carried.lock_file.read_bytes()).hexdigest()


def said(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_bytes())
    return values


def test_a_bundle_confirms_its_own_lock_file(scene: Scene, tmp_path: Path) -> None:
    """Of the full archive, what the bundle has replaced was never seen."""
    first = full(tmp_path, JANUARY)
    news = bundle(tmp_path, FEBRUARY, first)
    path = tmp_path / "site.receipt.json"
    wanted = {"src": [str(news.lock_file), str(first.lock_file)], "receipt": str(path)}
    foreseen = scene.load(check=True, **wanted)
    result = scene.load(**wanted)
    other = tmp_path / f"site.receipt-{sha256_of(first)[:12]}.json"
    assert said(path)["locks"] == {sha256_of(news): news.lock_file.name}
    assert said(path)["complete"] is True
    assert said(other)["locks"] == {sha256_of(first): first.lock_file.name}
    assert (said(other)["complete"], said(other)["lacking"]) == (False, ["reg.lan/a:1"])
    returned = as_returned(result, load_options(**wanted))
    assert returned["receipts"] == [
        {
            "path": str(path),
            "archives": [news.lock_file.name],
            "complete": True,
            "confirmation": result.confirmation,
        },
        {"path": str(other), "archives": [first.lock_file.name], "complete": False, "confirmation": ""},
    ]
    found = confirmed_by(result.confirmation, [(news.lock_file.name, sha256_of(news))])
    assert found is not None
    assert found.number == said(path)["number"]
    assert (foreseen.confirmation, foreseen.changed) == ("", True)
    assert [one["path"] for one in map(dict, foreseen.receipts)] == [str(path), str(other)]  # type: ignore[call-overload]
    before = path.read_bytes()
    again = scene.load(**wanted)
    assert (again.changed, again.confirmation, path.read_bytes()) == (False, result.confirmation, before)
    assert scene.load(check=True, **wanted).confirmation == result.confirmation


def test_what_was_asked_for_does_not_take_the_place_of_its_archive(scene: Scene, tmp_path: Path) -> None:
    """The receipt at the path confirms the archive by itself; with its lock file, it makes a base."""
    first = full(tmp_path, JANUARY)
    news = bundle(tmp_path, FEBRUARY, first, name="news.tar.gz")
    answer = bundle(tmp_path, FEBRUARY, news, name="news-requested.tar.gz")
    path = tmp_path / "site.receipt.json"
    result = scene.load(src=[str(one.lock_file) for one in (first, answer, news)], receipt=str(path))
    assert said(path)["locks"] == {sha256_of(news): news.lock_file.name}
    assert said(tmp_path / f"site.receipt-{sha256_of(answer)[:12]}.json")["complete"] is True
    assert confirmed_by(result.confirmation, [(news.lock_file.name, sha256_of(news))]) is not None
    (base,) = archives_of(files_of([str(path), str(news.lock_file)]))
    assert base.is_whole and [receipt.number for receipt in base.receipts] == [said(path)["number"]]
    carried = Bases([base], lambda digest: None).sizes
    assert {*DIGESTS[:5]} <= {*carried}


def test_archives_of_one_content_are_all_seen(scene: Scene, tmp_path: Path) -> None:
    """What the newer one repeats was seen of the older one too."""
    first = full(tmp_path, JANUARY)
    news = bundle(tmp_path, Month({**JANUARY.samples, "c": FEBRUARY.samples["c"]}), first)
    path = tmp_path / "site.receipt.json"
    scene.load(src=[str(first.lock_file), str(news.lock_file)], receipt=str(path))
    receipts = [said(one) for one in tmp_path.glob("site.*.json")]
    assert [one["complete"] for one in receipts] == [True, True]


def test_the_archives_of_a_set_have_one_receipt(scene: Scene, tmp_path: Path) -> None:
    """So do the bundles of a set, in the same directories."""
    hosts, firsts, news = ["one", "two"], [], []
    months = (Month({"a": JANUARY.samples["a"]}), Month({"b": JANUARY.samples["b"]}))
    later = (Month({"a": FEBRUARY.samples["a"]}), Month({"b": FEBRUARY.samples["b"], "c": FEBRUARY.samples["c"]}))
    media = tmp_path / "media"
    for host, month, next_month in zip(hosts, months, later):
        firsts.append(full(tmp_path / host, month, name="full"))
        news.append(bundle(tmp_path / host, next_month, firsts[-1], name="news"))
        shutil.copytree(tmp_path / host / "out", media / host)
    for name in ("full", "news"):
        (media / f"{name}.lock.json").write_text(json.dumps({"version": 1, "hosts": hosts}))
    path = tmp_path / "site.receipt.json"
    scene.load(src=[str(media / "full.lock.json")], receipt=str(path), exclude=["reg.lan/c"])
    result = scene.load(src=[str(media / "news.lock.json")], receipt=str(path))
    assert not result.is_failure
    assert said(path)["locks"] == {sha256_of(one): one.lock_file.name for one in news}
    assert said(path)["complete"] is True
    assert result.confirmation
    (other,) = (one for one in tmp_path.glob("site.receipt-*.json"))
    assert said(other)["locks"] == {sha256_of(one): one.lock_file.name for one in firsts}


def test_a_load_of_a_part_keeps_what_was_confirmed(scene: Scene, tmp_path: Path) -> None:
    """Also when it looks less far than the load before."""
    first = full(tmp_path, FEBRUARY)
    path = tmp_path / "site.receipt.json"
    wanted: dict[str, Any] = {"src": [str(first.lock_file)], "receipt": str(path)}
    whole = scene.load(**wanted, check_target="blobs")
    before = path.read_bytes()
    for part in ({"images": ["reg.lan/a:1"]}, {"exclude": ["reg.lan/a"]}, {}):
        for check in (True, False):
            again = scene.load(**wanted, **part, check=check)
            assert (again.changed, again.confirmation) == (False, whole.confirmation)
        assert path.read_bytes() == before


def test_loads_of_parts_complete_each_other(scene: Scene, tmp_path: Path) -> None:
    first = full(tmp_path, FEBRUARY)
    path = tmp_path / "site.receipt.json"
    wanted: dict[str, Any] = {"src": [str(first.lock_file)], "receipt": str(path)}
    scene.load(**wanted, images=["reg.lan/a:1"], check_target="blobs")
    assert (said(path)["loaded"], said(path)["checked"]) == (["reg.lan/a:1"], "blobs")
    assert not scene.load(**wanted, images=["reg.lan/b:1"]).confirmation
    assert (said(path)["lacking"], said(path)["checked"]) == (["reg.lan/c:1"], "tags")
    assert scene.load(**wanted, images=["reg.lan/c:1"]).confirmation
    assert said(path)["complete"] is True


def test_what_is_seen_to_be_gone_is_not_confirmed_any_more(scene: Scene, tmp_path: Path) -> None:
    """An image that was not asked for stays. Another registry has nothing of what this one got."""
    first = full(tmp_path, FEBRUARY)
    path = tmp_path / "site.receipt.json"
    wanted: dict[str, Any] = {"src": [str(first.lock_file)], "receipt": str(path)}
    scene.load(**wanted)
    store = scene.registry.store
    other = store.tags["b", "1"]
    for name in ("a", "c"):
        store.tags[name, "1"], store.manifests[name, other] = other, store.manifests["b", other]
    scene.load(**wanted, images=["reg.lan/a:1"], on_conflict="keep")
    assert said(path)["lacking"] == ["reg.lan/a:1"]
    scene.load(**wanted, images=["reg.lan/a:1"], registry=f"{scene.registry.host}/other")
    assert said(path)["loaded"] == ["reg.lan/a:1"]


def test_a_receipt_is_found_where_it_was_before(scene: Scene, tmp_path: Path) -> None:
    """Beside the path when a bundle is loaded with its base, and at the path when one of them is loaded alone."""
    first = full(tmp_path, JANUARY)
    news = bundle(tmp_path, FEBRUARY, first)
    path = tmp_path / "site.receipt.json"
    beside = tmp_path / f"site.receipt-{sha256_of(first)[:12]}.json"
    wanted: dict[str, Any] = {"receipt": str(path), "images": ["reg.lan/b:1"]}
    scene.load(src=[str(first.lock_file)], receipt=str(path))
    scene.load(src=[str(first.lock_file), str(news.lock_file)], **wanted)
    assert said(beside)["complete"] is True and said(beside)["locks"] == {sha256_of(first): first.lock_file.name}
    assert said(path)["loaded"] == ["reg.lan/b:1"] and said(path)["locks"] == {sha256_of(news): news.lock_file.name}
    scene.load(src=[str(first.lock_file)], **wanted)
    assert said(path)["complete"] is True and said(path)["locks"] == {sha256_of(first): first.lock_file.name}


def test_the_report_shows_the_confirmation(scene: Scene, tmp_path: Path) -> None:
    first = full(tmp_path, JANUARY)
    page = tmp_path / "page.html"
    wanted = {"src": [str(first.lock_file)], "report": str(page)}
    scene.load(**wanted)
    assert "Confirmation" not in page.read_text("utf-8")
    result = scene.load(**wanted, receipt=str(tmp_path / "r.json"))
    assert f"<code>{result.confirmation}</code>" in page.read_text("utf-8")
    assert not scene.load(**wanted, receipt=str(tmp_path / "r.json")).changed
