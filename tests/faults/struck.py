# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is struck by signals while it does what the module does; ``signals`` starts it.

    python -m …tests.faults.struck KIND COUNT SEED FOLDER

Each signal comes from a timer, so at any instruction of the main thread. What handles it is the module's own handler.
Prints how many came in time, as JSON; where something does not end, prints where each thread is, and ends with 1.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ...plugins.module_utils._base.errors import Interrupted
from ...plugins.module_utils._base.parallel import parallel_map
from ...plugins.module_utils._base.stage import Stage
from ...plugins.module_utils._base.stop import Stop
from ...plugins.module_utils._host import hold
from ...plugins.module_utils._host.attributes import NoAttributes
from ...plugins.module_utils._host.hold import Hold
from ...plugins.module_utils._host.log import Log
from ...plugins.module_utils._host.progress import Progress, shown
from ...plugins.module_utils._host.signals import stop_on_signals
from ...plugins.module_utils._save import tools
from ...plugins.module_utils._save.engine import save
from ..support.images import build_image
from ..support.layers import random_layer
from ..unit.fakes import FakeRegistries, FakeSkopeo, make_options

_HANGS = 60.0
_ENDS = 20.0
_LAYERS = 12
_VARIANTS: tuple[dict[str, Any], ...] = (
    {"compress": "gzip", "part_size": "9K"},
    {"compress": "zstd"},
    {"compress": "none", "jobs": 1},
    {"compress": "dir"},
    {"compress": "gzip", "keep_cache": False, "compress_level": 9},
    {"compress": "none", "prune_cache": True, "jobs": 12},
)

Subject = Callable[[Stop, random.Random], None]
"""Does something that a stop may end with :class:`Interrupted`, and looks at what is left of it."""


class Broken(Exception):
    """Something is not as it has to be."""


def main() -> int:
    """Strikes COUNT times."""
    kind, count, seed, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    chance = random.Random(f"{seed}/{kind}")  # noqa: S311  # no secret hangs on it
    subject = KINDS[kind](folder)
    span = _quiet_seconds(subject, chance)
    struck = 0
    for number in range(count):
        faulthandler.dump_traceback_later(_HANGS, exit=True)
        try:
            in_time = strike(subject, chance, chance.uniform(0.0, span))
            _require_no_thread()
        except Exception as error:
            raise Broken(f"signal {number}: {error}") from error
        struck += in_time
        span *= 1.03 if in_time else 0.95  # not all take as long, and a busy machine takes its time
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps({"struck": struck, "late": count - struck}), flush=True)
    return 0


def strike(subject: Subject, chance: random.Random, seconds: float) -> bool:
    """Let a signal come after so many seconds; tells whether the subject was still at work then."""
    stop = stop_on_signals()
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):
        raise Broken(f"no handler: {handler}")
    signal.signal(signal.SIGALRM, lambda number, frame: handler(signal.SIGTERM, frame))
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        subject(stop, chance)
    except Interrupted as error:
        if not error.args[0].startswith("the run was ended by SIGTERM"):
            raise Broken(f"it does not say what ended it: {error}") from error
    finally:
        in_time = stop.is_set()
        signal.setitimer(signal.ITIMER_REAL, 0)
    return in_time


def _quiet_seconds(subject: Subject, chance: random.Random) -> float:
    """About how long it takes when nothing comes."""
    subject(Stop(), chance)
    started = time.monotonic()
    for _time in range(3):
        subject(Stop(), chance)
    return (time.monotonic() - started) / 3 * 1.2


def _require_no_thread() -> None:
    """:raises Broken: when a thread is left after a while: who waits for it waits for ever"""
    until = time.monotonic() + _ENDS
    while threading.active_count() > 1:
        if time.monotonic() > until:
            faulthandler.dump_traceback(all_threads=True)
            raise Broken(f"threads are left: {threading.enumerate()}")
        time.sleep(0.0005)


def pipeline(_folder: Path) -> Subject:
    """Three stages behind each other, as an archive is written: pieces of any size, each stage now and then slow."""

    def subject(stop: Stop, chance: random.Random) -> None:
        out: list[int] = []
        pauses = [chance.choice((0.0, 0.0, 0.0005)) for _stage in range(3)]

        def slowly(pause: float, put: Callable[[int], None]) -> Callable[[int], None]:
            def work(item: int) -> None:
                hashlib.sha256(bytes(item * 10)).digest()
                if pause and item % 7 == 0:
                    time.sleep(pause)
                put(item)

            return work

        with ExitStack() as stack:
            put: Callable[[int], None] = out.append
            for pause, waits in zip(pauses, (2, 6, 6)):
                put = stack.enter_context(Stage(slowly(pause, put), check=stop.check, waiting=waits)).put
            for item in range(chance.randrange(300)):
                put(item)
        if out != list(range(len(out))):
            raise Broken("not in order")

    return subject


