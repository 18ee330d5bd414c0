# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: what is wanted, what is offered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import (
    Architecture,
    Platform,
    parse_architecture,
    parse_filter,
)

READ: dict[str, Architecture] = {
    "amd64": Architecture("amd64"),
    "AMD64": Architecture("amd64"),
    " arm64 ": Architecture("arm64"),
    "arm/v7": Architecture("arm", "v7"),
    "amd64/v3": Architecture("amd64", "v3"),
    "s390x": Architecture("s390x"),
    "386": Architecture("386"),
    "x86_64": Architecture("amd64"),
    "x86-64": Architecture("amd64"),
    "aarch64": Architecture("arm64"),
    "aarch64/v9": Architecture("arm64", "v9"),
    "armhf": Architecture("arm", "v7"),
    "armel": Architecture("arm", "v6"),
    "i386": Architecture("386"),
}

REFUSED = ["", " ", "/", "/v7", "arm/", "arm/v7/x", "amd 64", "amd64,arm64", "-x", "linux/amd64/v2", "arm\n/v7", "ärm"]

WINDOWS = Platform("windows", "amd64", os_version="10.0.17763.1")

SHOWN: dict[str, tuple[Platform, str]] = {
    "usual": (Platform("linux", "amd64"), "linux/amd64"),
    "with variant": (Platform("linux", "arm", "v7"), "linux/arm/v7"),
    "with version": (WINDOWS, "windows/amd64 (10.0.17763.1)"),
}

MATCHES: dict[str, tuple[str, Platform, bool]] = {
    "the same": ("amd64", Platform("linux", "amd64"), True),
    "another": ("amd64", Platform("linux", "arm64"), False),
    "any variant": ("arm", Platform("linux", "arm", "v6"), True),
    "this variant": ("arm/v7", Platform("linux", "arm", "v7"), True),
    "another variant": ("arm/v7", Platform("linux", "arm", "v6"), False),
    "arm without variant is v7": ("arm/v7", Platform("linux", "arm"), True),
    "arm64 without variant is v8": ("arm64/v8", Platform("linux", "arm64"), True),
    "arm64/v8 is arm64": ("arm64", Platform("linux", "arm64", "v8"), True),
    "amd64 without variant is v1": ("amd64/v1", Platform("linux", "amd64"), True),
    "amd64 without variant is not v3": ("amd64/v3", Platform("linux", "amd64"), False),
    "no variant is implied elsewhere": ("ppc64le/v2", Platform("linux", "ppc64le"), False),
    "another system": ("amd64", Platform("freebsd", "amd64"), False),
    "windows": ("amd64", WINDOWS, True),
}

WORDS = st.builds("{}{}".format, st.sampled_from("a0z"), st.text(st.sampled_from("az09_.-"), max_size=6))


@pytest.mark.parametrize(("text", "expected"), READ.items(), ids=READ)
def test_architectures_are_read(text: str, expected: Architecture) -> None:
    assert parse_architecture(text) == expected


@pytest.mark.parametrize("text", REFUSED, ids=repr)
def test_errors_show_what_is_expected(text: str) -> None:
    with pytest.raises(OptionError, match=r"^arch: .* is not a valid architecture; expected one such as amd64"):
        parse_architecture(text)


@given(st.builds(Architecture, WORDS, st.just("") | WORDS))
def test_an_architecture_reads_as_itself(architecture: Architecture) -> None:
    read = parse_architecture(str(architecture))
    assert parse_architecture(str(read)) == read


@pytest.mark.parametrize(("platform", "text"), SHOWN.values(), ids=SHOWN)
def test_platforms_are_shown(platform: Platform, text: str) -> None:
    assert str(platform) == text


@pytest.mark.parametrize(("arch", "platform", "expected"), MATCHES.values(), ids=MATCHES)
def test_a_filter_takes_what_is_wanted(arch: str, platform: Platform, expected: bool) -> None:
    assert parse_filter([arch], ["linux", "windows"]).matches(platform) is expected


def test_order_and_repetition_do_not_matter() -> None:
    first = parse_filter(["arm64", "amd64", "x86_64"], ["windows", "Linux"])
    assert first == parse_filter(["amd64", "arm64"], ["linux", "windows", "linux"])
    assert str(first) == "amd64, arm64 on linux, windows"


def test_what_no_platform_offers_is_named() -> None:
    wanted = parse_filter(["amd64", "arm64", "arm/v6"], ["linux"])
    assert wanted.absent([Platform("linux", "amd64"), Platform("linux", "arm", "v7")]) == (
        Architecture("arm", "v6"),
        Architecture("arm64"),
    )


@pytest.mark.parametrize(("arches", "systems"), [([], ["linux"]), (["amd64"], []), (["amd64"], ["lin ux"])])
def test_a_filter_names_both(arches: list[str], systems: list[str]) -> None:
    with pytest.raises(OptionError, match="os"):
        parse_filter(arches, systems)


def test_attestations_are_unknown() -> None:
    assert Platform("unknown", "unknown").is_unknown
    assert not Platform("unknown", "amd64").is_unknown


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (("linux", "aarch64"), "arm64"),
        (("linux", "arm64", "8"), "arm64/v8"),
        (("linux", "arm64", "V8"), "arm64/v8"),
        (("Linux", "AMD64"), "amd64"),
        (("linux", "x86_64"), "amd64"),
        (("linux", "x86-64", "v1"), "amd64/v1"),
        (("linux", "armhf"), "arm/v7"),
        (("linux", "armel"), "arm/v6"),
        (("linux", "arm", "7"), "arm/v7"),
        (("linux", "arm"), "arm/7"),
        (("linux", "arm", "v6"), "arm/6"),
        (("linux", "i386"), "386"),
        (("macOS", "arm64"), "arm64"),
    ],
)
def test_names_as_people_write_them(written: tuple[str, ...], wanted: str) -> None:
    platforms = parse_filter([wanted], ["linux", "darwin"])
    assert platforms.matches(Platform(*written))
    assert not platforms.matches(Platform("linux", "s390x"))
    assert str(Platform(*written).canonical).islower()


def test_a_name_as_people_write_it_is_kept() -> None:
    assert str(Platform("linux", "aarch64", "8")) == "linux/aarch64/8"
    assert str(Platform("linux", "aarch64", "8").canonical) == "linux/arm64/v8"
    assert Platform("linux", "arm64", "v8").canonical == Platform("linux", "arm64", "v8")


def test_a_variant_as_people_write_it() -> None:
    assert str(parse_filter(["arm/7", "ARM64/8", "x86_64"], ["macOS"])) == "amd64, arm/v7, arm64/v8 on darwin"
