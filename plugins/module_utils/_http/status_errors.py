# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors for the statuses of a registry: a message for the user, and whether trying again can help."""

from __future__ import annotations

import email.utils
import time
from contextlib import suppress
from datetime import timezone

from .._base.errors import Missing, Refused, TransferError, printable
from .._base.json import JsonError, parse_object
from .response import Response, shown_host

_HEALING = (408, 429)
_NOT_A_DATE = (IndexError, OverflowError, TypeError, ValueError)  # what Pythons raise for other text


def explain_status(response: Response, *, host: str, what: str) -> TransferError:
    """Return the error for a response with an error status.

    :param host: the registry; if a redirect led to another host, the message names that one.
    :param what: names the thing that was requested.
    """
    error = _explain(response, host=host, what=what)
    error.about = what
    return error


def _explain(response: Response, *, host: str, what: str) -> TransferError:
    said = _registry_message(response.plain)
    told = f" ({said})" if said else ""
    status = response.status
    if response.is_elsewhere and status not in _HEALING and status < 500:
        return Refused(
            f"{shown_host(response.url)}, where {host} redirects for {what}, answered {status}{told}. Something on the "
            "way may block that host (firewall, proxy): allow it, or ask its owner",
            heals=False,
            is_final=True,
        )
    if response.is_elsewhere:
        host = f"{shown_host(response.url)}, where {host} redirects,"
    account = response.account
    if status == 401 and account:
        return Refused(
            f"{host} refused {account} for {what}: unauthorized{told}. The password may be wrong or have expired; some "
            "registries answer so for repositories that do not exist",
            heals=False,
        )
    if status == 401:
        return Refused(
            f"{host} refused access to {what}: unauthorized{told}. Give username and password, registries or authfile; "
            "some registries answer so for repositories that do not exist",
            heals=False,
        )
    if status == 403 and account:
        return Refused(f"{host} denied {account} access to {what}{told}: the account may not pull it", heals=False)
    if status == 403:
        return Refused(f"{host} denied access to {what}{told}: the account may not pull it", heals=False)
    if status == 404:
        return Missing(
            f"{what} does not exist on {host}{told}. If {host} is a cache of another registry, that one may not have "
            "answered",
            heals=False,
        )
    if status == 429 and account:
        return TransferError(
            f"{host} limits the rate of requests (429 too many requests) of {account}{told}",
            heals=True,
            retry_after=_asked_to_wait(response),
        )
    if status == 429:
        return TransferError(
            f"{host} limits the rate of requests (429 too many requests){told}; credentials often raise the limit",
            heals=True,
            retry_after=_asked_to_wait(response),
        )
    if status >= 500 or status == 408:
        return TransferError(
            f"{host} answered {status} when asked for {what}{told}", heals=True, retry_after=_asked_to_wait(response)
        )
    return TransferError(f"{host} answered {status} when asked for {what}{told}", heals=False)


def _asked_to_wait(response: Response) -> float | None:
    """Return the seconds of Retry-After; a date counts from the registry's own clock, because ours may be wrong."""
    now = time.time()
    with suppress(*_NOT_A_DATE):
        now = _utc(response.header("date"))
    return parse_retry_after(response.header("retry-after"), now=now)


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3).

    :returns: ``None`` if it is neither.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value.lstrip("0")[:9] or "0")
    try:
        return max(0.0, _utc(value) - now)
    except _NOT_A_DATE:
        return None


def _utc(text: str) -> float:
    """Return the seconds since the epoch of a date; without a zone it is UTC (RFC 5322, 3.3, "-0000")."""
    date = email.utils.parsedate_to_datetime(text)
    return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()


def _registry_message(body: bytes) -> str:
    """Return the first error in a registry's response (distribution-spec, "Error Codes")."""
    try:
        errors = parse_object(body).objects("errors")
        return printable(": ".join(filter(None, (errors[0].text("code"), errors[0].text("message")))), 200)
    except (JsonError, IndexError):
        return ""
