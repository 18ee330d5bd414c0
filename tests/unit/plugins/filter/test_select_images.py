# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that chooses images: what a playbook gives and gets."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.release import __version__ as core_version
from ansible.template import Templar
from ansible.utils.unsafe_proxy import AnsibleUnsafe

from ansible_collections.airgap.images.plugins.filter.select_images import FilterModule, select_images

try:
    from ansible.template import trust_as_template as trusted
except ImportError:  # before 2.19 all is trusted that is not marked

    def trusted(value: str) -> str:
        """Text as it stands in a playbook."""
        return value


CORE = tuple(int(number) for number in core_version.split(".")[:2])


def source(*lines: str) -> tuple[str, str]:
    return ("list.txt", base64.b64encode("\n".join(lines).encode()).decode())


def evaluate(value: object) -> Any:
    """The value that a playbook gets for a variable with this value."""
    return Templar(DataLoader(), variables={"value": value}).template(trusted("{{ value }}"))


def test_it_is_offered() -> None:
    assert FilterModule().filters() == {"select_images": select_images}


def test_what_it_returns() -> None:
    assert select_images([source("a", "b:1", "b:1", "A B"), {"name": "images", "lines": ["c"]}], exclude=["^c"]) == {
        "lines": ["a", "b:1", "A B"],
        "origins": ["list.txt:1", "list.txt:2", "list.txt:4"],
        "invalid": [
            {
                "origin": "list.txt:4",
                "line": "A B",
                "reason": "it contains whitespace; expected one reference per line, and comments on lines of their own",
            }
        ],
        "excluded": ["docker.io/library/c:latest"],
        "duplicates": 1,
    }


@pytest.mark.parametrize(
    ("sources", "include", "said"),
    [
        ([{}], [], "select_images: a list must be a name"),
        ([source("a")], ["("], "select_images: include: '(' is not a valid regular expression"),
    ],
)
def test_errors_name_the_filter(sources: list[dict[str, object]], include: list[str], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        select_images(sources, include=include)
    assert said in str(caught.value)


@pytest.mark.parametrize("member", ["lines", "invalid"])
def test_nothing_in_a_list_is_taken_for_a_template(tmp_path: Path, member: str) -> None:
    mark = tmp_path / "mark"
    line = f"{{{{ lookup('pipe', 'touch {mark}') }}}}"
    chosen = select_images([source("a", line)])
    assert chosen["lines"] == ["a", line]
    found = chosen["lines"][1] if member == "lines" else chosen["invalid"][0]["line"]
    assert CORE >= (2, 19) or isinstance(found, AnsibleUnsafe), "later ones evaluate only what is marked as trusted"
    assert evaluate(found) == line
    assert evaluate([evaluate(found)]) == [line]
    assert not mark.exists()
    evaluate(trusted(line))
    assert mark.exists(), "a playbook's own text would have been evaluated"
