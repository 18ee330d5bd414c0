# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uses of skopeo itself in tests: schema 1 images, and loading what was unpacked into a second registry."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from .images import DOCKER_LIST, OCI_INDEX
from .layers import sha256
from .push import PushedImage, get_manifest
from .registry import Registry, RegistryError

_TIMEOUT = 120


def _arguments(registry: Registry, side: str, scratch: Path) -> list[str]:
    """How skopeo reaches the registry that is its ``side`` (src or dest)."""
    arguments: list[str] = []
    if registry.tls:
        certs = registry.tls.authority.certs_dir(scratch / f"{side}-certs", registry.client)
        arguments += [f"--{side}-cert-dir", str(certs)]
    else:
        arguments += [f"--{side}-tls-verify=false"]
    if registry.login:
        arguments += [f"--{side}-creds", f"{registry.login.username}:{registry.login.password}"]
    return arguments


def copy(
    source: str, destination: str, *options: str, src: Registry | None = None, dest: Registry | None = None
) -> None:
    """``skopeo copy``; ``src`` and ``dest`` are the registries that the two names are in.

    :raises RegistryError: it failed; the text has what it said
    """
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        command = ["skopeo", "--insecure-policy", "copy", *options]
        for side, registry in (("src", src), ("dest", dest)):
            command += _arguments(registry, side, scratch) if registry else []
        done = subprocess.run(
            [*command, source, destination],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    if done.returncode:
        raise RegistryError(f"skopeo copy {source} {destination}: {done.stderr.strip()}")


def push_schema1(registry: Registry, source: PushedImage, repository: str, tag: str) -> str:
    """Converts a pushed single image with gzip layers to Docker's schema 1 and pushes that; returns its reference.

    The registry signs such a manifest anew each time it is asked for. The digest that it names is that of the part
    which is signed, so it is never the sha256 of the body.
    """
    reference = f"{registry.host}/{repository}:{tag}"
    copy(f"docker://{source.reference}", f"docker://{reference}", "--format", "v2s1", src=registry, dest=registry)
    return reference


def digests_after_push(layout: Path, name: str, registry: Registry, *, repository: str = "pushed/image") -> list[str]:
    """Pushes ``name`` out of an unpacked cache and tells what the registry then has.

    ``layout`` is the folder with oci-layout and index.json, ``name`` the value of org.opencontainers.image.ref.name.
    Returns the digest of what was pushed, followed, if that is an index, by those of its children.

    :raises RegistryError: skopeo failed
    """
    # A colon in the path would be read as the beginning of the name.
    assert ":" not in str(layout)
    # Without --preserve-digests skopeo would compress layers that are plain tars.
    options = ("--all", "--preserve-digests")
    copy(f"oci:{layout}:{name}", f"docker://{registry.host}/{repository}:pushed", *options, dest=registry)
    return registry_digests(registry, repository, "pushed")


def registry_digests(registry: Registry, repository: str, reference: str) -> list[str]:
    """The digest of a manifest followed, if it is an index, by those of its children."""
    raw, media_type = get_manifest(registry, repository, reference)
    children = json.loads(raw)["manifests"] if media_type in (OCI_INDEX, DOCKER_LIST) else []
    return [sha256(raw), *(str(child["digest"]) for child in children)]
