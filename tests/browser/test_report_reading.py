# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report for everyone: colours, paper, no script, small screens, keyboards."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Page

from ansible_collections.airgap.images.plugins.module_utils._report.report import render
from ansible_collections.airgap.images.tests.browser.conftest import Opener
from ansible_collections.airgap.images.tests.support.bundle import bundle, of_rancher

# The fewest that have one that failed and one that was skipped.
SAMPLE = of_rancher(190)
RAW = render(SAMPLE.name, SAMPLE.lock, SAMPLE.lock_sha256, SAMPLE.facts).page
FIRST = bundle("first.tar.gz", ["nginx", "quay.io/team/app:1", "ghcr.io/team/app:1", "gcr.io/a/b:1", "reg.lan/c:1"])
FIRST_RAW = render(FIRST.name, FIRST.lock, FIRST.lock_sha256, FIRST.facts).page
# A few pages of paper; a browser takes long to write a document of many.
SHORT = of_rancher(30)
SHORT_RAW = render(SHORT.name, SHORT.lock, SHORT.lock_sha256, SHORT.facts).page

# Every text that is shown with the contrast between it and what is behind it (WCAG 2.2, "relative luminance").
CONTRASTS = """() => {
  const channel = (value) => value <= 0.04045 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) =>
    0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const behind = (node) => {
    if (node.ownerSVGElement && node.localName === "text") {
      const boxes = node.parentNode.querySelectorAll("rect:not(.edge)");
      return Array.from(boxes, (one) => parse(getComputedStyle(one).fill));
    }
    for (let one = node; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) { return [colour]; }
    }
    return [[255, 255, 255]];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, style = getComputedStyle(node);
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || ["SCRIPT", "TITLE"].includes(node.tagName) ||
        ["title", "desc"].includes(node.localName)) { continue; }
    const text = parse(node.ownerSVGElement ? style.fill : style.color);
    for (const back of behind(node)) {
      const pair = [light(text), light(back)].sort((one, other) => other - one);
      found.push([(pair[0] + 0.05) / (pair[1] + 0.05), walker.currentNode.data.trim().slice(0, 40)]);
    }
  }
  return found;
}"""


def contrasts(page: Page) -> list[tuple[float, str]]:
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    return [(ratio, text) for ratio, text in page.evaluate(CONTRASTS)]


