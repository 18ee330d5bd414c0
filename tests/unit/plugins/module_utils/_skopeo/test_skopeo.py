# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One `skopeo copy`."""

from __future__ import annotations

import os
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    Interrupted,
    Missing,
    OptionError,
    TransferError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.secrets import HIDDEN, Secrets
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._http.trust_store import TrustStore
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_SCHEMA1
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Repository
from ansible_collections.airgap.images.plugins.module_utils._oci.schema1 import Schema1
from ansible_collections.airgap.images.plugins.module_utils._skopeo import output
from ansible_collections.airgap.images.plugins.module_utils._skopeo import skopeo as skopeo_module
from ansible_collections.airgap.images.plugins.module_utils._skopeo.skopeo import Skopeo
from ansible_collections.airgap.images.plugins.module_utils._skopeo.skopeo_errors import explain
from ansible_collections.airgap.images.tests.unit.fakes import AMD64, Sample, make_options, wait_for_pipe

IMAGE = Sample(b"layer", repository="reg.lan:5000/team/app").image
NAME = f"@{IMAGE.digest}"
SOURCE = f"docker://reg.lan:5000/team/app@{IMAGE.digest}"
HEX = "ab" * 32


class Trusts(TrustStore):
    """The same answer for every registry."""

    def __init__(self, cert_dir: str | None = None) -> None:
        self._cert_dir = cert_dir
        self.parents: list[str] = []

    def cert_dir(self, registry: str, directory: str) -> str | None:
        self.parents.append(directory)
        return self._cert_dir


def make_skopeo(
    *,
    cert_dir: str | None = None,
    stop: Stop | None = None,
    secrets: Secrets | None = None,
    stall_timeout: float = 60,
    **options: Any,
) -> Skopeo:
    made = make_options(**options)
    work = replace(made.work, stall_timeout=stall_timeout)
    return Skopeo(made.access, work, Trusts(cert_dir), stop=stop or Stop(), secrets=secrets or Secrets())


# -- what its errors mean. Texts of skopeo 1.9.3 and 1.22.2.


def fatal(text: str) -> str:
    return f'time="2026-11-22T05:00:00Z" level=fatal msg="{text}"\n'


