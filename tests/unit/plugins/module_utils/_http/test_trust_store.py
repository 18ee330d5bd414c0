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
from typing import Any, Callable

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.module_utils._http import trust_store
from ansible_collections.airgap.images.plugins.module_utils._http.tls import Trust, tls_context
from ansible_collections.airgap.images.plugins.module_utils._http.trust_store import TrustStore, check_trust_files
from ansible_collections.airgap.images.tests.unit.fakes import make_options, mark, names_below

REGISTRY = "reg.lan:5000"
Store = Callable[..., TrustStore]


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


@pytest.fixture
def store(home: Path, system: Path) -> Iterator[Store]:
    """Makes stores, and closes them."""
    made: list[TrustStore] = []

    def make(**options: Any) -> TrustStore:
        made.append(TrustStore(make_options(**options).access, {"HOME": str(home), "SSL_CERT_FILE": str(system)}))
        return made[-1]

    yield make
    for trusts in made:
        trusts.close()


def certs_d(home: Path, registry: str, *names: str, content: str = "") -> Path:
    folder = home / ".config/containers/certs.d" / registry
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(content or name)
    return folder


def links(folder: str | None) -> dict[str, str]:
    assert folder is not None
    return {name: os.readlink(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}


def test_by_default_the_system_is_trusted(store: Store, private: Path, system: Path) -> None:
    trusts = store()
    assert trusts.of(REGISTRY) == Trust(str(system), None)
    assert trusts.cert_dir(REGISTRY, str(private)) is None
    assert os.listdir(private) == []


def test_without_a_bundle_of_the_system_the_library_has_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_store, "_SYSTEM_BUNDLES", ("/missing",))
    assert TrustStore(make_options().access, {"HOME": str(home)}).of(REGISTRY).verify is True


def test_without_a_bundle_of_the_system_ca_path_is_trusted_alone(
    home: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust_store, "_SYSTEM_BUNDLES", ("/missing",))
    trusts = TrustStore(make_options(ca_path=str(pem / "ca.pem")).access, {"HOME": str(home)})
    verify = trusts.of(REGISTRY).verify
    assert isinstance(verify, str)
    assert Path(verify).read_bytes() == (pem / "ca.pem").read_bytes()
    trusts.close()


def test_ca_path_is_trusted_beside_the_system(store: Store, private: Path, system: Path, pem: Path) -> None:
    trusts = store(ca_path=str(pem / "ca.pem"))
    verify = trusts.of(REGISTRY).verify
    assert isinstance(verify, str)
    bundle = Path(verify).read_text()
    assert system.read_text().strip() in bundle
    assert (pem / "ca.pem").read_text().strip() in bundle
    assert len(ssl.create_default_context(cafile=verify).get_ca_certs()) >= 2
    assert links(trusts.cert_dir(REGISTRY, str(private))) == {"option.crt": str(pem / "ca.pem")}


def test_a_bundle_is_in_memory_alone(store: Store, tmp_path: Path, pem: Path) -> None:
    before = names_below(tmp_path)
    trusts = store(ca_path=str(pem / "ca.pem"))
    verify = str(trusts.of(REGISTRY).verify)
    assert verify.startswith("/proc/self/fd/")
    assert os.stat(verify).st_nlink == 0
    assert names_below(tmp_path) == before
    trusts.close()
    assert not os.path.exists(verify)


