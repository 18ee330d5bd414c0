# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority of the tests' own, and what it issues."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import trustme


@dataclass(frozen=True)
class KeyPair:
    """A certificate chain and its private key, both as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A throw-away certificate authority; its files live in ``directory``."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._ca = trustme.CA(organization_name="airgap.images tests")
        self.ca_path = directory / "ca.crt"
        self._ca.cert_pem.write_to_path(str(self.ca_path))

    def server(self, name: str = "server") -> KeyPair:
        """Issues a server certificate for 127.0.0.1 and localhost."""
        return self._issue(name, "127.0.0.1", "localhost")

    def expired(self, name: str = "expired") -> KeyPair:
        """Issues a server certificate for 127.0.0.1 and localhost that was valid until yesterday."""
        return self._issue(name, "127.0.0.1", "localhost", until=datetime.now(timezone.utc) - timedelta(days=1))

    def misnamed(self, name: str = "misnamed") -> KeyPair:
        """Issues a server certificate for another name than those that a server on loopback has."""
        return self._issue(name, "other.example.org")

    def client(self, name: str = "client") -> KeyPair:
        """Issues a client certificate."""
        return self._issue(name, f"{name}@example.org")

    def certs_dir(self, directory: Path, client: KeyPair | None = None) -> Path:
        """Fills ``directory`` the way certs.d wants it: ca.crt and, if given, client.cert with client.key."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "ca.crt").write_bytes(self.ca_path.read_bytes())
        if client is not None:
            (directory / "client.cert").write_bytes(client.certificate.read_bytes())
            (directory / "client.key").write_bytes(client.key.read_bytes())
        return directory

    def _issue(self, name: str, *identities: str, until: datetime | None = None) -> KeyPair:
        since = until - timedelta(days=30) if until else None
        issued = self._ca.issue_cert(*identities, not_before=since, not_after=until)
        pair = KeyPair(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(pair.key))
        pair.key.chmod(0o600)
        return pair


def server_context(pair: KeyPair) -> ssl.SSLContext:
    """A TLS context for a server written in Python."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context
