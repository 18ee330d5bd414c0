# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that shares images out: what a playbook gives and gets."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.release import __version__ as core_version
from ansible.utils.unsafe_proxy import AnsibleUnsafe

from ansible_collections.airgap.images.plugins.filter.share_images import FilterModule, share_images

CORE = tuple(int(number) for number in core_version.split(".")[:2])


def test_it_is_offered() -> None:
    assert FilterModule().filters() == {"share_images": share_images}


def test_what_it_returns() -> None:
    shares = share_images(["quay.io/a/b0:1", "quay.io/a/b1:1", "quay.io/a/b0:2"], ["two", "one"])
    assert shares == {"two": ["quay.io/a/b1:1"], "one": ["quay.io/a/b0:1", "quay.io/a/b0:2"]}


def test_nothing_in_a_list_is_taken_for_a_template() -> None:
    line = "{{ lookup('pipe', 'id') }}"
    [found] = share_images([line], ["one"])["one"]
    assert found == line
    assert CORE >= (2, 19) or isinstance(found, AnsibleUnsafe), "later ones evaluate only what is marked as trusted"


def test_errors_name_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="share_images: no host was given"):
        share_images(["a"], [])
