# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists from several places become one."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.plugin_utils._lists.selection import (
    Choice,
    Chosen,
    Source,
    choose,
    compile_choice,
    origins_of,
    read_source,
    source_of_items,
)

EVERYTHING = Choice()


def select(text: str, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Chosen:
    return choose([Source("list", text)], compile_choice(include, exclude))


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


CONTENTS: dict[str, bytes] = {
    "UTF-8": b"a:1\nb:2\n",
    "UTF-8 with byte order mark": codecs.BOM_UTF8 + b"a:1\nb:2\n",
    "UTF-16, little end first": codecs.BOM_UTF16_LE + "a:1\nb:2\n".encode("utf-16-le"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + "a:1\nb:2\n".encode("utf-16-be"),
    "CRLF, blanks and comments": b"# x\r\n  a:1 \r\n\r\n// y\r\n\tb:2",
}


@pytest.mark.parametrize("raw", CONTENTS.values(), ids=CONTENTS)
def test_the_bytes_of_a_file(raw: bytes) -> None:
    source = read_source(("/srv/list.txt", encoded(raw)))
    assert source.name == "/srv/list.txt"
    chosen = choose([source], EVERYTHING)
    assert (chosen.lines, chosen.invalid) == (["a:1", "b:2"], [])


def test_files_with_a_second_column() -> None:
    """Of variables, nothing is taken away."""
    pair = ("sources.txt", encoded(b"a:1 one\n\xef\xbb\xbfb:1 two,three\nc:1\n"))
    listed = {"name": "images", "lines": ["d:1 four"]}
    chosen = choose([read_source(each, "sources") for each in (pair, listed)], EVERYTHING)
    assert chosen.lines == ["a:1", "b:1", "c:1", "d:1 four"]
    assert [line["origin"] for line in chosen.invalid] == ["images:1"]
    with pytest.raises(OptionError, match=r"^list_format: 'other' is not a list format; expected plain or sources$"):
        read_source(pair, "other")


def test_references_of_a_variable() -> None:
    assert read_source({"name": "images", "lines": ["a", "# x\nb", 7]}) == Source("images", "a\n# x\nb\n7")
    assert read_source({"name": "images", "lines": []}) == Source("images", "")
    chosen = choose([read_source({"name": "images", "lines": ["a", "# x\nb\n", "A B"]})], EVERYTHING)
    assert (chosen.lines, chosen.invalid[0]["origin"]) == (["a", "b", "A B"], "images:5")


def test_lines_know_their_places() -> None:
    """Those of a variable by item, those of files by line; a share has those of its own lines."""
    items = source_of_items("image_save_images", ["a:1", "# x\nb:1\n", "A B", "A B"])
    chosen = choose([items, Source("list.txt", "\nb:1\nc:1")], EVERYTHING)
    assert chosen.lines == ["a:1", "b:1", "A B", "A B", "c:1"]
    assert chosen.origins == [*(f"image_save_images, item {number}" for number in (1, 2, 3, 4)), "list.txt:3"]
    assert [line["origin"] for line in chosen.invalid] == chosen.origins[2:4]
    assert origins_of(["A B", "A B", "c:1"], chosen) == chosen.origins[2:]
    assert origins_of([], chosen) == []


NO_SOURCES: dict[str, tuple[object, str]] = {
    "nothing": ({}, "must be a name with lines, or a pair of a name and base64: '{}'"),
    "no name": ({"lines": ["a"]}, "must be a name"),
    "no lines": ({"name": "x"}, "must be a name"),
    "a name that is none": ({"name": 1, "lines": ["a"]}, "must be a name"),
    "lines that are none": ({"name": "x", "lines": "a"}, "must be a name"),
    "a content that is none": (("x", b"YQ=="), "must be a name"),
    "no base64": (("x\x1b", "a b"), "'x\\x1b': its content is not base64: "),
    "other letters": (("x", "é"), "'x': its content is not base64: "),
    "half of it": (("x", "YWJ"), "'x': its content is not base64: "),
}


@pytest.mark.parametrize(("values", "said"), NO_SOURCES.values(), ids=NO_SOURCES)
def test_what_is_no_source_is_named(values: object, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        read_source(values)
    assert said in str(caught.value)


NGINX, RANCHER, LONGHORN, PAUSE = "nginx", "rancher/rancher:v2.7.9", "longhornio/csi:v1", "registry.k8s.io/pause:3.6"
LIST = f"{NGINX}\n{RANCHER}\n{LONGHORN}\n{PAUSE}\n"

CHOICES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "everything": ([], [], [NGINX, RANCHER, LONGHORN, PAUSE]),
    "as it is written": (["^rancher/"], [], [RANCHER]),
    "in full form": (["^docker.io/rancher/"], [], [RANCHER]),
    "its library": (["/library/"], [], [NGINX]),
    "its tag": ([":latest$"], [], [NGINX]),
    "any of several": (["^nginx$", "pause"], [], [NGINX, PAUSE]),
    "none of several": ([], ["^longhornio/", "^registry.k8s.io/"], [NGINX, RANCHER]),
    "not in full form": ([], ["^docker.io/"], [PAUSE]),
    "both: the one that takes out counts": (["r"], ["rancher"], [NGINX, LONGHORN, PAUSE]),
    "as written and in full form, either": (["^nginx$|^docker.io/longhornio/"], [], [NGINX, LONGHORN]),
    "letters count": (["RANCHER"], [], []),
    "with its own flags": (["(?i)RANCHER"], [], [RANCHER]),
    "an empty expression": ([""], [], [NGINX, RANCHER, LONGHORN, PAUSE]),
}


@pytest.mark.parametrize(("include", "exclude", "expected"), CHOICES.values(), ids=CHOICES)
def test_what_is_chosen(include: list[str], exclude: list[str], expected: list[str]) -> None:
    chosen = select(LIST, include, exclude)
    assert chosen.lines == expected
    assert chosen.excluded == [
        str(parse_reference(line)) for line in [NGINX, RANCHER, LONGHORN, PAUSE] if line not in expected
    ]


@pytest.mark.parametrize(
    ("include", "exclude", "said"),
    [(["a", "("], [], "include: '(' is not a valid regular"), ([], ["*"], "exclude: '*' is not a valid regular")],
)
def test_an_expression_that_is_none_is_named(include: list[str], exclude: list[str], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        compile_choice(include, exclude)
    assert said in str(caught.value)


INVALID = "a\ndocker pull b\nC/D\x1b[31m\nb\n"


@pytest.mark.parametrize(
    ("include", "exclude", "lines", "numbers"),
    [
        ([], [], ["a", "docker pull b", "C/D\x1b[31m", "b"], [2, 3]),
        (["^a$"], [], ["a", "docker pull b", "C/D\x1b[31m"], [2, 3]),
        ([], ["docker pull"], ["a", "C/D\x1b[31m", "b"], [3]),
        (["^b$"], ["^C", "^docker "], ["b"], []),
    ],
)
def test_lines_that_are_no_reference_stay_unless_they_are_taken_out(
    include: list[str], exclude: list[str], lines: list[str], numbers: list[int]
) -> None:
    chosen = select(INVALID, include, exclude)
    assert chosen.lines == lines
    assert [line["origin"] for line in chosen.invalid] == [f"list:{number}" for number in numbers]


def test_lines_that_are_no_reference_are_explained() -> None:
    assert select(INVALID).invalid[0] == {
        "origin": "list:2",
        "line": "docker pull b",
        "reason": "it contains whitespace; expected one reference per line, and comments on lines of their own",
    }
    assert select(INVALID).invalid[1]["line"] == "C/D\\x1b[31m", "safe to show"


def test_sources_keep_their_order_and_every_image_stands_once() -> None:
    chosen = choose(
        [
            Source("images[0]", "b:1"),
            Source("images[1]", "# several lines\na\n\n A B\nb:1"),
            Source("/srv/list.txt", "docker.io/library/a:latest\r\nc\rnginx:1\r\n??"),
        ],
        EVERYTHING,
    )
    assert chosen.lines == ["b:1", "a", "A B", "c", "nginx:1", "??"]
    assert [line["origin"] for line in chosen.invalid] == ["images[1]:4", "/srv/list.txt:4"]
    assert chosen.duplicates == 2
    assert chosen.excluded == []


def test_two_sources_of_one_name_are_two() -> None:
    """Two hosts may have different files at one path (image_save_distribute)."""
    chosen = choose([Source("/srv/list.txt", "a\nx y"), Source("/srv/list.txt", "b\nz")], EVERYTHING)
    assert chosen.lines == ["a", "x y", "b", "z"]
    assert [line["line"] for line in chosen.invalid] == ["x y"]


@pytest.mark.parametrize(
    ("include", "exclude", "wants", "excludes"),
    [
        ([], [], True, False),
        (["^a$"], [], True, False),
        (["full"], [], True, False),
        (["x"], [], False, False),
        ([], ["full"], False, True),
        (["^a$"], ["^a$"], False, True),
        (["x"], ["y"], False, False),
    ],
)
def test_a_choice(include: list[str], exclude: list[str], wants: bool, excludes: bool) -> None:
    choice = compile_choice(include, exclude)
    assert (choice.wants("a", "full/a"), choice.excludes("a", "full/a")) == (wants, excludes)


def test_no_sources() -> None:
    assert choose([], EVERYTHING) == Chosen()


PIECES = st.sampled_from(
    ["a", "a:latest", "b:1", "reg:5000/c", "A", "docker pull x", "", "  ", "# x", "//x", " d ", "é"]
)
TEXTS = st.lists(st.lists(PIECES | st.text(max_size=6), max_size=6).map("\n".join), max_size=3)
EXPRESSIONS = st.lists(st.sampled_from(["a", "^b", ":1$", "docker", "c|d", "[A-Z]", "x"]), max_size=2)


@given(TEXTS, EXPRESSIONS, EXPRESSIONS)
def test_every_line_is_accounted_for(texts: list[str], include: list[str], exclude: list[str]) -> None:
    sources = [Source(f"list {number}", text) for number, text in enumerate(texts)]
    everything, chosen = choose(sources, EVERYTHING), choose(sources, compile_choice(include, exclude))
    taken_out = len(everything.lines) - len(chosen.lines)
    assert taken_out == len(chosen.excluded) + len(everything.invalid) - len(chosen.invalid)
    assert chosen.duplicates == everything.duplicates
    assert chosen.lines == [line for line in everything.lines if line in chosen.lines]


@given(TEXTS, EXPRESSIONS, EXPRESSIONS)
def test_choosing_again_takes_nothing_more_out(texts: list[str], include: list[str], exclude: list[str]) -> None:
    sources = [Source(f"list {number}", text) for number, text in enumerate(texts)]
    choice = compile_choice(include, exclude)
    once = choose(sources, choice)
    again = choose([Source("once", "\n".join(once.lines))], choice)
    assert again.lines == once.lines
    assert (again.excluded, again.duplicates) == ([], 0)
