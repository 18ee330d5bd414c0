# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a report, as a parser sees it."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedBase, LockedSkip
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._report.facts import Facts
from ansible_collections.airgap.images.plugins.module_utils._report.facts_file import read_facts_file
from ansible_collections.airgap.images.plugins.module_utils._report.failures import Failure, Invalid
from ansible_collections.airgap.images.plugins.module_utils._report.report import Report, render
from ansible_collections.airgap.images.tests.support.bundle import Bundle, bundle, lock_of, of_rancher, saved_image
from ansible_collections.airgap.images.tests.support.report_check import report_fits, sha256

SAMPLE = of_rancher(300)
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u2028\x00\u202e"
_EMPTY = {"meta", "link", "br", "input"}


@dataclass
class Node:
    """An element of a page."""

    tag: str
    attributes: dict[str, str | None]
    inside: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.inside)

    def all(self, tag: str = "", **wanted: str) -> list[Node]:
        """The nodes below that have a tag and attributes."""
        found: list[Node] = []
        for one in self.inside:
            if isinstance(one, Node):
                fits_all = all(one.attributes.get(name.replace("_", "-")) == value for name, value in wanted.items())
                found += [one] if fits_all and tag in ("", one.tag) else []
                found += one.all(tag, **wanted)
        return found

    def by_id(self, name: str) -> Node:
        (found,) = self.all(id=name)
        return found


