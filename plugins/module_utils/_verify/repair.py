# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes parts again from parity files. What is made is used only if its sha256 is that of the lock file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO

from .._archive.names import part_names
from .._archive.parity import members_of, parity_names, rebuild
from .._archive.parts import Part
from .._base.errors import BusyError, ImagesError
from .._host.disk_errors import explained
from .._host.files import not_for_others, open_regular, sync_directory, temporary_of
from .._host.space import free_bytes, require
from .compare import Reading, mark_of
from .state import DAMAGED, MISSING, OK, Checked, CheckedArchive, named


@dataclass(frozen=True)
class Plan:
    """A file that can be made again.

    :param lost: the part, or a damaged parity file.
    :param others: all other files of its group, which are whole.
    :param path: of the file that is made.
    """

    lost: Checked
    others: tuple[Checked, ...]
    path: str

    @property
    def parity(self) -> str:
        """Name of the parity file that it is made from; of the file itself if that is one."""
        return self.others[-1].part.name


@dataclass(frozen=True)
class Plans:
    """What can be made again of an archive, and why the rest cannot.

    :param problems: sentences without their full stop.
    """

    plans: tuple[Plan, ...] = ()
    problems: tuple[str, ...] = ()


def plan_repairs(archive: CheckedArchive) -> Plans:
    """Find out what can be made again from the parity files of an archive. Pure."""
    count = len(archive.parts)
    if not archive.parity or not _has_own_names(archive):
        return Plans()
    plans: list[Plan] = []
    problems: list[str] = []
    folder = os.path.dirname(archive.path)
    for group, parity in enumerate(archive.parity):
        files = (*(archive.parts[number] for number in members_of(group, count)), parity)
        lost = [one for one in files if not one.is_ok]
        held = _held_there(lost[0], archive) if len(lost) == 1 else ""
        if held:
            problems.append(_explain_name(lost[0], held))
        elif len(lost) == 1 and not (lost[0] is parity and parity.state == MISSING):
            others = tuple(one for one in files if one is not lost[0])
            plans.append(Plan(lost[0], others, lost[0].part.path or os.path.join(folder, lost[0].part.name)))
        elif len(lost) > 1:
            problems.append(_explain_group([one.part.name for one in lost if one is not parity], parity))
    return Plans(tuple(plans), tuple(problems))


def _has_own_names(archive: CheckedArchive) -> bool:
    """Return True if files have the names of parts and parity files, so that nothing else can ever be replaced."""
    first, count = archive.parts[0].part.name, len(archive.parts)
    name, _dot, number = first.rpartition(".part")
    parts = part_names(name, count, split=True, digits=len(number))
    return [one.part.name for one in archive.parts] == parts and [
        one.part.name for one in archive.parity
    ] == parity_names(name, count)


def _held_there(lost: Checked, archive: CheckedArchive) -> str:
    """Return the name of another part of the archive that the file of a lost part is; empty if it is none.

    Part names shift where parts end with images, and somebody may have confused two files.
    """
    same = (
        one.part.name
        for one in archive.parts
        if one is not lost
        and ((one.is_ok and one.part.path == lost.part.path) or one.part.sha256 == lost.found_sha256 != "")
    )
    return next(same, "")


def _explain_name(lost: Checked, held: str) -> str:
    return (
        f"{lost.part.name} cannot be made again because {lost.part.path} is {held}; give that file its name, then run "
        "again"
    )


def _explain_group(parts: Sequence[str], parity: Checked) -> str:
    """Say why some parts cannot be made again."""
    names, name = named(parts), parity.part.name
    if parity.state == MISSING:
        return f"{names} cannot be made again because {name} is missing; add the directory that holds it to src"
    if parity.state == DAMAGED:
        return f"{names} cannot be made again because {name} is damaged"
    return f"{names} belong to the same parity file {name}, from which only one of them can be made again"


def make_again(plan: Plan, reading: Reading) -> Checked:
    """Make a file again, and put it in place.

    :returns: the file as it is now.
    :raises ImagesError: when it cannot be made or written, or is not what the lock file says; what was there before is
        left as it was.
    """
    part, path = plan.lost.part, plan.path
    folder = os.path.dirname(path)
    reading.progress.bytes += sum(other.part.size for other in plan.others)
    try:
        require(folder, free_bytes(folder), part.size, otherwise="or copy the parts to a disk that has it")
        with _new_file(path, part.name) as (file, temporary), reading.progress.working_on(part.name):
            if not _rebuild(plan, file, reading):
                raise ImagesError(
                    f"{part.name} cannot be made again: what {plan.parity} and the other parts give does not have the "
                    "sha256 of the lock file. One of them has changed since it was checked; run again"
                )
            os.fsync(file.fileno())
            _put_in_place(plan, temporary)
            mark = mark_of(os.fstat(file.fileno()))
        with suppress(OSError):  # some filesystems cannot
            sync_directory(folder)
    except OSError as error:
        raise explained(f"cannot make {path} again", error) from error
    return Checked(replace(part, path=path), OK, "", part.size, part.sha256, mark)


def _rebuild(plan: Plan, file: BinaryIO, reading: Reading) -> bool:
    part = plan.lost.part

    def seen(_number: int, data: bytes) -> None:
        reading.stop.check()
        reading.counter.add(len(data))

    with ExitStack() as opened:
        others = [opened.enter_context(open_regular(other.part.path)) for other in plan.others]
        return rebuild(Part(part.name, part.size, part.sha256), others, file.write, seen=seen)


@contextmanager
def _new_file(path: str, name: str) -> Iterator[tuple[BinaryIO, str]]:
    """Hold a file beside another one; it is removed at the end, if it is still there.

    :returns: the file and its path.
    :raises BusyError: when another run makes the same file.
    """
    temporary = temporary_of(path)
    if os.path.islink(temporary):
        os.unlink(temporary)
    with open(temporary, "ab", opener=not_for_others) as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(name) from None
        if not _is_at(file, temporary):  # the other run has just ended; what is open may be the whole part
            raise _busy(name)
        try:
            os.ftruncate(file.fileno(), 0)
            yield file, temporary
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _busy(name: str) -> BusyError:
    return BusyError(f"another run makes {name} again just now; let it end, then run again")


def _is_at(file: BinaryIO, path: str) -> bool:
    """Return True if an open file is the one that a path names."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except FileNotFoundError:
        return False


def _put_in_place(plan: Plan, temporary: str) -> None:
    """Give the new file its name, unless somebody has put another file there since the part was checked."""
    try:
        mark = mark_of(os.lstat(plan.path))
    except FileNotFoundError:
        mark = ""
    if mark != plan.lost.mark:
        raise ImagesError(f"{plan.path} was changed while it was made again from {plan.parity}, and is left; run again")
    os.replace(temporary, plan.path)