HEAD = f"initializing source {SOURCE}: "
EXPLAINED: dict[str, tuple[str, bool, str]] = {
    "unknown tag": (
        fatal(f"{HEAD}reading manifest v9 in reg.lan:5000/team/app: manifest unknown: manifest unknown"),
        False,
        "it is not (or no longer) in the registry",
    ),
    "unknown repository": (
        fatal(f"{HEAD}reading manifest v9 in reg.lan:5000/team/app: name unknown: repository name not known"),
        False,
        "it is not (or no longer) in the registry",
    ),
    "other bytes of a manifest": (
        fatal(f"{HEAD}Manifest does not match provided manifest digest {IMAGE.digest}"),
        True,
        "",
    ),
    "other bytes of a configuration": (
        fatal(f"copying config: Download config.json digest {IMAGE.digest} does not match expected {IMAGE.digest}"),
        True,
        "",
    ),
    "an expired certificate": (
        fatal(f"{HEAD}x509: certificate has expired or is not yet valid: current time is after 2020"),
        False,
        "it has to be renewed, or the clock here is wrong",
    ),
    "a certificate for another name": (
        fatal(f"{HEAD}x509: certificate is valid for other.lan, not reg.lan"),
        False,
        "use the name that it has",
    ),
    "plain http on a port for https": (
        fatal(f"{HEAD}tls: first record does not look like a TLS handshake"),
        False,
        "plain http is used only with validate_certs=false",
    ),
    "a wrong type": (
        fatal("unsupported schema version 2"),
        False,
        "the registry gives a wrong Content-Type",
    ),
    "no credentials": (
        fatal(f"{HEAD}reading manifest in reg.lan:5000/team/app: unauthorized: authentication required"),
        False,
        "give username and password, registries or authfile",
    ),
    "wrong credentials": (
        fatal(f"{HEAD}unable to retrieve auth token: invalid username/password: unauthorized: incorrect password"),
        False,
        "give username and password, registries or authfile",
    ),
    "denied": (
        fatal(f"{HEAD}Requesting bear token: denied: requested access to the resource is denied"),
        False,
        "give username and password",
    ),
    "unknown authority": (
        fatal(
            f'{HEAD}pinging container registry reg.lan:5000: Get \\"https://reg.lan:5000/v2/\\": x509: certificate '
            "signed by unknown authority"
        ),
        False,
        "give the registry's authority with ca_path",
    ),
    "plain http": (
        fatal(
            f'{HEAD}pinging container registry reg.lan:5000: Get \\"https://reg.lan:5000/v2/\\": http: server gave '
            "HTTP response to HTTPS client"
        ),
        False,
        "plain http is used only with validate_certs=false",
    ),
    "connection refused": (
        fatal(
            f'{HEAD}pinging container registry reg.lan:5000: Get \\"https://reg.lan:5000/v2/\\": dial tcp '
            "127.0.0.1:5000: connect: connection refused"
        ),
        True,
        "connection refused",
    ),
    "unknown host": (
        fatal(f"{HEAD}dial tcp: lookup reg.lan on 10.0.0.2:53: no such host"),
        True,
        "no such host",
    ),
    "server error for a manifest": (
        fatal(f"{HEAD}reading manifest: received unexpected HTTP status: 503 Service Unavailable"),
        True,
        "503",
    ),
    "server error for a blob": (
        fatal(f"writing blob: reading blob sha256:{HEX}: invalid status code from registry 502 (Bad Gateway)"),
        True,
        "502",
    ),
    "too many requests": (
        fatal(f"{HEAD}reading manifest: toomanyrequests: You have reached your pull rate limit."),
        True,
        "pull rate limit",
    ),
    "too many requests for a blob": (
        fatal(f"reading blob sha256:{HEX}: Get: too many requests"),
        True,
        "too many requests",
    ),
    "a truncated body": (
        fatal('writing blob: storing blob to file \\"/c/oci-put-blob1\\": happened during read: unexpected EOF'),
        True,
        "unexpected EOF",
    ),
    "other bytes": (
        fatal(f"writing blob: Digest did not match, expected sha256:{HEX}, got sha256:{'cd' * 32}"),
        True,
        "Digest did not match",
    ),
    "a full disk": (
        fatal('writing blob: storing blob to file \\"/c/x/oci-put-blob1\\": write: no space left on device'),
        False,
        "free some space for cache_dir",
    ),
    "no policy": (
        fatal("Error loading trust policy: open /etc/containers/policy.json: no such file or directory"),
        False,
        "set signature_policy or insecure_policy",
    ),
    "refused by the policy": (
        fatal("Source image rejected: Running image docker://reg.lan/a is rejected by policy."),
        False,
        "the signature policy does not accept this image",
    ),
    "a cache that cannot be written": (
        fatal("creating an updated image manifest: open /srv/cache/x/oci-put-blob1: permission denied"),
        False,
        "cache_dir must be writable",
    ),
    "a reset": (fatal("reading blob: read tcp 10.0.0.1:1->10.0.0.2:443: connection reset by peer"), True, "reset"),
    "a timeout": (fatal(f"{HEAD}net/http: TLS handshake timeout"), True, "TLS handshake timeout"),
    "anything else": (fatal("unsupported feature"), False, "skopeo: unsupported feature"),
    "the last of several": (
        'time="x" level=warning msg="unexpected EOF"\n' + fatal("unexpected EOF") + fatal("manifest unknown"),
        False,
        "manifest unknown",
    ),
    "no log line": ("Error: unknown flag: --preserve-digests\n\n", False, "unknown flag: --preserve-digests"),
    "nothing": ("", False, "it ended with status 7"),
}


@pytest.mark.parametrize(("stderr", "heals", "said"), EXPLAINED.values(), ids=EXPLAINED)
def test_errors_are_explained(stderr: str, heals: bool, said: str) -> None:
    error = explain(stderr, 7, "reg.lan:5000/team/app")
    assert error.heals is heals
    assert said in str(error)


def test_quotes_are_shown_as_quotes() -> None:
    error = explain(fatal('Get \\"https://x/v2/\\": EOF'), 1, "x/a")
    assert str(error) == 'skopeo: Get "https://x/v2/": EOF'


