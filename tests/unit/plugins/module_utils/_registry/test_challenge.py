# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The challenges of registries."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._registry.challenge import (
    Challenge,
    parse_challenges,
)

READ: dict[str, tuple[str, list[Challenge]]] = {
    "nothing": ("", []),
    "blanks": ("   ", []),
    "docker hub": (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
        [
            Challenge(
                "bearer",
                {
                    "realm": "https://auth.docker.io/token",
                    "service": "registry.docker.io",
                    "scope": "repository:a/b:pull,push",
                },
            )
        ],
    ),
    "basic": ('Basic realm="Registry"', [Challenge("basic", {"realm": "Registry"})]),
    "no parameters": ("Negotiate", [Challenge("negotiate")]),
    "two in one header": (
        'Basic realm="x", Bearer realm="https://t/", service="s"',
        [Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "https://t/", "service": "s"})],
    ),
    "one without parameters first": (
        'Negotiate, Basic realm="x"',
        [Challenge("negotiate"), Challenge("basic", {"realm": "x"})],
    ),
    "unquoted values": ("Bearer service=reg", [Challenge("bearer", {"service": "reg"})]),
    "escaped quotes": (r'Basic realm="a \"b\" \\ c"', [Challenge("basic", {"realm": 'a "b" \\ c'})]),
    "commas and equals signs in values": ('Basic realm="a, b=c"', [Challenge("basic", {"realm": "a, b=c"})]),
    "blanks around signs": ('Bearer realm = "x" , service= "y"', [Challenge("bearer", {"realm": "x", "service": "y"})]),
    "names in any case": ('BEARER Realm="X"', [Challenge("bearer", {"realm": "X"})]),
    "the first of equal names": ('Basic realm="x", realm="y"', [Challenge("basic", {"realm": "x"})]),
    "rubbish after a challenge": ('Basic realm="x", "', [Challenge("basic", {"realm": "x"})]),
    "rubbish": ('"""', []),
    "a quote that does not end": ('Bearer realm="x', [Challenge("bearer", {})]),
    "an empty value": ('Basic realm=""', [Challenge("basic", {"realm": ""})]),
}


@pytest.mark.parametrize(("header", "expected"), READ.values(), ids=READ)
def test_challenges_are_read(header: str, expected: list[Challenge]) -> None:
    assert parse_challenges(header) == expected


@given(st.text() | st.text(st.sampled_from('Bearer realm="\\,; \t='), max_size=80))
def test_no_header_makes_it_raise(header: str) -> None:
    parse_challenges(header)


NAMES = st.text(st.sampled_from("abz"), min_size=1, max_size=5)
VALUES = st.text(st.sampled_from(' "\\,=:/az09'), max_size=20)


@given(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_quoted_values_are_read_back(scheme: str, parameters: dict[str, str]) -> None:
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in parameters.items()}
    header = f"{scheme} " + ", ".join(f'{name}="{value}"' for name, value in quoted.items())
    assert parse_challenges(header) == [Challenge(scheme, parameters)]


@pytest.mark.parametrize("start", ["", "Bearer ", "Bearer a", 'Bearer a="b"'], ids=repr)
@pytest.mark.parametrize("piece", [" ", ",", " ,", 'a="', "a=", "\\", '"\\"', "Bearer ", 'a="b",', "a  "])
def test_a_header_of_any_length_comes_to_an_end(start: str, piece: str) -> None:
    """The quotation mark in the end fits nothing, so that all other ways to read what stands before it are tried."""
    begin = time.thread_time()
    parse_challenges(start + piece * (8191 // len(piece)) + '"')
    parse_challenges(start + piece * ((8100 - len(start)) // len(piece)) + '"')
    assert time.thread_time() - begin < 1.0
