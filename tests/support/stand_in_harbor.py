# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that takes repositories in projects only, as Harbor does, which cannot be installed here.

Not measured. Read in Harbor's sources: the answers of ``HEAD`` and ``POST /projects`` and ``GET /ping``
(src/server/v2.0/handler/project.go, base.go, ping.go), who may create projects, and the answer to a request about a
repository without a project (src/server/middleware/v2auth/auth.go). Reported in goharbor/harbor issue 21800: robots
get 403 for a project that does not exist.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Callable

from .stand_in_answers import Answer, error
from .stand_in_registry import StandInRegistry
from .stand_in_store import DISTRIBUTION_2

ADMIN = ("admin", "Harbor12345")
ROBOT = ("robot$loader", "a robot's secret")
PROJECT_ROBOT = ("robot$library+loader", "another secret")


class StandInHarbor(StandInRegistry):
    """Has the project ``library``, and the users above: an administrator, a robot of the system, and one of a project.

    :ivar projects: the body that each was created with, by its name.
    :ivar on_project: is called with the name of each project that was created.
    :ivar asks_for_basic: what a challenge names once there was a login, as newer releases do.
    """

    def __init__(self, *, asks_for_basic: bool = True) -> None:
        super().__init__(DISTRIBUTION_2)
        self.users = dict([ADMIN, ROBOT, PROJECT_ROBOT])
        self.projects: dict[str, Mapping[str, object]] = {"library": {}}
        self.on_project: Callable[[str], None] = lambda _name: None
        self.asks_for_basic = asks_for_basic

    def permits(self, authorization: str, repository: str, action: str) -> bool:
        """Return True if a token or a login permits an action; nothing is permitted where there is no project."""
        project = repository.partition("/")[0]
        if project not in self.projects:
            return False
        user = self._user(authorization)
        if user:
            return user != PROJECT_ROBOT[0] or project == "library"
        return super().permits(authorization, repository, action)

    def challenge(self, authorization: str) -> Answer:
        """Answers a request that nothing permits: another challenge for who has come with a login or a token."""
        if not authorization:
            return super().challenge(authorization)
        told = 'Basic realm="harbor"' if self.asks_for_basic else ""
        return error(401, "UNAUTHORIZED", "project not found", **{"WWW-Authenticate": told})

    def answer_api(
        self, method: str, name: str, query: Mapping[str, list[str]], authorization: str, body: bytes
    ) -> Answer:
        """Answers a request about projects."""
        if (method, name) == ("GET", "v2.0/ping"):
            return Answer(200, b"Pong")
        if name != "v2.0/projects":
            return error(404, "NOT_FOUND", "path not found")
        user = self._user(authorization)
        if not user:
            return error(401, "UNAUTHORIZED", "unauthorized")
        if method == "HEAD":
            return self._has(user, query["project_name"][0])
        return self._create(user, json.loads(body)) if method == "POST" else error(405, "METHOD_NOT_ALLOWED", "no")

    def _has(self, user: str, project: str) -> Answer:
        if user != ADMIN[0] and (project not in self.projects or user == PROJECT_ROBOT[0]):
            return error(403, "FORBIDDEN", "forbidden")
        return Answer(200) if project in self.projects else error(404, "NOT_FOUND", f"project {project} not found")

    def _create(self, user: str, asked: Mapping[str, object]) -> Answer:
        name = str(asked["project_name"])
        if user == PROJECT_ROBOT[0]:
            return error(403, "FORBIDDEN", "Only system level robot can create project")
        if name in self.projects:
            return error(409, "CONFLICT", f"The project named {name} already exists")
        self.projects[name] = asked
        self.on_project(name)
        return Answer(201, b"", {"Location": f"/api/v2.0/projects/{len(self.projects)}"})

    def _user(self, authorization: str) -> str:
        """Whose login a header has; empty if it has none that is right."""
        scheme, _space, encoded = authorization.partition(" ")
        if scheme != "Basic":
            return ""
        user, _colon, password = base64.b64decode(encoded).decode().partition(":")
        return user if self.users.get(user) == password else ""
