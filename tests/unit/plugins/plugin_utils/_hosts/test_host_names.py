# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that files of an archive can have, and paths that a transfer can carry."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock
from ansible_collections.airgap.images.plugins.module_utils._archive.names import part_names
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._hosts.names import (
    check_carried,
    check_length,
    check_remote,
    names_of,
)

NAME = "images.tar.gz"
SHA, OTHER = "ef" * 32, "0123456789abcdef" * 4
WHERE = "/srv/x.lock.json"
FORMS = rf"share/sha256/{SHA}|[0-9a-f]{{64}}/(oci-layout|index\.json)|index\.json|oci-layout|saved-images-list\.json"


def lock_of(*names: str, compress: object = "gzip", sha256: str = SHA) -> Lock:
    return Lock({"compress": compress}, (), parts=tuple(Part(name, 5, sha256) for name in names))  # type: ignore[dict-item]


def refusal(lock: Lock, archive: str) -> str:
    with pytest.raises(LockFileError) as caught:
        names_of(lock, archive, where=WHERE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("count", "digits"), [(1, 1), (2, 1), (10, 1), (11, 2), (11, 1), (3, 3), (1, 9), (101, 2), (10_000, None)]
)
def test_parts_as_the_module_names_them(count: int, digits: int | None) -> None:
    names = part_names(NAME, count, split=True, digits=digits)
    assert names_of(lock_of(*names), NAME, where=WHERE) == names


@pytest.mark.parametrize(
    ("archive", "compress"),
    [
        (NAME, "gzip"),
        ("a.tgz", "gzip"),
        ("a.tar.zst", "zstd"),
        ("a.tar.zstd", "zstd"),
        ("a.tzst", "zstd"),
        ("a.tar", "none"),
        (".tar.tar", "none"),
    ],
)
def test_an_archive_in_one_piece(archive: str, compress: str) -> None:
    assert names_of(lock_of(archive, compress=compress), archive, where=WHERE) == [archive]


@pytest.mark.parametrize(
    "name",
    [
        "other.tar.gz",
        f"{NAME}2",
        f"{NAME}.part",
        f"{NAME}.part0.bak",
        f"{NAME}.part-1",
        f"{NAME}.part+1",
        f"{NAME}.part0x0",
        f"{NAME}.part0_0",
        f"{NAME}.part 0",
        f"{NAME}.part0\n",
        f"{NAME}.part٣",
        f"{NAME}.part\uff10",
        f"{NAME}.part1",
        f"{NAME}.part0000000000",
        f"{NAME}.lock.json",
        f"{NAME}.PART0",
        f"x/{NAME}",
        f"./{NAME}",
        f"/{NAME}",
        f"../{NAME}",
        f"{NAME}/x",
        f"{NAME}/../{NAME}",
        "imagesXtar.gz",
        "",
        ".",
        "..",
    ],
)
def test_what_is_named_like_no_part(name: str) -> None:
    said = refusal(lock_of(name), NAME)
    assert said.startswith(f"{WHERE} lists ") and said.endswith(f", which is not expected in {NAME}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("numbers", "refused"),
    [
        (["0", "2"], "2"),
        (["0", "1", "1"], "1"),
        (["0", "0"], "0"),
        (["00", "1"], "1"),
        (["0", "01"], "01"),
        (["1", "0"], "1"),
        (["0", "10000"], "10000"),
        ([str(number) for number in range(10_001)], "10000"),
    ],
)
def test_parts_are_counted(numbers: list[str], refused: str) -> None:
    names = [f"{NAME}.part{number}" for number in numbers]
    assert f" lists '{NAME}.part{refused}', which is not expected" in refusal(lock_of(*names), NAME)


@pytest.mark.parametrize("names", [(NAME, f"{NAME}.part0"), (NAME, f"{NAME}.part1"), (f"{NAME}.part0", NAME)])
def test_an_archive_is_in_one_piece_or_in_parts(names: tuple[str, ...]) -> None:
    assert f" lists '{names[1]}', which is not expected" in refusal(lock_of(*names), NAME)


def test_what_a_layout_has() -> None:
    names = [
        f"{OTHER}/oci-layout",
        f"{OTHER}/index.json",
        f"share/sha256/{SHA}",
        "index.json",
        "oci-layout",
        "saved-images-list.json",
    ]
    assert names_of(lock_of(*names, compress="dir"), "images", where=WHERE) == [f"images/{name}" for name in names]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/x",
        "//x",
        "/index.json",
        "a/..",
        "share/../../x",
        "./index.json",
        "index.json/",
        "index.json\n",
        "INDEX.JSON",
        "notes.txt",
        "run.sh",
        "blobs",
        "share",
        f"blobs/sha256/{SHA}",
        f"share/sha256/{OTHER}",
        f"share/sha256/{SHA}\n",
        f"share/sha256/{SHA}/x",
        f"share/sha256/{SHA.upper()}",
        f"share/sha512/{SHA}",
        f"share//sha256/{SHA}",
        f"share/sha256/../sha256/{SHA}",
        f"{OTHER[:-1]}/index.json",
        f"{OTHER}0/index.json",
        f"{'٣' * 64}/index.json",
        f"{OTHER.upper()}/index.json",
        f"{OTHER}/blobs",
        f"{OTHER}/blobs/sha256/{SHA}",
        f"{OTHER}/index.json\n",
        f"{OTHER}/x",
        f"{OTHER}",
        "it's\\\"here",
    ],
)
def test_what_a_layout_cannot_have(name: str) -> None:
    said = refusal(lock_of("index.json", name, compress="dir"), "images")
    assert said.startswith(f"{WHERE} lists ") and said.endswith(", which is not expected in images")
    assert "\n" not in said


