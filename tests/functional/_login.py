# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to give credentials to a run: each makes what it needs, and returns the parameters for it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.support.registry import Credentials, Registry
from ansible_collections.airgap.images.tests.support.workbench import USER, Workbench

ENCODED = base64.b64encode(f"{USER.username}:{USER.password}".encode()).decode()


def login_file(path: Path, host: str, user: Credentials = USER) -> Path:
    """A login file as ``skopeo login`` writes it."""
    auth = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}), encoding="utf-8")
    return path


def by_options(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"username": USER.username, "password": USER.password}


def by_environment(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"env": {"SOURCE_USERNAME": USER.username, "SOURCE_PASSWORD": USER.password}}


def by_registries(bench: Workbench, registry: Registry) -> dict[str, Any]:
    other = {"host": "registry.example", "username": "somebody", "password": "else"}
    return {"registries": [other, {"host": registry.host, "username": USER.username, "password": USER.password}]}


def by_authfile(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"authfile": login_file(bench.directory / "login.json", registry.host)}


def by_authfile_of_a_namespace(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"authfile": login_file(bench.directory / "login.json", f"{registry.host}/some")}


def by_home(bench: Workbench, registry: Registry) -> dict[str, Any]:
    home = bench.directory / "somebody"
    login_file(home / ".docker" / "config.json", registry.host)
    return {"env": {"HOME": str(home)}}


def by_registry_auth_file(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return {"env": {"REGISTRY_AUTH_FILE": str(login_file(bench.directory / "login.json", registry.host))}}


def by_registries_before_authfile(bench: Workbench, registry: Registry) -> dict[str, Any]:
    wrong = login_file(bench.directory / "login.json", registry.host, Credentials(USER.username, "wrong"))
    return {**by_registries(bench, registry), "authfile": wrong}


def docker_config(bench: Workbench, document: dict[str, Any], helper: str = "") -> dict[str, Any]:
    """A ``config.json`` of Docker's command line, and a store in PATH; the latter is a shell script."""
    folder = bench.directory / "docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
    program = folder / "docker-credential-teststore"
    program.write_text(f"#!/bin/sh\n{helper}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"env": {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}}


def store(known: str) -> str:
    """Return the script of a store that knows the password of one registry, and of no other."""
    answer = json.dumps({"ServerURL": known, "Username": USER.username, "Secret": USER.password})
    none = "echo 'credentials not found in native keychain'; exit 1"
    return f"read -r name || :; if [ \"$name\" = '{known}' ]; then echo '{answer}'; else {none}; fi"


def by_a_store(bench: Workbench, registry: Registry) -> dict[str, Any]:
    document = {"auths": {registry.host: {}, "registry.example": {}}, "credsStore": "teststore"}
    return docker_config(bench, document, store(registry.host))


def by_a_store_that_knows_an_address(bench: Workbench, registry: Registry) -> dict[str, Any]:
    """skopeo, which would ask by the registry's name, is let in only by what we have asked for."""
    address = f"https://{registry.host}/v2/"
    return docker_config(bench, {"auths": {address: {}}, "credsStore": "teststore"}, store(address))


def by_a_store_of_one_registry(bench: Workbench, registry: Registry) -> dict[str, Any]:
    document = {"credHelpers": {registry.host: "teststore"}, "credsStore": "absent"}
    return docker_config(bench, document, store(registry.host))


def by_an_entry_that_is_not_encoded(bench: Workbench, registry: Registry) -> dict[str, Any]:
    entry = {"username": USER.username, "password": USER.password, "email": "nobody@registry.example"}
    return docker_config(bench, {"auths": {f"https://{registry.host}/v1/": entry}})


def by_an_entry_beside_a_broken_one(bench: Workbench, registry: Registry) -> dict[str, Any]:
    return docker_config(bench, {"auths": {registry.host: {"auth": ENCODED}, "registry.example": {"auth": "?"}}})


WAYS = [
    by_a_store_that_knows_an_address,
    by_environment,
    by_authfile_of_a_namespace,
    by_home,
]
MORE_WAYS = [
    by_a_store,
    by_a_store_of_one_registry,
    by_an_entry_beside_a_broken_one,
    by_an_entry_that_is_not_encoded,
    by_registries,
    by_registries_before_authfile,
    by_registry_auth_file,
]
"""Other forms of these, which the unit tests of logins have too."""

Way = Callable[[Workbench, Registry], dict[str, Any]]
