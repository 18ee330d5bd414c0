# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS: which authorities are trusted, and which client certificate is shown."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN of OpenSSL; the module ssl has a name for it from 3.10 on


@dataclass(frozen=True)
class Trust:
    """Trust for the connections of one registry.

    :param verify: path of a bundle, or the bundle itself; ``True`` for the bundle of ``requests``, ``False`` for none.
    :param client_cert: certificate and key, or ``None``.
    """

    verify: bool | str | bytes
    client_cert: tuple[str, str] | None


def tls_context(verify: bool | str | bytes, client_cert: tuple[str, str] | None) -> ssl.SSLContext:
    """Make a context that is the same on every Python, and as Go has it: skopeo connects after us.

    Python 3.13 sets flags that were not set before: an intermediate among the authorities is believed there, and an
    authority without key identifiers is not. Go believes both.

    :param verify: as in :class:`Trust`.
    :param client_cert: what is shown to a server that asks for it.
    :raises OSError: when a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    context.hostname_checks_common_name = False
    context.post_handshake_auth = True
    context.set_alpn_protocols(["http/1.1"])
    if verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | _PARTIAL_CHAIN
        if isinstance(verify, bytes):
            context.load_verify_locations(cadata=verify.decode("ascii"))
        else:
            context.load_verify_locations(_of_requests() if verify is True else verify)
    if client_cert is not None:
        context.load_cert_chain(*client_cert, password=no_password)
    return context


def _of_requests() -> str:
    from requests.certs import where  # type: ignore[attr-defined]  # only where requests is there

    return str(where())


def no_password() -> str:
    """Answer OpenSSL, which would ask on the terminal for the password of an encrypted key."""
    return ""
