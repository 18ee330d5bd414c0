# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Means that the tests of credentials share: a user of their own, ways to tell the module, and copies that are held."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import below, for_skopeo
from ansible_collections.airgap.images.tests.support.faults import Hold
from ansible_collections.airgap.images.tests.support.module import RunningModule
from ansible_collections.airgap.images.tests.support.proxy import Proxy
from ansible_collections.airgap.images.tests.support.push import PushedImage, push
from ansible_collections.airgap.images.tests.support.registry import Credentials, Registry
from ansible_collections.airgap.images.tests.support.samples import oci_index
from ansible_collections.airgap.images.tests.support.surveillance import Needles, forms
from ansible_collections.airgap.images.tests.support.workbench import Workbench

OWNER = Credentials("owner", f"S3cr3t/pä+ss %41:w0rd?{secrets.token_hex(4)}")
"""Nobody else has this password, not even another worker, and each way of writing it is another."""

PAIR = base64.b64encode(f"{OWNER.username}:{OWNER.password}".encode()).decode()
NEEDLES = Needles(tuple(forms(OWNER.password, username=OWNER.username)))


def login_file(path: Path, host: str) -> Path:
    """A login file as ``skopeo login`` writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host: {"auth": PAIR}}}), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Told:
    """How the module is told: its parameters, its environment, and the files of the user's that hold the secret."""

    params: dict[str, Any]
    env: dict[str, str]
    files: tuple[Path, ...] = ()


def by_options(folder: Path, host: str) -> Told:
    return Told({"username": OWNER.username, "password": OWNER.password}, {})


def by_registries(folder: Path, host: str) -> Told:
    return Told({"registries": [{"host": host, "username": OWNER.username, "password": OWNER.password}]}, {})


def by_environment(folder: Path, host: str) -> Told:
    return Told({}, {"SOURCE_USERNAME": OWNER.username, "SOURCE_PASSWORD": OWNER.password})


def by_authfile(folder: Path, host: str) -> Told:
    path = login_file(folder / "login.json", host)
    return Told({"authfile": path}, {}, (path,))


def by_home(folder: Path, host: str) -> Told:
    path = login_file(Path(os.environ["HOME"]) / ".docker" / "config.json", host)
    return Told({}, {}, (path,))


def by_helper(folder: Path, host: str) -> Told:
    """The helper prints what is in a file, and lives long enough to be seen."""
    answer = folder / "bin" / "answer.json"
    answer.parent.mkdir()
    answer.write_text(json.dumps({"Username": OWNER.username, "Secret": OWNER.password}), encoding="utf-8")
    helper = answer.with_name("docker-credential-tests")
    helper.write_text(f"#!/bin/sh\nsleep 0.2\nexec cat {answer}\n", encoding="utf-8")
    helper.chmod(0o755)
    path = Path(os.environ["HOME"]) / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"credHelpers": {host: "tests"}}), encoding="utf-8")
    return Told({}, {"PATH": f"{answer.parent}{os.pathsep}{os.environ['PATH']}"}, (answer,))


Way = Callable[[Path, str], Told]
WAYS: list[Way] = [by_options, by_registries, by_environment, by_authfile, by_home, by_helper]
OF_OPTIONS: tuple[Way, ...] = (by_options, by_registries, by_environment)
"""Those for which skopeo gets a file of our own."""


@dataclass(frozen=True)
class Closed:
    """A registry that asks who one is, with an image, behind a proxy."""

    registry: Registry
    image: PushedImage
    proxy: Proxy

    @property
    def reference(self) -> str:
        """The image by way of the proxy."""
        return f"{self.proxy.host}/{below(self.registry, self.image)}"

    def hold(self) -> Hold:
        """Holds skopeo."""
        hold = Hold()
        self.proxy.add(for_skopeo(self.image, hold))
        return hold

    def await_skopeo(self, hold: Hold, running: RunningModule) -> None:
        """Returns once skopeo is held.

        :raises TimeoutError: it never was; with what the module says
        """
        try:
            self.proxy.wait_for(lambda seen: any(each.action is hold for each in seen))
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{running.output()}") from None


@dataclass(frozen=True)
class Guarded:
    """Registries that let in their owner only, each with an image; tests of a file share them."""

    bench: Workbench

    @cached_property
    def by_token(self) -> tuple[Registry, PushedImage]:
        """One that wants a token."""
        return self._with_image(self.bench.registry(tokens=self.bench.tokens(users=[OWNER])))

    @cached_property
    def by_password(self) -> tuple[Registry, PushedImage]:
        """One that wants Basic."""
        return self._with_image(self.bench.registry(basic=OWNER))

    def closed(self, bench: Workbench, *, tokens: bool = True) -> Closed:
        """One of both, behind a proxy of the test's own."""
        registry, image = self.by_token if tokens else self.by_password
        return Closed(registry, image, bench.proxy(registry))

    def _with_image(self, registry: Registry) -> tuple[Registry, PushedImage]:
        return registry, push(registry, "some/image", "1", oci_index())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Registries for the tests of a file."""
    with Workbench(tmp_path_factory.mktemp("guarded")) as bench:
        yield Guarded(bench)


def closed(bench: Workbench, *, tokens: bool = True) -> Closed:
    """A registry of the test's own that lets in its owner only, by token or Basic."""
    return Guarded(bench).closed(bench, tokens=tokens)
