# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``registries``: what holds for single registries."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import SourceRegistry
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Access, Certificates, Login
from ansible_collections.airgap.images.plugins.module_utils._save.params import read_options
from ansible_collections.airgap.images.tests.unit.fakes import make_params

USUAL = Certificates(True, "/usual/ca.pem", "/usual/client.pem", "/usual/client.key")


def access(*registries: dict[str, Any], **options: Any) -> Access:
    """The options of a run with these entries, and a usual value for each option of certificates."""
    usual = {name: getattr(USUAL, name) for name in ("validate_certs", "ca_path", "client_cert", "client_key")}
    return read_options(make_params(registries=[*registries], **{**usual, **options}), check=False).access


CERTIFICATES: dict[str, tuple[dict[str, Any], Certificates]] = {
    "nothing of its own": ({}, USUAL),
    "values that are none": ({"validate_certs": None, "ca_path": "", "client_cert": None}, USUAL),
    "plain http": (
        {"validate_certs": False},
        Certificates(False, "/usual/ca.pem", "/usual/client.pem", "/usual/client.key"),
    ),
    "an authority": ({"ca_path": "/a"}, Certificates(True, "/a", "/usual/client.pem", "/usual/client.key")),
    "a client certificate": (
        {"client_cert": "/c", "client_key": "/k"},
        Certificates(True, "/usual/ca.pem", "/c", "/k"),
    ),
    "a client certificate with its key": (
        {"client_cert": "/c"},
        Certificates(True, "/usual/ca.pem", "/c", None),
    ),
}


@pytest.mark.parametrize(("entry", "expected"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificates(entry: dict[str, Any], expected: Certificates) -> None:
    options = access({"host": "reg.lan:5000", **entry})
    assert options.certificates_of("reg.lan:5000") == expected
    assert options.certificates_of("reg.lan") == options.certificates_of("quay.io") == USUAL


def test_one_registry_can_be_verified_where_others_are_not() -> None:
    options = access({"host": "reg.lan", "validate_certs": True}, validate_certs=False)
    assert options.certificates_of("reg.lan").validate_certs is True
    assert options.certificates_of("quay.io").validate_certs is False


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "https://index.docker.io/v1/", "docker.io:443"])
def test_a_registry_is_known_by_all_its_names(host: str) -> None:
    options = access({"host": host, "validate_certs": False}, {"host": "reg.lan:443", "validate_certs": False})
    for name in ("docker.io", "reg.lan", "reg.lan:443"):
        assert options.certificates_of(name).validate_certs is False


@pytest.mark.parametrize(("registries", "expected"), [([], False), ([{"host": "a", "client_cert": "/c"}], True)])
def test_whether_any_file_is_named(registries: list[dict[str, Any]], expected: bool) -> None:
    assert access(*registries, ca_path=None, client_cert=None, client_key=None).names_files is expected


def test_a_login_is_optional() -> None:
    options = access({"host": "a"}, {"host": "b", "username": "u", "password": "p"}, {"host": "c", "username": ""})
    assert options.logins == (Login("b", "u", "p"),)


MIRRORS: dict[str, tuple[str, SourceRegistry]] = {
    "a host": ("mirror.lan", SourceRegistry("mirror.lan")),
    "a port": ("mirror.lan:5000", SourceRegistry("mirror.lan:5000")),
    "a path": ("mirror.lan/dockerhub/proxy", SourceRegistry("mirror.lan", "dockerhub/proxy")),
}


@pytest.mark.parametrize(("text", "expected"), MIRRORS.values(), ids=MIRRORS)
@pytest.mark.parametrize("host", ["docker.io", "registry-1.docker.io"])
def test_mirrors(host: str, text: str, expected: SourceRegistry) -> None:
    assert access({"host": host, "mirror": text}).mirrors == {"docker.io": expected}


def test_source_registry_replaces_mirrors_too() -> None:
    options = access({"host": "docker.io", "mirror": "mirror.lan"}, source_registry="other.lan")
    assert options.source == SourceRegistry("other.lan")
    assert options.mirrors == {}


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "one registry twice": (
        [{"host": "docker.io", "username": "u", "password": "p"}, {"host": "index.docker.io", "mirror": "m.lan"}],
        "registries: two entries are for docker.io; make them one",
    ),
    "one registry with and without its port": (
        [{"host": "reg.lan"}, {"host": "reg.lan:443"}],
        "registries: two entries are for reg.lan; make them one",
    ),
    "a name without password": (
        [{"host": "reg.lan", "username": "u"}],
        "registries, reg.lan: username is given without password; give both or neither",
    ),
    "a password without name": (
        [{"host": "reg.lan", "password": "p", "username": ""}],
        "registries, reg.lan: password is given without username; give both or neither",
    ),
    "a key without certificate": (
        [{"host": "reg.lan", "client_key": "/k"}],
        "registries, reg.lan: client_key requires client_cert in the same entry",
    ),
    "a mirror with a scheme": (
        [{"host": "docker.io", "mirror": "https://mirror.lan"}],
        "registries, docker.io: mirror: 'https://mirror.lan' begins with a scheme; write the host alone",
    ),
    "a mirror that is not a host": (
        [{"host": "docker.io", "mirror": "/hub"}],
        "registries, docker.io: mirror: '' is not a valid registry",
    ),
    "a mirror with a path that cannot be": (
        [{"host": "docker.io", "mirror": "mirror.lan/Hub"}],
        "registries, docker.io: mirror: 'Hub' is not a valid repository path component",
    ),
    "a login beside a mirror": (
        [{"host": "docker.io", "mirror": "mirror.lan:5000/hub", "username": "u", "password": "p"}],
        "registries, docker.io: username, password would have no effect, as its images come from the mirror; move what "
        "is meant for the mirror to an entry of its own, with host mirror.lan:5000",
    ),
    "false beside a mirror": (
        [{"host": "docker.io", "mirror": "mirror.lan", "validate_certs": False}],
        "registries, docker.io: validate_certs would have no effect",
    ),
    "a mirror of a mirror": (
        [{"host": "docker.io", "mirror": "mirror.lan/hub"}, {"host": "mirror.lan", "mirror": "other.lan"}],
        "registries, docker.io: mirror: mirror.lan has a mirror itself; name the registry that is to be asked",
    ),
    "a mirror of itself": (
        [{"host": "docker.io", "mirror": "index.docker.io/x"}],
        "registries, docker.io: mirror: docker.io has a mirror itself",
    ),
    "a path that cannot be": (
        [{"host": "reg.lan", "ca_path": "/a\0b"}],
        "registries: '/a\\x00b' is not a valid path",
    ),
}


@pytest.mark.parametrize("source", [None, "other.lan"], ids=["", "with source_registry"])
@pytest.mark.parametrize(("registries", "said"), REFUSED.values(), ids=REFUSED)
def test_contradictions_are_refused(registries: list[dict[str, Any]], said: str, source: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        access(*registries, source_registry=source)
    assert str(caught.value).startswith(said)