@pytest.mark.parametrize("word", ["certificate", "denied", "unauthorized", "timeout", "x509"])
@pytest.mark.parametrize(("text", "heals"), [("connection refused", True), ("manifest unknown", False)])
def test_words_in_names_say_nothing_about_the_cause(word: str, text: str, heals: bool) -> None:
    name = f"reg.lan/{word}/{word}-app"
    stderr = fatal(f"initializing source docker://{name}@sha256:{HEX}: reading manifest in {name}: {text}")
    assert explain(stderr, 1, name).heals is heals


def test_words_in_the_name_of_the_list_say_nothing_either() -> None:
    said = (
        "initializing source docker://quay.io/denied/app: reading manifest in mirror.lan/x509/app: connection refused"
    )
    assert explain(fatal(said), 1, "mirror.lan/x509/app", "quay.io/denied/app").heals is True


@pytest.mark.parametrize("stderr", ["", "unauthorized"])
def test_a_signal_heals(stderr: str) -> None:
    error = explain(stderr, -9, "reg.lan/a")
    assert (str(error), error.heals) == ("skopeo was ended by signal 9", True)


def test_its_words_are_shown_safely() -> None:
    error = explain("\x1b[31m" + "x" * 5000, 1, "reg.lan/a")
    assert "\x1b" not in str(error)
    assert len(str(error)) < 500


# -- its command line


COPY = ["copy", "--quiet", "--remove-signatures", "--dest-shared-blob-dir", "/c/share"]
ENDS = [SOURCE, "oci:/c/folder"]
COMMANDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({}, ["skopeo", *COPY, "--preserve-digests", *ENDS]),
    "another program": (
        {"skopeo_path": "/opt/skopeo"},
        ["/opt/skopeo", *COPY, "--preserve-digests", *ENDS],
    ),
    "without policy": (
        {"insecure_policy": True},
        ["skopeo", "--insecure-policy", *COPY, "--preserve-digests", *ENDS],
    ),
    "a policy": (
        {"signature_policy": "/p.json"},
        ["skopeo", "--policy", "/p.json", *COPY, "--preserve-digests", *ENDS],
    ),
    "a login file": (
        {"authfile": "/c/.run/auth.json"},
        ["skopeo", *COPY, "--preserve-digests", "--src-authfile", "/c/.run/auth.json", *ENDS],
    ),
    "certificates": (
        {"cert_dir": "/c/.run/certs"},
        ["skopeo", *COPY, "--preserve-digests", "--src-cert-dir", "/c/.run/certs", *ENDS],
    ),
    "no validation": (
        {"validate_certs": False},
        ["skopeo", *COPY, "--preserve-digests", "--src-tls-verify=false", *ENDS],
    ),
}


@pytest.mark.parametrize(("options", "expected"), COMMANDS.values(), ids=COMMANDS)
def test_commands(options: dict[str, Any], expected: list[str]) -> None:
    assert make_skopeo(**options).commands.copy(IMAGE, NAME, "/c/folder", "/c/share") == expected


@pytest.mark.parametrize(
    ("registry", "verified"), [("reg.lan:5000", False), ("mirror.lan", False), ("quay.io", True)], ids=str
)
def test_each_registry_is_verified_as_its_entry_says(registry: str, verified: bool) -> None:
    registries = [{"host": host, "validate_certs": False} for host in ("reg.lan:5000", "mirror.lan")]
    commands = make_skopeo(registries=registries).commands
    image = replace(IMAGE, repository=Repository(registry, "team/app"))
    assert ("--src-tls-verify=false" not in commands.copy(image, NAME, "/c/folder", "/c/share")) is verified
    assert ("--tls-verify=false" not in commands.inspect(image.repository, NAME, [])) is verified