def test_without_proc_a_bundle_is_handed_over_as_it_is(
    store: Store, system: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments in it may be in any alphabet."""
    system.write_bytes("# Autorité\n".encode() + system.read_bytes())
    monkeypatch.setattr(os.path, "isdir", lambda _path: False)
    verify = store(ca_path=str(pem / "ca.pem")).of(REGISTRY).verify
    assert isinstance(verify, bytes)
    assert len(tls_context(verify, None).get_ca_certs()) >= 2


def test_certs_d_is_trusted_as_well(store: Store, private: Path, home: Path, pem: Path) -> None:
    folder = certs_d(home, REGISTRY, "ca.crt", "client.cert", "client.key", "notes.txt")
    trusts = store(ca_path=str(pem / "ca.pem"))
    trust = trusts.of(REGISTRY)
    assert isinstance(trust.verify, str)
    bundle = Path(trust.verify).read_text()
    assert "ca.crt" in bundle
    assert "client" not in bundle
    assert trust.client_cert == (str(folder / "client.cert"), str(folder / "client.key"))
    found = links(trusts.cert_dir(REGISTRY, str(private)))
    assert found["option.crt"] == str(pem / "ca.pem")
    assert found["system-0-ca.crt"] == str(folder / "ca.crt")
    assert found["system-0-client.cert"] == str(folder / "client.cert")
    assert found["system-0-client.key"] == str(folder / "client.key")


def test_certs_d_of_mirrors_goes_in_too(private: Path, home: Path, pem: Path) -> None:
    """skopeo takes the directory for every host that it asks."""
    own, mirror = certs_d(home, REGISTRY, "ca.crt"), certs_d(home, "mirror.lan", "ca.crt", "client.cert", "client.key")
    access = make_options(ca_path=str(pem / "ca.pem")).access
    trusts = TrustStore(access, {"HOME": str(home)}, lambda _registries: {"mirror.lan", REGISTRY})
    found = links(trusts.cert_dir(REGISTRY, str(private)))
    assert found == {
        "option.crt": str(pem / "ca.pem"),
        "system-0-ca.crt": str(own / "ca.crt"),
        "system-1-ca.crt": str(mirror / "ca.crt"),
        "system-1-client.cert": str(mirror / "client.cert"),
        "system-1-client.key": str(mirror / "client.key"),
    }


@pytest.mark.parametrize("usual", [None, "client.pem"])
def test_the_authority_of_a_mirror_goes_in_too(private: Path, home: Path, pem: Path, usual: str | None) -> None:
    """Though the registry that the list names has none."""
    entry = {"host": "mirror.lan", "ca_path": str(pem / "ca.pem")}
    access = make_options(ca_path=usual, registries=[entry]).access
    trusts = TrustStore(access, {"HOME": str(home)}, lambda _registries: {"mirror.lan", "other.lan"})
    found = links(trusts.cert_dir(REGISTRY, str(private)))
    if usual is None:
        assert found == {"option.crt": str(pem / "ca.pem")}
    else:
        assert found == {"option.crt": os.path.abspath(usual), "option-1.crt": str(pem / "ca.pem")}


def test_certs_d_alone_is_found_by_skopeo_itself(store: Store, private: Path, home: Path, system: Path) -> None:
    certs_d(home, REGISTRY, "ca.crt")
    trusts = store()
    verify = str(trusts.of(REGISTRY).verify)
    assert trusts.cert_dir(REGISTRY, str(private)) is None
    assert os.listdir(private) == []
    assert Path(verify).read_text() == system.read_text().rstrip("\n") + "\nca.crt\n"


def test_certs_d_of_another_registry_does_not_count(store: Store, home: Path, system: Path) -> None:
    certs_d(home, "reg.lan", "ca.crt")
    assert store().of(REGISTRY).verify == str(system)


def test_a_certificate_without_its_key_is_passed_over(store: Store, home: Path) -> None:
    certs_d(home, REGISTRY, "client.cert")
    assert store().of(REGISTRY).client_cert is None


@pytest.mark.parametrize("has_key", [True, False])
def test_the_client_certificate_of_the_options(
    store: Store, private: Path, home: Path, pem: Path, has_key: bool
) -> None:
    certs_d(home, REGISTRY, "client.cert", "client.key", "ca.crt")
    cert = str(pem / ("client.pem" if has_key else "both.pem"))
    key = str(pem / "client.key") if has_key else None
    trusts = store(client_cert=cert, client_key=key)
    assert trusts.of(REGISTRY).client_cert == (cert, key or cert)
    found = links(trusts.cert_dir(REGISTRY, str(private)))
    assert found["option.cert"] == cert
    assert found["option.key"] == (key or cert)
    assert sorted(found) == ["option.cert", "option.key", "system-0-ca.crt"]


def test_without_validation_nothing_is_verified(store: Store, pem: Path) -> None:
    assert store(validate_certs=False, ca_path=str(pem / "ca.pem")).of(REGISTRY).verify is False


def test_it_is_sorted_out_once_for_all_threads(store: Store, private: Path, pem: Path) -> None:
    trusts = store(ca_path=str(pem / "ca.pem"))
    count = 8
    barrier = threading.Barrier(count)
    found: list[tuple[Trust, str | None]] = []

    def ask() -> None:
        barrier.wait(timeout=60)
        found.append((trusts.of(REGISTRY), trusts.cert_dir(REGISTRY, str(private))))

    threads = [threading.Thread(target=ask) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    assert len(set(found)) == 1
    verify, folder = str(found[0][0].verify), str(found[0][1])
    before = mark(verify), mark(folder)
    trusts.of(REGISTRY)
    trusts.cert_dir(REGISTRY, str(private))
    assert (mark(verify), mark(folder)) == before, "connections may be reading it"


def test_a_registry_by_its_address(store: Store, private: Path, pem: Path) -> None:
    folder = store(ca_path=str(pem / "ca.pem")).cert_dir("[::1]:5000", str(private))
    assert folder is not None
    assert os.path.dirname(folder) == str(private)
    assert ":" not in os.path.basename(folder)


def test_a_file_of_certs_d_that_cannot_be_read(store: Store, home: Path) -> None:
    (certs_d(home, REGISTRY) / "ca.crt").symlink_to("missing")
    with pytest.raises(OptionError, match=r"cannot read the certificate file .*ca\.crt: No such file"):
        store().of(REGISTRY)


def test_each_registry_has_its_own(home: Path, system: Path, private: Path, pem: Path) -> None:
    options = make_options(
        registries=[
            {"host": "plain.lan", "validate_certs": False},
            {"host": "ca.lan", "ca_path": str(pem / "ca.pem")},
            {"host": "closed.lan", "client_cert": str(pem / "client.pem"), "client_key": str(pem / "client.key")},
        ]
    )
    trusts = TrustStore(options.access, {"HOME": str(home), "SSL_CERT_FILE": str(system)})
    pair = str(pem / "client.pem"), str(pem / "client.key")
    assert trusts.of(REGISTRY) == Trust(str(system), None)
    assert trusts.of("plain.lan") == Trust(False, None)
    assert trusts.of("closed.lan") == Trust(str(system), pair)
    assert Path(str(trusts.of("ca.lan").verify)).read_text().endswith((pem / "ca.pem").read_text())
    assert trusts.cert_dir(REGISTRY, str(private)) is trusts.cert_dir("plain.lan", str(private)) is None
    assert links(trusts.cert_dir("ca.lan", str(private))) == {"option.crt": str(pem / "ca.pem")}
    assert links(trusts.cert_dir("closed.lan", str(private))) == {"option.cert": pair[0], "option.key": pair[1]}
    trusts.close()


# -- files that the options name


GOOD: dict[str, dict[str, str]] = {
    "nothing": {},
    "an authority": {"ca_path": "ca.pem"},
    "certificate and key": {"client_cert": "client.pem", "client_key": "client.key"},
    "both in one file": {"client_cert": "both.pem"},
}

BAD: dict[str, tuple[dict[str, str], str]] = {
    "a key alone": ({"client_key": "client.key"}, "client_key: requires client_cert"),
    "no authority": ({"ca_path": "missing.pem"}, "cannot read the certificate file "),
    "a text": ({"ca_path": "text.pem"}, "contains no certificate in PEM format"),
    "nothing in it": ({"ca_path": "empty.pem"}, "contains no certificate in PEM format"),
    "a key for an authority": ({"ca_path": "client.key"}, "contains no certificate in PEM format"),
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
