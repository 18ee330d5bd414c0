# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The meaning of registries' answers, and the remedy for each."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    Missing,
    Refused,
    TransferError,
    WrongBytes,
)
from ansible_collections.airgap.images.plugins.module_utils._http.response import Response
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._registry.push_errors import SentManifest, explain_push
from ansible_collections.airgap.images.plugins.module_utils._registry.refusals import (
    BodyTooLarge,
    EndsRun,
    ImmutableTag,
    MissingProject,
    QuotaExceeded,
    ReadOnlyRegistry,
    RegistryFull,
    TypeRefused,
)
from ansible_collections.airgap.images.tests.support.stand_in_answers import DOCUMENTED, MEASURED, Answer, error

HOST = "registry.example"
BLOB = "blob sha256:00 of registry.example/team/app"
TAG = "registry.example/team/app:1"
SENT = SentManifest(b"{}", DOCKER_MANIFEST)


def explained(answer: Answer, *, manifest: bool, account: str = "user 'loader'") -> TransferError:
    headers = {key.lower(): value for key, value in answer.headers.items()}
    origin = f"https://{HOST}"
    response = Response(origin, answer.status, headers, answer.body, url=f"{origin}/v2/", asked=origin, account=account)
    if manifest:
        return explain_push(response, host=HOST, what=TAG, manifest=SENT)
    return explain_push(response, host=HOST, what=BLOB)


ANSWERS = {**MEASURED, **DOCUMENTED}
TO_A_BLOB: dict[str, tuple[type[TransferError], str]] = {
    "distribution, read-only": (ReadOnlyRegistry, "is read-only"),
    "distribution, disk full": (RegistryFull, "Have its owner make room"),
    "distribution, disk full, in words": (RegistryFull, "Have its owner make room"),
    "distribution, token": (Refused, "refused user 'loader' for blob"),
    "nginx, large body": (BodyTooLarge, "client_max_body_size"),
    "Harbor, quota": (QuotaExceeded, "will exceed the configured upper limit of 200.0 MiB"),
    "Harbor, no project": (Refused, "create_projects=true"),
    "Harbor, project not found": (MissingProject, "Create its project or repository there first"),
    "Harbor, read-only": (ReadOnlyRegistry, "is read-only"),
    "Quay, read-only": (ReadOnlyRegistry, "is read-only"),
    "Quay, quota": (QuotaExceeded, "Have it raised"),
    "Quay, namespace disabled": (TransferError, "answered 405 when blob"),
    "Quay, layer too large": (Refused, "MAXIMUM_LAYER_SIZE"),
    "ECR, no repository": (MissingProject, "The repository with name 'team/app' does not exist"),
    "Nexus, no redeploy": (ImmutableTag, "set the deployment policy to Allow redeploy"),
    "Nexus, two at once": (ImmutableTag, "takes nothing twice"),
    "GitLab, deep name": (Refused, "at most two names below it"),
    "GitLab, no project": (Refused, "an existing project"),
    "Gitea, owner": (Refused, "may not push there"),
    "Artifactory, no key": (MissingProject, "Not Found"),
    "object store, full": (RegistryFull, "507"),
}
TO_A_MANIFEST: dict[str, tuple[type[TransferError], str]] = {
    "Harbor, immutable": (ImmutableTag, "on_conflict=keep"),
    "Quay, immutable": (ImmutableTag, "tag was already pushed"),
    "ECR, immutable": (ImmutableTag, "cannot be overwritten"),
    "Artifactory, overwriting": (ImmutableTag, "Delete/Overwrite"),
    "Nexus, no redeploy": (ImmutableTag, "Allow redeploy"),
    "zot, Docker types": (TypeRefused, "docker2s2"),
}


@pytest.mark.parametrize("name", TO_A_BLOB)
def test_an_answer_to_a_blob(name: str) -> None:
    kind, words = TO_A_BLOB[name]
    found = explained(ANSWERS[name], manifest=False)
    assert type(found) is kind
    assert words in str(found)
    assert not found.heals


@pytest.mark.parametrize("name", TO_A_MANIFEST)
def test_an_answer_to_a_manifest(name: str) -> None:
    kind, words = TO_A_MANIFEST[name]
    found = explained(ANSWERS[name], manifest=True)
    assert type(found) is kind
    assert words in str(found)
    assert TAG in str(found)
    assert not found.heals


def test_each_answer_is_explained() -> None:
    assert {*TO_A_BLOB, *TO_A_MANIFEST} == {*ANSWERS}


@pytest.mark.parametrize("name", [*TO_A_BLOB, *TO_A_MANIFEST])
def test_what_ends_the_run_names_no_image(name: str) -> None:
    found = explained(ANSWERS[name], manifest=name in TO_A_MANIFEST)
    assert (found.about == "") is isinstance(found, EndsRun)
    assert (BLOB in str(found) or TAG in str(found)) is not isinstance(found, EndsRun)


@pytest.mark.parametrize("manifest", [False, True])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_heals(status: int, manifest: bool) -> None:
    assert explained(Answer(status), manifest=manifest).heals


def test_bytes_that_arrived_damaged_are_worth_another_try() -> None:
    found = explained(error(400, "DIGEST_INVALID", "provided digest did not match"), manifest=False)
    assert type(found) is WrongBytes
    assert found.heals


def test_a_message_of_a_registry_cannot_break_a_line() -> None:
    found = explained(error(400, "X", "two\nlines\x1b[31m"), manifest=True)
    assert str(found) == f"{HOST} answered 400 when {TAG} was sent (X: two\\x0alines\\x1b[31m)"


@pytest.mark.parametrize("account", ["", "user 'loader'"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_named(status: int, account: str) -> None:
    found = explained(Answer(status), manifest=False, account=account)
    assert isinstance(found, Refused)
    assert (account or "Give username and password, or authfile") in str(found)


def test_where_the_bytes_go_elsewhere_that_host_is_named() -> None:
    response = Response(
        "https://storage.example", 403, {}, b"", url="https://storage.example/?secret", asked=f"https://{HOST}"
    )
    found = explain_push(response, host=HOST, what=BLOB)
    assert "storage.example" in str(found)
    assert "secret" not in str(found)


def test_a_project_that_is_missing_is_something_missing() -> None:
    assert isinstance(explained(DOCUMENTED["ECR, no repository"], manifest=False), Missing)
