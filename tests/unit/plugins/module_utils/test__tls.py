# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trust: authorities and client certificates, per registry."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ansible_collections.airgap.images.plugins.module_utils import _tls
from ansible_collections.airgap.images.plugins.module_utils._errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._tls import Trust, TrustStore, check_trust_files
from ansible_collections.airgap.images.tests.unit.fakes import make_options, mark

REGISTRY = "reg.lan:5000"


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and a client's certificate and keys."""
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    client = authority.issue_cert("client@example.org")
    client.private_key_pem.write_to_path(str(folder / "client.key"))
    client.cert_chain_pems[0].write_to_path(str(folder / "client.pem"))
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cret"))
    (folder / "encrypted.key").write_bytes(encrypted)
    trustme.CA().issue_cert("x@example.org").private_key_pem.write_to_path(str(folder / "other.key"))
    (folder / "text.pem").write_text("no certificate\n")
    (folder / "empty.pem").write_text("")
    return folder


@pytest.fixture
def private(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir()
    return folder


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Path]:
    """A bundle of the system's own authorities."""
    path = tmp_path / "system.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    yield path


def store(private: Path, home: Path, system: Path, **options: Any) -> TrustStore:
    environ = {"HOME": str(home), "SSL_CERT_FILE": str(system)}
    return TrustStore(make_options(**options).access, str(private), environ)


def certs_d(home: Path, registry: str, *names: str, content: str = "") -> Path:
    folder = home / ".config/containers/certs.d" / registry
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(content or name)
    return folder


