# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials: which belongs to which repository."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError, TransferError
from ansible_collections.airgap.images.plugins.module_utils._base.secrets import HIDDEN, Secrets
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._registry.access import Login
from ansible_collections.airgap.images.plugins.module_utils._registry.credential_helper import Credential
from ansible_collections.airgap.images.plugins.module_utils._registry.credentials import (
    Credentials,
    gather_credentials,
)
from ansible_collections.airgap.images.plugins.module_utils._registry.login_file import (
    LoginFile,
    default_login_files,
    read_login_file,
)
from ansible_collections.airgap.images.tests.unit.fakes import make_options

# No login file of the machine or of the user.
NOWHERE = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"), "/nonexistent")


def auth(username: str, password: str = "s3cret") -> dict[str, str]:  # noqa: S107
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def login_file(auths: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({"auths": auths, **more}).encode()


def read(folder: Path, raw: bytes) -> LoginFile:
    path = folder / "auth.json"
    path.write_bytes(raw)
    found = read_login_file(str(path), required=True)
    assert found is not None
    return found


FIND: dict[str, tuple[list[str], str, str | None]] = {
    "the host": (["reg.lan"], "reg.lan/a/b", "reg.lan"),
    "the host with port": (["reg.lan", "reg.lan:5000"], "reg.lan:5000/a", "reg.lan:5000"),
    "another port": (["reg.lan:5000"], "reg.lan/a", None),
    "another host": (["reg.lan"], "registry.lan/a", None),
    "the namespace": (["reg.lan", "reg.lan/a"], "reg.lan/a/b", "reg.lan/a"),
    "the repository": (["reg.lan", "reg.lan/a", "reg.lan/a/b"], "reg.lan/a/b", "reg.lan/a/b"),
    "another namespace": (["reg.lan/x", "reg.lan"], "reg.lan/a/b", "reg.lan"),
    "half a name is no namespace": (["reg.lan/a"], "reg.lan/ab", None),
    "Docker Hub as docker login writes it": (
        ["https://index.docker.io/v1/"],
        "docker.io/library/nginx",
        "https://index.docker.io/v1/",
    ),
    "Docker Hub as skopeo login writes it": (["docker.io"], "docker.io/a/b", "docker.io"),
    "Docker Hub by its other name": (["registry-1.docker.io"], "docker.io/a/b", "registry-1.docker.io"),
    "a namespace of Docker Hub": (["docker.io", "docker.io/rancher"], "docker.io/rancher/a", "docker.io/rancher"),
    "a url": (["https://reg.lan/v2/"], "reg.lan/a", "https://reg.lan/v2/"),
    "a url with a namespace": (["http://reg.lan/team/"], "reg.lan/team/a", "http://reg.lan/team/"),
}


@pytest.mark.parametrize(("keys", "repository", "expected"), FIND.values(), ids=FIND)
def test_the_most_specific_entry_is_used(
    tmp_path: Path, keys: list[str], repository: str, expected: str | None
) -> None:
    found = read(tmp_path, login_file({key: auth(f"user of {key.replace(':', '')}") for key in keys}))
    registry, _slash, path = repository.partition("/")
    credential = found.find(Repository(registry, path))
    wanted = None if expected is None else Credential(f"user of {expected.replace(':', '')}", "s3cret")
    assert credential == wanted


ENTRIES: dict[str, tuple[dict[str, Any], Credential | None]] = {
    "user and password": (auth("user"), Credential("user", "s3cret")),
    "a colon in the password": (auth("user", "a:b:c"), Credential("user", "a:b:c")),
    "letters of other scripts": (auth("usér", "pässwörd"), Credential("usér", "pässwörd")),
    "an empty password": (auth("user", ""), Credential("user", "")),
    "a padded password": (auth("user", "x\x00\x00"), Credential("user", "x")),
    "an identity token": ({"identitytoken": "token"}, Credential("", "", "token")),
    "a token beside a user": ({**auth("<token>", ""), "identitytoken": "t"}, Credential("<token>", "", "t")),
    "nothing": ({}, None),
    "an empty entry": ({"auth": ""}, None),
    "an email": ({"email": "a@b"}, None),
    "not encoded": ({"username": "user", "password": "s3cret"}, Credential("user", "s3cret")),
    "both": ({**auth("user"), "username": "other", "password": "x"}, Credential("user", "s3cret")),
    "not encoded, a token": ({"username": "<token>", "identitytoken": "t"}, Credential("<token>", "", "t")),
}


@pytest.mark.parametrize(("entry", "expected"), ENTRIES.values(), ids=ENTRIES)
def test_entries(tmp_path: Path, entry: dict[str, Any], expected: Credential | None) -> None:
    assert read(tmp_path, login_file({"reg.lan": entry})).find(Repository("reg.lan", "a")) == expected


def test_an_empty_file_has_no_entries(tmp_path: Path) -> None:
    assert read(tmp_path, b" \n") == LoginFile({}, {})
    assert read(tmp_path, b"{}") == LoginFile({}, {}, path=str(tmp_path / "auth.json"))
    assert read(tmp_path, b'{"auths": null, "credsStore": ""}') == LoginFile({}, {}, path=str(tmp_path / "auth.json"))


BROKEN: dict[str, bytes] = {
    "no JSON": b"{",
    "a list": b"[]",
    "auths that are none": b'{"auths": []}',
    "helpers that are none": b'{"credHelpers": {"a": 1}}',
    "a key twice": b'{"auths": {"a": {}, "a": {}}}',
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_without_its_content(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "auth.json"
    path.write_bytes(raw)
    with pytest.raises(OptionError) as caught:
        read_login_file(str(path), required=False)
    assert str(path) in str(caught.value)
    assert "s3cr" not in str(caught.value)


BROKEN_ENTRIES: dict[str, Any] = {
    "an entry that is none": "s3cret",
    "an auth that is none": {"auth": 1},
    "no base64": {"auth": "s3cret!"},
    "base64 of other letters": {"auth": "s3crét"},
    "base64 of no text": {"auth": "/////w=="},
    "a password that is none": {"username": "u", "password": ["s3cret"]},
}


@pytest.mark.parametrize("entry", BROKEN_ENTRIES.values(), ids=BROKEN_ENTRIES)
def test_a_broken_entry_harms_only_its_own_registry(tmp_path: Path, entry: Any) -> None:
    file = read(tmp_path, login_file({"https://reg.lan/v2/": entry, "other.lan": auth("user")}))
    assert file.find(Repository("other.lan", "a")) == Credential("user", "s3cret")
    assert file.find(Repository("third.lan", "a")) is None
    with pytest.raises(TransferError) as caught:
        file.find(Repository("reg.lan", "a"))
    said = f"the entry of https://reg.lan/v2/ in {tmp_path / 'auth.json'} cannot be read; log in again, as with "
    assert str(caught.value) == f"{said}skopeo login reg.lan"
    written = read(tmp_path, Credentials([], [file]).login_file())
    assert dict(written.entries) == {"other.lan": Credential("user", "s3cret")} and not written.unreadable


def test_a_port_that_https_has_anyway_is_no_other_registry(tmp_path: Path) -> None:
    """nerdctl writes it into its keys."""
    file = read(tmp_path, login_file({"reg.lan:443": auth("user"), "reg.lan:5000": auth("other")}))
    assert file.find(Repository("reg.lan", "a")) == Credential("user", "s3cret")
    assert file.find(Repository("reg.lan:443", "a")) == Credential("user", "s3cret")
    assert file.find(Repository("reg.lan:5000", "a")) == Credential("other", "s3cret")
    written = json.loads(Credentials([], [file], registries=["reg.lan:443"]).login_file())
    assert sorted(written["auths"]) == ["reg.lan", "reg.lan:443", "reg.lan:5000"]


PLAIN: dict[str, tuple[dict[str, Any], bool]] = {
    "as skopeo writes it": ({"auths": {"reg.lan": auth("u")}}, True),
    "as docker writes it": ({"auths": {"https://index.docker.io/v1/": auth("u")}, "credHelpers": {"a": "b"}}, True),
    "a store": ({"auths": {"reg.lan": {}}, "credsStore": "pass"}, False),
    "not encoded": ({"auths": {"reg.lan": {"username": "u", "password": "p"}}}, False),
    "both": ({"auths": {"reg.lan": {"username": "u", "password": "p", **auth("u")}}}, True),
    "the port of https": ({"auths": {"reg.lan:443": auth("u")}}, False),
    "a broken entry": ({"auths": {"reg.lan": {"auth": "!"}}}, False),
}


@pytest.mark.parametrize(("document", "is_plain"), PLAIN.values(), ids=PLAIN)
def test_skopeo_gets_a_file_of_our_own_where_it_reads_less(
    tmp_path: Path, document: dict[str, Any], is_plain: bool
) -> None:
    credentials = Credentials([], [read(tmp_path, json.dumps(document).encode())])
    assert credentials.needs_login_file is not is_plain


VALUES = st.recursive(
    st.sampled_from([None, 1, "", "x", auth("u")["auth"], "AA=="]),
    lambda inner: st.dictionaries(st.sampled_from(["auth", "identitytoken", "a/b"]), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = st.dictionaries(st.sampled_from(["auths", "credHelpers"]), VALUES)


@given(st.binary(max_size=60) | MEMBERS.map(lambda value: json.dumps(value).encode()))
def test_reading_raises_nothing_else(tmp_path: Path, raw: bytes) -> None:
    with suppress(OptionError):
        read(tmp_path, raw)


def test_a_missing_file(tmp_path: Path) -> None:
    path = str(tmp_path / "missing")
    assert read_login_file(path, required=False) is None
    with pytest.raises(OptionError, match=r"authfile: cannot read .*No such file"):
        read_login_file(path, required=True)


HOME = "/home/u"
SEARCHED: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing set": (
        {"HOME": HOME},
        [
            f"/run/containers/{os.getuid()}/auth.json",
            f"{HOME}/.config/containers/auth.json",
            f"{HOME}/.docker/config.json",
        ],
    ),
    "a runtime directory": (
        {"HOME": HOME, "XDG_RUNTIME_DIR": "/run/user/1"},
        ["/run/user/1/containers/auth.json", f"{HOME}/.config/containers/auth.json", f"{HOME}/.docker/config.json"],
    ),
    "all set": (
        {
            "HOME": HOME,
            "REGISTRY_AUTH_FILE": "/x/auth.json",
            "XDG_RUNTIME_DIR": "/run/user/1",
            "XDG_CONFIG_HOME": "/c",
            "DOCKER_CONFIG": "/d",
        },
        ["/x/auth.json", "/c/containers/auth.json", "/d/config.json"],
    ),
}


@pytest.mark.parametrize(("environ", "expected"), SEARCHED.values(), ids=SEARCHED)
def test_files_are_searched_in_the_order_of_skopeo(environ: dict[str, str], expected: list[str]) -> None:
    assert default_login_files(environ) == expected


# -- options and files together


def test_options_come_before_files(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_bytes(login_file({"reg.lan": auth("file"), "reg.lan/a": auth("file"), "other.lan": auth("other")}))
    access = make_options(
        authfile=str(path), registries=[{"host": "reg.lan", "username": "option", "password": "p"}]
    ).access
    credentials = gather_credentials(access, ["reg.lan", "other.lan"], NOWHERE, Secrets())
    assert credentials.find(Repository("reg.lan", "a/b")) == Credential("option", "p")
    assert credentials.find(Repository("other.lan", "a")) == Credential("other", "s3cret")
    assert credentials.find(Repository("third.lan", "a")) is None
    assert credentials.has_logins


def test_username_belongs_to_the_only_registry() -> None:
    access = make_options(username="user", password="p").access
    assert gather_credentials(access, ["reg.lan", "reg.lan"], NOWHERE, Secrets()).find(
        Repository("reg.lan", "a")
    ) == Credential("user", "p")


def test_username_is_ambiguous_with_several() -> None:
    access = make_options(username="user", password="s3cret").access
    with pytest.raises(OptionError) as caught:
        gather_credentials(access, ["quay.io", "docker.io"], NOWHERE, Secrets())
    assert "could belong to any of docker.io, quay.io; name the registry" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_files_of_skopeo_are_used_without_authfile(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_bytes(login_file({"reg.lan": auth("docker"), "b.lan": auth("docker")}))
    first = tmp_path / "first.json"
    first.write_bytes(login_file({"reg.lan": auth("first")}))
    environ = {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(first)}
    credentials = gather_credentials(make_options().access, [], environ, Secrets())
    assert credentials.find(Repository("reg.lan", "a")) == Credential("first", "s3cret")
    assert credentials.find(Repository("b.lan", "a")) == Credential("docker", "s3cret")
    assert not credentials.has_logins


def test_the_login_file_for_skopeo_says_the_same(tmp_path: Path) -> None:
    files = [
        LoginFile({"a.lan": Credential("first", "1"), "reg.lan/x": Credential("file", "2")}, {"h.lan": "one"}),
        LoginFile(
            {"a.lan": Credential("second", "3"), "b.lan": Credential("", "", "token")},
            {"h.lan": "two", "reg.lan": "three"},
        ),
    ]
    credentials = Credentials([Login("reg.lan", "option", "p:ä")], files)
    written = read(tmp_path, credentials.login_file())
    assert written.entries == {
        "a.lan": Credential("first", "1"),
        "b.lan": Credential("", "", "token"),
        "reg.lan": Credential("option", "p:ä"),
    }
    assert written.helpers == {"h.lan": "one"}


def test_secrets_are_not_shown() -> None:
    credential = Credential("user", "s3cret", "s3cret too")
    login = LoginFile({"a": credential}, {})
    assert "s3cret" not in repr(credential) + str(credential) + repr(login)


# -- helper programs


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that the test writes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "docker-credential-test"


def write_helper(helper: Path, script: str) -> None:
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(stat.S_IRWXU)


HELPED = LoginFile({"reg.lan": Credential("entry", "p")}, {"reg.lan": "test", "docker.io": "test"})

ANSWERS: dict[str, tuple[str, Credential]] = {
    "user and secret": ('echo \'{"Username": "user", "Secret": "s"}\'', Credential("user", "s")),
    "an identity token": ('echo \'{"Username": "<token>", "Secret": "t"}\'', Credential("", "", "t")),
    "none of its own": ("echo 'credentials not found in native keychain'; exit 1", Credential("entry", "p")),
}


@pytest.mark.parametrize(("script", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_a_helper_is_asked(helper: Path, script: str, expected: Credential) -> None:
    write_helper(helper, script)
    assert HELPED.find(Repository("reg.lan", "a/b")) == expected


def test_a_helper_is_told_the_registry(helper: Path) -> None:
    write_helper(helper, 'read -r host || :; printf \'{"Username": "%s", "Secret": "%s"}\' "$1" "$host"')
    assert HELPED.find(Repository("reg.lan", "a")) == Credential("get", "reg.lan")


def test_other_registries_do_not_ask_it(helper: Path) -> None:
    write_helper(helper, "exit 3")
    assert HELPED.find(Repository("other.lan", "a")) is None


# A store that knows what `known` names, and notes in a file for which name it was asked.
STORE = """
read -r name || :
echo "$name" >>{asked}
case "$name" in
{known}) printf '{{"ServerURL": "%s", "Username": "user of %s", "Secret": "s3cret"}}' "$name" "${{name#*:}}" ;;
broken.lan) echo 's3cret' >&2; exit 1 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""

STORED: dict[str, tuple[list[str], str, str, str | None]] = {
    "by its name": (["reg.lan"], "reg.lan", "reg.lan", "reg.lan"),
    "nobody has logged in here": ([], "reg.lan", "reg.lan", "reg.lan"),
    "by an address": (["https://reg.lan/v2/"], "https://reg.lan/v2/", "reg.lan", "https://reg.lan/v2/"),
    "with a port": (["reg.lan:443"], "reg.lan:443", "reg.lan", "443"),
    "Docker Hub": ([], "https://index.docker.io/v1/", "docker.io", "https://index.docker.io/v1/"),
    "another registry": (["reg.lan"], "reg.lan", "other.lan", None),
    "it fails for a registry that nobody logged in to": (["reg.lan"], "reg.lan", "broken.lan", None),
}


@pytest.mark.parametrize(("keys", "known", "registry", "found"), STORED.values(), ids=STORED)
def test_a_store_is_asked_for_every_registry(
    helper: Path, tmp_path: Path, keys: list[str], known: str, registry: str, found: str | None
) -> None:
    write_helper(helper, STORE.format(asked=tmp_path / "asked", known=f"'{known}'"))
    file = read(tmp_path, login_file({key: {} for key in keys}, credsStore="test"))
    credential = file.find(Repository(registry, "a"))
    assert credential == (Credential(f"user of {found.split(':', 1)[-1]}", "s3cret") if found else None)


def test_a_store_that_fails_for_another_registry_is_passed_over_with_a_word(helper: Path, tmp_path: Path) -> None:
    write_helper(helper, STORE.format(asked=tmp_path / "asked", known="none"))
    file = read(tmp_path, login_file({"reg.lan": {}}, credsStore="test"))
    notes: list[str] = []
    credentials = Credentials([], [file], note=notes.append)
    for path in ("a", "b"):
        assert credentials.find(Repository("broken.lan", path)) is None
    why = "credential helper docker-credential-test failed for broken.lan"
    assert notes == [f"broken.lan is asked without a login: {why}"]


def test_a_store_that_fails_for_a_registry_one_has_logged_in_to(helper: Path, tmp_path: Path) -> None:
    write_helper(helper, STORE.format(asked=tmp_path / "asked", known="none"))
    file = read(tmp_path, login_file({"broken.lan": {}}, credsStore="test"))
    with pytest.raises(TransferError, match=r"credential helper docker-credential-test failed for broken\.lan"):
        file.find(Repository("broken.lan", "a"))


def test_a_helper_of_one_registry_is_asked_instead_of_the_store(helper: Path, tmp_path: Path) -> None:
    write_helper(helper, STORE.format(asked=tmp_path / "asked", known="reg.lan"))
    file = read(tmp_path, login_file({}, credsStore="absent", credHelpers={"reg.lan": "test"}))
    assert file.find(Repository("reg.lan", "a")) == Credential("user of reg.lan", "s3cret")


def test_helpers_are_asked_once_for_all_repositories(helper: Path, tmp_path: Path) -> None:
    write_helper(helper, STORE.format(asked=tmp_path / "asked", known="reg.lan"))
    credentials = Credentials([], [read(tmp_path, login_file({"reg.lan": {}}, credsStore="test"))])
    for path in ("a", "b", "c/d"):
        assert credentials.find(Repository("reg.lan", path)) == Credential("user of reg.lan", "s3cret")
        assert credentials.find(Repository("other.lan", path)) is None
    assert (tmp_path / "asked").read_text().split() == ["reg.lan", "other.lan"]


def test_skopeo_gets_what_a_store_has(helper: Path, tmp_path: Path) -> None:
    """It asks the helper itself where that knows the registry by its name, and for registries that may be mirrors."""
    hub = "https://index.docker.io/v1/"
    write_helper(helper, STORE.format(asked=tmp_path / "asked", known=f"reg.lan|{hub}"))
    raw = login_file({hub: {}, "reg.lan": {}, "mirror.lan": {}, "plain.lan": auth("user")}, credsStore="test")
    credentials = Credentials([], [read(tmp_path, raw)], registries=["docker.io", "reg.lan", "open.lan"])
    written = read(tmp_path, credentials.login_file())
    assert dict(written.helpers) == {"reg.lan": "test", "mirror.lan": "test"}
    assert dict(written.entries) == {
        "docker.io": Credential("user of //index.docker.io/v1/", "s3cret"),
        "plain.lan": Credential("user", "s3cret"),
    }


HELPER_FAILURES: dict[str, tuple[str, str]] = {
    "it fails": ("echo s3cret >&2; exit 1", "credential helper docker-credential-test failed for reg.lan"),
    "it gives no JSON": ("echo s3cret", "credential helper docker-credential-test gave no JSON"),
    "it gives numbers": ('echo \'{"Username": 1, "Secret": "s3cret"}\'', "gave no JSON"),
}


@pytest.mark.parametrize(("script", "said"), HELPER_FAILURES.values(), ids=HELPER_FAILURES)
def test_a_helper_that_does_not_help(helper: Path, script: str, said: str) -> None:
    write_helper(helper, script)
    with pytest.raises(TransferError) as caught:
        HELPED.find(Repository("reg.lan", "a"))
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.heals is False


def test_a_helper_that_is_not_there() -> None:
    with pytest.raises(TransferError, match=r"credential helper docker-credential-test for reg.lan: program not found"):
        HELPED.find(Repository("reg.lan", "a"))


def test_a_helper_ends_with_who_asked_it(helper: Path) -> None:
    """One that waits for ever must not outlive a run that was killed."""
    script = (
        "import ctypes, json\n"
        "number = ctypes.c_int()\n"
        "ctypes.CDLL(None).prctl(2, ctypes.byref(number))  # PR_GET_PDEATHSIG\n"
        "print(json.dumps({'Username': 'user', 'Secret': str(number.value)}))\n"
    )
    write_helper(helper, f"exec {sys.executable} - <<'END'\n{script}END")
    assert HELPED.find(Repository("reg.lan", "a")) == Credential("user", str(int(signal.SIGKILL)))


# -- what is kept out of texts


def test_every_credential_is_a_secret(helper: Path, tmp_path: Path) -> None:
    """Those of options and files at once, a helper's as soon as it has told."""
    write_helper(helper, 'echo \'{"Username": "user", "Secret": "from-a-helper"}\'')
    path = tmp_path / "auth.json"
    identity = {"identitytoken": "from-an-identity", **auth("", "")}
    path.write_bytes(
        login_file({"a.lan": auth("user", "from-a-file"), "b.lan": identity}, credHelpers={"reg.lan": "test"})
    )
    access = make_options(
        authfile=str(path), registries=[{"host": "o.lan", "username": "user", "password": "from-an-option"}]
    ).access
    secrets = Secrets()
    credentials = gather_credentials(access, [], NOWHERE, secrets)
    for told in ("from-an-option", "from-a-file", "from-an-identity"):
        assert secrets.hide(f"it said {told}.") == f"it said {HIDDEN}."
    assert secrets.hide("from-a-helper") == "from-a-helper"
    credentials.find(Repository("reg.lan", "a"))
    assert secrets.hide("from-a-helper") == HIDDEN
