# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shares of several runs: together all images, none of them twice."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._load.options import Choice
from ansible_collections.airgap.images.plugins.module_utils._oci.holder import holder_of

HOSTS = ("north", "east", "west")
REPOSITORIES = [f"docker.io/team/app-{number}" for number in range(60)]


def test_each_repository_is_in_one_share() -> None:
    shares = [Choice(share=host, share_among=HOSTS) for host in HOSTS]
    for repository in REPOSITORIES:
        assert sum(share.is_ours(repository) for share in shares) == 1
    for share in shares:
        assert 5 < sum(map(share.is_ours, REPOSITORIES)) < 40


def test_without_a_share_everything_is_ours() -> None:
    assert all(map(Choice().is_ours, REPOSITORIES))


def test_a_host_less_moves_only_its_own() -> None:
    for repository in REPOSITORIES:
        before = holder_of(repository, HOSTS)
        after = holder_of(repository, [host for host in HOSTS if host != "west"])
        assert before in ("west", after)


@pytest.mark.parametrize("names", [HOSTS, tuple(reversed(HOSTS))])
def test_the_order_of_names_does_not_matter(names: tuple[str, ...]) -> None:
    assert [holder_of(each, names) for each in REPOSITORIES] == [holder_of(each, HOSTS) for each in REPOSITORIES]
