# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the module's parameters into typed options. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from .._base.errors import OptionError
from .._host.paths import refuse_strange_path


class Params(TypedDict):
    """The parameters as the module's argument specification gives them."""

    src: list[str]
    repair: bool
    request_file: str | None
    log_file: str | None
    progress_file: str | None


@dataclass(frozen=True)
class Options:
    """The options of a run.

    :param src: paths that lead to archives.
    :param repair: make what was lost again from parity files.
    :param request_file: path of the file that asks for what is lost, or of a directory for such files; empty: none.
    :param check: change nothing.
    """

    src: tuple[str, ...]
    repair: bool
    request_file: str
    check: bool


def read_options(params: Params, *, check: bool) -> Options:
    """Check the parameters, and return them with types.

    :raises OptionError: names the option, its value and what is accepted.
    """
    if not params["src"]:
        raise OptionError("src: names no archive; at least one path is needed")
    for path in params["src"]:
        refuse_strange_path("src", path)
    refuse_strange_path("request_file", params["request_file"])
    return Options(tuple(params["src"]), params["repair"], params["request_file"] or "", check)
