# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed or ended at any moment; each is followed by a look at what stands, and a run to the end.

Beside random moments there are single system calls: a tracer strikes at them, so that every gap between two calls that
change files has its turn, however short it is.
"""

from __future__ import annotations

import functools
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..support.module import ModuleError, Result, RunningModule, alive, descendants
from . import tracer
from .case import VARIANTS, Case, case, changing_calls
from .ground import Ground
from .site import TIMEOUT
from .trial import COMPLETED, HEALED, MISSED, Scale, Trial, first_hit, require

GROUP = "kill"

_FORMS: tuple[dict[str, Any], ...] = (
    *VARIANTS,
    {"compress": "gzip", "part_size": "60K"},
    {"compress": "gzip"},
    {"compress": "zstd", "part_size": "50K"},
    {"compress": "none", "prune_cache": True, "jobs": 1},
)
_WAYS = ("auto", "always")
_VARIANTS = tuple(
    {**form, "skopeo_copy": _WAYS[(place + turn) % len(_WAYS)]}
    for turn in range(len(_WAYS))
    for place, form in enumerate(_FORMS)
)
"""Each form in both ways of copying; the first two have another one each."""
_END_WITHIN = 5.0
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def trials(scale: Scale) -> list[Trial]:
    """As many as are asked for, by turns of each kind; a short run has the first seven, each once."""
    kinds = (
        ("SIGKILL at a random moment", functools.partial(_at_a_moment, number=signal.SIGKILL)),
        ("SIGKILL at a system call", functools.partial(_at_a_call, number=signal.SIGKILL)),
        ("SIGTERM at a random moment", functools.partial(_at_a_moment, number=signal.SIGTERM)),
        ("SIGTERM at a system call", functools.partial(_at_a_call, number=signal.SIGTERM)),
        ("SIGKILL to skopeo", functools.partial(_to_skopeo, number=signal.SIGKILL)),
        ("SIGINT or SIGHUP at a random moment", _at_a_moment_of_two),
        ("SIGKILL again and again", _again_and_again),
        ("SIGTERM to skopeo", functools.partial(_to_skopeo, number=signal.SIGTERM)),
        ("SIGKILL at a system call", functools.partial(_at_a_call, number=signal.SIGKILL)),
        ("SIGKILL at a system call", functools.partial(_at_a_call, number=signal.SIGKILL)),
    )
    chosen = ((number, kinds[number % len(kinds)]) for number in range(scale.kills))
    return [Trial(GROUP, fault, number, run) for number, (fault, run) in chosen]


@contextmanager
def _case(ground: Ground, chance: random.Random) -> Iterator[Case]:
    """In most cases there is an archive already."""
    images = 0 if chance.random() < ground.load.empty else ground.load.earlier
    with case(ground, chance.choice(_VARIANTS[: ground.load.variants]), images=images) as made:
        yield made


def _at_a_moment(ground: Ground, chance: random.Random, *, number: signal.Signals) -> str:
    return _until_it_hits(lambda share: _at_one_moment(ground, chance, number, share))


def _at_one_moment(ground: Ground, chance: random.Random, number: signal.Signals, share: float) -> str:
    with _case(ground, chance) as made:
        running = made.site.start(**made.params)
        # The moment is the point: it is not waited for anything.
        _sleep_beside(running, chance.uniform(0.0, made.quiet.seconds * share))
        if not alive(running.pid):
            return MISSED
        running.signal(number)
        return _look_and_complete(made, running, number)


def _until_it_hits(once: Callable[[float], str]) -> str:
    """A few tries, each in a smaller part of the time that a run took before: runs are not all as long."""
    return first_hit(once(share) for share in (1.0, 0.7, 0.5, 0.3, 0.2))


def _at_a_moment_of_two(ground: Ground, chance: random.Random) -> str:
    return _at_a_moment(ground, chance, number=chance.choice((signal.SIGINT, signal.SIGHUP)))


def _at_a_call(ground: Ground, chance: random.Random, *, number: signal.Signals) -> str:
    with _case(ground, chance) as made:
        call = chance.choice([each for each in changing_calls(ground, made) if not each.is_writing])
        log = made.site.folder.with_suffix(".trace")
        running = made.site.start(under=tracer.striking(call, f"signal={number.name[3:]}", log), **made.params)
        running.process.wait(TIMEOUT)
        if not tracer.struck(log):
            return MISSED
        return _look_and_complete(made, running, number)


def _to_skopeo(ground: Ground, chance: random.Random, *, number: signal.Signals) -> str:
    """The run gets over it, as over any broken copy."""
    return _until_it_hits(lambda share: _to_one_skopeo(ground, chance, number, share))


def _to_one_skopeo(ground: Ground, chance: random.Random, number: signal.Signals, share: float) -> str:
    with _case(ground, chance) as made:
        running = made.site.start(**made.params)
        _sleep_beside(running, chance.uniform(0.0, made.quiet.seconds * share / 2))
        if not _strike_child(running, number):
            return MISSED
        made.site.require_completed(running.wait(TIMEOUT), made.quiet)
        return HEALED


def _strike_child(running: RunningModule, number: signal.Signals) -> bool:
    """Send a signal to the first `skopeo copy` that is seen; tells whether there was one."""
    while alive(running.pid):
        for pid in descendants(running.pid):
            if tracer.send(pid, number, program=b"copy"):
                return True
        time.sleep(0.002)
    return False


def _again_and_again(ground: Ground, chance: random.Random) -> str:
    """Five runs one after the other are killed; each goes on from what the one before has left."""
    with _case(ground, chance) as made:
        hits = 0
        for _round in range(5):
            running = made.site.start(**made.params)
            _sleep_beside(running, chance.uniform(0.0, made.quiet.seconds * 0.8))
            hits += alive(running.pid)
            running.kill()
            made.site.require_nothing_running()
            made.require_whole()
        made.complete()
        return COMPLETED if hits else MISSED


def _look_and_complete(made: Case, running: RunningModule, number: signal.Signals) -> str:
    struck = time.monotonic()
    running.process.wait(TIMEOUT)
    seconds = time.monotonic() - struck
    try:
        ended = running.wait(0)
    except ModuleError:  # it had no time to say anything
        ended = None
    if ended is not None and not ended.failed:
        made.site.require_completed(ended, made.quiet)
        return HEALED  # the archive was being put in place, or a skopeo was hit, and all is done
    made.site.require_nothing_running()
    made.require_whole()
    if number in _STOPS:
        require(seconds < _END_WITHIN, f"it took {seconds:.1f} s to end")
        _require_stopped(made, ended)
    made.complete()
    return COMPLETED


def _require_stopped(made: Case, ended: Result | None) -> None:
    """A run that was told to end has cleaned up behind itself, and says what ended it."""
    if ended is not None:  # else it had not begun
        require(ended.failed and not ended.changed, f"it was stopped, and says: {ended.data}")
        made.site.require_published(made.before)
    made.site.require_nothing_running(0.5)
    left = made.site.names() - made.kept
    require(not left, f"left over: {sorted(left)[:5]}")
    made.site.require_no_secret()


def _sleep_beside(running: RunningModule, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and alive(running.pid):
        time.sleep(0.002)
