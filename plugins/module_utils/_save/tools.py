# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run works with: registries, skopeo and the resolver, with credentials and trust sorted out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable

from .._base.stop import Stop
from .._cache.cache import Cache
from .._host.disk_errors import explained
from .._host.filesystem import filesystem_of
from .._host.log import Log
from .._host.private_place import PassingDirectory
from .._http.gate import Gates
from .._http.proxy import Proxies
from .._http.tls import TrustStore, check_trust_files
from .._oci.reference import Repository, pulled_from
from .._registry.client import Registries
from .._registry.credentials import Credentials, gather_credentials
from .._registry.retry import RetryPolicy
from .._skopeo.carriage import Carriage
from .._skopeo.inspect import Inspector
from .._skopeo.permission import Permission
from .._skopeo.registries_conf import RegistriesConf
from .._skopeo.skopeo import Skopeo
from .options import Options
from .questions import Questions
from .resolve import CONNECTIONS, Resolver, nothing_is_known
from .wanted import Wanted


@dataclass(frozen=True)
class Tools:
    """The parts of a run that talk to others."""

    registries: Registries
    carriage: Carriage
    resolver: Resolver
    skopeo: Skopeo
    policy: RetryPolicy
    stop: Stop
    credentials: Credentials
    configuration: RegistriesConf

    def log_in(self, cache: Cache) -> None:
        """Give skopeo what it needs to be let in, where it would not find what we do; only once a copy is due.

        :param cache: is open, and has a directory that nobody else can read.
        :raises StorageError: when there is no such place, or it cannot be written to.
        """
        _log_in(self.skopeo, self.credentials, lambda: cache.private_directory)


def _log_in(skopeo: Skopeo, credentials: Credentials, private: Callable[[], str]) -> None:
    """Give skopeo what it needs to be let in.

    :param private: gives a directory that nobody else can read, where one is needed.
    """
    if skopeo.shows_certificates:
        skopeo.private = private()
    temporary = os.environ.get("TMPDIR", "")
    if temporary and not filesystem_of(temporary).has_modes:
        skopeo.temporary = private()
    if not credentials.needs_login_file:
        return
    path = os.path.join(private(), "auth.json")
    if path == skopeo.authfile:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(credentials.login_file())
    except OSError as error:
        raise explained(f"cannot write the login file for skopeo, {path}", error) from error
    skopeo.authfile = path


def _inspector(
    skopeo: Skopeo,
    policy: RetryPolicy,
    client: Registries,
    *,
    log: Log,
    stop: Stop,
    get_ready: Callable[[], None],
) -> Inspector:
    """Asks with skopeo, and counts as our own client does."""
    return Inspector(
        skopeo,
        policy,
        client.outages,
        stop=stop,
        on_ask=lambda: client.count.add("GET"),
        on_retry=log.warning,
        log_in=get_ready,
        gates=Gates() if Proxies(os.environ).have_logins else None,
    )


@contextmanager
def prepared(
    options: Options,
    wanted: Wanted,
    cache: Cache,
    *,
    log: Log,
    stop: Stop,
    is_known: Callable[[Repository, str], bool] = nothing_is_known,
) -> Iterator[Tools]:
    """Make the tools, which touch nothing on disk before they are told to.

    :param is_known: whether a manifest or index was let through from a repository before.
    :raises OptionError: when a credential or certificate option cannot work.
    """
    check_trust_files(options.access)
    source = options.access.source
    registries = {pulled_from(image.reference, source).registry for image in wanted.list.images}
    configuration = RegistriesConf(os.environ)
    credentials = gather_credentials(
        options.access,
        registries or {""},
        os.environ,
        log.secrets,
        stop.check,
        others=configuration.others(registries),
    )
    log.secrets.add_proxies(os.environ)
    trust = TrustStore(options.access, os.environ, configuration.others)
    policy = RetryPolicy(options.work.retries, options.work.retry_delay)
    client = Registries(
        options.access,
        credentials,
        trust,
        policy,
        read_timeout=options.work.stall_timeout,
        connections=max(CONNECTIONS, options.work.jobs),
        stop=stop,
        on_retry=log.warning,
    )
    carriage = Carriage(client, Permission(options.work, os.environ), configuration)
    skopeo = Skopeo(options.access, options.work, trust, stop=stop, secrets=log.secrets)
    place = PassingDirectory(os.environ)

    def get_ready() -> None:
        _log_in(skopeo, credentials, place.path)

    inspector = _inspector(skopeo, policy, client, log=log, stop=stop, get_ready=get_ready)
    resolver = Resolver(
        Questions(client, inspector, configuration),
        cache,
        log,
        options.selection,
        source,
        is_known=is_known,
        carriage=carriage,
        keep=not options.check,
        timeout=options.work.timeout,
        check=stop.check,
    )
    try:
        yield Tools(client, carriage, resolver, skopeo, policy, stop, credentials, configuration)
    finally:
        client.close()
        trust.close()
        place.close()
