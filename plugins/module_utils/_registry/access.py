# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for access to registries: addresses, logins and certificates. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._oci.reference import SourceRegistry


@dataclass(frozen=True)
class Login:
    """Credentials of one registry. The password never shows in a representation."""

    registry: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Access:
    """Options for access to registries.

    :param source: the registry that takes the place of each reference's own.
    :param login: ``username``/``password``, whose registry follows from the list.
    :param logins: ``registries``.
    """

    source: SourceRegistry | None
    login: tuple[str, str] | None = field(repr=False)
    logins: tuple[Login, ...]
    authfile: str | None
    validate_certs: bool
    ca_path: str | None
    client_cert: str | None
    client_key: str | None
