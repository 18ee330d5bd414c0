# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real docker-registry on loopback, for one test or for many."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import bcrypt
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from . import access_log
from .access_log import Request
from .certificates import Authority, KeyPair
from .token_server import TokenServer

_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")
_REPOSITORY = re.compile(r"^/v2/(.+)/(?:blobs|manifests|tags)/")
_START_TIMEOUT = 60.0


class RegistryError(Exception):
    """The registry did not start, or did not do what a fixture asked of it."""


@dataclass(frozen=True)
class Credentials:
    """Whom the registry lets in."""

    username: str
    password: str


@dataclass(frozen=True)
class Tls:
    """The authority that signs the server's certificate; clients may have to show one of the same authority."""

    authority: Authority
    require_client_certificate: bool = False


class _TokenAuth(AuthBase):
    """Gives each request of a fixture a token, without asking for it over HTTP."""

    def __init__(self, server: TokenServer, user: str) -> None:
        self._server = server
        self._user = user

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        found = _REPOSITORY.match(request.path_url)
        scopes = (f"repository:{found[1]}:pull,push,delete",) if found else ()
        request.headers["Authorization"] = f"Bearer {self._server.token(self._user, scopes)}"
        return request


class Registry:
    """docker-registry as a context manager: started in ``__enter__``, ended in ``__exit__``.

    ``directory`` holds its storage, configuration and logs. The kernel chooses the port, so no two registries race
    for one; after ``stop`` and ``start`` it stays the same. ``basic`` makes it ask for these credentials, ``tokens``
    (a running token server) for a bearer token, ``tls`` makes it speak https.

    :raises RegistryError: it did not come up
    """

    def __init__(
        self,
        directory: Path,
        *,
        basic: Credentials | None = None,
        tokens: TokenServer | None = None,
        tls: Tls | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.storage = directory / "storage"
        self.credentials = basic
        self.tokens = tokens
        self.tls = tls
        self.port = 0
        self.client: KeyPair | None = tls.authority.client("registry-fixture") if tls else None
        self._process: subprocess.Popen[bytes] | None = None
        self._session: requests.Session | None = None
        self._cleared = 0
        self._changes: Mapping[str, Mapping[str, object]] = {}

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``, the first part of a reference."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, or https."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def pid(self) -> int:
        """The process id; 0 when it does not run."""
        return self._process.pid if self._process else 0

    @property
    def login(self) -> Credentials | None:
        """A user that the registry lets in, whichever way it asks; None when anybody may."""
        if self.tokens:
            user, password = next(iter(self.tokens.users.items()))
            return Credentials(user, password)
        return self.credentials

    def __enter__(self) -> Registry:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the process and returns once it answers.

        :raises RegistryError: it ended, or did not answer within a minute
        """
        config = self.directory / "config.json"
        config.write_text(json.dumps(self._config(), indent=2), encoding="utf-8")
        program = shutil.which("docker-registry")
        if program is None:
            raise RegistryError("docker-registry is not installed (Debian's package docker-registry)")
        errors = self.directory / "registry.log"
        mark = errors.stat().st_size if errors.exists() else 0
        with open(self._access_log, "ab") as stdout, open(errors, "ab") as stderr:
            # setpriv sets the signal that the kernel sends when this process dies, then becomes the registry.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", program, "serve", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                # Collecting garbage would be a sixth of its work; there is little.
                env={**os.environ, "GOGC": "400"},
            )
        atexit.register(self.stop)
        self._await(lambda: self._listening(errors, mark), "listen")
        self._await(self._answers, "answer")

    def stop(self) -> None:
        """Ends the process; what it stored and logged stays."""
        atexit.unregister(self.stop)
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def reconfigure(self, changes: Mapping[str, Mapping[str, object]]) -> None:
        """Starts the process again, with other sections of its configuration; what is empty is left out."""
        self._changes = changes
        self.stop()
        self.start()

    def session(self) -> requests.Session:
        """A session that may do everything: credentials, tokens, CA and client certificate are set.

        The environment (proxies, REQUESTS_CA_BUNDLE) is left out of it.
        """
        if self._session is None:
            session = requests.Session()
            session.trust_env = False
            session.headers["User-Agent"] = "fixture"
            if self.credentials:
                session.auth = HTTPBasicAuth(
                    # As text, requests would send them in latin-1.
                    self.credentials.username.encode("utf-8"),
                    self.credentials.password.encode("utf-8"),
                )
            if self.tokens:
                session.auth = _TokenAuth(self.tokens, "fixture")
            if self.tls and self.client:
                session.verify = str(self.tls.authority.ca_path)
                session.cert = (str(self.client.certificate), str(self.client.key))
            self._session = session
        return self._session

    def requests(self) -> list[Request]:
        """Every request answered since the start or the last ``clear``, but those of the fixtures themselves."""
        lines = self._synced_log()[self._cleared :].decode("utf-8").splitlines()
        return [each for each in map(access_log.parse_line, lines) if each.user_agent != "fixture"]

    def clear(self) -> None:
        """Forgets the requests answered so far."""
        self._cleared = len(self._synced_log())

    def blob_gets(self) -> Counter[str]:
        """How often each blob's bytes were sent since the last ``clear``, by digest."""
        return access_log.blob_gets(self.requests())

    def manifest_gets(self) -> Counter[str]:
        """How often each manifest was sent, by ``REPOSITORY:TAG`` or ``REPOSITORY@DIGEST``."""
        return access_log.manifest_gets(self.requests())

    def manifest_heads(self) -> Counter[str]:
        """How often each manifest was looked up by HEAD and found."""
        return access_log.manifest_heads(self.requests())

    def blob_path(self, digest: str) -> Path:
        """Where the storage keeps the bytes of a blob or manifest, for tests that damage or remove them."""
        algorithm, _colon, value = digest.partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / value[:2] / value / "data"

    @property
    def _access_log(self) -> Path:
        return self.directory / "access.log"

    def _config(self) -> dict[str, object]:
        http: dict[str, object] = {"addr": f"127.0.0.1:{self.port}", "secret": "tests"}
        if self.tls:
            pair = self.tls.authority.server()
            served: dict[str, object] = {"certificate": str(pair.certificate), "key": str(pair.key)}
            if self.tls.require_client_certificate:
                served["clientcas"] = [str(self.tls.authority.ca_path)]
            http["tls"] = served
        storage = {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}}
        config: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "info", "fields": {}},
            "storage": {**storage, **self._changes.get("storage", {})},
            "http": http,
            "compatibility": {"schema1": {"enabled": True}},
            "validation": {"manifests": {"urls": {"allow": ["^https?://"]}}},
        }
        config.update((name, section) for name, section in self._changes.items() if name != "storage")
        auth = self._auth()
        return {**config, "auth": auth} if auth else config

    def _auth(self) -> dict[str, object]:
        if self.tokens:
            return {
                "token": {
                    "realm": self.tokens.realm,
                    "service": self.tokens.service,
                    "issuer": self.tokens.issuer,
                    "rootcertbundle": str(self.tokens.root_bundle),
                }
            }
        if self.credentials:
            path = self.directory / "htpasswd"
            path.write_text(_htpasswd(self.credentials), encoding="utf-8")
            return {"htpasswd": {"realm": "tests", "path": str(path)}}
        return {}

    def _listening(self, log: Path, mark: int) -> bool:
        found = _LISTENING.search(log.read_bytes()[mark:].decode("utf-8", "replace"))
        if found:
            self.port = int(found[1])
        return found is not None

    def _answers(self) -> bool:
        try:
            answer = self.session().get(f"{self.url}/v2/", timeout=5)
        except requests.ConnectionError:
            return False
        if answer.status_code != 200:
            self.stop()
            raise RegistryError(f"docker-registry answers {answer.status_code} {answer.text}")
        return True

    def _synced_log(self) -> bytes:
        """The whole access log, once every request that was answered is in it."""
        if self._process is None:
            return self._access_log.read_bytes()
        marker = uuid.uuid4().hex
        self.session().get(f"{self.url}/v2/?{marker}", timeout=30).raise_for_status()
        self._await(lambda: marker.encode() in self._access_log.read_bytes(), "log a request")
        # A large body has left before its line is written; when no thread is running, none is about to be.
        self._await(self._idle, "come to rest")
        return self._access_log.read_bytes()

    def _idle(self) -> bool:
        try:
            stats = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        except OSError:  # a thread has just ended
            return False
        return all(stat.rpartition(")")[2].split()[0] == "S" for stat in stats)

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_TIMEOUT
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.directory / "registry.log").read_text(encoding="utf-8", errors="replace")
                self.stop()
                raise RegistryError(f"docker-registry did not {what}:\n{log[-4000:]}")
            time.sleep(0.005)


def _htpasswd(credentials: Credentials) -> str:
    """One line of a bcrypt password file."""
    hashed = bcrypt.hashpw(credentials.password.encode("utf-8"), bcrypt.gensalt(4))
    return f"{credentials.username}:{hashed.decode('ascii')}\n"
