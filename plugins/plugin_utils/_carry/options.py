# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role image_load that decide what is loaded, and from where. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

_TEXTS = ("registry", "to", "dest", "staging_dir", "list_format")
_LISTS = ("src", "controller_src", "images", "list_files", "remote_list_files")


@dataclass(frozen=True)
class Options:
    """The variables C(image_load_X) by their names X, with the default in place of an empty value.

    Lists are checked by :func:`_carry.checks.check_options`, so until then they may be anything.
    """

    registry: str
    to: str
    dest: str
    src: Sequence[str]
    controller_src: Sequence[str]
    staging_dir: str
    images: Sequence[str]
    list_files: Sequence[str]
    list_format: str
    remote_list_files: Sequence[str]
    distribute: bool
    poll: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """Take the options out of a dictionary, as Ansible has templated it.

        YAML and templates make numbers of texts, and before 2.19 texts of numbers.

        :raises KeyError: when one is missing.
        """
        given = {field.name: values[field.name] for field in fields(cls)}
        texts = {name: str(given[name]) for name in _TEXTS}
        lists = {name: [*map(str, given[name])] for name in _LISTS if isinstance(given[name], (list, tuple))}
        return cls(**{**given, **texts, **lists, "poll": int(given["poll"])})
