# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of a load: the target registry with its login and certificates, and what failures are made with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .._base.errors import ImagesError, Interrupted
from .._base.stop import Stop
from .._host.log import Log
from .._http.trust_store import TrustStore, check_trust_files
from .._registry.blob_stream import RegistryBlobs
from .._registry.credentials import gather_credentials
from .._registry.endpoint import Endpoint
from .._registry.endpoints import Endpoints
from .._registry.failures import Failures
from .._registry.harbor import Harbor
from .._registry.pusher import Pusher
from .._registry.refusals import EndsRun
from .._registry.retry import RetryPolicy
from .._source.errors import SourceGone
from .contents import LoadImage
from .inquiry import CONNECTIONS
from .options import Options

_ENDING = (Interrupted, SourceGone, EndsRun)


@dataclass(frozen=True)
class Tools:
    """The parts of a run that talk to the target registry.

    :param blobs: reads blobs that it has.
    :param harbor: its projects, if it is a Harbor.
    :param failures: makes the failures of images.
    :param endpoint: of the target registry.
    """

    registry: Pusher
    blobs: RegistryBlobs
    harbor: Harbor
    failures: Failures
    endpoint: Endpoint

    @property
    def heads(self) -> int:
        """The number of requests that only asked."""
        return self.registry.heads + self.harbor.heads

    @property
    def is_plain(self) -> bool:
        """True if the target registry was found to speak HTTP only."""
        return self.endpoint.is_plain

    def failure(self, image: LoadImage, error: ImagesError) -> ImagesError:
        """Return the error as an image keeps it, without secrets."""
        return self.failures.of_image(image.target.repository.registry, str(image.reference), error)


def ends_run(error: ImagesError) -> bool:
    """Return True for an error after which no other image can do better."""
    return isinstance(error, _ENDING)


@contextmanager
def prepared(options: Options, *, log: Log, stop: Stop) -> Iterator[Tools]:
    """Create the tools, and close them after the block. They send nothing before they are used.

    :raises OptionError: when a credential or certificate option cannot work.
    """
    check_trust_files(options.access)
    registry = options.naming.registry.registry
    credentials = gather_credentials(options.access, {registry}, os.environ, log.secrets, stop.check, note=log.info)
    log.secrets.add_proxies(os.environ)
    trust = TrustStore(options.access, os.environ)
    endpoints = Endpoints(
        options.access,
        credentials,
        trust,
        read_timeout=options.work.stall_timeout,
        connections=max(CONNECTIONS, options.work.jobs),
    )
    policy = RetryPolicy(options.work.retries, options.work.retry_delay)
    pusher = Pusher(endpoints, policy, stop=stop, on_retry=log.retry)
    endpoint = endpoints.of(registry)
    harbor = Harbor(registry, endpoint, policy, stop=stop, on_retry=log.retry)
    try:
        yield Tools(pusher, RegistryBlobs(endpoints), harbor, Failures(log.secrets, endpoints.outages), endpoint)
    finally:
        endpoints.close()
        trust.close()
