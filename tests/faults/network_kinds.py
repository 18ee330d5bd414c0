# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of faults of a network, and what is said of each when it does not end."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..support.faults import (
    Action,
    Busy,
    Corrupt,
    Mismeasure,
    Relabel,
    Reset,
    Respond,
    Stall,
    Trickle,
    Truncate,
)
from ..support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from .network_parts import CONFIG, COPIED, LAYER, MANIFEST, TAG, Part

HEALS, LASTS, EVERYWHERE, STORM = "heals", "lasts", "everywhere", "storm"
"""It ends in time; it stays, with one image; it is the registry's, and so meets all; it comes with others, all over."""

_BOTH = (HEALS, LASTS)
_ALL = (TAG, MANIFEST, COPIED, CONFIG, LAYER)
_CLIENTS = (TAG, MANIFEST, LAYER)
_BODIES = (MANIFEST, COPIED, CONFIG, LAYER)
_RETRIES = 3
_AGAIN = "[Rr]un again|raise (retries|timeout)"
_WRONG = "other bytes|fewer bytes|more bytes|longer than|ended after|not match|unexpected EOF|broke off|not readable"
_ODD_TYPES = ("text/html", "application/octet-stream", "text/plain; charset=utf-8")
_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in first.</body></html>\n"


@dataclass(frozen=True)
class Kind:
    """A row of the table.

    :param action: what the proxy does to a request; ``None`` where it takes more than that, see ``network_ways``.
    :param said: what the sentence about the image has to match: the cause, and the remedy.
    :param parts: what may be hit.
    :param most: how many requests in a row it lasts when it heals; 0: all, and it does no harm.
    :param params: the module's parameters when it lasts.
    :param resumes: whether no byte of a layer is to be sent twice.
    :param is_main: whether the short form has it; what it leaves out is much like another row.
    """

    fault: str
    action: Callable[[Part, random.Random], Action] | None
    said: tuple[str, ...] = ()
    parts: tuple[str, ...] = _ALL
    forms: tuple[str, ...] = _BOTH
    most: int = _RETRIES
    params: Mapping[str, Any] = field(default_factory=dict)
    resumes: bool = False
    is_main: bool = True


def _status(part: Part, chance: random.Random) -> Action:
    return Respond(chance.choice((500, 502, 503, 504)), {}, chance.choice((b"", _PAGE, b'{"errors": []}')))


