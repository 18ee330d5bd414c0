# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for access to registries: addresses, logins and certificates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .._oci.reference import SourceRegistry, registry_key


@dataclass(frozen=True)
class Login:
    """Credentials of one registry. The password never shows in a representation."""

    registry: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Certificates:
    """Options for certificates of one registry; all paths are those of PEM files.

    :param validate_certs: whether servers must have a trusted certificate.
    :param ca_path: authorities that are trusted in addition to the system's.
    :param client_cert: a certificate that is shown to servers.
    :param client_key: its key; ``None``: in the same file.
    """

    validate_certs: bool
    ca_path: str | None
    client_cert: str | None
    client_key: str | None


@dataclass(frozen=True)
class Access:
    """Options for access to registries.

    :param source: the registry that takes the place of each reference's own.
    :param login: ``username``/``password``, whose registry follows from the list.
    :param logins: those of ``registries``.
    :param validate_certs: for all registries that have no entry in ``certificates``, as the next three.
    :param certificates: options of single registries, by :func:`registry_key`.
    :param mirrors: the registries that take the place of one each, by :func:`registry_key`; none if there is a source.
    """

    source: SourceRegistry | None
    login: tuple[str, str] | None = field(repr=False)
    logins: tuple[Login, ...]
    authfile: str | None
    validate_certs: bool
    ca_path: str | None
    client_cert: str | None
    client_key: str | None
    certificates: Mapping[str, Certificates] = field(default_factory=dict)
    mirrors: Mapping[str, SourceRegistry] = field(default_factory=dict)

    @property
    def usual_certificates(self) -> Certificates:
        """The options for certificates of all registries that have none of their own."""
        return Certificates(self.validate_certs, self.ca_path, self.client_cert, self.client_key)

    def certificates_of(self, registry: str) -> Certificates:
        """Return the options for certificates of a registry (``HOST[:PORT]``)."""
        return self.certificates.get(registry_key(registry)) or self.usual_certificates

    @property
    def names_files(self) -> bool:
        """True if any option names a file with a certificate."""
        every = (self.usual_certificates, *self.certificates.values())
        return any(one.ca_path is not None or one.client_cert is not None for one in every)