@pytest.mark.parametrize("given", [None, "/etc/site.conf"])
def test_a_mirror_is_copied_from_under_the_name_of_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """With a configuration that knows nothing else, and the certificates of the mirror."""
    if given is not None:
        monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", given)
    commands = make_skopeo(registries=[{"host": "docker.io", "mirror": "mirror.lan/hub"}]).commands
    assert commands.needs_directory
    commands.private = str(tmp_path)
    image = replace(IMAGE, repository=Repository("mirror.lan", "hub/team/app", "docker.io/team/app"))
    command = commands.copy(image, NAME, "/c/folder", "/c/share")
    path = tmp_path / "mirror-1.conf"
    assert command[:3] == ["skopeo", "--registries-conf", str(path)]
    assert command[-2] == f"docker://docker.io/team/app{NAME}"
    written = path.read_text()
    assert written == '[[registry]]\nprefix = "docker.io/team/app"\nlocation = "mirror.lan/hub/team/app"\n'
    assert commands.copy_without_layers(image, NAME, "/c/folder", "/c/share")[2] == str(path)
    other = replace(image, repository=Repository("mirror.lan", "hub/library/nginx", "docker.io/library/nginx"))
    assert commands.copy(other, NAME, "/c/folder", "/c/share")[2] == str(tmp_path / "mirror-2.conf")
    assert commands.copy(IMAGE, NAME, "/c/folder", "/c/share")[1:3] == (
        ["copy", "--quiet"] if given is None else ["--registries-conf", given]
    )


def test_certificates_are_laid_where_nobody_else_looks() -> None:
    trusts = Trusts()
    options = make_options()
    skopeo = Skopeo(options.access, options.work, trusts, stop=Stop(), secrets=Secrets())
    skopeo.commands.private = "/run/private"
    skopeo.commands.copy(IMAGE, NAME, "/c/.run/copy", "/c/share")
    assert trusts.parents == ["/run/private"]


def test_schema_1_is_converted() -> None:
    old = replace(IMAGE, content=Schema1(DOCKER_SCHEMA1, AMD64, ()))
    assert "--preserve-digests" not in make_skopeo().commands.copy(old, NAME, "/c/folder", "/c/share")


def test_no_secret_is_in_the_command() -> None:
    skopeo = make_skopeo(
        username="user-name",
        password="s3cret",
        registries=[{"host": "reg.lan:5000", "username": "user-name", "password": "s3cret"}],
        authfile="/c/auth.json",
        insecure_policy=True,
        validate_certs=False,
        client_key="/k",
    )
    command = " ".join(skopeo.commands.copy(IMAGE, NAME, "/c/folder", "/c/share"))
    assert "s3cret" not in command
    assert "user-name" not in command


# -- mirrors and blocks

MIRROR = "[mirror.lan/hub/app:1: "
OTHERS = '[other.lan/app:1: pinging container registry other.lan: Get \\"https://other.lan/v2/\\": dial tcp: '
AWAY = 'pinging container registry reg.lan: Get \\"https://reg.lan/v2/\\": dial tcp: lookup reg.lan: no such host'


def mirrored(*mirrors: str, itself: str = AWAY, name: str = "reg.lan/app:1") -> TransferError:
    """skopeo's words where a registry has mirrors, explained."""
    others = "\\n".join(f"{mirror}]" for mirror in mirrors)
    said = f'Error parsing image name \\"docker://{name}\\": (Mirrors also failed: {others}): {name}: {itself}'
    return explain(fatal(said), 1, "reg.lan/app")


def test_what_no_mirror_has_is_missing_though_the_registry_is_out_of_reach() -> None:
    error = mirrored(f"{MIRROR}reading manifest 1 in mirror.lan/hub/app: manifest unknown")
    assert isinstance(error, Missing) and not error.heals
    assert str(error).startswith("skopeo: (Mirrors also failed: [mirror.lan/hub/app:1: reading manifest 1")
    assert str(error).endswith("no such host; it is not (or no longer) in the registry")


@pytest.mark.parametrize("trouble", ["connection refused", "lookup other.lan: no such host", "i/o timeout", "EOF"])
def test_a_mirror_that_is_out_of_reach_may_come_back(trouble: str) -> None:
    error = mirrored(f"{OTHERS}{trouble}", f"{MIRROR}reading manifest 1 in mirror.lan/hub/app: manifest unknown")
    assert isinstance(error, Missing) and error.heals
    assert "\\" not in str(error)


@pytest.mark.parametrize("word", ["denied", "timeout", "x509", "EOF", "unauthorized"])
def test_words_in_names_of_mirrors_say_nothing_about_the_cause(word: str) -> None:
    """Nor those of another location."""
    where = f"mirror.lan/{word}/{word}"
    error = mirrored(f"[{where}:{word}: reading manifest {word} in {where}: manifest unknown")
    assert isinstance(error, Missing) and not error.heals
    error = explain(fatal(f"reading manifest {word} in {where}: manifest unknown"), 1, "reg.lan/app")
    assert isinstance(error, Missing) and not error.heals


