# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trust per registry: system authorities, certs.d directories and the user's options together.

skopeo gets the same (containers-certs.d(5)).
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterable, Mapping
from typing import BinaryIO, Callable, Protocol

from .._base.errors import OptionError
from .._host.process import memory_file
from .tls import Trust, no_password

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class CertificateOptions(Protocol):
    """The user's options for certificates; all paths are those of PEM files."""

    @property
    def validate_certs(self) -> bool:
        """True if servers must have a trusted certificate."""

    @property
    def ca_path(self) -> str | None:
        """Authorities that are trusted in addition to the system's."""

    @property
    def client_cert(self) -> str | None:
        """A certificate that is shown to servers."""

    @property
    def client_key(self) -> str | None:
        """Its key; ``None``: in the same file."""


class AccessOptions(Protocol):
    """The user's options for all registries."""

    def certificates_of(self, registry: str) -> CertificateOptions:
        """Return the options of one registry (``HOST[:PORT]``)."""


def nobody_else(_registries: Iterable[str]) -> Iterable[str]:
    """Return no hosts, for a machine without mirrors."""
    return ()


class TrustStore:
    """Trust for each registry. Bundles are made in memory: a run that finds nothing new writes nothing.

    :param others: returns the hosts that skopeo may use instead of some registries.
    """

    def __init__(
        self,
        access: AccessOptions,
        environ: Mapping[str, str],
        others: Callable[[Iterable[str]], Iterable[str]] = nobody_else,
    ) -> None:
        self._access = access
        self._others = others
        self._environ = environ
        self._mutex = threading.Lock()
        self._known: dict[str, Trust] = {}
        self._cert_dirs: dict[str, str | None] = {}
        self._bundles: list[BinaryIO] = []

    def of(self, registry: str) -> Trust:
        """Return what connections to a registry use; determined once, for all threads.

        :raises OptionError: when a file that the user named cannot be read.
        """
        with self._mutex:
            if registry not in self._known:
                self._known[registry] = self._sort_out(registry)
            return self._known[registry]

    def cert_dir(self, registry: str, directory: str) -> str | None:
        """A directory for skopeo's ``--src-cert-dir``; ``None`` where skopeo finds all by itself.

        :param directory: where it is made; belongs to this run alone, and is removed by its owner.
        """
        with self._mutex:
            if registry not in self._cert_dirs:
                self._cert_dirs[registry] = self._make_cert_dir(registry, directory)
            return self._cert_dirs[registry]

    def close(self) -> None:
        """Give back the memory; connections made before go on."""
        for bundle in self._bundles:
            bundle.close()

    def _sort_out(self, registry: str) -> Trust:
        options, found = self._access.certificates_of(registry), self._certs_d(registry)
        authorities = [path for path in found if path.endswith(".crt")]
        if options.ca_path is not None:
            authorities.append(options.ca_path)
        return Trust(
            verify=self._bundle(authorities) if options.validate_certs else False,
            client_cert=_client_cert(options, found),
        )

    def _certs_d(self, registry: str) -> list[str]:
        home = self._environ.get("HOME") or os.path.expanduser("~")
        for base in (f"{home}/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"):
            directory = os.path.join(base, registry)
            if os.path.isdir(directory):
                return [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
        return []

    def _bundle(self, authorities: Iterable[str]) -> bool | str | bytes:
        """System authorities and ours in one file, because ``requests`` takes one or the other."""
        system = self._environ.get("SSL_CERT_FILE") or next(filter(os.path.exists, _SYSTEM_BUNDLES), None)
        extra = [_read_authority(path) for path in authorities]
        if not extra:
            return system or True
        parts = ([_read_authority(system)] if system else []) + extra
        whole = b"".join(part.rstrip(b"\n") + b"\n" for part in parts)
        if not os.path.isdir("/proc/self/fd"):  # comments may be in any alphabet
            return b"".join(line for line in whole.splitlines(keepends=True) if line.isascii())
        bundle = memory_file("authorities")
        self._bundles.append(bundle)
        bundle.write(whole)
        bundle.flush()
        return f"/proc/self/fd/{bundle.fileno()}"

    def _make_cert_dir(self, registry: str, parent: str) -> str | None:
        """A directory of links, so that no key is copied. ``--src-cert-dir`` replaces certs.d, so both go in.

        It does so for mirrors too, which have certs.d, and perhaps authorities among the options, of their own.
        """
        options = self._access.certificates_of(registry)
        hosts = [registry, *sorted({*self._others([registry])} - {registry})]
        named = dict.fromkeys(path for path in map(self._authority, hosts) if path is not None)
        if not named and options.client_cert is None:
            return None
        directory = os.path.join(parent, f"{_file_name(registry)}.certs")
        os.mkdir(directory, 0o700)
        for number, path in ((number, path) for number, host in enumerate(hosts) for path in self._certs_d(host)):
            if options.client_cert is None or not path.endswith((".cert", ".key")):
                os.symlink(path, os.path.join(directory, f"system-{number}-{os.path.basename(path)}"))
        for number, path in enumerate(named):
            name = f"option-{number}.crt" if number else "option.crt"
            os.symlink(os.path.abspath(path), os.path.join(directory, name))
        if options.client_cert is not None:
            key = options.client_key or options.client_cert
            os.symlink(os.path.abspath(options.client_cert), os.path.join(directory, "option.cert"))
            os.symlink(os.path.abspath(key), os.path.join(directory, "option.key"))
        return directory

    def _authority(self, host: str) -> str | None:
        return self._access.certificates_of(host).ca_path


def _client_cert(options: CertificateOptions, found: Iterable[str]) -> tuple[str, str] | None:
    """Return the client certificate of the options and its key, or a pair of certs.d.

    :param found: the files of the registry's certs.d.
    """
    if options.client_cert is not None:
        return options.client_cert, options.client_key or options.client_cert
    for path in found:
        key = f"{path[:-5]}.key"
        if path.endswith(".cert") and os.path.exists(key):
            return path, key
    return None


def check_trust_files(options: CertificateOptions) -> None:
    """Refuse certificate options that cannot work, before anything else is done.

    :raises OptionError: names the option and the file.
    """
    if options.client_key is not None and options.client_cert is None:
        raise OptionError("client_key: requires client_cert")
    if options.ca_path is not None:
        try:
            # Empty data would mean "none given", and so an empty file would pass.
            ssl.create_default_context(cadata=_read_authority(options.ca_path).decode("ascii", "replace") or "empty")
        except ssl.SSLError as error:
            raise OptionError(f"ca_path: {options.ca_path} contains no certificate in PEM format") from error
    if options.client_cert is not None:
        try:
            ssl.create_default_context().load_cert_chain(options.client_cert, options.client_key, password=no_password)
        except OSError as error:
            files = (
                options.client_cert if options.client_key is None else f"{options.client_cert}, {options.client_key}"
            )
            raise OptionError(
                f"client_cert: {files} cannot be used: {error.strerror or error}; "
                "expected a PEM certificate and its unencrypted key"
            ) from error


def _read_authority(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise OptionError(f"cannot read the certificate file {path}: {error.strerror}") from error


def _file_name(registry: str) -> str:
    return registry.replace(":", "_").replace("[", "").replace("]", "")
