# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificates are believed: the same on every Python, and what is said of those that are not."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.client import Http
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust, tls_context
from ansible_collections.airgap.images.tests.unit.server import Reply, Server

NOW = datetime.now(timezone.utc)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(
    name: str,
    by: Issued | None = None,
    *,
    is_authority: bool = False,
    has_identifiers: bool = True,
    has_address: bool = True,
    since: datetime = NOW - timedelta(days=1),
    until: datetime = NOW + timedelta(days=1),
) -> Issued:
    """A certificate, by itself or by an authority; that of a server is for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = by.key if by else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if is_authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    elif has_address:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
    if has_identifiers:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def ask(folder: Path, *, chain: Sequence[Issued], trusted: Sequence[Issued]) -> bytes:
    """Serve something with a chain of certificates, and ask for it while some are trusted."""
    (folder / "chain.pem").write_bytes(chain[0].key_pem + b"".join(each.pem for each in chain))
    (folder / "trusted.pem").write_bytes(b"".join(each.pem for each in trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem")
    with Server(context) as server:
        server.route("/", Reply(200, b"believed"))
        http = Http(server.host, Trust(str(folder / "trusted.pem"), None), read_timeout=30, connections=1)
        try:
            return http.read("GET", f"https://{server.host}/", headers={}, limit=100).body
        finally:
            http.close()


ROOT = issue("root", is_authority=True)
BETWEEN = issue("between", ROOT, is_authority=True)
LEAF = issue("leaf", BETWEEN)
PLAIN_ROOT = issue("home-made", is_authority=True, has_identifiers=False)

BELIEVED: dict[str, tuple[list[Issued], list[Issued]]] = {
    "a chain": ([LEAF, BETWEEN], [ROOT]),
    "a chain with its root": ([LEAF, BETWEEN, ROOT], [ROOT]),
    "an intermediate that is trusted by itself": ([LEAF], [BETWEEN]),
    "an intermediate among the authorities": ([LEAF], [ROOT, BETWEEN]),
    "an authority without identifiers": ([issue("leaf", PLAIN_ROOT, has_identifiers=False)], [PLAIN_ROOT]),
}


@pytest.mark.field(
    "tls",
    given="an authority without key identifiers; only an intermediate certificate in `ca_path`",
    happens="trusted with every Python version, as by skopeo",
)
@pytest.mark.parametrize(("chain", "trusted"), BELIEVED.values(), ids=BELIEVED)
def test_certificates_that_are_believed(tmp_path: Path, chain: list[Issued], trusted: list[Issued]) -> None:
    assert ask(tmp_path, chain=chain, trusted=trusted) == b"believed"


TOMORROW = NOW + timedelta(hours=20)
REFUSED: dict[str, tuple[list[Issued], list[Issued], str]] = {
    "a missing intermediate": ([LEAF], [ROOT], "if that is an intermediate, have the server send it too"),
    "an unknown authority that is sent along": (
        [LEAF, BETWEEN, ROOT],
        [PLAIN_ROOT],
        r"\. Give its authority with ca_path",
    ),
    "an unknown authority": ([LEAF, BETWEEN], [PLAIN_ROOT], "if it is the authority itself, give it with ca_path"),
    "its own authority": ([issue("alone")], [ROOT], r"\. Give its authority with ca_path"),
    "a clock that is behind": (
        [issue("leaf", ROOT, since=TOMORROW)],
        [ROOT],
        r"not valid yet: .*may be behind: it has 20",
    ),
    "an authority of tomorrow": (
        [issue("leaf", tomorrow := issue("new", is_authority=True, since=TOMORROW))],
        [tomorrow],
        "not valid yet: ",
    ),
    "an old one": ([issue("leaf", ROOT, until=NOW - timedelta(hours=1))], [ROOT], "has expired: .*renewed"),
    "a name in the old place": ([issue("127.0.0.1", ROOT, has_address=False)], [ROOT], "is for another name"),
}


@pytest.mark.field(
    "tls",
    given="a missing intermediate certificate, a slow clock, an unknown authority, a different name",
    happens="refused, each with its own remedy",
)
@pytest.mark.parametrize(("chain", "trusted", "said"), REFUSED.values(), ids=REFUSED)
def test_certificates_that_are_not(tmp_path: Path, chain: list[Issued], trusted: list[Issued], said: str) -> None:
    with pytest.raises(TransferError, match=said) as caught:
        ask(tmp_path, chain=chain, trusted=trusted)
    assert caught.value.heals is False


def test_what_a_context_asks_for_does_not_depend_on_the_python(tmp_path: Path) -> None:
    """Flags by number: the strict one is that of Python 3.13."""
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    context = tls_context(str(tmp_path / "ca.pem"), None)
    assert int(context.verify_flags) == 0x8000 | 0x80000
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls_context(False, None).verify_mode == ssl.CERT_NONE


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_bytes(b"nothing")
    http = Http("reg.lan", Trust(str(tmp_path / "empty.pem"), None), read_timeout=30, connections=1)
    with pytest.raises(TransferError, match=r"the certificates for reg\.lan cannot be used: "):
        http.read("GET", "https://reg.lan/", headers={}, limit=100)
