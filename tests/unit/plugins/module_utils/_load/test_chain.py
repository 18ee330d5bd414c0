# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives in the order in which they rest on each other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, cast

import pytest

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import Lock, LockedBase, Requirement
from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._load.chain import in_chain_order
from ansible_collections.airgap.images.plugins.module_utils._source.archive import Archive


@dataclass(frozen=True)
class Fake:
    """What the order is found by.

    :param lock_sha256: the name again, as good as any.
    """

    path: str
    lock: Lock
    lock_sha256: str


def archive(name: str, *bases: str, carriers: tuple[str, ...] = (), sha256: str = "") -> Archive:
    """An archive that rests on others; what it leaves out was carried by some."""
    requires = {str(number): Requirement(1, (), carrier, ()) for number, carrier in enumerate(carriers)}
    lock = Lock({}, (), base=tuple(LockedBase(one, one, has_receipt=True) for one in bases), requires=requires)
    return cast(Archive, Fake(f"/srv/{name}.lock.json", lock, sha256 or name))


def names(archives: list[Archive]) -> list[str]:
    return [one.path.removeprefix("/srv/").removesuffix(".lock.json") for one in archives]


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_what_something_rests_on_comes_first(order: tuple[int, ...]) -> None:
    made = [archive("jan"), archive("feb", "jan"), archive("mar", "feb", "jan"), archive("apr", "mar")]
    assert names(in_chain_order([made[number] for number in order])) == ["jan", "feb", "mar", "apr"]


def test_others_stay_in_the_order_in_which_they_were_given() -> None:
    made = [archive("z"), archive("b", "a"), archive("y"), archive("a"), archive("x")]
    assert names(in_chain_order(made)) == ["z", "y", "a", "b", "x"]
    assert names(in_chain_order([archive("feb", "jan"), archive("mar", "jan")])) == ["feb", "mar"]


def test_a_base_of_a_base_is_known_by_its_name() -> None:
    """Where the archive between them was not given."""
    made = [archive("mar", "feb", carriers=("feb", "jan")), archive("jan")]
    assert names(in_chain_order(made)) == ["jan", "mar"]


def test_a_base_without_lock_file_is_known_by_its_name() -> None:
    base = cast(Archive, Fake("/srv/jan.tar.gz.part0", Lock({}, ()), ""))
    assert names(in_chain_order([base, archive("feb", "jan.tar.gz")])) == ["jan.tar.gz.part0", "feb"]
    assert names(in_chain_order([archive("feb", "jan.tar.gz"), base])) == ["jan.tar.gz.part0", "feb"]


def test_names_that_go_round_in_a_circle_do_no_harm() -> None:
    made = [archive("a", carriers=("b",)), archive("b", carriers=("a",))]
    assert names(in_chain_order(made)) == ["a", "b"]
    made = [archive("a", "b", carriers=("b",)), archive("b", carriers=("a",))]
    assert names(in_chain_order(made)) == ["b", "a"], "the sha256 counts before the name"


def test_another_archive_of_the_name_of_a_base_is_refused() -> None:
    other: Any = archive("jan", sha256="other")
    with pytest.raises(
        OptionError, match=r"/srv/jan\.lock\.json has the name of .* rests on, .* other, expected jan\."
    ):
        in_chain_order([archive("feb", "jan"), other])
    assert names(in_chain_order([archive("feb", "jan"), other, archive("jan")])) == ["jan", "jan", "feb"], "beside it"


def test_the_archives_of_a_set_may_have_one_name() -> None:
    """Of which not all need to be given."""
    lock = Lock({}, (), base=tuple(LockedBase("jan", sha256, has_receipt=True) for sha256 in ("north", "south")))
    news = cast(Archive, Fake("/srv/feb.lock.json", lock, "feb"))
    assert names(in_chain_order([news, archive("jan", sha256="north")])) == ["jan", "feb"]