def test_a_blob_is_named_by_its_own_digest() -> None:
    assert "is not expected" in refusal(lock_of(f"share/sha256/{SHA}", compress="dir", sha256=OTHER), "images")


def test_a_file_of_a_layout_is_named_once() -> None:
    assert "lists 'index.json', " in refusal(lock_of("index.json", "oci-layout", "index.json", compress="dir"), "x")


def test_what_is_refused_is_shown_without_what_a_terminal_obeys() -> None:
    said = refusal(lock_of("a\x1b[2Jb\u202ec", compress="dir"), "images")
    assert "'a\\x1b[2Jb\\x202ec'" in said
    assert len(refusal(lock_of("a" * 5000, compress="dir"), "images")) < 400


@pytest.mark.parametrize("archive", [NAME, "a.tar.zst", "a.tar", "images", "images.tar.xz", ".tar"])
@pytest.mark.parametrize("said", ["gzip", "zstd", "none", "dir", "GZIP", "", None, 7, ["gzip"], "\x1b[2J" * 100])
def test_the_suffix_says_what_kind_of_archive_it_is(archive: str, said: object) -> None:
    kinds = {NAME: "gzip", "a.tar.zst": "zstd", "a.tar": "none"}
    lock = lock_of(compress=said)
    if said == kinds.get(archive, "dir"):
        assert names_of(lock, archive, where=WHERE) == []
        return
    message = refusal(lock, archive)
    assert message.startswith(f"{WHERE} belongs to an archive with compress=")
    assert "\x1b" not in message and len(message) < 300


@given(
    st.sampled_from([(NAME, "gzip"), ("images", "dir")]),
    st.lists(
        st.text("0123456789abcdef./-_'\"\\\n٣ imgsztarpxoclyutnj", max_size=90) | st.from_regex(FORMS, fullmatch=True)
    ),
)
def test_whatever_a_lock_file_names_no_other_name_comes_out(kind: tuple[str, str], said: list[str]) -> None:
    archive, compress = kind
    try:
        names = names_of(lock_of(*said, compress=compress), archive, where=WHERE)
    except LockFileError:
        return
    assert len({*names}) == len(said)
    pattern = rf"{NAME}(\.part[0-9]+)?" if compress == "gzip" else rf"images/({FORMS})"
    assert all(re.fullmatch(pattern, name, re.ASCII) for name in names)


# --- paths


@pytest.mark.parametrize(
    "path", ["/srv/a.tar.gz", "~/a.tar.gz", "/srv/with blank/ä;&|`*?[x]{}<>#!.tar", "/-x/-y", "/a"]
)
def test_paths_that_a_transfer_can_carry(path: str) -> None:
    check_remote("src", path)
    check_carried("dest", path)


@pytest.mark.parametrize("character", ["'", '"', "\\", "\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\x9b"])
@pytest.mark.parametrize("place", ["/srv/{}/a.tar", "/srv/a{}.tar", "~/{}a"])
def test_paths_that_it_cannot(character: str, place: str) -> None:
    path = place.format(character)
    for option, refuse in (("src", check_remote), ("dest", check_carried)):
        with pytest.raises(OptionError, match="a quotation mark, a backslash or a control character") as caught:
            refuse(option, path)
        assert str(caught.value).startswith(f"{option}: '")
        assert character.isprintable() or character not in str(caught.value)


@pytest.mark.parametrize("path", ["a.tar", "./a.tar", "../a.tar", "-x", "", "~", "~root/a.tar", "$HOME/a.tar"])
def test_paths_of_a_host_begin_at_its_root_or_at_home(path: str) -> None:
    with pytest.raises(OptionError, match="give an absolute path"):
        check_remote("src", path)


def test_paths_of_a_host_have_no_variables() -> None:
    with pytest.raises(OptionError, match="give an absolute path"):
        check_remote("src", "/srv/$USER/a.tar")


@pytest.mark.parametrize("path", ["/", "/srv/", "/srv/.", "/srv/..", "~/", "~/.."])
def test_paths_of_a_host_end_in_a_name(path: str) -> None:
    with pytest.raises(OptionError, match="must end in a file name"):
        check_remote("src", path)


def test_both_paths_fit_into_one_line() -> None:
    """That of sftp, for the longest name that an archive has; blanks make for quotation marks."""
    source, directory = f"/{'s' * 400}/a b", f"/{'d' * 1000}"
    check_length(source, directory)
    longest = "/share/sha256/" + SHA
    for grown in (f"/{'s' * 2000}/a b", source):
        length = 2047 - len(f"get {shlex.quote(grown + longest)} {shlex.quote('/.a b.fetching/a b' + longest)}\n")
        if length > 1:
            check_length(grown, "/" + "d" * (length - 1))
        with pytest.raises(OptionError, match="are 1 bytes too long" if length > 1 else "bytes too long"):
            check_length(grown, "/" + "d" * max(length, 0))
