# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a load: what it says, and when it says the same."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from ansible_collections.airgap.images.plugins.module_utils._report.failures import Invalid
from ansible_collections.airgap.images.plugins.module_utils._report.load_facts import LoadedImage, LoadFacts
from ansible_collections.airgap.images.plugins.module_utils._report.load_report import render_load, state_of_page
from ansible_collections.airgap.images.tests.support.load_sample import BEFORE, complete_load, partial_load, same_load

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e"


def section_of(page: str, name: str) -> str:
    """The text of a section, without markup."""
    found = re.search(rf'<section[^>]* id="{name}".*?</section>', page, re.DOTALL)
    assert found is not None, name
    return html.unescape(re.sub(r"<[^>]+>", " ", found.group()))


def rendered(facts: LoadFacts) -> str:
    return render_load(facts).decode("utf-8")


def test_a_first_load() -> None:
    facts = complete_load(30)
    page = rendered(facts)
    assert "<title>registry.site.example.com:5000/mirror: what was loaded</title>" in page
    assert re.search(rf"What is in the registry\?\s+{len(facts.images)}\s+images", section_of(page, "content"))
    news = " ".join(section_of(page, "news").split())
    assert f"New {len(facts.images)} Changed 0 As before 0" in news and "Mounted 11.4 MiB in 7 blobs" in news
    assert "Everything that was asked for is in the registry." in section_of(page, "outcome")
    assert "Nothing failed" in section_of(page, "missing")
    for one in facts.images:
        assert one.digest in page and html.escape(one.target.rpartition("/")[2]) in page
    settings = section_of(page, "settings")
    assert facts.registries_yaml.strip() in settings
    assert all(content.strip() in settings for content in facts.hosts_toml.values())


def test_what_failed_comes_first() -> None:
    facts = partial_load(30)
    page = rendered(facts)
    sections = re.findall(r'<section[^>]* id="(\w+)"', page)
    assert sections == ["content", "news", "outcome", "missing", "images", "settings"]
    outcome = " ".join(section_of(page, "outcome").split())
    assert outcome.startswith(f"Did everything arrive? Partial 3 of {len(facts.images) + 1} asked for are not in the")
    missing = section_of(page, "missing")
    told = ("Failed: 2 references", "Invalid: 1 line", "Tags that were moved: 1 tag", "Tags that were left: 1 tag")
    assert all(title in missing for title in told)
    assert missing.count(BEFORE) == 2 and "list.txt:7" in missing and "the archive does not have it" in missing
    assert "Not asked for" in section_of(page, "content")


def test_a_load_with_nothing_to_do() -> None:
    page = rendered(same_load(30))
    assert re.search(r"What is new\?\s+Nothing\s", section_of(page, "news"))
    assert "Sent" not in section_of(page, "news")


def test_tags_that_were_left_are_no_failure() -> None:
    facts = complete_load(5)
    first, *others = facts.images
    page = rendered(replace(facts, images=(replace(first, status="kept", change="", before=BEFORE), *others)))
    assert "Nothing failed. 1 tag still names another image, as asked for." in " ".join(
        section_of(page, "outcome").split()
    )


def test_the_state_is_that_of_the_registry_and_not_of_the_run() -> None:
    facts = complete_load(5)
    assert facts.state == same_load(5).state == state_of_page(render_load(facts))
    first, *others = facts.images
    others_states = {
        replace(facts, images=(replace(first, digest=BEFORE), *others)).state,
        replace(facts, images=(replace(first, status="failed", change="", reason="no"), *others)).state,
        replace(facts, images=tuple(others)).state,
        replace(facts, registry="other.lan").state,
        replace(facts, invalid=(Invalid("a:1", "b", "c"),)).state,
        replace(facts, left_out=1).state,
    }
    assert len(others_states) == 6 and facts.state not in others_states


@pytest.mark.parametrize("raw", [b"", b"<!DOCTYPE html>", b'<header data-load="x">'])
def test_what_is_no_report_has_no_state(raw: bytes) -> None:
    assert state_of_page(raw) == ""


def test_nothing_becomes_markup() -> None:
    image = LoadedImage(HOSTILE, HOSTILE, HOSTILE, "failed", before=HOSTILE, reason=HOSTILE)
    facts = LoadFacts(
        registry=HOSTILE,
        images=(image, replace(image, status="loaded", change="changed", reason="")),
        invalid=(Invalid(HOSTILE, HOSTILE, HOSTILE),),
        registries_yaml=HOSTILE,
        hosts_toml={HOSTILE: HOSTILE},
        system_default_registry=HOSTILE,
        notes=(HOSTILE,),
    )
    page = rendered(facts)
    assert page.count("<script>") == 1
    assert "\x1b" not in page and "\u202e" not in page
