# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Challenges: the WWW-Authenticate header of a response with status 401. Pure.

RFC 9110, 11.6.1; distribution token specification, "How to authenticate".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# One way to match each text: two would take the square of a header's length.
_SCHEME = re.compile(rf"[\s,]*({_NAME})(?:\s+|(?=,)|$)")
_PARAMETER = re.compile(rf'[\s,]*({_NAME})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_NAME}))\s*(?=,|$)')
_LONGEST = 8192


@dataclass(frozen=True)
class Challenge:
    """One scheme with its parameters; scheme and names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse_challenges(header: str) -> list[Challenge]:
    """Read a WWW-Authenticate header, which may hold several challenges.

    Reading ends at text that is not a challenge; those before it count.
    """
    challenges: list[Challenge] = []
    position = 0
    header = header[:_LONGEST]
    while position < len(header):
        scheme = _SCHEME.match(header, position)
        if scheme is None:
            break
        position = scheme.end()
        parameters: dict[str, str] = {}
        parameter = _PARAMETER.match(header, position)
        while parameter is not None:
            name, quoted, plain = parameter.groups()
            parameters.setdefault(name.lower(), plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
            position = parameter.end()
            parameter = _PARAMETER.match(header, position)
        challenges.append(Challenge(scheme=scheme.group(1).lower(), parameters=parameters))
    return challenges
