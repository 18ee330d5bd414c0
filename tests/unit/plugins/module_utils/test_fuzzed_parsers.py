# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The properties that the fuzzer looks after, on every Python: with its seeds, with arbitrary bytes, and with long
inputs. What the properties are is said in tests/fuzz."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import ImagesError
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_size, parse_size
from ansible_collections.airgap.images.plugins.module_utils._oci.image import FailedImage
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import ImageList, Origin, parse_lines
from ansible_collections.airgap.images.plugins.module_utils._publish.failed_list import render
from ansible_collections.airgap.images.tests.fuzz.properties import moves_a_cursor
from ansible_collections.airgap.images.tests.fuzz.references import check_failed_list, check_image_list
from ansible_collections.airgap.images.tests.fuzz.targets import TARGETS

LONG = 20_000

# What makes a reader try many ways, where it has them: repeated, with something that fits nothing at the end.
PIECES: dict[str, tuple[str, ...]] = {
    "reference": ("a", "a.", "a-", "a/", "a__", "-", "a:", "[::", "@sha256:", "A.a"),
    "image_list": ("a\n", "\r", " ", "#\n", "a:1 \n", "\xff", "é\n"),
    "failed_list": ("A\n", "\x1b"),
    "size": ("1", "1.", " ", "1 ", "K", ".1"),
    "manifest": ("[", '{"a":', '"\\u0000', "1", "[],", '{"layers":[{}],'),
    "config": ("[", '{"os":', " ", '"', "1e1"),
    "lock": ("[", '{"parts":[', '{"name":"a/', "/../"),
    "challenge": (" ", ",", " ,", 'a="', "a=b,", "\\", '"\\"', "Bearer ", 'Basic a="b",'),
    "retry_after": ("1", " ", "Mon, ", "1 Jan ", ":", "-", "99:"),
    "registries_conf": ("\n", " ", "[", "[[registry]]\n", '"', "unqualified-search-registries = [\n", "# a\n"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_keeps_the_promises(name: str) -> None:
    seeds = sorted(TARGETS[name].seeds.iterdir())
    assert len(seeds) >= 5
    for seed in seeds:
        TARGETS[name].check(seed.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_so_do_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name].check(data)


@pytest.mark.parametrize(("name", "piece"), [(name, piece) for name in PIECES for piece in PIECES[name]])
def test_no_input_takes_more_time_than_its_length_explains(name: str, piece: str) -> None:
    """A few hundredths of a second do. What takes the square of the length takes ten seconds and more."""
    begin = time.thread_time()
    TARGETS[name].check((piece * (LONG // len(piece)) + "\x00").encode())
    assert time.thread_time() - begin < 4.0


LINES = st.lists(
    st.sampled_from(
        ["nginx", "nginx:latest", "a/b:1", "A/b", "docker pull x", "# a", "", "  c:1\t", "x" * 700, "\u200bd"]
    )
    | st.text(max_size=12),
    max_size=12,
)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
def test_lists_keep_their_promises_however_their_lines_end(lines: list[str], end: str) -> None:
    data = end.join(lines).encode("utf-8", "surrogateescape" if _has_bytes(lines) else "replace")
    check_image_list(data)
    check_failed_list(data)


def _has_bytes(lines: list[str]) -> bool:
    """Return True if all half pairs in the lines stand for bytes."""
    return all(not 0xD800 <= ord(one) <= 0xDFFF or 0xDC80 <= ord(one) <= 0xDCFF for line in lines for one in line)


def listed(lines: list[str]) -> ImageList:
    return parse_lines((Origin("list.txt", number), line) for number, line in enumerate(lines, start=1))


@given(LINES, st.text(max_size=30))
def test_what_failed_can_be_asked_for_again(lines: list[str], reason: str) -> None:
    """Whatever a registry gave for a reason: it can add no line of its own to the list."""
    images = listed(lines)
    raw = render([FailedImage(image, ImagesError(reason)) for image in images.images], images.invalid)
    again = listed(raw.decode("utf-8").split("\n"))
    assert [one.reference for one in again.images] == [one.reference for one in images.images]
    assert [one.text for one in again.invalid] == [one.text for one in images.invalid]


@given(st.integers(1024, 2**60))
@example(1024**4 - 1)
def test_a_size_that_is_shown_is_nearly_that_size(size: int) -> None:
    shown = format_size(size)
    assert not moves_a_cursor(shown)
    read: Callable[[str], int] = lambda text: parse_size(text, option="x")  # noqa: E731
    assert abs(read(shown) - size) <= read(f"0.06{shown.split()[1]}")
