# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of a run: registries, skopeo and the resolver, with credentials and certificates."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable

from .._base.errors import OptionError
from .._base.stop import Stop
from .._cache.cache import Cache
from .._host.disk_errors import explained
from .._host.filesystem import filesystem_of
from .._host.log import Log
from .._host.private_place import PassingDirectory
from .._http.proxy import Proxies
from .._http.proxy_login import ProxyLogins
from .._http.trust_store import TrustStore, check_trust_files
from .._oci.reference import Repository
from .._registry.access import Access
from .._registry.client import RegistryClient
from .._registry.credentials import Credentials, gather_credentials
from .._registry.failures import Failures
from .._registry.retry import RetryPolicy
from .._skopeo.inspect import Inspector
from .._skopeo.policy_rules import PolicyRules
from .._skopeo.registries_conf import RegistriesConf
from .._skopeo.skopeo import Skopeo
from .._skopeo.unsupported import UnsupportedImages
from .image_set import ImageSet
from .options import AUTO, Asking
from .questions import Questions
from .referrer_questions import ReferrerQuestions
from .referrers import Referrers
from .resolve import CONNECTIONS, Resolver, nothing_is_known
from .witnesses import Witnesses


@dataclass(frozen=True)
class Tools:
    """The parts of a run that talk to registries.

    :param witnesses: know of which registries images are copied without skopeo.
    :param failures: makes the failures of images.
    :param referrers: finds what refers to images; ``None`` where that is not wanted, or a lock file names it.
    """

    registries: RegistryClient
    unsupported: UnsupportedImages
    witnesses: Witnesses
    resolver: Resolver
    failures: Failures
    skopeo: Skopeo
    policy: RetryPolicy
    stop: Stop
    credentials: Credentials
    configuration: RegistriesConf
    referrers: Referrers | None = None

    def log_in(self, cache: Cache) -> None:
        """Give skopeo the logins and certificates that it would not find itself; called once a copy is due.

        :param cache: is open, and has a directory that nobody else can read.
        :raises StorageError: when there is no place for such a directory, or it cannot be written to.
        """
        _log_in(self.skopeo, self.credentials, lambda: cache.workspace.private_directory)


def _log_in(skopeo: Skopeo, credentials: Credentials, private: Callable[[], str]) -> None:
    """Give skopeo the logins and certificates that it would not find itself.

    :param private: returns a directory that nobody else can read; called only if one is needed.
    """
    if skopeo.commands.needs_directory:
        skopeo.commands.private = private()
    temporary = os.environ.get("TMPDIR", "")
    if temporary and not filesystem_of(temporary).has_modes:
        skopeo.temporary = private()
    if not credentials.needs_login_file:
        return
    path = os.path.join(private(), "auth.json")
    if path == skopeo.commands.authfile:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(credentials.login_file())
    except OSError as error:
        raise explained(f"cannot write the login file for skopeo, {path}", error) from error
    skopeo.commands.authfile = path


def _check_certificates(access: Access) -> None:
    """Refuse options for certificates that cannot work, those of all registries first.

    :raises OptionError: names the option and the file.
    """
    check_trust_files(access.usual_certificates)
    for registry, certificates in access.certificates.items():
        try:
            check_trust_files(certificates)
        except OptionError as error:
            raise OptionError(f"registries, {registry}: {error}") from error


def _refuse_outranked(repositories: Iterable[Repository], configuration: RegistriesConf) -> None:
    """Refuse mirrors that skopeo would not go to.

    :raises OptionError: names the first of them.
    """
    for one in sorted(repositories):
        if one.stands_for and configuration.outranks_mirror_of(one.stands_for):
            raise OptionError(
                f"registries, {one.as_named.registry}: skopeo would not take {one.stands_for} from the mirror, as a "
                "drop-in file of registries.conf names it in full; remove it from that file, or leave mirror out"
            )


def _inspector(
    skopeo: Skopeo,
    policy: RetryPolicy,
    client: RegistryClient,
    *,
    log: Log,
    stop: Stop,
    get_ready: Callable[[], None],
) -> Inspector:
    """Return what asks registries with skopeo, and counts requests as our own client does."""
    return Inspector(
        skopeo,
        policy,
        client.outages,
        stop=stop,
        on_ask=lambda: client.count.add("GET"),
        on_retry=log.retry,
        log_in=get_ready,
        logins=ProxyLogins() if Proxies(os.environ).have_logins else None,
    )