def test_a_mirror_that_is_busy_is_tried_again() -> None:
    assert mirrored(f"{MIRROR}received unexpected HTTP status: 503", itself="unauthorized: no").heals


def test_the_words_of_all_mirrors_are_shown() -> None:
    """Three names with digests are as long as all else together."""
    digest = f"sha256:{HEX}"
    error = mirrored(
        f"[mirror.lan/hub/app@{digest}: reading manifest {digest} in mirror.lan/hub/app: manifest unknown",
        name=f"reg.lan/app@{digest}",
    )
    assert HEX[:12] in str(error) and HEX[:13] not in str(error)
    assert "no such host" in str(error)


def test_what_is_blocked_is_said_to_be() -> None:
    said = (
        'Error parsing image name \\"docker://reg.lan/denied:1\\": registry reg.lan is blocked in /etc/r.conf or /etc/d'
    )
    error = explain(fatal(said), 1, "reg.lan/denied")
    assert str(error) == (
        "skopeo: registry reg.lan is blocked in /etc/r.conf or /etc/d; take it out of the list, or have "
        "registries.conf allow it"
    )
    assert not error.heals


def test_a_configuration_that_cannot_be_read_is_no_matter_of_the_cache() -> None:
    said = 'loading registries configuration \\"/etc/r.conf\\": open /etc/r.conf: permission denied'
    assert str(explain(fatal(said), 1, "reg.lan/a")).endswith("; correct that file, or remove it")


# -- a program that stands in for it


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "bin" / "skopeo"


def write_program(program: Path, script: str) -> str:
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)
    return str(program)


CHECKS: dict[str, tuple[str, str | None]] = {
    "old enough": ("echo 'skopeo version 1.6.0'", None),
    "of Debian": ("echo 'skopeo version 1.9.3 commit: 1.9.3+ds1-1'", None),
    "new": ("echo 'skopeo version 1.22.2'", None),
    "a later one": ("echo 'skopeo version 2.0.0-dev'", None),
    "too old": ("echo 'skopeo version 1.5.2'", "is too old (version 1.5); at least version 1.6 is needed"),
    "much too old": ("echo 'skopeo version 0.1.40'", "is too old"),
    "something else": ("echo hello", "does not answer as skopeo does"),
    "no text": ("printf '\\377\\376'", "does not answer as skopeo does"),
    "killed": ("kill -9 $$", "--version was ended by signal 9; run again"),
    "endless": ("exec yes 0123456789", "--version does not end; is it skopeo?"),
}


@pytest.mark.parametrize(("script", "said"), CHECKS.values(), ids=CHECKS)
def test_the_program_is_checked(program: Path, script: str, said: str | None) -> None:
    path = write_program(program, script)
    skopeo = make_skopeo(skopeo_path=path)
    if said is None:
        assert skopeo.check() == path
    else:
        with pytest.raises(OptionError) as caught:
            skopeo.check()
        assert said in str(caught.value)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OptionError, match="skopeo_path: 'no-such-skopeo' was not found on the target; install skopeo"):
        make_skopeo(skopeo_path="no-such-skopeo").check()


def test_a_program_that_cannot_be_run(program: Path) -> None:
    path = write_program(program, "")
    program.write_text("#!/no/such/interpreter\n")
    with pytest.raises(OptionError, match="cannot be run"):
        make_skopeo(skopeo_path=path).check()


