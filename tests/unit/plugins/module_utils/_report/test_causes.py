# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures by cause: what is one cause, and how it is told."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ConnectionRefused,
    ImagesError,
    ManifestError,
    Missing,
    MissingPlatform,
    NotPulled,
    ProxyLoginRefused,
    Refused,
    SpaceError,
    StorageError,
    TransferError,
    WrongBytes,
)
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._http.status_errors import explain_status
from ansible_collections.airgap.images.plugins.module_utils._oci.image import FailedImage
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import InvalidLine, ListedImage, Origin
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import parse_reference
from ansible_collections.airgap.images.plugins.module_utils._report.causes import (
    causes_of,
    merged,
    told,
    why_told,
)

REGISTRY = "localhost:5562"


def failed(number: int, error: ImagesError, name: str = "") -> FailedImage:
    reference = parse_reference(name or f"{REGISTRY}/team/app-{number}:1")
    return FailedImage(ListedImage(number, reference, Origin("lists/team.txt", number)), error)


def refusal(number: int, account: str = "user 'robot'", status: int = 401) -> FailedImage:
    """An image that a registry answers with an error status."""
    response = Response(f"https://{REGISTRY}", status, {}, b"", account=account)
    what = f"{REGISTRY}/team/app-{number}:1"
    return failed(number, explain_status(response, host=REGISTRY, what=what))


def test_one_wrong_password_is_one_sentence() -> None:
    (cause,) = causes_of([refusal(number) for number in range(1, 21)], ())
    assert cause.sentence.startswith("localhost:5562 refused user 'robot' for 20 images: unauthorized. The password ")
    assert "Give username and password" not in cause.sentence
    text = cause.told()
    assert text.count("team/app-") == 3 and text.count("unauthorized") == 1
    assert text.endswith(
        "The first of them: localhost:5562/team/app-1:1 [lists/team.txt:1], "
        "localhost:5562/team/app-2:1 [lists/team.txt:2], localhost:5562/team/app-3:1 [lists/team.txt:3]"
    )
    assert (cause.kind, len(cause.places)) == ("refused", 20)
    assert why_told([cause], "/media/failed.txt").endswith(". All of them, with reasons: /media/failed.txt")


def test_where_no_login_was_given_it_is_asked_for() -> None:
    (cause,) = causes_of([refusal(1, ""), refusal(2, "")], ())
    assert "localhost:5562 refused access to 2 images: unauthorized. Give username and password" in cause.sentence


def test_one_image_is_named_once_and_with_its_line() -> None:
    (cause,) = causes_of([refusal(7)], ())
    assert cause.told().startswith(
        "lists/team.txt:7: localhost:5562 refused user 'robot' for localhost:5562/team/app-7"
    )
    assert cause.told().count("app-7") == 1
    (other,) = causes_of([failed(7, TransferError("no connection", heals=True))], ())
    assert other.told() == "lists/team.txt:7: localhost:5562/team/app-7:1: no connection"
    assert why_told([other], "") == told([other])


def test_a_repository_that_a_token_was_refused_for_is_not_named_beside_the_image() -> None:
    name = f"{REGISTRY}/team/app-7"
    response = Response(f"https://{REGISTRY}", 401, {}, b"", account="user 'robot'")
    (cause,) = causes_of([failed(7, explain_status(response, host=REGISTRY, what=name))], ())
    assert cause.told().startswith(f"lists/team.txt:7: {REGISTRY} refused user 'robot' for {name}:1: unauthorized")
    assert cause.told().count("app-7") == 1


def test_verbs_agree_with_how_many_there_are() -> None:
    (one,) = causes_of([refusal(1, status=404)], ())
    (two,) = causes_of([refusal(1, status=404), refusal(2, status=404)], ())
    assert "app-1:1 does not exist on localhost:5562" in one.sentence
    assert two.sentence.startswith("2 images do not exist on localhost:5562")
    assert "They are: " in two.told()


def test_tries_and_mirrors_make_no_other_cause() -> None:
    """The name of an image in a text, in whatever spelling, does not count; nor do digests."""
    texts = [
        f"skopeo: reading manifest 1 in mirror.lan/hub/team/app-{number}: sha256:{number:064x} of "
        f"{REGISTRY}/team/app-{number}:1: EOF"
        for number in (1, 2)
    ]
    (cause,) = causes_of([failed(n, TransferError(text, heals=True)) for n, text in enumerate(texts, start=1)], ())
    assert cause.sentence == "2 images: skopeo: reading manifest 1 in mirror.lan/hub/…: sha256:… of …: EOF"
    ended = [failed(one.listed.number, _ended(one.error)) for one in (refusal(1, status=500), refusal(2, status=500))]
    (cause,) = causes_of(ended, ())
    assert cause.sentence == "localhost:5562 answered 500 when asked for 2 images (tried twice)"


def _ended(error: ImagesError) -> ImagesError:
    assert isinstance(error, TransferError)
    return error.ended(f"{error} (tried twice)")


def test_a_short_name_is_not_cut_out_of_words() -> None:
    (cause,) = causes_of([failed(1, TransferError("a cat", heals=False), "reg.lan/a:1")], ())
    assert cause.pattern == "{images}: a cat"


def test_lines_are_grouped_as_well() -> None:
    lines = [InvalidLine(Origin("x.txt", number), "docker pull x", "it contains whitespace") for number in (3, 9)]
    (cause,) = causes_of((), lines)
    assert cause.sentence == "2 lines are not valid references: it contains whitespace"
    assert cause.told().endswith(". They are: 'docker pull x' [x.txt:3], 'docker pull x' [x.txt:9]")
    (one,) = causes_of((), lines[:1])
    assert one.told() == "x.txt:3: 'docker pull x' is not a valid reference: it contains whitespace"


def test_several_causes_are_numbered_the_most_frequent_first() -> None:
    errors = [TransferError(f"cause {number}", heals=False) for number in range(7)]
    found = causes_of([failed(n, error) for n, error in enumerate([*errors, errors[3]], start=1)], ())
    text = told(found)
    assert text.startswith("(1) 2 images: cause 3. They are: ") and "; (2) lists/team.txt:1: " in text
    assert text.endswith("; and 2 more causes") and "(6)" not in text
    assert told(found[:6]).endswith("; and 1 more cause")
    assert why_told(found, "").endswith(". All of them, with reasons: failed_images and invalid_lines")


def test_an_image_of_several_hosts_counts_once() -> None:
    here = causes_of([refusal(1), refusal(2)], ())
    there = causes_of([refusal(2), refusal(3)], ())
    (cause,) = merged([*here, *there])
    assert [place.name.rpartition("/")[2] for place in cause.places] == ["app-1:1", "app-2:1", "app-3:1"]
    assert "for 3 images" in cause.sentence


KINDS: dict[str, ImagesError] = {
    "refused": Refused("x", heals=False),
    "missing": Missing("x", heals=False),
    "connection": ConnectionRefused("x", heals=True),
    "proxy": ProxyLoginRefused("x", heals=False),
    "content": WrongBytes("x", heals=True),
    "manifest": ManifestError("x"),
    "platform": MissingPlatform("x"),
    "not_fetched": NotPulled("x"),
    "disk": SpaceError("x"),
    "transfer": TransferError("x", heals=False),
}


@pytest.mark.parametrize(("kind", "error"), KINDS.items(), ids=KINDS)
def test_kinds(kind: str, error: ImagesError) -> None:
    assert [cause.kind for cause in causes_of([failed(1, error)], ())] == [kind]
    assert causes_of([failed(1, StorageError("x"))], ())[0].kind == "disk"