class Reader(HTMLParser):
    """Builds the tree, and wants every element to be closed."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("", {})]
        self.feed(page.decode("utf-8"))
        self.close()
        assert len(self.open) == 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        node = Node(tag, dict(attrs))
        self.open[-1].inside.append(node)
        if tag not in _EMPTY:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def parse(page: bytes) -> Node:
    return Reader(page).open[0]


def page_of(sample: Bundle, *, known: bool = True) -> Node:
    return parse(render(sample.name, sample.lock, sample.lock_sha256, sample.facts if known else None).page)


def written(lock: Lock, facts: Facts | None, name: str = "x.tar.gz") -> Node:
    return parse(render(name, lock, sha256(write_lock(lock)), facts).page)


def facts_in(report: Report) -> Facts | None:
    """The content of its file of facts."""
    found = read_facts_file(report.facts)
    return found.facts if found is not None else None


def figures(node: Node) -> list[int]:
    return [int(data.attributes["value"] or "") for data in node.all("data")]


PAGE = page_of(SAMPLE)


def test_the_same_gives_the_same_bytes() -> None:
    again = of_rancher(300)
    one = render(SAMPLE.name, SAMPLE.lock, SAMPLE.lock_sha256, SAMPLE.facts)
    assert render(again.name, again.lock, again.lock_sha256, again.facts) == one


def test_what_is_in_here() -> None:
    card, lock = PAGE.by_id("content"), SAMPLE.lock
    assert figures(card) == [
        len(lock.images),
        sum(len(image.platforms) for image in lock.images),
        sum(part.size for part in lock.parts),
        sum(lock.blobs.values()),
    ]
    repositories = {image.reference.name for image in lock.images}
    registries = {image.reference.registry for image in lock.images}
    assert f"from {len(repositories)} repositories in {len(registries)} registries" in card.text
    assert f"in {len(lock.parts)} parts" in card.text
    everything = [one.platform for image in lock.images for one in image.platforms]
    platforms = Counter(f"{one.os}/{one.architecture}" for one in everything if one is not None)
    for name, times in platforms.items():
        assert re.search(rf"{name}(/v8)? \({times}\)", card.text)


def test_what_is_new() -> None:
    before = SAMPLE.facts.before
    assert before is not None
    counts = [len(before.added), len(before.changed), len(before.removed)]
    assert figures(PAGE.by_id("news"))[:3] == counts
    assert figures(PAGE.by_id("news"))[3:] == [before.bytes, before.blobs, len(SAMPLE.lock.blobs)]
    full = PAGE.by_id("new").text
    for name in [*before.added, *(one.reference for one in (*before.changed, *before.removed))]:
        assert name in full
    for one in before.changed:
        assert one.digest in full


def test_a_first_archive_is_new_as_a_whole() -> None:
    sample = bundle("x.tar.gz", ["a", "b"])
    card = page_of(sample).by_id("news")
    assert "First archive" in card.text
    assert figures(card) == [2, len(sample.lock.blobs), len(sample.lock.blobs), sum(sample.lock.blobs.values())]


def test_an_archive_as_before_has_nothing_new() -> None:
    sample = bundle("x.tar.gz", ["a", "b"])
    page = page_of(replace(sample, before=sample.lock))
    assert "Nothing" in page.by_id("news").text
    assert "The same references" in page.by_id("new").text


def test_a_bundle_is_compared_with_its_base() -> None:
    sample = bundle("x.tar.gz", ["a", "b"])
    lock = replace(sample.lock, base=(LockedBase("base.tar.gz", "0" * 64, False),))
    page = page_of(replace(sample, lock=lock, before=sample.lock))
    for name in ("news", "new"):
        assert "in its base" in page.by_id(name).text and "archive before" not in page.by_id(name).text


def test_parity_files_are_named_with_what_they_are_for() -> None:
    files = (Part("x.tar.gz.parity0", 1234567, "a" * 64), Part("x.tar.gz.parity1", 1234567, "b" * 64))
    sample = bundle("x.tar.gz", ["a", "b"], parity=True, part_at="image", referrers="auto")
    page = page_of(replace(sample, lock=replace(sample.lock, parity=files)))
    assert "2 parity files" in page.by_id("soundness").text
    told = page.by_id("parts").text
    for file in files:
        assert file.name in told and file.sha256 in told
    assert format_size(2469134) in told and "another stick" in told
    names = {node.text for node in page.by_id("options").all("dt")}
    assert not names & {"parity", "part_at", "referrers"}


def test_a_lost_comparison_is_said_to_be_lost() -> None:
    page = page_of(SAMPLE, known=False)
    assert "Not known any more" in page.by_id("news").text
    for name in ("new", "layers", "bytes", "missing"):
        assert "not known any more" in page.by_id(name).text
    assert figures(page.by_id("content")) == figures(PAGE.by_id("content"))


def test_facts_about_another_archive_are_not_believed() -> None:
    other = of_rancher(299)
    sha256 = SAMPLE.lock_sha256
    assert render("x", SAMPLE.lock, sha256, other.facts) == render("x", SAMPLE.lock, sha256, None)


def test_a_new_record_of_the_same_content_keeps_its_facts() -> None:
    lock = replace(SAMPLE.lock, options={**SAMPLE.lock.options, "arch": ["amd64"]})
    report = render("x", lock, sha256(write_lock(lock)), SAMPLE.facts)
    assert facts_in(report) == SAMPLE.facts
    assert report_fits(report.page, report.table, report.facts, write_lock(lock))


def test_a_partial_archive_says_so_and_what_is_missing_comes_first() -> None:
    card = PAGE.by_id("soundness").text
    missing = len(SAMPLE.lock.failed) + len(SAMPLE.invalid)
    asked = len(SAMPLE.lock.images) + len(SAMPLE.lock.skipped) + missing
    assert "Partial" in card and "Complete" not in card
    assert f"{missing} of {asked} asked for are missing" in card
    (main,) = PAGE.all("main")
    assert main.all("section")[0].attributes["id"] == "missing"
    told = PAGE.by_id("missing").text
    for name in SAMPLE.lock.failed:
        assert name in told
    for failure in SAMPLE.facts.failed:
        assert failure.reason in told
    assert "rancher/shell v0.1.20" in told and "rancher-images.txt:212" in told


def test_a_complete_archive_says_so() -> None:
    page = page_of(bundle("x.tar.gz", ["a"]))
    assert "Complete" in page.by_id("soundness").text
    assert "Nothing failed" in page.by_id("missing").text
    assert page.all("main")[0].all("section")[0].attributes["id"] == "new"


def test_where_invalid_lines_are_not_known_the_page_does_not_promise() -> None:
    text = page_of(bundle("x.tar.gz", ["a"]), known=False).by_id("soundness").text
    assert "Everything that was asked for" not in text
    assert "not known any more" in text


def test_every_reference_is_in_the_table_of_images_with_its_platforms() -> None:
    rows = PAGE.by_id("all-images").all("tr")[1:]
    lock = SAMPLE.lock
    assert len(rows) == len(lock.images) + len(lock.failed) + len(lock.skipped)
    for row, image in zip(rows, lock.images):
        assert str(image.reference) in row.text and image.digest in row.text
        assert figures(row) == [sum(one.size for one in image.platforms), *(one.size for one in image.platforms)]
        for one in image.platforms:
            assert one.digest in row.text and str(one.platform) in row.text
    statuses = Counter(row.attributes["data-status"] for row in rows)
    assert statuses == {"saved": len(lock.images), "failed": len(lock.failed), "skipped": len(lock.skipped)}


def test_a_converted_image_shows_both_digests() -> None:
    image = SAMPLE.lock.images[0]
    converted = replace(image.platforms[0], source_digest="sha256:" + "12" * 32)
    lock = replace(SAMPLE.lock, images=(replace(image, platforms=(converted,)),))
    text = written(lock, None).by_id("all-images").text
    assert f"{converted.digest} made from {converted.source_digest}" in text


def test_what_is_shared_is_the_difference_to_images_alone() -> None:
    facts = SAMPLE.facts
    named = sum(one.size for image in SAMPLE.lock.images for one in image.platforms)
    assert facts.named == named
    assert figures(PAGE.by_id("layers"))[:2] == [named, named - facts.unique]
    for layer in (*facts.largest, *facts.shared):
        assert layer.digest in PAGE.by_id("layers").text


def test_repositories_have_a_picture_and_a_table() -> None:
    section = PAGE.by_id("bytes")
    (table,) = section.all("table")
    rows = table.all("tr")[1:]
    facts = SAMPLE.facts
    assert [figures(row) for row in rows] == [[one.bytes, one.references] for one in facts.holdings]
    assert sum(figures(row)[0] for row in rows) == sum(SAMPLE.lock.blobs.values())


def test_all_parts_have_size_and_checksum() -> None:
    rows = PAGE.by_id("parts").all("tr")[1:]
    assert len(rows) == len(SAMPLE.lock.parts)
    for row, part in zip(rows, SAMPLE.lock.parts):
        assert part.name in row.text and part.sha256 in row.text and figures(row) == [part.size]


def test_thousands_of_files_are_folded_and_bounded() -> None:
    parts = tuple(Part(f"share/sha256/{number:064x}", number, f"{number:064x}") for number in range(9000))
    page = written(replace(SAMPLE.lock, parts=parts, options={"compress": "dir"}), None, "images")
    section = page.by_id("parts")
    assert "open" not in section.all("details")[0].attributes
    assert "And 7,000 files more, which images.sha256 names." in section.text
    assert "9,000 files" in page.by_id("content").text


def test_commands_check_restore_and_load() -> None:
    text = PAGE.by_id("restore").text
    assert f"sha256sum -c {SAMPLE.name}.sha256" in text
    assert f"sh {SAMPLE.name}.restore.sh TARGET_DIR" in text
    assert f"hangar load -s {SAMPLE.name} -d REGISTRY" in text
    assert "skopeo copy --all --preserve-digests oci:TARGET_DIR/saved-image-cache:" in text
    card = PAGE.by_id("soundness").text
    assert f"sha256sum -c {SAMPLE.name}.sha256" in card and f"sh {SAMPLE.name}.restore.sh TARGET_DIR" in card


def test_options_are_those_of_the_lock() -> None:
    text = PAGE.by_id("options").text
    for value in ("amd64, arm64", "linux, windows", "gzip", "4,294,967,296 bytes", "system", "zlib 1.2.13"):
        assert value in text
    assert SAMPLE.lock_sha256 in text


def test_nothing_comes_from_elsewhere_and_the_policy_allows_only_what_is_there() -> None:
    (policy,) = PAGE.all("meta", http_equiv="Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in (policy.attributes["content"] or "").split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("img-src") == "data:"
    (style,), (script,) = PAGE.all("style"), [one for one in PAGE.all("script") if "type" not in one.attributes]
    for kind, node in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(node.text.encode()).digest()).decode()
        assert rules.pop(kind) == f"'sha256-{digest}'"
    assert not rules
    for node in PAGE.all():
        assert not {"src", "style", "srcset", "action"} & node.attributes.keys()
        assert not any(name.startswith("on") for name in node.attributes)
        assert node.tag not in ("base", "iframe", "object", "form", "image")
        href = node.attributes.get("href")
        assert href is None or href == "data:," or PAGE.by_id(href[1:])
    assert "url(" not in style.text and "@import" not in style.text
    assert "fetch" not in script.text and "innerHTML" not in script.text


def test_identifiers_are_there_once_and_labels_point_to_them() -> None:
    names = [node.attributes["id"] for node in PAGE.all() if "id" in node.attributes]
    assert len(names) == len(set(names))
    for node in PAGE.all():
        for name in (node.attributes.get("aria-labelledby") or "").split():
            assert name in names
    for table in PAGE.all("table"):
        assert table.all("caption")[0].text
        assert all(head.attributes["scope"] == "col" for head in table.all("thead")[0].all("th"))
    headings = [int(node.tag[1]) for node in PAGE.all() if re.fullmatch("h[1-6]", node.tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(headings, headings[1:]))


def hostile(text: str) -> tuple[Lock, Facts]:
    """Whatever a list, a registry or a lock file may say, says this."""
    image = saved_image("reg.lan/app:1")
    lock = lock_of([image], "x.tar.gz")
    locked = lock.images[0]
    lock = replace(
        lock,
        images=(
            replace(
                locked,
                notes=(text,),
                media_type=text,
                platforms=tuple(replace(one, media_type=text) for one in locked.platforms),
            ),
        ),
        skipped=(LockedSkip(parse_reference("reg.lan/skip:1"), "", text),),
        failed=(text,),
        compressor=text,
        options={"arch": [text], text: text, "compress": text, "part_size": text},
        parts=(Part(f"{text}.part0", 1, "ab" * 32),),
    )
    facts = replace(
        bundle("x.tar.gz", ["a"]).facts, failed=(Failure(text, text, text),), invalid=(Invalid(text, text, text),)
    )
    whole = replace(bundle("x", []), lock=lock, images=(image,)).facts
    return lock, replace(whole, failed=facts.failed, invalid=facts.invalid)


def shape(node: Node) -> list[str]:
    """Tags and the names of attributes, without what they hold."""
    return [f"{one.tag} {sorted(one.attributes)}" for one in node.all()]


@functools.cache
def harmless_shape() -> list[str]:
    lock, facts = hostile("x")
    return shape(parse(render("x", lock, "", facts).page))


@given(st.text(min_size=1) | st.text(alphabet="<>&\"'/=-! scriptonload\x00\n\u2028\u202e", min_size=1))
def test_text_from_outside_changes_no_element(text: str) -> None:
    lock, facts = hostile(text)
    report = render(text, lock, sha256(b""), facts)
    assert shape(parse(report.page)) == harmless_shape()
    assert report_fits(report.page, report.table, report.facts, b"")
    assert facts_in(report) == facts


def test_a_hostile_name_is_shown_as_it_is_spelt() -> None:
    lock, facts = hostile(EVIL)
    page = parse(render(EVIL, lock, "", facts).page)
    (title,) = page.all("h1")
    assert title.text.startswith("</script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&")
    assert "\u202e" not in render(EVIL, lock, "", facts).page.decode()
    assert len(page.all("script")) == 1 and not page.all("img")


def test_a_release_of_700_images_is_small() -> None:
    sample = of_rancher()
    report = render(sample.name, sample.lock, sample.lock_sha256, sample.facts)
    assert len(sample.lock.images) > 700
    assert len(report.page) < 2_000_000
    assert format_size(sum(part.size for part in sample.lock.parts)) in report.page.decode()


@pytest.mark.parametrize("images", [0, 1])
def test_an_archive_of_nearly_nothing_has_a_report(images: int) -> None:
    sample = bundle("x.tar", ["a"][:images], part_size=None)
    for known in (True, False):
        page = page_of(sample, known=known)
        assert len(page.by_id("all-images").all("tr")) == 1 + images


def test_the_page_shows_what_was_saved_with_which_image() -> None:
    image, other, third, *_rest = SAMPLE.lock.images
    tagged = replace(image.reference, tag=f"sha256-{'1' * 64}.sig")
    signature = replace(other, reference=tagged, refers_to=image.digest, artifact_type="application/x")
    lost = replace(third, refers_to=f"sha256:{'2' * 64}", artifact_type=EVIL)
    lock = replace(SAMPLE.lock, images=(image, signature, lost))
    page = parse(render("images.tar", lock, sha256(write_lock(lock)), None).page)
    told = [node.text for node in page.all("span", **{"class": "note"})]
    assert "Saved with it, as they refer to it: signature" in told
    assert f"signature; refers to {image.reference}, by its digest {image.digest}" in told
    assert any(text.endswith(f"refers to what is not in the archive, {lost.refers_to}") for text in told)
    content = page.by_id("content").text
    assert "1 image" in content and "Signatures, SBOMs and the like2" in content
