# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sentences about the hosts of a set: when the list is shared out, and at the end. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.airgap.images.plugins.module_utils._base.errors import printable
from ansible_collections.airgap.images.plugins.module_utils._base.size import format_count, format_size
from ansible_collections.airgap.images.plugins.plugin_utils._lists.balancing import Balance
from ansible_collections.airgap.images.plugins.plugin_utils._set import names
from ansible_collections.airgap.images.plugins.plugin_utils._set.members import Members
from ansible_collections.airgap.images.plugins.plugin_utils._set.planned import Planned
from ansible_collections.airgap.images.plugins.plugin_utils._set.shelf import Content

WHO = "the set"
"""The beginning of each line."""

_NAMED_AT_MOST = 10
# Neither a number nor a word with a meaning, such as "no", for any version of YAML.
_PLAIN = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[a-z][a-z0-9_.-]*", re.IGNORECASE)
Shares = Mapping[str, Sequence[str]]


def at_the_start(members: Members, running: Iterable[str], shares: Shares) -> list[str]:
    """Say which hosts do not take part, when the list is shared out.

    :param running: the hosts that have not failed.
    :param shares: the lines of each host.
    """
    here = {*running}
    dead = [host for host in members.present if host not in here]
    told = [notice_of_dead(dead, shares)] if dead else []
    return told + ([notice_of_absent(members.absent, shares)] if members.absent else [])


def notice_of_dead(dead: Sequence[str], shares: Shares) -> str:
    """Say at the start which hosts are not there."""
    return (
        f"{_hosts(dead)} unreachable or failed, and {_images(dead, shares)} not saved in this run. To have the other "
        f"hosts take over: {_variable(dead)}"
    )


def notice_of_absent(absent: Sequence[str], shares: Shares) -> str:
    """Say at the start which hosts of the set are left out of this run."""
    return f"{_hosts(absent)} not part of this run, and {_images(absent, shares)} not given to other hosts"


def notice_of_missing(dead: Sequence[str], shares: Shares) -> str:
    """Say at the end what is missing because hosts were not there."""
    lines = [line for host in dead for line in shares.get(host, [])]
    return (
        f"{_hosts(dead, were=True)} unreachable or failed, and {_images(dead, shares)} missing from the set"
        f"{_named(lines)}. Run again when {'this host is' if len(dead) == 1 else 'these hosts are'} back, or have the "
        f"other hosts take over: {_variable(dead)}"
    )


def notice_of_failed(failed: Sequence[str], shares: Shares) -> str:
    """Say at the end why there is no set although all hosts were there."""
    lines = [line for host in failed for line in shares.get(host, [])]
    return (
        f"the files of the set were not written, because {_enumerated(failed)} failed. "
        f"{'It was' if len(failed) == 1 else 'They were'} to save {format_count(len(lines), 'image')}{_named(lines)}; "
        f"{'its message says' if len(failed) == 1 else 'their messages say'} why"
    )


def notice_of_gap(lacking: Shares) -> str:
    """Say what the archives of hosts that are left out do not have.

    :param lacking: lines by host.
    """
    lines = [line for each in lacking.values() for line in each]
    return (
        f"incomplete without {_enumerated([*lacking])}, not part of this run: {format_count(len(lines), 'image')} of "
        f"the list not in the archives of earlier runs{_named(lines)}. Run again without --limit"
    )


def notice_of_orphan(host: str, folder: str) -> str:
    """Say that the archive of a host is no longer part of the set."""
    return f"the archive of {host} in {folder} is no longer part of the set; image_save_remove_orphans: true removes it"


def notice_of_question(images: int) -> str:
    """Say that registries are asked for sizes, which takes its time."""
    return (
        f"asking for the sizes of {format_count(images, 'image')}, so that all hosts get about the same number of bytes"
    )


