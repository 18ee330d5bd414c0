# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report in a real browser: what it shows, how it sorts and filters, and that it keeps to itself."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from playwright.sync_api import Locator, Page

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedImage, LockedSkip
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._report.facts import Facts
from ansible_collections.airgap.images.plugins.module_utils._report.failures import Failure, Invalid
from ansible_collections.airgap.images.plugins.module_utils._report.report import render
from ansible_collections.airgap.images.tests.browser.conftest import Opener
from ansible_collections.airgap.images.tests.support.bundle import Bundle, bundle, of_rancher

SAMPLE = of_rancher(120, failures=True)
FAILED = "docker.io/rancher/lost:v1"


def page_of(sample: Bundle, facts: Facts | None = None) -> bytes:
    return render(sample.name, sample.lock, sample.lock_sha256, facts or sample.facts).page


def with_failure(sample: Bundle) -> tuple[Lock, Facts]:
    """One more that failed, whatever the sample has."""
    lock = replace(sample.lock, failed=(FAILED,), skipped=(LockedSkip(parse_reference("reg.lan/skip:1"), "", "no"),))
    return lock, replace(sample.facts, failed=(Failure(FAILED, "", "it was not there"),))


def report() -> bytes:
    lock, facts = with_failure(SAMPLE)
    return render(SAMPLE.name, lock, sha256(write_lock(lock)).hexdigest(), facts).page


def size_of(image: LockedImage) -> int:
    return sum(one.size for one in image.platforms)


def rows(page: Page) -> Locator:
    return page.locator("#all-images tbody tr:not([hidden])")


def references(page: Page) -> list[str]:
    return page.locator("#all-images tbody tr:not([hidden]) .ref").all_inner_texts()


def figures(page: Page, selector: str) -> list[int]:
    found = page.locator(f"{selector} data").evaluate_all("found => found.map(one => one.value)")
    return [int(value) for value in found]


def test_it_shows_the_figures_of_the_lock(open_report: Opener) -> None:
    page = open_report(page_of(SAMPLE)).page
    lock, before = SAMPLE.lock, SAMPLE.facts.before
    assert before is not None
    assert page.title().startswith(SAMPLE.name)
    assert page.locator("h1").inner_text() == SAMPLE.name
    total = sum(part.size for part in lock.parts)
    images = sum(len(image.platforms) for image in lock.images)
    assert figures(page, "#content") == [len(lock.images), images, total, sum(lock.blobs.values())]
    assert figures(page, "#news")[:3] == [len(before.added), len(before.changed), len(before.removed)]
    assert format_size(total) in page.locator("#soundness").inner_text()
    sizes = page.locator("#all-images tbody td.n data").evaluate_all("found => found.map(one => Number(one.value))")
    assert sizes == [size_of(image) for image in lock.images]
    each = page.locator("#all-images .platforms data").evaluate_all("found => found.map(one => Number(one.value))")
    assert each == [one.size for image in lock.images for one in image.platforms]
    assert figures(page, "#parts")[1:] == [part.size for part in lock.parts]


FIRST = bundle("first.tar.gz", ["nginx", "quay.io/jetstack/cert-manager-controller:v1.12.3"])
RELEASE = of_rancher()
RELEASE_RAW = page_of(RELEASE)


