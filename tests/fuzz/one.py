# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzes one parser in this process: ``python -m … TARGET [libFuzzer's options and corpora]``."""

from __future__ import annotations

import email._parseaddr
import os
import sys
from collections.abc import Sequence
from typing import Any

import atheris

_ROOMS = "ansible_collections.airgap.images.plugins.module_utils"

with atheris.instrument_imports(include=[_ROOMS], enable_loader_override=False):
    from .targets import TARGETS

from .mutation import mutate_json  # noqa: E402  # is not to guide itself


def fuzz(name: str, options: Sequence[str]) -> None:
    """Does not come back: libFuzzer ends the process, with 0 or with the status of what it found.

    :param name: of the target.
    :param options: libFuzzer's, and the folders of corpora.
    """
    target = TARGETS[name]
    # The reader of dates is the library's.
    library: Any = email._parseaddr
    library._parsedate_tz = atheris.instrument_func(library._parsedate_tz)
    mutator = {"custom_mutator": _mutate} if target.is_json else {}
    atheris.Setup([os.environ.get("FUZZ_PROGRAM", sys.argv[0]), *options], target.check, **mutator)
    atheris.Fuzz()


def _mutate(data: bytes, largest: int, seed: int) -> bytes:
    return mutate_json(data, largest, seed, atheris.Mutate)


if __name__ == "__main__":
    fuzz(sys.argv[1], sys.argv[2:])
