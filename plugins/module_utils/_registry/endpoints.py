# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoints of all registries of a run; its threads share their connections, tokens and outages."""

from __future__ import annotations

import threading

from .._http.client import Http
from .._http.idle_connections import IdleConnections
from .._http.proxy_login import ProxyLogins
from .._http.trust_store import TrustStore
from .._oci.reference import DOCKER_HUB
from .access import Access
from .auth import Authenticator
from .credentials import Credentials
from .endpoint import Endpoint
from .outage import Outages

_DOCKER_HUB_HOST = "registry-1.docker.io"


class Endpoints:
    """Makes the endpoint of each registry when it is first asked for.

    :param read_timeout: seconds without a byte after which a request is given up.
    :param connections: kept for each host at most.
    """

    def __init__(
        self,
        access: Access,
        credentials: Credentials,
        trust: TrustStore,
        *,
        read_timeout: float,
        connections: int,
    ) -> None:
        self._access = access
        self._credentials = credentials
        self._trust = trust
        self._read_timeout = read_timeout
        self._connections = connections
        self._mutex = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        self._logins = ProxyLogins()
        self._idle = IdleConnections(2 * connections)
        self.outages = Outages()

    def of(self, registry: str) -> Endpoint:
        """Return the endpoint of a registry."""
        with self._mutex:
            endpoint = self._endpoints.get(registry)
            if endpoint is None:
                endpoint = self._endpoints[registry] = self._made_for(registry)
            return endpoint

    def close(self) -> None:
        """Close the idle connections of all registries."""
        for endpoint in self._endpoints.values():
            endpoint.http.close()

    def _made_for(self, registry: str) -> Endpoint:
        host = _DOCKER_HUB_HOST if registry == DOCKER_HUB else registry
        http = Http(
            host,
            self._trust.of(registry),
            read_timeout=self._read_timeout,
            connections=self._connections,
            logins=self._logins,
            idle=self._idle,
        )
        is_verified = self._access.certificates_of(registry).validate_certs
        nobody = Credentials((), (), secrets=self._credentials.secrets)
        return Endpoint(
            http,
            Authenticator(registry, http, self._credentials),
            lambda host: Authenticator(host, http, nobody),
            ("https",) if is_verified else ("https", "http"),
            lambda: self.outages.answered(registry),
        )