@pytest.mark.each_value
@pytest.mark.parametrize("raw", [RAW, FIRST_RAW], ids=["partial", "first"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(open_report: Opener, raw: bytes, scheme: str) -> None:
    found = contrasts(open_report(raw, color_scheme=scheme).page)
    assert len(found) > 100
    assert [one for one in found if one[0] < 4.5] == []


def test_the_colours_are_those_that_are_preferred(open_report: Opener) -> None:
    back = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)"
    page = open_report(RAW, color_scheme="dark").page
    assert page.evaluate(back) < 150
    page.emulate_media(color_scheme="light")
    assert page.evaluate(back) > 600


def test_controls_have_edges_that_can_be_seen(open_report: Opener) -> None:
    page = open_report(RAW).page
    backs = []
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        edge, back = page.locator(".tools input").evaluate(
            "one => [getComputedStyle(one).borderTopColor, getComputedStyle(document.body).backgroundColor]"
        )
        light = [sum(int(part) for part in colour[4:-1].split(",")) / 765 for colour in (edge, back)]
        assert abs(light[0] - light[1]) > 0.3, scheme
        backs.append(light[1])
    assert backs[0] > backs[1], "the scheme has not changed"


def test_paper_has_everything_and_no_controls(open_report: Opener) -> None:
    page = open_report(RAW, color_scheme="dark").page
    page.get_by_label("Filter by").fill("no image has this name")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("#all-images tbody tr").first.is_visible()
    assert page.locator("nav").is_hidden() and page.locator(".tools").is_hidden()
    assert [one for one in contrasts(page) if one[0] < 4.5] == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    cut = "found => found.filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert page.locator(".d").evaluate_all(cut) == 0


@pytest.mark.parametrize("runs", [True, False], ids=["script", "no script"])
def test_what_is_folded_is_printed(open_report: Opener, runs: bool) -> None:
    page = open_report(SHORT_RAW, java_script_enabled=runs).page
    row = page.locator("#bytes details tbody tr").last
    assert row.is_hidden()
    page.emulate_media(media="print")
    box = row.bounding_box()
    assert box is not None and box["height"] > 5
    assert len(page.pdf()) > 50_000


def test_after_printing_what_was_folded_is_folded_again(open_report: Opener) -> None:
    page = open_report(SHORT_RAW).page
    page.pdf()
    assert page.locator("details[open]").count() == 0


def test_without_a_script_everything_can_be_read(open_report: Opener) -> None:
    page = open_report(RAW, java_script_enabled=False).page
    assert page.locator(".tools").is_hidden() and page.locator("th button").count() == 0
    count = len(SAMPLE.lock.images) + len(SAMPLE.lock.failed) + len(SAMPLE.lock.skipped)
    assert page.locator("#all-images tbody tr").count() == count
    assert page.locator("#all-images tbody tr").last.is_visible()
    assert page.locator("#all-images .d").first.inner_text() == SAMPLE.lock.images[0].digest
    page.locator("#bytes summary").click()
    assert page.locator("#bytes details tbody tr").first.is_visible()


def test_no_width_makes_the_page_scroll_sideways(open_report: Opener) -> None:
    page = open_report(RAW, viewport={"width": 320, "height": 800}).page
    for width in (320, 400, 768, 1024, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("window.innerWidth") == width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for card in page.locator(".card").all():
            assert card.evaluate("one => one.scrollWidth <= one.clientWidth"), width


PHONE = {"width": 400, "height": 800}
FAILED = of_rancher(40, failures=True)
FAILED_RAW = render(FAILED.name, FAILED.lock, FAILED.lock_sha256, FAILED.facts).page

# Cells that are partly out of sight, or whose content is.
CUT = """found => found.filter(one => {
  const box = one.getBoundingClientRect();
  return box.left < 0 || box.right > innerWidth || one.scrollWidth > one.clientWidth + 1;
}).map(one => one.outerHTML.slice(0, 200))"""


@pytest.mark.each_value
@pytest.mark.parametrize("raw", [RAW, FIRST_RAW, FAILED_RAW], ids=["partial", "first", "failed"])
@pytest.mark.parametrize("runs", [True, False], ids=["script", "no script"])
def test_on_a_small_screen_no_cell_is_cut_off(open_report: Opener, raw: bytes, runs: bool) -> None:
    page = open_report(raw, viewport=PHONE, java_script_enabled=runs).page
    page.locator("details").evaluate_all("found => found.forEach(one => { one.open = true; })")
    cells = page.locator("table.sorts tbody :is(th, td):visible")
    assert cells.count() > 50
    assert cells.evaluate_all(CUT) == []
    assert page.locator("table.sorts").evaluate_all(CUT) == []


def test_folded_rows_say_what_their_cells_are(open_report: Opener) -> None:
    page = open_report(RAW, viewport=PHONE).page
    titles = page.locator("#all-images thead th").all_text_contents()
    row = page.locator("#all-images tbody tr").first
    labels = row.locator("td").evaluate_all("found => found.map(one => getComputedStyle(one, '::before').content)")
    assert labels == [f'"{title}" ":\\a0"' for title in titles[1:]] or labels == [f'"{one}:\xa0"' for one in titles[1:]]
    boxes = [box for box in (cell.bounding_box() for cell in row.locator("th, td").all()) if box]
    assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)
    assert len({box["x"] for box in boxes}) == 1, "one below the other"


def test_folded_rows_are_sorted_and_filtered(open_report: Opener) -> None:
    page = open_report(RAW, viewport=PHONE).page
    page.locator("#all-images th button", has_text="Size").click()
    sizes = page.locator("#all-images tbody td.n data").evaluate_all("found => found.map(one => Number(one.value))")
    assert sizes == sorted(sizes, reverse=True)
    page.get_by_label("Filter by").fill("no image has this name")
    assert page.locator("#all-images tbody tr:visible").count() == 0


def test_what_is_wider_than_its_panel_has_a_shade_at_that_side(open_report: Opener) -> None:
    page = open_report(RAW, viewport=PHONE).page
    for width in (400, 860):
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.locator(".panel:visible").evaluate_all(
            """found => found.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => {
              const style = getComputedStyle(one);
              return [style.backgroundImage.split("linear-gradient").length - 1, style.backgroundAttachment];
            })"""
        )
        assert wide and all(one == [4, "local, local, scroll, scroll, scroll"] for one in wide), (width, wide)


def test_the_first_key_offers_to_skip_what_comes_first(open_report: Opener) -> None:
    page = open_report(RAW).page
    page.keyboard.press("Tab")
    link = page.locator(":focus")
    box = link.bounding_box()
    assert link.inner_text() == "Skip to the details" and box is not None and box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "details"


def test_everything_that_can_be_used_is_reached_by_tab_and_shows_it(open_report: Opener) -> None:
    page = open_report(FIRST_RAW).page
    reached = []
    while len(reached) < 200:
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
              const one = document.activeElement;
              if (one === document.body) { return null; }
              const style = getComputedStyle(one);
              return [one.localName, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
            }"""
        )
        if at is None:
            break
        reached.append(at)
    assert all(shows for _name, shows in reached)
    names = [name for name, _shows in reached]
    for name in ("a", "input", "select", "button", "summary"):
        assert names.count(name) == page.locator(f"{name}:visible").count()


def test_programs_that_read_aloud_find_their_way(open_report: Opener) -> None:
    page = open_report(RAW).page
    for name in ("What is in here?", "What is new?", "Is it whole?", "Images", "Bytes by repository"):
        assert page.get_by_role("region", name=name, exact=True).count() == 1
    assert page.get_by_role("main").count() == page.get_by_role("banner").count() == 1
    assert page.get_by_role("navigation", name="On this page").count() == 1
    assert page.get_by_role("img", name="Bytes by repository").count() == 1
    assert page.get_by_role("columnheader", name="Size").count() >= 2
    assert page.get_by_role("rowheader").count() > len(SAMPLE.lock.images)
    unnamed = "found => found.filter(one => !one.labels.length).length"
    assert page.locator("input, select").evaluate_all(unnamed) == 0
