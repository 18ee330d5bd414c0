# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong over HTTP, in words for the user, and whether trying again can help."""

from __future__ import annotations

import email.utils
import http.client
import re
import time
from contextlib import suppress
from datetime import datetime, timezone

from .._base.errors import (
    ConnectionRefused,
    Missing,
    ProxyLoginRefused,
    Refused,
    TransferError,
    printable,
)
from .._base.json import JsonError, parse_object
from .._host.disk_errors import lack_of_files, reason
from .answer import Answer, shown_host

with suppress(ImportError):  # _http tells of it
    import requests.exceptions
    import urllib3.exceptions

CONNECT_TIMEOUT = 30.0
"""Seconds in which a host has to accept a connection."""

_SILENT = "sent nothing for the whole stall_timeout; raise it if it is only slow"
_HEALING = (408, 429)
_NO_DATE = (IndexError, OverflowError, TypeError, ValueError)  # what Pythons raise for a text that is none
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b")


def explain_failure(error: Exception, host: str) -> TransferError:
    """Say what went wrong on the way to a host, and whether trying again can help."""
    kinds = requests.exceptions
    cause = _innermost(error)
    lack = lack_of_files(cause)
    if lack is not None:
        return TransferError(f"no connection to {host}: {reason(lack)}", heals=True)
    detail = printable(str(cause) or type(cause).__name__, 300)
    is_refused = isinstance(cause, ConnectionRefusedError)
    if isinstance(error, (kinds.SSLError, urllib3.exceptions.SSLError)):
        if "eof occurred" in detail.lower():
            return TransferError(f"the connection to {host} broke off: {detail}", heals=True)
        return TransferError(_explain_tls(detail, host), heals=False)
    if isinstance(error, kinds.ProxyError):
        told = f"the proxy on the way to {host} failed: {detail}"
        if is_refused:
            return ConnectionRefused(told, heals=True)
        return TransferError(told, heals=not 400 <= tunnel_status(error) < 500)
    if isinstance(error, kinds.ConnectTimeout):
        return TransferError(f"{host} did not accept a connection within {CONNECT_TIMEOUT:.0f} s", heals=True)
    if isinstance(error, (kinds.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return TransferError(f"{host} {_SILENT}", heals=True)
    broken = (kinds.ChunkedEncodingError, urllib3.exceptions.ProtocolError, http.client.HTTPException)
    if isinstance(error, broken):
        return TransferError(f"the answer of {host} broke off: {detail}", heals=True)
    from_the_system = isinstance(error, OSError) and not isinstance(error, kinds.RequestException)
    if isinstance(error, kinds.ConnectionError) or from_the_system:
        if isinstance(cause, http.client.HTTPException) and not isinstance(cause, OSError):
            return TransferError(f"the answer of {host} is not readable: {detail}", heals=True)
        if "timed out" in detail.lower():
            return TransferError(f"{host} {_SILENT}", heals=True)
        if "resol" in detail.lower() or "name or service" in detail.lower():
            return TransferError(f"the name of {host} cannot be resolved: {detail}; check it, and DNS here", heals=True)
        if "reset" in detail.lower():
            return TransferError(f"the connection to {host} broke off: {detail}", heals=True)
        if is_refused:
            return ConnectionRefused(f"no connection to {host}: {detail}; check its name and port", heals=True)
        return TransferError(f"no connection to {host}: {detail}", heals=True)
    return TransferError(f"the request to {host} failed: {detail}", heals=False)


def explain_status(answer: Answer, *, host: str, what: str) -> TransferError:
    """Say what an error status of a registry means for the thing that was asked for.

    :param host: the registry; where another host has answered, it is that one that is named.
    """
    said = _registry_message(answer.plain)
    told = f" ({said})" if said else ""
    status = answer.status
    if answer.is_elsewhere and status not in _HEALING and status < 500:
        return Refused(
            f"{shown_host(answer.url)}, where {host} redirects for {what}, answered {status}{told}. Something on the "
            "way may block that host (firewall, proxy): let it through, or ask its owner",
            heals=False,
            is_final=True,
        )
    if answer.is_elsewhere:
        host = f"{shown_host(answer.url)}, where {host} redirects,"
    if status == 401:
        return Refused(
            f"{host} refused access to {what}: unauthorized{told}. Give username and password, registries or authfile; "
            "some registries answer so for repositories that do not exist",
            heals=False,
        )
    if status == 403:
        return Refused(f"{host} denied access to {what}{told}: the account may not pull it", heals=False)
    if status == 404:
        return Missing(
            f"{what} does not exist on {host}{told}, or its upstream did not answer, where that is a cache of another "
            "registry",
            heals=False,
        )
    if status == 429:
        return TransferError(
            f"{host} limits the rate of requests (429 too many requests){told}; credentials often raise the limit",
            heals=True,
            retry_after=_asked_to_wait(answer),
        )
    if status >= 500 or status == 408:
        return TransferError(
            f"{host} answered {status} when asked for {what}{told}", heals=True, retry_after=_asked_to_wait(answer)
        )
    return TransferError(f"{host} answered {status} when asked for {what}{told}", heals=False)


def _asked_to_wait(answer: Answer) -> float | None:
    """The seconds of Retry-After; a date in it counts from the registry's own clock, as ours may be wrong."""
    now = time.time()
    with suppress(*_NO_DATE):
        now = _utc(answer.header("date"))
    return parse_retry_after(answer.header("retry-after"), now=now)


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3); ``None`` if unreadable."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value.lstrip("0")[:9] or "0")
    try:
        return max(0.0, _utc(value) - now)
    except _NO_DATE:
        return None


def _utc(text: str) -> float:
    """Seconds since the epoch of a date; without a zone it is UTC (RFC 5322, 3.3, "-0000")."""
    date = email.utils.parsedate_to_datetime(text)
    return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()


def tunnel_status(error: Exception) -> int:
    """What a proxy answered that was asked for a tunnel to a host; 0 where it is something else that failed."""
    found = _TUNNEL.search(str(_innermost(error)))
    return int(found.group(1)) if found else 0


def refused_login(proxies: dict[str, str]) -> ProxyLoginRefused:
    [proxy] = proxies.values()
    return ProxyLoginRefused(
        f"the proxy {shown_host(proxy)} wants another login (407): correct user and password in its address. It is not "
        "asked again in this run, because some lock an account after a few failures",
        heals=False,
        is_final=True,
    )


def _explain_tls(detail: str, host: str) -> str:
    low = detail.lower()
    if "hostname mismatch" in low or "doesn't match" in low or "not valid for" in low:
        return f"the certificate of {host} is for another name: {detail}. Use the name that the certificate has"
    if "not yet valid" in low:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
        return f"the certificate of {host} is not valid yet: {detail}. The clock here may be behind: it has {now} UTC"
    if "expired" in low:
        return f"the certificate of {host} has expired: {detail}. It has to be renewed, or the clock here is wrong"
    if "key identifier" in low:
        return (
            f"the certificate of {host} is not accepted: {detail}. Make the authority anew with subjectKeyIdentifier, "
            "and what it signs with authorityKeyIdentifier"
        )
    if "issuer certificate" in low or "verify the first certificate" in low:
        return (
            f"the certificate of {host} is not trusted: {detail}. Who has signed it is not known here: if that is an "
            "intermediate, have the server send it too, or add it to ca_path; if it is the authority itself, give it "
            "with ca_path"
        )
    if "certificate verify failed" in low or "self-signed" in low or "self signed" in low:
        return f"the certificate of {host} is not trusted: {detail}. Give its authority with ca_path"
    if "wrong version number" in low or "record layer failure" in low:
        return f"{host} does not speak TLS (http only?): {detail}. Plain http is used only with validate_certs=false"
    return f"TLS with {host} failed: {detail}"


def _innermost(error: BaseException) -> BaseException:
    """What is nearest to the cause: urllib3 wraps it in several layers."""
    seen: BaseException = error
    for _depth in range(8):
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if not isinstance(inner, BaseException) and seen.args and isinstance(seen.args[0], BaseException):
            inner = seen.args[0]
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return seen


def _registry_message(body: bytes) -> str:
    """The first error of a registry's answer (distribution-spec, "Error Codes")."""
    try:
        errors = parse_object(body).objects("errors")
        return printable(": ".join(filter(None, (errors[0].text("code"), errors[0].text("message")))), 200)
    except (JsonError, IndexError):
        return ""
