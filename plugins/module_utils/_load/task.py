# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does what a task asks for: loads into a registry, or writes a file of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from .._base.json import Json
from .._base.stop import Stop
from .._host.log import Log
from .._host.progress import Progress
from .._host.telling import telling
from .engine import load
from .file_engine import write_images
from .file_options import read_file_options
from .options import CONTAINERD_IMAGES
from .params import Params, read_options
from .returned import as_returned, diff_of
from .told_files import told_files


@dataclass(frozen=True)
class Ended:
    """The end of a task, failed or not.

    :param returned: what the module returns.
    :param diff: what Ansible shows in diff mode.
    """

    returned: dict[str, Json]
    diff: dict[str, Json]
    warnings: Sequence[str]
    is_failure: bool


_Work = Callable[[Progress], Ended]


def do_task(params: Params, private: str | None, *, check: bool, log: Log, stop: Stop) -> Ended:
    """Do what the parameters ask for.

    :param private: a progress file of the action plugin's own.
    :param check: check mode.
    :raises ImagesError: when the run as a whole cannot go on.
    """
    begin = _to_file if params["to"] == CONTAINERD_IMAGES else _to_registry
    work = begin(params, check, log, stop)
    with telling(log, stop, told_files(params, private, check=check)) as progress:
        return work(progress)


def _to_registry(params: Params, check: bool, log: Log, stop: Stop) -> _Work:
    """Read the options; returns what loads into the registry."""
    options = read_options(params, check=check)

    def work(progress: Progress) -> Ended:
        result = load(options, log=log, stop=stop, progress=progress)
        return Ended(as_returned(result, options), diff_of(result), result.warnings, result.is_failure)

    return work


def _to_file(params: Params, check: bool, log: Log, stop: Stop) -> _Work:
    """Read the options; returns what writes the file."""
    options = read_file_options(params, check=check)

    def work(progress: Progress) -> Ended:
        result = write_images(options, log=log, stop=stop, progress=progress)
        returned = result.as_returned(check=check, failed_list=options.failed_list or "")
        return Ended(returned, result.as_diff(), result.warnings, result.is_failure)

    return work
