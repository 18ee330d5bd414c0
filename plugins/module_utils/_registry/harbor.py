# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The projects of a Harbor, which takes no repository without one.

Harbor's api/v2.0/swagger.yaml: ``HEAD /projects``, ``POST /projects``, ``GET /ping``.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Callable, TypeVar
from urllib.parse import urlencode

from .._base.errors import OptionError, Refused, TransferError, printable
from .._base.json import Json, JsonError, compact, parse_object
from .._base.stop import Stop
from .._http.response import Response
from .._http.status_errors import explain_status
from .endpoint import Endpoint
from .retry import RetryPolicy, retrying

_API = "/api/v2.0"
_SMALL_ANSWER = 64 * 1024
_JSON = {"Content-Type": "application/json"}
_WAITING = (408, 429)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class NewProject:
    """The settings that projects are created with.

    :param public: whether everybody may pull from them.
    :param quota: bytes that each may store; ``None``: as Harbor has it for new projects.
    """

    public: bool = False
    quota: int | None = None


class Harbor:
    """Finds and creates the projects of one registry.

    :param host: the registry, for errors.
    :param on_retry: is told of every failure that is tried again.
    :param stop: set when the run is to end.
    :ivar heads: requests that only asked.
    """

    def __init__(
        self, host: str, endpoint: Endpoint, policy: RetryPolicy, *, stop: Stop, on_retry: Callable[[str], None]
    ) -> None:
        self._host = host
        self._endpoint = endpoint
        self._policy = policy
        self._stop = stop
        self._on_retry = on_retry
        self._is_harbor: bool | None = None
        self.heads = 0

    def has(self, name: str) -> bool | None:
        """Ask whether there is a project.

        :returns: ``None`` if the account may not know. A system robot is answered so about projects that do not exist.
        :raises OptionError: when the registry is not a Harbor.
        :raises TransferError: when it does not say.
        """
        query = urlencode({"project_name": name})
        self.heads += 1
        response = self._ask("HEAD", f"/projects?{query}", name, accepted=(200, 403, 404))
        if response.status == 404:
            self._ensure_harbor(name)
            return False
        return True if response.status == 200 else None

    def create(self, name: str, settings: NewProject) -> bool:
        """Create a project.

        :returns: whether it was created; false if it was there by then.
        :raises OptionError: when the registry is not a Harbor.
        :raises TransferError: when it does not create it.
        """
        values: dict[str, Json] = {"project_name": name, "metadata": {"public": "true" if settings.public else "false"}}
        if settings.quota is not None:
            values["storage_limit"] = settings.quota
        tries = 0

        def attempt() -> Response:
            nonlocal tries
            tries += 1
            return self._once("POST", "/projects", name, body=compact(values), accepted=(201, 404, 405, 409))

        response = self._retrying(attempt, name)
        if response.status in (404, 405):
            raise self._no_harbor(response.status)
        # If the answer to an earlier try was lost, that try has created it.
        return response.status == 201 or tries > 1

    def _ensure_harbor(self, name: str) -> None:
        """Make sure that a 404 was not for the whole interface."""
        if self._is_harbor is None:
            response = self._ask("GET", "/ping", name, accepted=range(200, 500))
            self._is_harbor = response.status == 200 and b"pong" in response.plain[:100].lower()
            if not self._is_harbor:
                raise self._no_harbor(response.status)

    def _no_harbor(self, status: int) -> OptionError:
        return OptionError(
            f"create_projects: {self._host} does not have Harbor's interface for projects (it answered {status} at "
            f"{_API}). Set create_projects=false, and create there by hand what it needs"
        )

    def _ask(self, method: str, target: str, name: str, *, accepted: Container[int]) -> Response:
        return self._retrying(lambda: self._once(method, target, name, accepted=accepted), name)

    def _retrying(self, attempt: Callable[[], _Result], name: str) -> _Result:
        return retrying(
            attempt,
            policy=self._policy,
            stop=self._stop,
            on_retry=lambda text: self._on_retry(f"project {name} of {self._host}: {text}"),
        )

    def _once(
        self,
        method: str,
        target: str,
        name: str,
        *,
        accepted: Container[int],
        body: bytes | None = None,
    ) -> Response:
        headers: Mapping[str, str] = {} if body is None else {**_JSON, "Content-Length": str(len(body))}
        response = self._endpoint.read_api(
            method, _API + target, path=name, headers=headers, limit=_SMALL_ANSWER, body=body
        )
        if response.status in accepted and not response.is_elsewhere:
            return response
        raise _explain(response, self._host, name)


def _explain(response: Response, host: str, name: str) -> TransferError:
    """Return the error for an answer about a project."""
    what = f"project {name} of {host}"
    status, account = response.status, response.account
    if response.is_elsewhere or status in _WAITING or status >= 500:
        return explain_status(response, host=host, what=what)
    told = _told(response)
    if status == 401 and account:
        return Refused(
            f"{host} refused {account} for {what}: unauthorized{told}. The password may be wrong", heals=False
        )
    if status == 401:
        return Refused(
            f"{host} asks for a login for {what}. Give username and password, as tokens are not for that", heals=False
        )
    if status == 403:
        return Refused(
            f"{host} did not let {account or 'anybody'} create the project {name}{told}. A user may need to be an "
            "administrator of Harbor, and a robot one of the system with the permission to create projects. Create it "
            "there by hand, or use such an account",
            heals=False,
        )
    return TransferError(f"{host} answered {status} for {what}{told}", heals=False)


def _told(response: Response) -> str:
    try:
        error = parse_object(response.plain).objects("errors")[0]
    except (JsonError, IndexError):
        return ""
    text = printable(": ".join(filter(None, (error.text("code"), error.text("message")))), 300)
    return f" ({text})" if text else ""