@pytest.mark.each_value
@pytest.mark.parametrize(
    "raw",
    [
        RELEASE_RAW,
        page_of(of_rancher(120, failures=False)),
        page_of(FIRST),
        page_of(replace(FIRST, before=FIRST.lock)),
        render(SAMPLE.name, SAMPLE.lock, SAMPLE.lock_sha256, None).page,
        page_of(of_rancher(60, name="rancher-v2.7.9-for-the-sites-in-the-north-and-the-south-2026-11.tar.zst")),
    ],
    ids=["partial", "complete", "first", "nothing new", "not known", "long name"],
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_has_the_three_answers(open_report: Opener, raw: bytes, scheme: str) -> None:
    page = open_report(raw, color_scheme=scheme).page
    questions = []
    for card in page.locator(".card").all():
        box = card.bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
        assert box["y"] >= 0 and box["y"] + box["height"] <= 800
        assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
        questions.append(card.locator("h2").inner_text())
    assert questions == ["What is in here?", "What is new?", "Is it whole?"]
    for command in page.locator(".card pre").all():
        box = command.bounding_box()
        assert box is not None and box["y"] + box["height"] <= 800
    assert page.evaluate("scrollY") == 0


def test_a_click_sorts_by_size_and_another_the_other_way(open_report: Opener) -> None:
    page = open_report(report()).page
    expected = sorted((size_of(image) for image in SAMPLE.lock.images), reverse=True)
    sizes = "rows => rows.map(row => row.querySelector('td.n data')).filter(Boolean).map(one => Number(one.value))"
    button = page.locator("#all-images th button", has_text="Size")
    head = page.locator("#all-images th", has_text="Size")
    assert head.get_attribute("aria-sort") == "none"
    button.click()
    assert page.locator("#all-images tbody tr").evaluate_all(sizes) == expected
    assert head.get_attribute("aria-sort") == "descending"
    button.click()
    assert page.locator("#all-images tbody tr").evaluate_all(sizes) == expected[::-1]
    assert head.get_attribute("aria-sort") == "ascending"
    page.locator("#all-images th button", has_text="Reference").click()
    assert head.get_attribute("aria-sort") == "none"
    assert page.locator("#all-images th[aria-sort=ascending]").inner_text().startswith("Reference")


@pytest.mark.parametrize("key", ["Enter", pytest.param("Space", marks=pytest.mark.thorough)])
def test_a_key_sorts_and_numbers_in_names_count(open_report: Opener, key: str) -> None:
    sample = bundle("x.tar", ["app:v10", "app:v9", "app:v1.2", "beta:1", "app:v1.10"])
    page = open_report(page_of(sample)).page
    page.locator("#all-images th button", has_text="Reference").focus()
    page.keyboard.press(key)
    names = [name.rpartition("/")[2] for name in references(page)]
    assert names == ["app:v1.2", "app:v1.10", "app:v9", "app:v10", "beta:1"]


def test_every_table_sorts_without_losing_a_row(open_report: Opener) -> None:
    page = open_report(report()).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    read = "bodies => bodies.map(body => Array.from(body.rows, row => row.textContent).sort())"
    before = page.locator("tbody").evaluate_all(read)
    for button in page.locator("th button").all():
        button.click()
    assert page.locator("tbody").evaluate_all(read) == before
    assert page.locator("th button").count() > 15


def test_words_filter_over_all_that_a_row_says(open_report: Opener) -> None:
    page = open_report(report()).page
    wanted = [str(image.reference) for image in SAMPLE.lock.images if "calico" in str(image.reference)]
    assert 0 < len(wanted) < len(SAMPLE.lock.images)
    box = page.get_by_label("Filter by reference, platform, digest or note")
    box.fill("CALICO")
    assert references(page) == wanted
    total = len(SAMPLE.lock.images) + 2
    assert page.locator(".tools output").inner_text() == f"{len(wanted)} of {total} shown"
    box.fill("calico  cni")
    assert references(page) == [name for name in wanted if "cni" in name]
    digest = SAMPLE.lock.images[3].platforms[0].digest
    box.fill(digest)
    assert str(SAMPLE.lock.images[3].reference) in references(page)
    box.fill("no image has this name")
    assert rows(page).count() == 0 and page.get_by_text("No image matches.").is_visible()
    box.fill("")
    assert page.locator(".tools output").inner_text() == f"All {total} shown"
    assert page.get_by_text("No image matches.").is_hidden()


def test_status_and_change_filter_together_with_words_from_the_keyboard(open_report: Opener) -> None:
    page = open_report(report()).page
    page.locator("select[name=status]").select_option("failed")
    assert references(page) == [FAILED]
    page.locator("select[name=status]").select_option("saved")
    page.locator("select[name=change]").select_option("new")
    before = SAMPLE.facts.before
    assert before is not None
    assert references(page) == list(before.added)
    page.locator("select[name=change]").focus()
    page.keyboard.press("Home")
    assert rows(page).count() == len(SAMPLE.lock.images)
    page.get_by_label("Filter by").focus()
    page.keyboard.type("rancher")
    assert 0 < rows(page).count() < len(SAMPLE.lock.images) + 2


def test_filtered_rows_stay_so_when_sorted(open_report: Opener) -> None:
    page = open_report(report()).page
    page.get_by_label("Filter by").fill("calico")
    count = rows(page).count()
    page.locator("#all-images th button", has_text="Size").click()
    assert rows(page).count() == count


def test_digests_are_shown_whole_on_request(open_report: Opener) -> None:
    page = open_report(report()).page
    digest = page.locator("#all-images .platforms .d").first
    is_cut = "one => one.scrollWidth > one.clientWidth"
    assert digest.evaluate(is_cut)
    page.get_by_role("button", name="Whole digests").click()
    assert not digest.evaluate(is_cut)
    assert page.get_by_role("button", name="Whole digests").get_attribute("aria-pressed") == "true"


EVIL = "</script><script>window.hacked=1;alert(1)</script><img src='http://127.0.0.1:9/x' onerror=alert(2)>&amp;${x}"


def test_hostile_names_stay_text(open_report: Opener) -> None:
    image = SAMPLE.lock.images[0]
    platforms = tuple(replace(one, media_type=EVIL) for one in image.platforms)
    lock = replace(
        SAMPLE.lock,
        images=(replace(image, notes=(EVIL,), media_type=EVIL, platforms=platforms), *SAMPLE.lock.images[1:]),
        skipped=(LockedSkip(parse_reference("reg.lan/skip:1"), "", EVIL),),
        failed=(EVIL,),
        compressor=EVIL,
        options={EVIL: EVIL, "compress": EVIL},
        parts=(Part(EVIL, 1, "ab" * 32),),
    )
    facts = replace(SAMPLE.facts, failed=(Failure(EVIL, EVIL, EVIL),), invalid=(Invalid(EVIL, EVIL, EVIL),))
    page = open_report(render(EVIL, lock, "", facts).page).page
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("img").count() == 0 and page.locator("script").count() == 1
    assert page.evaluate("window.hacked") is None
    assert page.locator("#missing").inner_text().count(EVIL) >= 6
    page.get_by_label("Filter by").fill("<script>")
    assert rows(page).count() == 3


def test_the_policy_stops_what_is_not_of_the_page(open_report: Opener) -> None:
    opened = open_report(report())
    broken = opened.page.evaluate(
        """async () => {
            const broken = [];
            document.addEventListener("securitypolicyviolation", (event) => broken.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            const image = document.createElement("img");
            image.src = "http://127.0.0.1:9/x";
            document.body.append(image);
            await fetch("http://127.0.0.1:9/").catch(() => 0);
            await new Promise((done) => setTimeout(done, 0));
            return broken;
        }"""
    )
    assert {"script-src-elem", "img-src", "connect-src"} <= set(broken)
    assert opened.page.evaluate("window.hacked") is None
    refused = "Content Security Policy"
    assert all(refused in line for line in opened.seen.said)
    opened.seen.said.clear()
    opened.seen.asked[:] = [opened.address]


def test_700_images_are_no_burden(open_report: Opener) -> None:
    assert len(RELEASE.lock.images) > 700 and len(RELEASE_RAW) < 2_000_000
    page = open_report(page_of(FIRST)).page
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.set_content("")
    path = page.url
    with open(path.removeprefix("file://"), "wb") as file:
        file.write(RELEASE_RAW)
    page.goto(path)
    page.get_by_label("Filter by").fill("calico")
    page.locator("#all-images th button", has_text="Size").click()
    metrics = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    # Seconds of CPU; measured: 0.6 on a slow machine.
    assert metrics["TaskDuration"] < 6
    assert rows(page).count() > 10
