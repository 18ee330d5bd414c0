# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message at the end of a call in which saves failed: one for all its hosts, with each cause once.

Results come from hosts, which are not trusted: of them only text is used, made safe to show. Pure, but for the file of
the controller in which the hosts of a call find who has told of them already.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count
from ansible_collections.airgap.images.plugins.module_utils._host.files import put_whole
from ansible_collections.airgap.images.plugins.module_utils._report.causes import (
    Cause,
    Place,
    Share,
    failure_told,
    merged,
    why_told,
)

_NAMED_HOSTS = 10
_LONGEST = 2000


@dataclass(frozen=True)
class FailedHost:
    """A host on which the save failed.

    :param dest: its archive.
    :param share: how many of its images failed.
    :param causes: of these; empty if the run failed as a whole.
    :param message: of the module.
    :param whole_list: where its failed list is; empty if there is none.
    :param hint: what can be done beside removing the causes.
    """

    name: str
    dest: str
    share: Share
    causes: tuple[Cause, ...]
    message: str
    whole_list: str
    hint: str


def failed_host(name: str, result: Mapping[str, Any], *, dest: str, failed_list: str) -> FailedHost:
    """Read the result of a host.

    :param result: as the role hands it over.
    :param dest: the archive of the host.
    :param failed_list: of the host; empty if there is none.
    """
    failed = len(_list(result, "failed_images"))
    lines, images = len(_list(result, "invalid_lines")), len(_list(result, "images"))
    fetched = result.get("fetched")
    local = fetched.get("failed_list") if isinstance(fetched, Mapping) else None
    return FailedHost(
        name=name,
        dest=dest,
        share=Share(failed + lines, images + lines),
        causes=tuple(filter(None, map(_cause, _list(result, "causes")))),
        message=printable(str(result.get("msg") or "the module ended without a result"), _LONGEST),
        whole_list=str(local) if local else (f"{failed_list} on {name}" if failed_list else ""),
        hint=printable(str(result.get("hint") or ""), _LONGEST),
    )


def failure_of(hosts: Sequence[FailedHost], *, check: bool) -> str:
    """Return the message about some hosts, with what they share told once.

    :param hosts: at least one.
    :param check: the images would fail; nothing was saved or written.
    """
    with_causes = [host for host in hosts if host.causes]
    messages: dict[str, list[str]] = {}
    for host in hosts:
        if not host.causes:
            messages.setdefault(host.message, []).append(host.name)
    sentences = [text if len(hosts) == 1 else f"{_named(names)}: {text}" for text, names in messages.items()]
    if len(hosts) == 1 and with_causes:
        (host,) = hosts
        why = why_told(host.causes, "" if check else host.whole_list)
        sentences.append(failure_told(host.share, host.dest, why=why, hint=host.hint, check=check))
    elif with_causes:
        sentences.append(failure_of_several(with_causes, len(hosts), check=check))
    return "; ".join(sentences)


def failure_of_several(hosts: Sequence[FailedHost], of: int, *, check: bool) -> str:
    """Return the message about hosts on which images failed.

    :param of: how many hosts the whole message is about; causes that not all of them share name their hosts.
    """
    lists = "" if check else ", ".join(sorted({host.whole_list for host in hosts if host.whole_list}))
    why = why_told(_shared(hosts, of), lists).rstrip(".")
    shares = ", ".join(f"{host.name}: {host.share.failed} of {host.share.total}" for host in hosts[:_NAMED_HOSTS])
    more = f" and {len(hosts) - _NAMED_HOSTS} more" if len(hosts) > _NAMED_HOSTS else ""
    hints = sorted({host.hint for host in hosts if host.hint})
    end = "".join(f". {hint}" for hint in hints)
    on = format_count(len(hosts), "host")
    if check:
        return f"images would fail on {on} ({shares}{more}), whose archives would be left as they are: {why}{end}"
    return f"images failed on {on} ({shares}{more}), whose archives were left as they were: {why}{end}"


def failure_told_before(host: FailedHost, by: str) -> str:
    """Return the message of a host whose causes another host has told.

    :param by: that host.
    """
    if not host.causes:
        return f"failed as well; the message of {by} says why"
    return f"{host.share} failed as well; the message of {by} says why"


def failure_told_later() -> str:
    """Return the message of a host at once, before the one for all hosts."""
    return "the save failed; the message at the end says why"


class Told:
    """Which hosts of a call were told of, in a file of the controller.

    :param path: of the file, private to this run of Ansible and this call.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def tell(self, own: FailedHost, others: Callable[[], Sequence[FailedHost]], *, check: bool) -> str:
        """Return the message of one host: about all that have failed so far, or, once it was told, who has told it.

        :param own: the host.
        :param others: returns the others of this call that have failed by now.
        """
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        with open(f"{self._path}.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # held by another host of this call, for as long as this takes
            told = self._read()
            if own.name in told:
                return failure_told_before(own, told[own.name])
            hosts = [own, *(host for host in others() if host.name not in told and host.name != own.name)]
            put_whole(self._path, json.dumps({**told, **{host.name: own.name for host in hosts}}).encode())
        return failure_of(hosts, check=check)

    def _read(self) -> dict[str, str]:
        try:
            with open(self._path, "rb") as file:
                told: dict[str, str] = json.load(file)
                return told
        except FileNotFoundError:
            return {}


def _shared(hosts: Sequence[FailedHost], of: int) -> tuple[Cause, ...]:
    """Return the causes of all hosts; those that not all hosts share begin with the names of theirs."""
    found = []
    for cause in merged(cause for host in hosts for cause in host.causes):
        key = (cause.kind, cause.pattern)
        names = [host.name for host in hosts if key in {(one.kind, one.pattern) for one in host.causes}]
        where = "" if len(names) == of else f"{_named(names)}: "
        places = tuple(sorted(cause.places, key=_order))
        found.append(replace(cause, pattern=f"{where}{cause.pattern}", alone=f"{where}{cause.alone}", places=places))
    return tuple(found)


def _order(place: Place) -> tuple[str, int]:
    """Return what sorts images of several hosts by their lists, and by their places there: ``list.txt:9``."""
    number = re.search(r"(\d+)$", place.origin)
    return (place.origin[: number.start()], int(number[1])) if number else (place.origin, 0)


def _named(names: Sequence[str]) -> str:
    """Return names as they are enumerated: ``one``, ``one and two``, ``one, two and 12 more``."""
    shown, more = [*names[:_NAMED_HOSTS]], len(names) - _NAMED_HOSTS
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _cause(value: object) -> Cause | None:
    """Read a cause from a result; ``None`` if it is not one."""
    if not isinstance(value, Mapping):
        return None
    names, origins = _list(value, "references"), _list(value, "origins")
    texts = [value.get(name) for name in ("kind", "pattern", "sentence")]
    if not names or len(names) != len(origins) or not all(isinstance(text, str) for text in texts):
        return None
    kind, pattern, sentence = (printable(str(text)) for text in texts)
    places = (Place(printable(str(name), 300), printable(str(origin), 300)) for name, origin in zip(names, origins))
    return Cause(kind, pattern, sentence, tuple(places))


def _list(value: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = value.get(name)
    return found if isinstance(found, (list, tuple)) else ()
