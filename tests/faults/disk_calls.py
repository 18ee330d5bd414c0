# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors at single system calls, whatever the disk: the tracer gives them in place of the kernel's answer."""

from __future__ import annotations

import errno
import functools
import os
import random

from ..support.module import Result
from . import tracer
from .case import SPACE, Case, Row, case, changing_calls, require_clear, variant
from .ground import Ground
from .site import TIMEOUT
from .trial import FAILED, HEALED, MISSED, first_hit

_TRIES = 4
_TURNS_OF_A_VARIANT = 3
_TAKING_ROOM = "mkdir open openat rename renameat2 link linkat symlink symlinkat write pwrite64 fsync syncfs ftruncate"
_CHANGING_NAMES = "mkdir rmdir open openat rename renameat2 link linkat symlink symlinkat unlink unlinkat"
_POSSIBLE = {
    "ENOSPC": _TAKING_ROOM,
    "EDQUOT": _TAKING_ROOM,
    "EIO": f"{_TAKING_ROOM} rmdir unlink unlinkat copy_file_range",
    "EROFS": _CHANGING_NAMES,
    "EACCES": _CHANGING_NAMES,
}
"""Which calls fail in which way."""


def _at_a_call(ground: Ground, chance: random.Random, turn: int, *, name: str) -> str:
    """Some tries: a thread's calls do not come in the same order each time."""
    return first_hit(_at_one_call(ground, chance, turn, name) for _try in range(_TRIES))


def _at_one_call(ground: Ground, chance: random.Random, turn: int, name: str) -> str:
    """One of the calls by which a run changes files fails, once for each thread that comes so far."""
    # The first turns have one variant, and so share the run that is watched.
    images = 0 if chance.random() < ground.load.empty else ground.load.earlier
    with case(ground, variant(turn // _TURNS_OF_A_VARIANT), images=images) as found:
        possible = [each for each in changing_calls(ground, found) if each.name in _POSSIBLE[name].split()]
        # First the kind: there are many more writes than anything else.
        kind = chance.choice(sorted({each.name for each in possible}))
        call = chance.choice([each for each in possible if each.name == kind])
        log = found.site.folder.with_suffix(".trace")
        running = found.site.start(under=tracer.striking(call, f"error={name}", log), **found.params)
        running.process.wait(TIMEOUT)
        if not tracer.struck_below(log, found.site.folder):
            return MISSED  # it was something else than a file of this site, such as a pipe
        return _look_and_complete(found, running.wait(0), name)


def _look_and_complete(found: Case, result: Result, name: str) -> str:
    """A file that cannot even be removed stays, for the next run to remove."""
    found.site.require_nothing_running()
    if not result.failed:
        found.site.require_published(found.quiet.published)
        found.complete()
        return HEALED
    require_clear(result, found.site.folder, os.strerror(getattr(errno, name)), *SPACE)
    found.require_whole()
    found.site.require_no_secret()
    found.complete()
    return FAILED


ROWS = [Row(f"{name} at a system call", functools.partial(_at_a_call, name=name), kinds=18) for name in _POSSIBLE]