def notice_of_no_answer(images: int, reason: str, *, some: bool) -> str:
    """Say that sizes are not known.

    :param reason: why they could not be found out.
    :param some: whether those of other images are known.
    """
    instead = "they count as large as the others" if some else "all hosts get about the same number of images"
    return (
        f"the sizes of {format_count(images, 'image')} could not be found out, so {instead}: {printable(reason, 1000)}"
    )


def notice_of_joining(hosts: Sequence[str], shares: Shares) -> str:
    """Say which hosts join a set, and get what others had."""
    images = format_count(sum(len(shares.get(host, [])) for host in hosts), "image")
    return f"{_enumerated(hosts)} {'joins' if len(hosts) == 1 else 'join'} the set, and {images} move there or are new"


def notice_of_bound(made: Balance, media: str, *, by_size: bool) -> str:
    """Say that a share is too large because images stay where they are.

    :param media: the directory of the set.
    :param by_size: whether sizes are known; else a share is a number of images.
    """
    most, mean = made.bytes[made.largest], round(made.mean)
    shown = [format_size(each) if by_size else format_count(each, "image") for each in (most, mean)]
    return (
        f"the share of {made.largest} ({shown[0]}) is {made.ratio:.1f} times the mean of all hosts ({shown[1]}), "
        f"because images stay on the host that has them; remove {media}/{names.RECORD} to share everything out again"
    )


def of_set(content: Content, media: str, *, check: bool) -> str:
    """Say what the set is, in one line.

    :param check: it is only what the set would be.
    """
    images, hosts = format_count(content.images, "image"), format_count(len(content.archives), "host")
    return (
        f"{'would be ' if check else ''}{images} of {hosts} in {format_count(content.parts, 'file')} "
        f"({format_size(content.size)}) in {media}; report: {media}/{names.REPORT}; to restore: sh "
        f"{media}/{names.RESTORE} TARGET_DIR"
    )


def of_plan(planned: Planned, media: str) -> str:
    """Say in check mode what the set would be, when that is not known exactly."""
    images, hosts = format_count(planned.images, "image"), format_count(planned.hosts, "host")
    return (
        f"would be {images} of {hosts} (up to {format_size(planned.archives)}) in {media}. To download: "
        f"{format_count(planned.blobs, 'blob')}, {format_size(planned.bytes)}"
    )


def _enumerated(hosts: Sequence[str]) -> str:
    """Return the names of hosts as a sentence has them: C(a, b and c)."""
    return " and ".join(filter(None, [", ".join(hosts[:-1]), hosts[-1]]))


def _variable(hosts: Sequence[str]) -> str:
    """Return the argument that gives the shares of hosts to the others, as a shell takes it.

    It is YAML, with quotation marks only where a name needs them: callbacks show messages as JSON, which escapes them,
    and nobody could copy the argument.
    """
    names = ", ".join(host if _PLAIN.fullmatch(host) else json.dumps(host, ensure_ascii=False) for host in hosts)
    return "-e " + shlex.quote(f"{{image_save_take_over: [{names}]}}")


def _hosts(hosts: Sequence[str], *, were: bool = False) -> str:
    verb = ("was" if len(hosts) == 1 else "were") if were else _is(hosts)
    return f"{_enumerated(hosts)} {verb}"


def _is(hosts: Sequence[str]) -> str:
    return "is" if len(hosts) == 1 else "are"


def _images(hosts: Sequence[str], shares: Shares) -> str:
    return f"{_share(hosts, shares)} {_is(hosts)}"


def _share(hosts: Sequence[str], shares: Shares) -> str:
    images = format_count(sum(len(shares.get(host, [])) for host in hosts), "image")
    return f"its share of {images}" if len(hosts) == 1 else f"their shares of {images}"


def _named(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    shown = ", ".join(printable(line, 300) for line in lines[:_NAMED_AT_MOST])
    more = len(lines) - _NAMED_AT_MOST
    return f" ({shown}{f' and {more} more' if more > 0 else ''})"