def test_only_the_end_of_a_long_complaint_is_read(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w+b") as file:
        file.write(b"first line\n" * 100_000 + b"last line\n")
        file.flush()
        said = output.last_lines(file)
    assert len(said) < 70_000
    assert said.startswith("first line\n") and said.endswith("last line\n")


class Copy:
    """A copy by a program that the test writes."""

    def __init__(self, tmp_path: Path, program: Path, script: str, **options: Any) -> None:
        self.folder = tmp_path / "run" / "copy"
        self.folder.parent.mkdir()
        self.stop = Stop()
        self._skopeo = make_skopeo(skopeo_path=write_program(program, script), stop=self.stop, **options)

    def __call__(self, seconds: float = 60) -> None:
        self._skopeo.copy(IMAGE, NAME, str(self.folder), "/share", deadline=time.monotonic() + seconds)


def test_a_program_that_complains_without_end(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MOST_SAID", 1024 * 1024)
    with pytest.raises(TransferError, match="writes output without end; is skopeo_path skopeo") as caught:
        Copy(tmp_path, program, "exec yes 0123456789 >&2")()
    assert not caught.value.heals


def test_a_copy_runs_to_its_end(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    copy = Copy(tmp_path, program, f'echo "$@" > {tmp_path}/words; env > {tmp_path}/env; echo noise')
    copy()
    assert (tmp_path / "words").read_text().split() == [
        *COPY[:-1],
        "/share",
        "--preserve-digests",
        SOURCE,
        f"oci:{copy.folder}",
    ]
    environ = (tmp_path / "env").read_text().splitlines()
    assert "LC_ALL=C" in environ
    assert "HTTPS_PROXY=http://proxy:1" in environ
    assert os.listdir(copy.folder.parent) == []


class Question:
    """A question to a program that the test writes."""

    def __init__(self, program: Path, script: str, **options: Any) -> None:
        self.stop = Stop()
        self.skopeo = make_skopeo(skopeo_path=write_program(program, script), stop=self.stop, **options)

    def __call__(self, seconds: float = 60, limit: int = 1000) -> bytes:
        deadline = time.monotonic() + seconds
        return self.skopeo.manifest(IMAGE.repository, NAME, limit=limit, deadline=deadline)


ASKED: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    "plain": ({}, {}, ["inspect", "--raw"]),
    "policies have no say": ({"insecure_policy": True}, {}, ["inspect", "--raw"]),
    "a login file": ({"authfile": "/c/auth.json"}, {}, ["inspect", "--raw", "--authfile", "/c/auth.json"]),
    "certificates": ({"cert_dir": "/certs"}, {}, ["inspect", "--raw", "--cert-dir", "/certs"]),
    "not validated": ({"validate_certs": False}, {}, ["inspect", "--raw", "--tls-verify=false"]),
    "a file that a variable names": (
        {},
        {"CONTAINERS_REGISTRIES_CONF": "/x.conf"},
        ["--registries-conf", "/x.conf", "inspect", "--raw"],
    ),
    "the older variable": (
        {},
        {"REGISTRIES_CONFIG_PATH": "/y.conf"},
        ["--registries-conf", "/y.conf", "inspect", "--raw"],
    ),
}


@pytest.mark.parametrize(("options", "variables", "expected"), ASKED.values(), ids=ASKED)
def test_how_it_is_asked(
    program: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    variables: dict[str, str],
    expected: list[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ask = Question(program, 'printf "%s " "$@"', **options)
    assert ask().decode().split() == [*expected, SOURCE]


def test_how_it_is_asked_for_a_configuration(program: Path) -> None:
    ask = Question(program, 'printf "%s " "$@"')
    raw = ask.skopeo.configuration(IMAGE.repository, NAME, limit=1000, deadline=time.monotonic() + 60)
    assert raw.decode().split() == ["inspect", "--config", "--raw", SOURCE]


def test_copies_are_told_of_the_named_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", "/x.conf")
    command = make_skopeo().commands.copy(IMAGE, NAME, "/c/folder", "/c/share")
    assert command[:4] == ["skopeo", "--registries-conf", "/x.conf", "copy"]


def test_an_answer_is_what_it_says_to_the_last_byte(program: Path) -> None:
    assert Question(program, "printf '{}\\n\\n'; echo noise >&2")() == b"{}\n\n"


def test_a_long_answer_is_refused(program: Path) -> None:
    ask = Question(program, "printf 12345")
    assert ask(limit=5) == b"12345"
    with pytest.raises(TransferError, match="skopeo: an answer has more than 4 bytes, which is refused") as caught:
        ask(limit=4)
    assert not caught.value.heals


def test_an_answer_without_end_is_given_up(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MOST_SAID", 1024 * 1024)
    with pytest.raises(TransferError, match="writes output without end; is skopeo_path skopeo"):
        Question(program, "exec yes 0123456789")()


def test_a_question_that_fails_says_why(tmp_path: Path, program: Path) -> None:
    (tmp_path / "said").write_text(fatal("reading manifest 1 in reg.lan/a: manifest unknown"))
    with pytest.raises(Missing, match="manifest unknown; it is not"):
        Question(program, f"echo half; cat {tmp_path}/said >&2; exit 1")()


def test_a_question_ends_at_its_deadline(program: Path) -> None:
    with pytest.raises(TransferError, match="not done within timeout"):
        Question(program, "exec sleep 600")(seconds=0.1)


def test_a_question_without_an_answer_is_given_up(program: Path) -> None:
    with pytest.raises(TransferError, match=r"no byte in 0\.1 s") as caught:
        Question(program, "exec sleep 600", stall_timeout=0.1)()
    assert caught.value.heals


def test_a_stop_ends_a_question(program: Path) -> None:
    ask = Question(program, "exec sleep 600")
    ask.stop.request("enough")
    with pytest.raises(Interrupted, match="enough"):
        ask()


def test_a_copy_that_fails_repeats_no_secret(tmp_path: Path, program: Path) -> None:
    """Also where the registry hides it among other words, and where it would be the cut that ends it."""
    secrets = Secrets()
    secrets.add("s3cr3t-p4ss", username="reader")
    said = f"unauthorized: you sent cmVhZGVyOnMzY3IzdC1wNHNz, {'x' * 360}s3cr3t-p4ss"
    (tmp_path / "said").write_text(fatal(said))
    copy = Copy(tmp_path, program, f"cat {tmp_path}/said >&2; exit 1", secrets=secrets)
    with pytest.raises(TransferError) as caught:
        copy()
    assert f"you sent {HIDDEN}," in str(caught.value)
    assert "s3cr" not in str(caught.value)


def test_a_copy_that_fails_says_why(tmp_path: Path, program: Path) -> None:
    (tmp_path / "said").write_text(fatal("reading blob: unexpected EOF"))
    with pytest.raises(TransferError, match="skopeo: reading blob: unexpected EOF") as caught:
        Copy(tmp_path, program, f"cat {tmp_path}/said >&2; exit 1")()
    assert caught.value.heals is True


def test_a_copy_that_cannot_be_started(tmp_path: Path, program: Path) -> None:
    copy = Copy(tmp_path, program, "")
    program.unlink()
    with pytest.raises(TransferError, match=r"skopeo_path: .*/bin/skopeo cannot be run: .*not found") as caught:
        copy()
    assert caught.value.heals is False


def test_a_copy_that_is_killed_can_be_tried_again(tmp_path: Path, program: Path) -> None:
    with pytest.raises(TransferError, match="ended by signal 9"):
        Copy(tmp_path, program, "kill -9 $$")()


def test_a_copy_is_given_up_at_its_deadline(tmp_path: Path, program: Path) -> None:
    with pytest.raises(TransferError, match="it was not done within timeout") as caught:
        Copy(tmp_path, program, "sleep 600")(seconds=0)
    assert caught.value.heals is False


def test_a_stop_ends_the_copy(tmp_path: Path, program: Path) -> None:
    copy = Copy(tmp_path, program, f"echo > {tmp_path}/ready; exec sleep 600")
    os.mkfifo(tmp_path / "ready")

    def stop_when_it_runs() -> None:
        wait_for_pipe(tmp_path / "ready")
        copy.stop.end()

    watcher = threading.Thread(target=stop_when_it_runs)
    watcher.start()
    with pytest.raises(Interrupted):
        copy()
    watcher.join()


def test_a_transfer_that_stalls_is_ended(tmp_path: Path, program: Path) -> None:
    copy = Copy(tmp_path, program, "exec sleep 600", stall_timeout=0.05)
    with pytest.raises(TransferError, match=r"the transfer stalled: no byte in 0\.05 s") as caught:
        copy()
    assert caught.value.heals is True


def test_a_file_that_grows_is_progress(tmp_path: Path) -> None:
    assert skopeo_module._progress(str(tmp_path / "missing")) == ()
    blob = tmp_path / "oci-put-blob1"
    blob.write_bytes(b"a")
    first = skopeo_module._progress(str(tmp_path))
    assert first == (("oci-put-blob1", 1),)
    blob.write_bytes(b"ab")
    assert skopeo_module._progress(str(tmp_path)) != first
    blob.rename(tmp_path / "oci-put-blob2")
    assert skopeo_module._progress(str(tmp_path)) == (("oci-put-blob2", 2),)