def requests(_folder: Path) -> Subject:
    """Many small requests at once."""

    def subject(stop: Stop, chance: random.Random) -> None:
        pause = chance.choice((0.0, 0.0002))
        items = list(range(chance.randrange(1, 400)))

        def ask(item: int) -> int:
            if pause and item % 5 == 0:
                stop.wait(pause)
            return -item

        found = parallel_map(ask, items, workers=chance.choice((1, 8, 20)), timeout=3600, late=ask, check=stop.check)
        if found != [-item for item in items]:
            raise Broken("results are missing")

    return subject


def waiting(folder: Path) -> Subject:
    """For a lock that another run holds until it gives it back."""
    path = str(folder / "lock")
    hold._POLL_SECONDS = 0.002

    def subject(stop: Stop, chance: random.Random) -> None:
        release = threading.Event()

        def keep() -> None:
            with Hold(path, what="it", timeout=60):
                held.set()
                release.wait(chance.uniform(0.0, 0.02))

        held = threading.Event()
        holder = threading.Thread(target=keep, daemon=True)
        holder.start()
        held.wait(_ENDS)
        try:
            with Hold(path, what="it", timeout=3600, check=stop.check):
                stop.wait(chance.uniform(0.0, 0.005))
        finally:
            release.set()
            holder.join(_ENDS)
            _require_free(path)

    return subject


def flow(folder: Path) -> Subject:
    """The whole engine, from the list to the archive, with registries and skopeo in memory."""
    registries = FakeRegistries()
    names = [f"reg.lan/team/app{number}:1" for number in range(6)]
    for number, name in enumerate(names):
        shared = [random_layer(each, 3_000) for each in range(number)]
        registries.push(
            name, build_image([*shared, *(random_layer(100 * number + 50 + each, 400) for each in range(_LAYERS))])
        )
    tools.RegistryClient = lambda *_arguments, **_more: registries  # type: ignore[assignment,misc]
    tools.Skopeo = lambda *_arguments, **_more: FakeSkopeo(registries)  # type: ignore[assignment,misc]
    sites = [_Site(folder / str(number), names, params) for number, params in enumerate(_VARIANTS)]
    return lambda stop, chance: chance.choice(sites).run(stop, chance)


class _Site:
    """An archive that is made of the one list and of the other, by turns."""

    def __init__(self, folder: Path, names: list[str], params: dict[str, Any]) -> None:
        self._folder = folder
        self._lists = (names[:4], names[1:])
        self._params = params
        self._turn = 0
        self._made: dict[int, dict[str, str]] = {}
        for turn in range(2):
            self._save(Stop(), turn)
            self._made[turn] = self._standing()
        self._turn = 1

    def run(self, stop: Stop, chance: random.Random) -> None:
        """Make the other one, or begin to.

        :raises Broken: when what stands is not what the run says.
        """
        if chance.random() < 0.3:
            self._empty_cache()
        turn = 1 - self._turn
        try:
            changed = self._save(stop, turn)
        except Interrupted as error:
            self._require(self._standing() == self._made[self._turn], "it says that nothing changed")
            self._require(not error.changed, "it says that something changed")
            raise
        else:
            self._require(changed, "it says that nothing is new")
            self._turn = turn
            self._require(self._standing() == self._made[turn], "another archive than a quiet run makes")
        finally:
            self._require(not list((self._folder / "cache").glob(".run-*")), "the cache holds what was of the run")
            self._require(not list(self._folder.glob("out/.*")), "something is left beside the archive")
            _require_free(str(self._folder / "cache" / ".lock"))
            said = json.loads((self._folder / "progress.json").read_bytes())
            self._require(said["ended"], "its progress file does not say that it ended")

    def _save(self, stop: Stop, turn: int) -> bool:
        options = make_options(self._folder, images=self._lists[turn], os=["linux"], retry_delay=0, **self._params)
        progress = Progress()
        with shown(progress, [str(self._folder / "progress.json")], stop=stop):
            return save(options, log=Log(debug=True), stop=stop, attributes=NoAttributes(), progress=progress).changed

    def _standing(self) -> dict[str, str]:
        """The bytes of all files, but for a report, which tells of the archive before as well."""
        out = self._folder / "out"
        paths = (path for path in out.rglob("*") if path.is_file() and ".report." not in path.name)
        return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def _empty_cache(self) -> None:
        for path in (self._folder / "cache" / "share" / "sha256").iterdir():
            path.unlink()

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise Broken(f"{self._params}: {otherwise}")


def _require_free(path: str) -> None:
    """:raises BusyError: when a lock is still held"""
    with Hold(path, what="what a run has left", timeout=0):
        pass


KINDS: dict[str, Callable[[Path], Subject]] = {
    "flow": flow,
    "pipeline": pipeline,
    "requests": requests,
    "waiting": waiting,
}

if __name__ == "__main__":
    sys.exit(main())
