# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/troubleshooting.md has every message that a user can meet, and none that there is not.

A message of the page is the text in the source with ``<words>`` for what is put in. Where one of these tests fails
after a change of a message, change the page too: a line ``- `message` ``, with what it means and what to do below.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.module_utils.basic import missing_required_lib

from ansible_collections.airgap.images.tests.unit.messages import (
    HOLE,
    in_python,
    in_shell,
    in_tasks,
    normal,
    of_collection,
)

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
STAGES = PAGE[: PAGE.index("\n## Messages of other programs")]
_MESSAGE = re.compile(r"^- `(.+)`$", re.MULTILINE)

# Texts that no user meets, or not as a message of their own.
NOT_ON_THE_PAGE = {
    "the cache is not open": "a mistake of ours",
    "it was not copied": "a mistake of ours",
    f"{HOLE} was not read": "a mistake of ours",
    "the archive is written anew": "the images are then copied again",
    f"the folder of {HOLE} holds {HOLE}": "the cache is then asked for the image again",
    f"{HOLE} is not an image manifest": "the cache is then asked for the image again",
    f"{HOLE} is a link": "the cache is then asked for the image again",
    f"{HOLE}/index.json names {HOLE} manifests instead of one": "the cache is then asked for the image again",
    f"{HOLE}/index.json cannot be read: {HOLE}": "the cache is then asked for the image again",
    "the archive is new": "the reason of the first run",
    f"error: {HOLE}": "each stands on the page by itself",
    "writing to disk": "how far the restore script is",
    "writing the tar": "how far the restore script is",
    f"all {HOLE} files are whole": "how far the restore script is",
    f"{HOLE} file {HOLE} of {HOLE}: {HOLE}": "how far the restore script is",
    f"skopeo: {HOLE}; {HOLE}": "each cause stands on the page by itself",
    f"an archive is there, but no {HOLE}": "the reason why an archive is made again",
}


def on_the_page() -> dict[str, str]:
    """The messages of the page, as they stand there, by their normal form."""
    messages = _MESSAGE.findall(STAGES)
    return {normal(re.sub(r"<[^<>]+>", HOLE, message)): message for message in messages}


SAID = of_collection(ROOT)
SHOWN = on_the_page()


def shown(text: str) -> str:
    """A text with its holes visible."""
    return text.replace(HOLE, "<…>")


def test_every_message_of_the_sources_is_on_the_page() -> None:
    missing = {shown(text): places for text, places in SAID.items() if text not in {**SHOWN, **NOT_ON_THE_PAGE}}
    assert not missing, f"not in docs/troubleshooting.md: {missing}"


def test_every_message_of_the_page_is_in_the_sources() -> None:
    gone = [message for text, message in SHOWN.items() if text not in SAID]
    assert not gone, f"docs/troubleshooting.md has messages that nothing says any more: {gone}"


def test_the_words_of_others_are_theirs() -> None:
    """Of those that can be asked here."""
    others = PAGE[PAGE.index("\n## Messages of other programs") :]
    assert missing_required_lib("requests").split(" on ", maxsplit=1)[0] in others


def test_no_exception_has_outlived_its_message() -> None:
    assert not [shown(text) for text in NOT_ON_THE_PAGE if text not in SAID or text in SHOWN]


def test_every_line_that_looks_like_a_message_is_read_as_one_and_stands_once() -> None:
    listed = [line for line in STAGES.splitlines() if line.startswith("- `")]
    assert len(listed) == len(_MESSAGE.findall(STAGES)) == len(SHOWN)


def test_every_message_is_followed_by_words() -> None:
    """Each group of messages has a paragraph that says what they mean."""
    for group in re.findall(r"(?:^- `.+`\n)+\n(.*)", STAGES, re.MULTILINE):
        assert re.match(r"[A-Za-z`0-9]", group), f"nothing is said of a message before {group!r}"


def test_links_within_the_page_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    linked = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    assert linked and linked <= anchors, linked - anchors


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("raise OptionError(f'dest: {path!r} is {what}')", ["dest: <…> is <…>"]),
        ("raise OptionError('one '\n f'{two}' 'three')", ["one <…>three"]),
        ("def f():\n told = 'it was late' if a else f'{b} was'\n raise E.TransferError(told, heals=True)", None),
        ("raise ValueError('no user sees this')", []),
        (
            "raise TransferError(f'{host} {_SAID}', heals=True)\n_SAID = 'did not say a word'",
            ["<…> did not say a word"],
        ),
        ("raise explained(f'cannot write {path}', error)", ["cannot write <…>: <…>"]),
        ("raise DamagedBlobError(digest, 'it is short')", ["<…> in the cache is damaged: it is short"]),
        ("_Cause('EOF', False, 'do this')\n_Cause('EOF', True)", ["skopeo: <…>; do this"]),
        (
            "class A:\n def f(self):\n  raise OptionError(self._bad(it))\n def _bad(self, x):\n  return f'{x} is bad'",
            ["<…> is bad"],
        ),
        ("def _explain_it(x):\n return f'the {x} is bad'", ["the <…> is bad"]),
        ("raise error", []),
    ],
)
def test_what_is_read_from_python(source: str, texts: list[str] | None) -> None:
    found = [shown(text) for _line, text in in_python(source)]
    assert sorted(found) == sorted(["it was late", "<…> was"] if texts is None else texts)


def test_what_is_read_from_a_shell_script() -> None:
    script = 'say() {\n:\n}\nsay "damaged: $3 has $((a + b)) bytes"\n[ -d "$x" ] || fail "no $(quote "$x") \\\nhere"\n'
    assert [shown(text) for text in in_shell(script)] == ["damaged: <…> has <…> bytes", "error: no <…> here"]
    assert len([*in_python(f"SCRIPT = {script!r}")]) == 2


def test_what_is_read_from_tasks() -> None:
    source = """
- block:
    - ansible.builtin.assert:
        that: x
        fail_msg: >-
          image_save_x: expected {{ a }}
          or {{ b }}.
  rescue:
    - ansible.builtin.fail:
        msg: "{{ passed_on }}"
"""
    assert [shown(text) for _number, text in in_tasks(source)] == ["image_save_x: expected <…> or <…>."]


def test_the_sources_have_a_plausible_number_of_messages() -> None:
    """The reader of the sources has not gone blind."""
    assert len(SAID) > 200
    assert sum(any("roles/" in place for place in places) for places in SAID.values()) > 3
