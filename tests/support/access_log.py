# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the access log of docker-registry: Apache's combined format, one line a request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_LINE = re.compile(
    r'^(?P<address>\S+) - (?P<user>\S+) \[(?P<time>[^]]+)\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[0-9.]+" '
    r'(?P<status>\d{3}) (?P<size>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>(?:[^"\\]|\\.)*)"$'
)
_BLOB = re.compile(r"^/v2/(?P<repository>.+)/blobs/(?P<digest>[a-z0-9+._-]+:[0-9a-f]+)$")
_MANIFEST = re.compile(r"^/v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)$")


@dataclass(frozen=True)
class Request:
    """One request as the registry answered it; ``size`` is the answer's body in bytes, ``path`` has no query."""

    method: str
    path: str
    query: str
    status: int
    size: int
    user: str
    user_agent: str

    @property
    def blob(self) -> str:
        """The digest of the blob that was asked for, or an empty string."""
        found = _BLOB.match(self.path)
        return found["digest"] if found else ""

    @property
    def manifest(self) -> str:
        """``REPOSITORY:TAG`` or ``REPOSITORY@DIGEST`` of the manifest that was asked for, or an empty string."""
        found = _MANIFEST.match(self.path)
        if not found:
            return ""
        return f"{found['repository']}{'@' if ':' in found['reference'] else ':'}{found['reference']}"


def parse_line(line: str) -> Request:
    """Parses one line of the log.

    :raises ValueError: the line is not in the combined format
    """
    found = _LINE.match(line)
    if not found:
        raise ValueError(f"not a line of an access log: {line!r}")
    path, _mark, query = found["target"].partition("?")
    return Request(
        method=found["method"],
        path=path,
        query=query,
        status=int(found["status"]),
        size=0 if found["size"] == "-" else int(found["size"]),
        user="" if found["user"] == "-" else found["user"],
        user_agent=found["agent"],
    )


def blob_gets(requests: Iterable[Request]) -> Counter[str]:
    """How often each blob's bytes were sent, by digest."""
    return Counter(each.blob for each in requests if each.method == "GET" and each.blob and each.status in (200, 206))


def manifest_gets(requests: Iterable[Request]) -> Counter[str]:
    """How often each manifest was sent, by ``REPOSITORY:TAG`` or ``REPOSITORY@DIGEST``."""
    return Counter(each.manifest for each in requests if each.method == "GET" and each.manifest and each.status == 200)


def manifest_heads(requests: Iterable[Request]) -> Counter[str]:
    """How often each manifest was looked up by HEAD and found."""
    return Counter(each.manifest for each in requests if each.method == "HEAD" and each.manifest and each.status == 200)
