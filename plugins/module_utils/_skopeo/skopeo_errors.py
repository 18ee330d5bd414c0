# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors from skopeo's messages: whether trying again can help, and what the user can do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .._base.errors import (
    ConnectionRefused,
    Missing,
    ProxyLoginRefused,
    Refused,
    TransferError,
    Unreadable,
    WrongBytes,
    printable,
)

_ASKED = re.compile(r'^Error parsing image name "[^"]*": ')
_MIRRORS = re.compile(r"\(Mirrors also failed: (.*)\): ")
# Where else it looked, whose names say nothing about the cause either.
_NAMED = re.compile(r"(?:(?<=\[)|(?<=\]\): )|\breading manifest \S+ in )[^\s\[\]]+(?=: )")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class _Cause:
    """One class of skopeo's failures: how it is known, whether trying again can help, and what to tell the user."""

    pattern: str
    heals: bool
    remedy: str = ""
    raised: type[TransferError] = TransferError


# The first that matches counts. Texts were read off skopeo 1.9.3 and 1.22.
_CAUSES = (
    _Cause("is blocked in ", False, "take it out of the list, or have registries.conf allow it"),
    _Cause("loading registries configuration", False, "correct that file, or remove it"),
    _Cause("no space left on device|disk quota exceeded", False, "free some space for cache_dir"),
    _Cause("too many open files", True, "lower jobs or raise the limit of open files (ulimit -n)"),
    _Cause("permission denied|read-only file system", False, "cache_dir must be writable"),
    _Cause("policy\\.json: no such file", False, "install a policy.json, or set signature_policy or insecure_policy"),
    _Cause("Source image rejected|signature was required", False, "the signature policy does not accept this image"),
    _Cause("toomanyrequests|too many requests|status:? 429|registry 429|StatusCode: 429", True),
    _Cause("(HTTP status:|from registry|status code|StatusCode:) 5\\d\\d", True),
    _Cause(
        "unauthorized|authentication required|denied|StatusCode: 40[13]",
        False,
        "give username and password, registries or authfile",
        Refused,
    ),
    _Cause(
        "manifest unknown|name unknown|not found|StatusCode: 404",
        False,
        "it is not (or no longer) in the registry",
        Missing,
    ),
    _Cause(
        "Proxy Authentication Required",
        False,
        "correct user and password in the address of the proxy",
        ProxyLoginRefused,
    ),
    # Before "x509", which all of these are as well.
    _Cause("not yet valid: current time \\S+ is before", False, "the clock here may be behind"),
    _Cause("has expired or is not yet valid", False, "it has to be renewed, or the clock here is wrong"),
    _Cause(
        "x509: (cannot validate certificate|certificate is (not )?valid) for",
        False,
        "use the name that it has",
    ),
    _Cause("legacy Common Name", False, "make it anew, with its name as subjectAltName"),
    _Cause("does not look like a TLS handshake", False, "plain http is used only with validate_certs=false"),
    _Cause("x509|tls: |certificate", False, "give the registry's authority with ca_path"),
    _Cause("gave HTTP response to HTTPS client", False, "plain http is used only with validate_certs=false"),
    _Cause("unexpected EOF|EOF|connection reset|broken pipe|INTERNAL_ERROR|stream error", True),
    _Cause(
        "[Dd]igest did not match|does not match (\\w+ ){0,2}(digest|sha256)|expected.{0,200}but have",
        True,
        raised=WrongBytes,
    ),
    _Cause("pinging container registry .{0,300}connection refused", True, raised=ConnectionRefused),
    _Cause("connection refused|no such host|i/o timeout|timeout|deadline exceeded|network is unreachable", True),
    _Cause("server misbehaving|temporary failure", True),
    _Cause(
        "unsupported docker v2s2 media type",
        False,
        "push the image again with OCI types (docker buildx: oci-mediatypes=true)",
        Unreadable,
    ),
    _Cause(
        "unsupported schema version|nimplemented manifest MIME",
        False,
        "the registry gives a wrong Content-Type",
        Unreadable,
    ),
)


def explain(text: str, status: int, *names: str, account: str = "") -> TransferError:
    """Turn skopeo's last output into an error for the user.

    :param text: its standard error, without secrets.
    :param status: its exit status; negative for the signal that ended it.
    :param names: of the repository that was copied; words in them say nothing about the cause.
    :param account: whose login was sent, in words; empty: nobody's, or that is not known.
    """
    fatal = _FATAL.findall(text)
    lines = [line for line in text.splitlines() if line.strip()]
    said = fatal[-1].replace('\\"', '"') if fatal else (lines[-1] if lines else f"it ended with status {status}")
    said = _ASKED.sub("", said)
    has_mirrors = _MIRRORS.search(said) is not None
    short = printable(_DIGEST.sub(r"\1…", said).replace("\\n", ", ")) if has_mirrors else printable(said, 400)
    if status < 0:
        return TransferError(f"skopeo was ended by signal {-status}", heals=True)
    told = said
    for name in filter(None, names):
        told = told.replace(name, "")
    told = _NAMED.sub("", told)
    cause = _cause(told)
    if cause is None:
        return TransferError(f"skopeo: {short}", heals=False)
    # The registry itself, asked last, may well be out of reach for good; a mirror is not.
    of_mirrors = _MIRRORS.search(told)
    may_pass = of_mirrors is not None and any(one.heals for one in _causes(of_mirrors.group(1)))
    if account and cause.raised is Refused and not has_mirrors:
        return Refused(
            f"skopeo: {short}; {account} was refused: the password may be wrong or have expired", heals=False
        )
    text = f"skopeo: {short}" + (f"; {cause.remedy}" if cause.remedy else "")
    return cause.raised(text, heals=cause.heals or may_pass)


def _causes(said: str) -> Iterator[_Cause]:
    return (cause for cause in _CAUSES if re.search(cause.pattern, said))


def _cause(said: str) -> _Cause | None:
    return next(_causes(said), None)
