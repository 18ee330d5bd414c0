# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command lines of skopeo."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .._http.trust_store import TrustStore
from .._oci.image import PlatformImage
from .._oci.reference import Repository
from .._registry.access import Access
from .mirror_files import MirrorFiles
from .registries_conf import given_file
from .work import Work

_KEEP_MANIFEST = "--preserve-digests"


class Commands:
    """Builds the command lines of one run.

    :ivar authfile: the login file to give to skopeo; ``None`` where its own search is to find credentials.
    :ivar private: a directory that nobody else can read, for links to certificates and keys, and for the ways to
        mirrors; empty where :attr:`needs_directory` is false.
    """

    def __init__(self, access: Access, work: Work, trust: TrustStore) -> None:
        self._access = access
        self._work = work
        self._trust = trust
        self.authfile = access.authfile
        self.private = ""
        self._mirrors = MirrorFiles()
        self._given = given_file(os.environ)

    @property
    def needs_directory(self) -> bool:
        """Return True if options name certificates or mirrors, so that skopeo needs a directory of our own for them."""
        return self._access.names_files or bool(self._access.mirrors)

    def inspect(self, repository: Repository, name: str, options: Sequence[str]) -> list[str]:
        """Return ``skopeo inspect`` for a manifest.

        :param name: ``@DIGEST`` or ``:TAG``.
        """
        cert_dir = self._trust.cert_dir(repository.registry, self.private)
        command = [self._work.skopeo_path, *self._configuration(repository), "inspect", *options]
        if self.authfile is not None:
            command += ["--authfile", self.authfile]
        if cert_dir is not None:
            command += ["--cert-dir", cert_dir]
        if not self._access.certificates_of(repository.registry).validate_certs:
            command.append("--tls-verify=false")
        return [*command, f"docker://{repository.as_named}{name}"]

    def copy(self, image: PlatformImage, name: str, folder: str, share: str) -> list[str]:
        """Return ``skopeo copy`` of a platform image into an OCI layout.

        :param name: ``@DIGEST`` or ``:TAG``.
        :param folder: path of the layout.
        :param share: directory that holds ``sha256/``.
        """
        # Of a schema 1 manifest skopeo would keep the bytes, but under a name that is not their sha256.
        return self._copy(image, name, folder, share, [] if image.is_converted else [_KEEP_MANIFEST])

    def copy_without_layers(self, image: PlatformImage, name: str, folder: str, share: str) -> list[str]:
        """Return the same for a directory ``share`` that has the names of all layers already."""
        # A conversion would need the layers.
        return self._copy(image, name, folder, share, [_KEEP_MANIFEST])

    def _copy(self, image: PlatformImage, name: str, folder: str, share: str, more: Sequence[str]) -> list[str]:
        repository = image.repository
        cert_dir = self._trust.cert_dir(repository.registry, self.private)
        command = [self._work.skopeo_path, *self._configuration(repository)]
        if self._work.insecure_policy:
            command.append("--insecure-policy")
        elif self._work.signature_policy is not None:
            command += ["--policy", self._work.signature_policy]
        # Signatures have no place in a layout: without that option, skopeo refuses to copy an image that has any. It
        # checks them all the same.
        command += ["copy", "--quiet", "--remove-signatures", "--dest-shared-blob-dir", share, *more]
        if self.authfile is not None:
            command += ["--src-authfile", self.authfile]
        if cert_dir is not None:
            command += ["--src-cert-dir", cert_dir]
        if not self._access.certificates_of(repository.registry).validate_certs:
            command.append("--src-tls-verify=false")
        return [*command, f"docker://{repository.as_named}{name}", f"oci:{folder}"]

    def _configuration(self, repository: Repository) -> list[str]:
        """Return the option for the configuration of registries: ours for a mirror, else one that a variable names."""
        path = self._mirrors.path(repository, self.private) if repository.stands_for else self._given
        return [] if path is None else ["--registries-conf", path]
