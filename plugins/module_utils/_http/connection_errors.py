# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors for failed connections: a message for the user, and whether trying again can help."""

from __future__ import annotations

import http.client
import socket
import ssl
from datetime import datetime, timezone

from .._base.errors import ConnectionRefused, ProxyLoginRefused, TransferError, printable
from .._host.disk_errors import lack_of_files, reason
from .response import shown_host
from .timed_socket import SendTimeout

CONNECT_TIMEOUT = 30.0
"""Seconds in which a host has to accept a connection."""


def explain_connect(error: Exception, host: str) -> TransferError:
    """Return the error for a connection to a host that could not be made."""
    if isinstance(error, socket.timeout):
        return TransferError(f"{host} did not accept a connection within {CONNECT_TIMEOUT:.0f} s", heals=True)
    return explain_failure(error, host)


def explain_proxy(error: Exception, host: str) -> TransferError:
    """Return the error for a connection to a host that could not be made because of the proxy before it."""
    lack = lack_of_files(error)
    if lack is not None:
        return _lacks_files(lack, host)
    text = f"the proxy on the way to {host} failed: {printable(str(error) or type(error).__name__, 300)}"
    if isinstance(error, ConnectionRefusedError):
        return ConnectionRefused(text, heals=True)
    return TransferError(text, heals=not 400 <= getattr(error, "status", 0) < 500)


def refused_login(proxy: str) -> ProxyLoginRefused:
    """Return the error for a proxy that answers 407.

    :param proxy: its URL.
    """
    return ProxyLoginRefused(
        f"the proxy {shown_host(proxy)} refused the login (407): correct user and password in its address. It is not "
        "asked again in this run, because some proxies lock an account after a few failures",
        heals=False,
        is_final=True,
    )


def explain_failure(error: Exception, host: str) -> TransferError:
    """Return the error for a request to a host, or for the body of its response.

    :param error: one of ``http.client`` or of the system, or a :class:`ValueError`.
    """
    detail = printable(str(error) or type(error).__name__, 300)
    lack = lack_of_files(error)
    if lack is not None:
        return _lacks_files(lack, host)
    if isinstance(error, ssl.SSLError):
        if "eof occurred" in detail.lower():
            return TransferError(f"the connection to {host} broke off: {detail}", heals=True)
        return TransferError(_explain_tls(detail, host), heals=False)
    if isinstance(error, SendTimeout):
        return TransferError(
            f"{host} accepted nothing within stall_timeout; raise it if the host is only slow", heals=True
        )
    if isinstance(error, socket.timeout):
        return TransferError(f"{host} sent nothing within stall_timeout; raise it if the host is only slow", heals=True)
    if isinstance(error, OSError):
        return _explain_system(error, host, detail)
    if isinstance(error, http.client.IncompleteRead):
        return TransferError(f"the answer of {host} broke off: {detail}", heals=True)
    if isinstance(error, http.client.HTTPException) and not isinstance(error, http.client.InvalidURL):
        return TransferError(f"the answer of {host} is not readable: {detail}", heals=True)
    return TransferError(f"the request to {host} failed: {detail}", heals=False)


def _explain_system(error: OSError, host: str, detail: str) -> TransferError:
    if isinstance(error, socket.gaierror):
        return TransferError(f"the name of {host} cannot be resolved: {detail}; check it, and DNS here", heals=True)
    if isinstance(error, ConnectionRefusedError):
        return ConnectionRefused(f"no connection to {host}: {detail}; check its name and port", heals=True)
    if "reset" in detail.lower():
        return TransferError(f"the connection to {host} broke off: {detail}", heals=True)
    return TransferError(f"no connection to {host}: {detail}", heals=True)


def _lacks_files(lack: OSError, host: str) -> TransferError:
    return TransferError(f"no connection to {host}: {reason(lack)}", heals=True)


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
