# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a load in a real browser: in light and dark, on a small screen, filtered, printed."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._report.load_report import render_load
from ansible_collections.airgap.images.tests.browser.conftest import Opener
from ansible_collections.airgap.images.tests.browser.test_report_reading import CUT, PHONE, contrasts
from ansible_collections.airgap.images.tests.support.load_sample import complete_load, partial_load, same_load

PARTIAL = partial_load(60)
PAGES = {
    "partial": render_load(PARTIAL),
    "complete": render_load(complete_load(60)),
    "nothing new": render_load(same_load(60)),
}


@pytest.mark.each_value
@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_answers_are_on_the_first_screen_and_every_text_stands_out(
    open_report: Opener, kind: str, scheme: str
) -> None:
    page = open_report(PAGES[kind], color_scheme=scheme).page
    questions = []
    for card in page.locator(".card").all():
        box = card.bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280 and box["y"] + box["height"] <= 800
        assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
        questions.append(card.locator("h2").inner_text())
    assert questions == ["What is in the registry?", "What is new?", "Did everything arrive?"]
    found = contrasts(page)
    assert len(found) > 100
    assert [one for one in found if one[0] < 4.5] == []


def test_each_image_is_found_by_what_became_of_it(open_report: Opener) -> None:
    page = open_report(PAGES["partial"]).page
    shown = page.locator("#all-images tbody tr:visible")
    assert shown.count() == len(PARTIAL.images)
    for name, word in (("status", "kept"), ("status", "failed"), ("change", "new"), ("change", "changed")):
        page.locator(f"select[name={name}]").select_option(word)
        expected = [one.reference for one in PARTIAL.images if getattr(one, name) == word]
        assert page.locator("#all-images tbody tr:visible th .ref").all_inner_texts() == expected
        page.locator(f"select[name={name}]").select_option("")
    page.get_by_label("Filter by").fill(PARTIAL.images[5].target)
    assert shown.count() == 1
    page.get_by_label("Filter by").fill("")
    page.locator("#all-images th button", has_text="Size").click()
    sizes = page.locator("#all-images tbody td.n data").evaluate_all("found => found.map(one => Number(one.value))")
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("runs", [True, False], ids=["script", "no script"])
def test_on_a_small_screen_no_cell_is_cut_off(open_report: Opener, runs: bool) -> None:
    page = open_report(PAGES["partial"], viewport=PHONE, java_script_enabled=runs).page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    cells = page.locator("table.sorts tbody :is(th, td):visible")
    assert cells.count() > 50
    assert cells.evaluate_all(CUT) == []
    assert page.locator("table.sorts, pre").evaluate_all(CUT) == []


def test_files_can_be_copied_as_they_are(open_report: Opener) -> None:
    page = open_report(PAGES["partial"]).page
    shown = [text.strip() for text in page.locator("#settings pre").all_text_contents()]
    expected = [PARTIAL.system_default_registry, PARTIAL.registries_yaml, *PARTIAL.hosts_toml.values()]
    assert shown == [text.strip() for text in expected]


def test_paper_has_everything_and_no_controls(open_report: Opener) -> None:
    page = open_report(PAGES["partial"], color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("#all-images tbody tr").last.is_visible()
    assert page.locator("nav").is_hidden() and page.locator(".tools").is_hidden()
    assert [one for one in contrasts(page) if one[0] < 4.5] == []