def links(folder: str | None) -> dict[str, str]:
    assert folder is not None
    return {name: os.readlink(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}


def test_by_default_the_system_is_trusted(private: Path, home: Path, system: Path) -> None:
    assert store(private, home, system).of(REGISTRY) == Trust(str(system), None, None)
    assert os.listdir(private) == []


def test_without_a_bundle_of_the_system_the_library_has_its_own(
    private: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tls, "_SYSTEM_BUNDLES", ("/missing",))
    assert TrustStore(make_options().access, str(private), {"HOME": str(home)}).of(REGISTRY).verify is True


def test_ca_path_is_trusted_beside_the_system(private: Path, home: Path, system: Path, pem: Path) -> None:
    trust = store(private, home, system, ca_path=str(pem / "ca.pem")).of(REGISTRY)
    assert isinstance(trust.verify, str)
    bundle = Path(trust.verify).read_text()
    assert system.read_text().strip() in bundle
    assert (pem / "ca.pem").read_text().strip() in bundle
    assert len(ssl.create_default_context(cafile=trust.verify).get_ca_certs()) >= 2
    assert links(trust.cert_dir) == {"option.crt": str(pem / "ca.pem")}


def test_certs_d_is_trusted_as_well(private: Path, home: Path, system: Path, pem: Path) -> None:
    folder = certs_d(home, REGISTRY, "ca.crt", "client.cert", "client.key", "notes.txt")
    trust = store(private, home, system, ca_path=str(pem / "ca.pem")).of(REGISTRY)
    assert isinstance(trust.verify, str)
    bundle = Path(trust.verify).read_text()
    assert "ca.crt" in bundle
    assert "client" not in bundle
    assert trust.client_cert == (str(folder / "client.cert"), str(folder / "client.key"))
    found = links(trust.cert_dir)
    assert found["option.crt"] == str(pem / "ca.pem")
    assert found["system-ca.crt"] == str(folder / "ca.crt")
    assert found["system-client.cert"] == str(folder / "client.cert")
    assert found["system-client.key"] == str(folder / "client.key")


def test_certs_d_alone_is_found_by_skopeo_itself(private: Path, home: Path, system: Path) -> None:
    certs_d(home, REGISTRY, "ca.crt")
    trust = store(private, home, system).of(REGISTRY)
    assert trust.cert_dir is None
    assert trust.verify == os.path.join(private, "reg.lan_5000.pem")


def test_certs_d_of_another_registry_does_not_count(private: Path, home: Path, system: Path) -> None:
    certs_d(home, "reg.lan", "ca.crt")
    assert store(private, home, system).of(REGISTRY).verify == str(system)


def test_a_certificate_without_its_key_is_passed_over(private: Path, home: Path, system: Path) -> None:
    certs_d(home, REGISTRY, "client.cert")
    assert store(private, home, system).of(REGISTRY).client_cert is None


@pytest.mark.parametrize("has_key", [True, False])
def test_the_client_certificate_of_the_options(
    private: Path, home: Path, system: Path, pem: Path, has_key: bool
) -> None:
    certs_d(home, REGISTRY, "client.cert", "client.key", "ca.crt")
    cert = str(pem / ("client.pem" if has_key else "both.pem"))
    key = str(pem / "client.key") if has_key else None
    trust = store(private, home, system, client_cert=cert, client_key=key).of(REGISTRY)
    assert trust.client_cert == (cert, key or cert)
    found = links(trust.cert_dir)
    assert found["option.cert"] == cert
    assert found["option.key"] == (key or cert)
    assert sorted(found) == ["option.cert", "option.key", "system-ca.crt"]


def test_without_validation_nothing_is_verified(private: Path, home: Path, system: Path, pem: Path) -> None:
    trust = store(private, home, system, validate_certs=False, ca_path=str(pem / "ca.pem")).of(REGISTRY)
    assert trust.verify is False


def test_it_is_sorted_out_once_for_all_threads(private: Path, home: Path, system: Path, pem: Path) -> None:
    trusts = store(private, home, system, ca_path=str(pem / "ca.pem"))
    count = 8
    barrier = threading.Barrier(count)
    found: list[Trust] = []

    def ask() -> None:
        barrier.wait(timeout=60)
        found.append(trusts.of(REGISTRY))

    threads = [threading.Thread(target=ask) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    assert len(set(found)) == 1
    before = mark(str(found[0].verify))
    trusts.of(REGISTRY)
    assert mark(str(found[0].verify)) == before, "connections may be reading it"


def test_a_registry_by_its_address(private: Path, home: Path, system: Path, pem: Path) -> None:
    trust = store(private, home, system, ca_path=str(pem / "ca.pem")).of("[::1]:5000")
    assert trust.cert_dir is not None
    assert ":" not in os.path.basename(trust.cert_dir)


def test_a_file_of_certs_d_that_cannot_be_read(private: Path, home: Path, system: Path) -> None:
    (certs_d(home, REGISTRY) / "ca.crt").symlink_to("missing")
    with pytest.raises(OptionError, match=r"cannot read the certificate file .*ca\.crt: No such file"):
        store(private, home, system).of(REGISTRY)


# -- files that the options name


GOOD: dict[str, dict[str, str]] = {
    "nothing": {},
    "an authority": {"ca_path": "ca.pem"},
    "certificate and key": {"client_cert": "client.pem", "client_key": "client.key"},
    "both in one file": {"client_cert": "both.pem"},
}

BAD: dict[str, tuple[dict[str, str], str]] = {
    "a key alone": ({"client_key": "client.key"}, "client_key: is of no use without client_cert"),
    "no authority": ({"ca_path": "missing.pem"}, "cannot read the certificate file "),
    "a text": ({"ca_path": "text.pem"}, "holds no certificate in PEM form"),
    "nothing in it": ({"ca_path": "empty.pem"}, "holds no certificate in PEM form"),
    "a key for an authority": ({"ca_path": "client.key"}, "holds no certificate in PEM form"),
    "no certificate": ({"client_cert": "missing.pem"}, "cannot be used: No such file"),
    "a certificate without key": ({"client_cert": "client.pem"}, "cannot be used: "),
    "another key": ({"client_cert": "client.pem", "client_key": "other.key"}, "cannot be used: "),
    "an encrypted key": (
        {"client_cert": "client.pem", "client_key": "encrypted.key"},
        "expected a PEM certificate and its unencrypted key",
    ),
}


def at(folder: Path, files: dict[str, str]) -> dict[str, str]:
    return {option: str(folder / name) for option, name in files.items()}


@pytest.mark.parametrize("files", GOOD.values(), ids=GOOD)
def test_files_that_can_be_used(pem: Path, files: dict[str, str]) -> None:
    check_trust_files(make_options(**at(pem, files)).access)


@pytest.mark.parametrize(("files", "said"), BAD.values(), ids=BAD)
def test_files_that_cannot(
    pem: Path, files: dict[str, str], said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # there is nobody to ask
    with pytest.raises(OptionError) as caught:
        check_trust_files(make_options(**at(pem, files)).access)
    assert said in str(caught.value)
    assert capfd.readouterr() == ("", "")