def _gather_credentials(
    options: Asking, repositories: set[Repository], configuration: RegistriesConf, *, log: Log, stop: Stop
) -> Credentials:
    """Gather the logins for these repositories, and have the log hide all secrets of the run from now on.

    :raises OptionError: when a credential option cannot work.
    """
    credentials = gather_credentials(
        options.access,
        {one.registry for one in repositories} or {""},
        os.environ,
        log.secrets,
        stop.check,
        others=configuration.others({one.registry for one in repositories if not one.stands_for}),
        note=log.info,
    )
    log.secrets.add_proxies(os.environ)
    return credentials


def _client(
    options: Asking, credentials: Credentials, trust: TrustStore, policy: RetryPolicy, *, log: Log, stop: Stop
) -> RegistryClient:
    return RegistryClient(
        options.access,
        credentials,
        trust,
        policy,
        read_timeout=options.work.stall_timeout,
        connections=max(CONNECTIONS, options.work.jobs),
        stop=stop,
        on_retry=log.retry,
    )


def _referrers(
    options: Asking, questions: Questions, resolver: Resolver, failures: Failures, *, log: Log, stop: Stop
) -> Referrers | None:
    """Return what finds that which refers to images, if it is wanted; a lock file names it with its images."""
    if options.selection.referrers != AUTO or options.selection.from_lock is not None:
        return None
    timeout = options.work.timeout
    return Referrers(ReferrerQuestions(questions), resolver, failures, log, timeout=timeout, check=stop.check)


@contextmanager
def prepared(
    options: Asking,
    images: ImageSet,
    cache: Cache,
    *,
    log: Log,
    stop: Stop,
    is_known: Callable[[Repository, str], bool] = nothing_is_known,
) -> Iterator[Tools]:
    """Create the tools, and close them after the block. They write nothing before they are used.

    :param options: with the selection of a lock file, if one takes the place of a list.
    :param is_known: returns True if a manifest or index was accepted from a repository before.
    :raises OptionError: when a credential or certificate option cannot work.
    """
    _check_certificates(options.access)
    repositories = {image.repository for image in images.images}
    configuration = RegistriesConf(os.environ)
    _refuse_outranked(repositories, configuration)
    credentials = _gather_credentials(options, repositories, configuration, log=log, stop=stop)
    trust = TrustStore(options.access, os.environ, configuration.others)
    policy = RetryPolicy(options.work.retries, options.work.retry_delay)
    client = _client(options, credentials, trust, policy, log=log, stop=stop)
    rules = PolicyRules(options.work, os.environ)
    unsupported = UnsupportedImages(client, rules, configuration, options.work.skopeo_copy)

    def account(repository: Repository) -> str:
        """Return whose login skopeo sends; of a registry that its configuration mentions, that is not known here."""
        return "" if configuration.applies_to(repository) else credentials.account(repository)

    skopeo = Skopeo(options.access, options.work, trust, stop=stop, secrets=log.secrets, account=account)
    place = PassingDirectory(os.environ)

    def get_ready() -> None:
        _log_in(skopeo, credentials, place.path)

    inspector = _inspector(skopeo, policy, client, log=log, stop=stop, get_ready=get_ready)
    failures = Failures(log.secrets, client.outages)
    questions = Questions(client, inspector, configuration)
    resolver = Resolver(
        questions,
        cache,
        log,
        options.selection,
        failures,
        is_known=is_known,
        unsupported=unsupported,
        keep=not options.check,
        timeout=options.work.timeout,
        check=stop.check,
    )
    try:
        yield Tools(
            registries=client,
            unsupported=unsupported,
            witnesses=Witnesses(stop, log.warning),
            resolver=resolver,
            failures=failures,
            skopeo=skopeo,
            policy=policy,
            stop=stop,
            credentials=credentials,
            configuration=configuration,
            referrers=_referrers(options, questions, resolver, failures, log=log, stop=stop),
        )
    finally:
        client.close()
        trust.close()
        place.close()