def _early(part: Part, chance: random.Random) -> int:
    """An offset at which so little is sent that a blob is not complete after all tries."""
    return chance.randrange(max(1, part.size // (_RETRIES + 2)))


def _anywhere(part: Part, chance: random.Random) -> int:
    return chance.randrange(part.size)


def _other_type(part: Part, chance: random.Random) -> Action:
    kinds = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
    return Relabel(chance.choice([each for each in kinds if each != part.media_type]))


_SLOW = {"retries": 1}

KINDS = (
    Kind("429 without Retry-After", lambda *_: Busy(), ("429", "limits the rate of requests", _AGAIN), _CLIENTS),
    Kind(
        "429 with Retry-After in seconds",
        lambda _part, chance: Busy(chance.randint(0, 1)),
        ("429", "limits the rate of requests", _AGAIN),
        _CLIENTS,
        most=1,
        params=_SLOW,
    ),
    Kind(
        "429 with Retry-After as a date",
        lambda _part, chance: Busy(chance.randint(0, 1), as_date=True),
        ("429", "limits the rate of requests", _AGAIN),
        _CLIENTS,
        most=1,
        params=_SLOW,
        is_main=False,
    ),
    Kind(
        "429 with a Retry-After of hours",
        lambda _part, chance: Busy(chance.randint(1, 9) * 3600, as_date=chance.random() < 0.5),
        ("429", "asks to wait [0-9]+ (hours|minutes)", _AGAIN),
        _CLIENTS,
        forms=(LASTS,),
    ),
    Kind(
        "429 for skopeo",
        lambda _part, chance: Busy(chance.randint(0, 1), as_date=chance.random() < 0.5),
        parts=(COPIED, CONFIG),
        forms=(HEALS,),
        most=1,
    ),
    Kind("500, 502, 503 or 504, several in a row", _status, ("50[0234]", _AGAIN)),
    Kind("reset before the answer", lambda *_: Reset(), ("reset|EOF|broke off|closed", _AGAIN)),
    Kind(
        "reset in the middle of a body",
        lambda part, chance: Reset(_early(part, chance)),
        ("reset|EOF|broke off|ended after", _AGAIN),
        _BODIES,
        is_main=False,
    ),
    Kind(
        "body that ends early",
        lambda part, chance: Truncate(_early(part, chance)),
        ("EOF|broke off|ended after", _AGAIN),
        _BODIES,
        resumes=True,
    ),
    Kind(
        "Content-Length less than the body",
        lambda part, chance: Mismeasure(-chance.randint(1, part.size)),
        (_WRONG, _AGAIN),
        _BODIES,
    ),
    Kind(
        "Content-Length more than the body",
        lambda _part, chance: Mismeasure(chance.randint(1, 10_000)),
        (_WRONG, _AGAIN),
        (MANIFEST, COPIED, CONFIG),
    ),
    Kind(
        "Content-Length more than the body of a layer",
        lambda _part, chance: Mismeasure(chance.randint(1, 10_000)),
        parts=(LAYER,),
        forms=(HEALS,),
        most=0,
        resumes=True,
        is_main=False,
    ),
    Kind(
        "one wrong byte",
        lambda part, chance: Corrupt(_anywhere(part, chance)),
        (_WRONG, _AGAIN),
        _BODIES,
    ),
    Kind("another body of the same size", lambda *_: Corrupt(None), (_WRONG, _AGAIN), _BODIES, is_main=False),
    Kind(
        "a page with status 200 instead of the body",
        lambda *_: Respond(200, {"Content-Type": "text/html"}, _PAGE),
        (_WRONG, _AGAIN),
        _BODIES,
    ),
    Kind("no answer", lambda *_: Stall(-1), ("stall", _AGAIN), most=1, params=_SLOW),
    Kind(
        "body that stops",
        lambda part, chance: Stall(_early(part, chance)),
        ("stall", _AGAIN),
        _BODIES,
        most=1,
        params=_SLOW,
        resumes=True,
    ),
    Kind(
        "body sent byte by byte",
        lambda part, chance: Trickle(_early(part, chance), 0.4, None),
        ("within timeout", "[Rr]un again, or raise"),
        (MANIFEST, LAYER),
        forms=(LASTS,),
        params={"timeout": 3},
    ),
    Kind(
        "body sent byte by byte for a while",
        lambda part, chance: Trickle(_early(part, chance), 0.05, 10),
        parts=_BODIES,
        forms=(HEALS,),
        most=0,
        resumes=True,
        is_main=False,
    ),
    Kind(
        "expired token", None, ("unauthorized", "password may be wrong or have expired"), (TAG, MANIFEST, LAYER), most=1
    ),
    Kind("blobs on another host", None, ("50[0234]", _AGAIN), (CONFIG, LAYER), most=0),
    Kind("redirect to a closed port", None, ("refused", _AGAIN), _BODIES),
    Kind("redirect to an unknown host name", None, ("resolv|no such host", _AGAIN), _BODIES, is_main=False),
    Kind(
        "manifest with an unknown media type",
        lambda _part, chance: Relabel(chance.choice(_ODD_TYPES)),
        parts=(TAG, MANIFEST),
        forms=(HEALS,),
        most=0,
    ),
    Kind(
        "manifest for skopeo with an unknown media type",
        lambda _part, chance: Relabel(chance.choice(_ODD_TYPES)),
        ("schema version|media type|MIME type|not well-formed", "Content-Type"),
        (COPIED,),
        forms=(LASTS,),
    ),
    Kind(
        "manifest with the media type of another kind",
        _other_type,
        ("came as", "refused", "proxy"),
        (MANIFEST,),
        forms=(LASTS,),
    ),
    Kind(
        "blob with an unknown media type",
        lambda _part, chance: Relabel(chance.choice((*_ODD_TYPES, OCI_INDEX))),
        parts=(CONFIG, LAYER),
        forms=(HEALS,),
        most=0,
        is_main=False,
    ),
    Kind(
        "certificate of an unknown authority",
        None,
        ("certificate", "not trusted|unknown authority", "ca_path"),
        _BODIES,
        (LASTS, EVERYWHERE),
    ),
    Kind(
        "expired certificate",
        None,
        ("certificate", "expired", "to be renewed"),
        _BODIES,
        (LASTS, EVERYWHERE),
        is_main=False,
    ),
    Kind(
        "certificate for another name",
        None,
        ("certificate", "[Uu]se the name"),
        _BODIES,
        (LASTS, EVERYWHERE),
        is_main=False,
    ),
    Kind(
        "http instead of https",
        None,
        ("does not speak TLS|not look like a TLS handshake", "validate_certs"),
        _BODIES,
        (LASTS, EVERYWHERE),
        is_main=False,
    ),
    Kind("registry on a closed port", None, ("refused", "check its name and port"), forms=(EVERYWHERE,)),
    Kind(
        "registry with an unknown host name", None, ("resolv", "check it, and DNS"), forms=(EVERYWHERE,), is_main=False
    ),
    Kind("many of these faults in one run", None, forms=(STORM,)),
)
"""In the order of the table."""

PASSING = tuple(each for each in KINDS if each.action is not None and HEALS in each.forms and each.most)
"""Those of which each request that is hit is lost."""
