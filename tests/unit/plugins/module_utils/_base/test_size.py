# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._base.size import (
    exact_size,
    format_bytes,
    format_count,
    format_size,
    handy_size,
    parse_size,
)

LARGEST = 2**63 - 1

READ: dict[str, int] = {
    "1": 1,
    "1500": 1500,
    "1500B": 1500,
    "1K": 1024,
    "1k": 1024,
    "1KiB": 1024,
    "1KB": 1000,
    "1kb": 1000,
    "700M": 700 * 1024**2,
    "700 MiB": 700 * 1024**2,
    "  2G\t": 2 * 1024**3,
    "4.7GB": 4_700_000_000,
    "4.7G": 5_046_586_572,
    "4.7GiB": 5_046_586_572,
    ".5K": 512,
    "1T": 1024**4,
    "1TB": 10**12,
    "0.001K": 1,
    "8388607T": 8388607 * 1024**4,
    str(LARGEST): LARGEST,
}

REFUSED: dict[str, str] = {
    "nothing": "",
    "blanks": "  ",
    "zero": "0",
    "zero with unit": "0.0G",
    "less than a byte": "0.0001K",
    "negative": "-1",
    "negative with unit": "-2G",
    "a fraction of bytes": "1.5",
    "a fraction with B": "1.5B",
    "no number": "G",
    "words": "two gigabytes",
    "another unit": "3P",
    "a decimal comma": "4,7G",
    "an exponent": "1e9",
    "two dots": "1.2.3G",
    "a dot at the end": "1.G",
    "hexadecimal": "0x10",
    "underscores": "1_000",
    "other digits": "\u0661\u0662K",
    "the Kelvin sign, whose small letter is k": "1\u212a",
    "an i without a dot": "1K\u0131B",
    "too large": str(LARGEST + 1),
    "much too large": "9" * 100_000,
    "too large with unit": "8388608T",
    "two lines": "1G\n2G",
}

SHOWN: dict[int, str] = {
    0: "0 bytes",
    17: "17 bytes",
    1023: "1023 bytes",
    1024: "1.0 KiB",
    1536: "1.5 KiB",
    1024**2: "1.0 MiB",
    1_503_238_553: "1.4 GiB",
    1024**4: "1.0 TiB",
    5000 * 1024**4: "5000.0 TiB",
}

EXACT: dict[int, str] = {1: "1", 1500: "1500", 1024: "1K", 2 * 1024**3: "2G", 3 * 1024**4: "3T", 1536: "1536"}


@pytest.mark.parametrize(("text", "size"), READ.items(), ids=READ)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text, option="part_size") == size


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_errors_say_what_is_accepted(text: str) -> None:
    with pytest.raises(OptionError, match=r"^part_size: .* Accepted: .*such as 2G, 700M or 4\.7GB"):
        parse_size(text, option="part_size")


@pytest.mark.parametrize(
    "text", ["9" * 100_000, "1" + " " * 100_000 + "x", "\x1b[31m1G", "1\nG"], ids=lambda text: text[:6]
)
def test_errors_are_short_and_in_one_line(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_size(text, option="part_size")
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("size", "text"), SHOWN.items(), ids=str)
def test_sizes_are_shown(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(("size", "text"), EXACT.items(), ids=str)
def test_sizes_are_written_in_their_largest_unit(size: int, text: str) -> None:
    assert exact_size(size) == text


@given(st.integers(1, LARGEST) | st.builds(lambda n, e: n * 1024**e, st.integers(1, 8000), st.integers(0, 4)))
def test_an_exact_size_reads_as_itself(size: int) -> None:
    assert parse_size(exact_size(size), option="part_size") == size


@given(st.text(st.sampled_from("0123456789.KMGTkmgtiIbB -+e"), max_size=12) | st.text(max_size=12))
def test_reading_raises_nothing_else(text: str) -> None:
    with contextlib.suppress(OptionError):
        assert 1 <= parse_size(text, option="part_size") <= LARGEST


def test_counts_are_written_with_their_noun() -> None:
    assert [format_count(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_where_the_last_byte_counts_all_are_written() -> None:
    assert format_bytes(2**32 - 1) == "4294967295 bytes (4.0 GiB)"
    assert format_bytes(17) == "17 bytes"


@pytest.mark.parametrize(("most", "handy"), [(2**32 - 1, "4095M"), (10**6, "976K"), (2**20, "1M"), (12, "12")])
def test_a_size_that_is_easy_to_type_is_not_above_the_limit(most: int, handy: str) -> None:
    assert handy_size(most) == handy


@given(most=st.integers(1, LARGEST))
def test_a_handy_size_is_near_to_the_limit(most: int) -> None:
    assert most / 2 < parse_size(handy_size(most), option="o") <= most
