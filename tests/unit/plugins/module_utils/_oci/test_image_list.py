# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of references."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import (
    ImageList,
    Origin,
    decode_list,
    parse_lines,
    read_image_list,
    read_origin,
    split_lines,
)

RANCHER = Path(__file__).parents[4] / "data" / "rancher-images-v2.7.9.txt"

ENCODED: dict[str, bytes] = {
    "UTF-8": b"a:1\nb:2\n",
    "UTF-8 with byte order mark": codecs.BOM_UTF8 + b"a:1\nb:2\n",
    "UTF-16, little end first": codecs.BOM_UTF16_LE + "a:1\nb:2\n".encode("utf-16-le"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + "a:1\nb:2\n".encode("utf-16-be"),
    "CRLF": b"a:1\r\nb:2\r\n",
    "CR": b"a:1\rb:2\r",
    "mixed, without an end": b"a:1\r\n\n\rb:2",
    "blanks around": b"  a:1\t\n\t b:2 \n",
    "comments": b"# first\na:1\n  # second\n// third\nb:2\n#",
}


PASTED: dict[str, str] = {
    "https://bob:hunter2xyz@reg.example/a:1": "https://********@reg.example/a:1",
    "https://bob:hunter2/xyz@reg.example/a:1": "https://********@reg.example/a:1",
    "https://bob:hunt@er2xyz@reg.example/a:1": "https://********@reg.example/a:1",
    "docker://ghp_token@reg.example/a:1": "docker://********@reg.example/a:1",
    f"https://b:hunter2@reg.example/a@sha256:{'1' * 64}": f"https://********@reg.example/a@sha256:{'1' * 64}",
    f"https://reg.example:5000/a@sha256:{'1' * 64}": f"https://reg.example:5000/a@sha256:{'1' * 64}",
    "https://reg.example/a:1": "https://reg.example/a:1",
}


@pytest.mark.parametrize(("line", "shown"), PASTED.items())
def test_an_address_is_shown_without_its_password(line: str, shown: str) -> None:
    (invalid,) = parse_lines([(Origin(None, 1), line)]).invalid
    assert invalid.text == shown
    assert "hunt" not in invalid.reason


def references(images: ImageList) -> list[str]:
    return [str(listed.reference) for listed in images.images]


@pytest.mark.parametrize("raw", ENCODED.values(), ids=ENCODED)
def test_files_are_read_however_they_are_written(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(raw)
    images = read_image_list([], [str(path)])
    assert references(images) == ["docker.io/library/a:1", "docker.io/library/b:2"]
    assert images.invalid == ()
    assert images.duplicates == 0


def test_the_option_comes_before_the_files(tmp_path: Path) -> None:
    for name, text in (("one", "c\nb\n"), ("two", "d\nc\n")):
        (tmp_path / name).write_text(text)
    images = read_image_list(["a", "b\n# comment\ne"], [str(tmp_path / "one"), str(tmp_path / "two")])
    assert [one.rpartition("/")[2] for one in references(images)] == [f"{name}:latest" for name in "abecd"]
    assert [listed.number for listed in images.images] == [1, 2, 3, 4, 5]
    assert [str(listed.origin) for listed in images.images] == [
        "images, item 1",
        "images, item 2",
        "images, item 2",
        f"{tmp_path}/one:1",
        f"{tmp_path}/two:1",
    ]
    assert images.duplicates == 2


def test_lines_may_come_from_other_lists(tmp_path: Path) -> None:
    """Blank lines and comments do not count; lines that were put in or taken out by hand have their own places only."""
    path = tmp_path / "staged.txt"
    path.write_text("# staged\na:1\n\nA B\n")
    origins = [read_origin(text) for text in ("images.txt:212", "image_save_images, item 3")]
    images = read_image_list([], [str(path)], origins=origins)
    assert [str(listed.origin) for listed in images.images] == ["images.txt:212"]
    assert [str(line.origin) for line in images.invalid] == ["image_save_images, item 3"]
    assert [str(one.origin) for one in read_image_list([], [str(path)], origins=origins[:1]).images] == [f"{path}:2"]
    assert [str(one.origin) for one in read_image_list(["a:1", "b:1"], [], origins=origins).images] == [
        "images.txt:212",
        "image_save_images, item 3",
    ]


def test_an_origin_is_read_as_it_is_written() -> None:
    for origin in (Origin("/a b:c, item 7", 12), Origin("https://h:1/x", 1), Origin(None, 3, "image_save_images")):
        assert read_origin(str(origin)) == origin
    for text in ("", "x", "x:", "x:y", "item 3", "A, item 3"):
        with pytest.raises(OptionError, match=r"^origins: "):
            read_origin(text)


def test_equal_images_in_different_spelling_count_once() -> None:
    images = read_image_list(["nginx", "docker.io/library/nginx:latest", "index.docker.io/nginx"], [])
    assert references(images) == ["docker.io/library/nginx:latest"]
    assert images.duplicates == 2


def test_lines_that_are_no_reference_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"a:1\n\n# fine\ndocker pull b\nc\xff\xfe:1\r\nA/B/C\x1b[31m\nd:1\n")
    images = read_image_list([], [str(path)])
    assert references(images) == ["docker.io/library/a:1", "docker.io/library/d:1"]
    assert [(str(line.origin), line.text) for line in images.invalid] == [
        (f"{path}:4", "docker pull b"),
        (f"{path}:5", "c\\xff\\xfe:1"),
        (f"{path}:6", "A/B/C\\x1b[31m"),
    ]
    assert (
        images.invalid[0].reason
        == "it contains whitespace; expected one reference per line, and comments on lines of their own"
    )


SOURCES = "rancher/rancher:v2.9.2 rancher\nrancher/fleet:v0.10.1 fleet:104.0.1,fleet-agent\n# a comment\na:1\nx y z\n"


def test_the_second_column_says_where_an_image_comes_from(tmp_path: Path) -> None:
    """In files of that format only; a line of three columns is none of such a file."""
    path = tmp_path / "rancher-images-sources.txt"
    path.write_text(SOURCES, encoding="utf-8")
    images = read_image_list(["b:1"], [str(path)], "sources")
    assert references(images) == [
        "docker.io/library/b:1",
        "docker.io/rancher/rancher:v2.9.2",
        "docker.io/rancher/fleet:v0.10.1",
        "docker.io/library/a:1",
    ]
    assert [str(line.origin) for line in images.invalid] == [f"{path}:5"]
    plain = read_image_list(["b:1 c"], [str(path)])
    assert references(plain) == ["docker.io/library/a:1"]
    assert plain.invalid[0].reason.startswith("it has a second column, 'c'; remove that, or ")


def test_a_byte_order_mark_at_the_beginning_of_a_line_means_nothing(tmp_path: Path) -> None:
    """Files that were joined have it anywhere."""
    path = tmp_path / "list.txt"
    path.write_bytes(b"a:1\n" + codecs.BOM_UTF8 + b"b:1\n " + codecs.BOM_UTF8 + b"# comment\n" + codecs.BOM_UTF8)
    images = read_image_list(["\ufeffc:1"], [str(path)])
    assert [one.rpartition("/")[2] for one in references(images)] == ["c:1", "a:1", "b:1"]
    assert images.invalid == ()
    path.write_bytes(codecs.BOM_UTF8 + codecs.BOM_UTF8 + b"a:1 source\n" + codecs.BOM_UTF8 + b"b:1 source")
    assert len(read_image_list([], [str(path)], "sources").images) == 2


COPIED: dict[str, str] = {
    "nginx:1.25,": "it ends with ','; remove that",
    "nginx,": "it ends with ','; remove that",
    '"nginx:1.25",': "it has a quotation mark before or after it; remove that",
    "'nginx:1.25'": "it has a quotation mark before or after it; remove that",
    'nginx:1.25"': "it has a quotation mark before or after it; remove that",
    "- nginx:1.25": "it begins with '- '; remove that",
    "[nginx:1.25]": "it begins with '['; remove that",
    "docker://nginx:1.25": "it begins with 'docker://'; write the reference without it",
    "nginx:1.25 nginx": "it has a second column, 'nginx'; remove that, or read files such as "
    "rancher-images-sources.txt with list_format=sources (image_save_list_format of the role)",
    "docker pull nginx": "it contains whitespace; expected one reference per line, and comments on lines of their own",
}


@pytest.mark.parametrize(("line", "reason"), COPIED.items())
def test_what_was_copied_along_is_named(line: str, reason: str) -> None:
    (invalid,) = parse_lines([(Origin(None, 1), line)]).invalid
    assert invalid.reason == reason


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    with pytest.raises(OptionError) as caught:
        read_image_list([], [path])
    assert str(caught.value).startswith(f"list_files: cannot read {path} on the target: ")


def test_a_path_that_no_file_can_have_is_named() -> None:
    with pytest.raises(OptionError, match=r"^list_files: 'a\\x00b' is not a file path on the target: "):
        read_image_list([], ["a\0b"])


def test_broken_utf16_loses_no_line() -> None:
    text = decode_list(codecs.BOM_UTF16_LE + "a:1\nb:2".encode("utf-16-le") + b"\x00")
    assert text.startswith("a:1\nb:2")


@given(st.lists(st.text(st.sampled_from("a:/ \t\x0b\u2028é"), max_size=12), min_size=1))
def test_lines_are_split_where_editors_split_them(lines: list[str]) -> None:
    for end in ("\n", "\r\n", "\r"):
        assert split_lines(end.join(lines)) == lines


@given(st.binary(max_size=80))
def test_every_file_can_be_decoded(raw: bytes) -> None:
    decode_list(raw)


PIECES = st.sampled_from(["a", "b:1", "reg:5000/c", "A", "docker pull x", "", "  ", "# x", "//x", "é", "\x00", "a@b"])


@given(st.lists(PIECES | st.text(max_size=10)))
def test_every_line_is_accounted_for(lines: list[str]) -> None:
    images = parse_lines((Origin(None, number), line) for number, line in enumerate(lines, start=1))
    counted = [line for line in lines if line.strip() and not line.strip().startswith(("#", "//"))]
    assert len(images.images) + images.duplicates + len(images.invalid) == len(counted)
    assert len({listed.reference for listed in images.images}) == len(images.images)
    assert [listed.number for listed in images.images] == list(range(1, len(images.images) + 1))


def test_the_list_of_a_rancher_release() -> None:
    images = read_image_list([], [str(RANCHER)])
    assert images.invalid == ()
    assert images.duplicates == 0
    # Counted without this code; the last line has no line end, which is why `wc -l` says 711:
    #   sort -u FILE | wc -l
    #   cut -d: -f1 FILE | sort -u | wc -l
    #   cut -d: -f2 FILE | sort -u | wc -l
    assert len(images.images) == 712
    assert len({listed.reference.name for listed in images.images}) == 215
    assert len({listed.reference.tag for listed in images.images}) == 467
    # cut -d/ -f1 FILE | sort | uniq -c
    hosts = [listed.reference.registry for listed in images.images]
    assert {host: hosts.count(host) for host in hosts} == {
        "docker.io": 697,
        "registry.k8s.io": 7,
        "quay.io": 4,
        "ghcr.io": 3,
        "gcr.io": 1,
    }
