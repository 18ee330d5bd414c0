# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a credential could be seen while the module runs and afterwards, however it is given: nowhere."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import saved, umask
from ansible_collections.airgap.images.tests.functional._secrets import (  # noqa: F401
    NEEDLES,
    OF_OPTIONS,
    OWNER,
    WAYS,
    Closed,
    Guarded,
    Told,
    Way,
    by_environment,
    by_helper,
    by_home,
    by_options,
    by_registries,
    closed,
    guarded,
)
from ansible_collections.airgap.images.tests.support.module import Result, RunningModule, start_module, wait_for_end
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.surveillance import (
    ATTRIB,
    CREATE,
    DELETE,
    MOVED_TO,
    FileWatch,
    Needles,
    ProcessWatch,
    SystemLog,
    forms,
    programs_below,
)
from ansible_collections.airgap.images.tests.support.workbench import Workbench

pytestmark = pytest.mark.both_ways

MORE = (by_registries, by_home)
"""Those of which the module makes the same as of others, by the same code."""

THOROUGH = pytest.mark.thorough
EACH_WAY = [pytest.param(way, marks=THOROUGH) if way in MORE else way for way in WAYS]

SHARED_FOLDERS = [Path(path) for path in ("/tmp", "/var/tmp", "/dev/shm")]  # noqa: S108  # where programs may write


@dataclass
class Run:
    """A run that is looked at from all sides."""

    bench: Workbench
    home: Path
    scratch: Path
    guarded: Guarded

    @property
    def folders(self) -> list[Path]:
        """Where the module writes, and where it might."""
        return [self.bench.cache, self.bench.dest.parent, self.log.parent, self.home, self.scratch]

    @property
    def log(self) -> Path:
        return self.bench.directory / "logs" / "run.log"

    def closed(self, *, tokens: bool = True) -> Closed:
        """A registry that lets in its owner only."""
        return self.guarded.closed(self.bench, tokens=tokens)

    def make_folders(self) -> None:
        """Makes those that are not there."""
        for folder in self.folders:
            folder.mkdir(exist_ok=True, mode=0o700)

    def start(self, references: list[str], told: Told, **keywords: Any) -> RunningModule:
        """Starts the module with everything on that makes it talk."""
        self.make_folders()
        more = {"log_file": self.log, "debug": True, "retries": 0, **told.params}
        params = self.bench.params(references, **more)
        return start_module(params, verbosity=4, diff=True, env=told.env, **keywords)

    def assert_secret(self, result: Result, running: RunningModule, *allowed: Path) -> None:
        """Neither what it returned or wrote to any stream, nor a file shows the secret."""
        for text in (json.dumps(result.data, ensure_ascii=False), *running.output()):
            assert not NEEDLES.seen(text)
        assert set(NEEDLES.below(*self.folders)) <= set(allowed)


@pytest.fixture
def run(guarded: Guarded, bench: Workbench, home: Path, scratch: Path) -> Run:
    return Run(bench, home, scratch, guarded)


def assert_unseen(processes: ProcessWatch) -> None:
    """Not in a command line or environment of what was seen."""
    for texts in (processes.command_lines, processes.environments):
        for text in texts:
            assert not NEEDLES.seen(text)


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=THOROUGH) if way in (*MORE, by_environment) else way for way in WAYS]
)
def test_nobody_sees_it_while_an_image_is_saved(run: Run, way: Way) -> None:
    """Neither processes, files, the system's log nor the result; with tokens, which are secrets too."""
    source = run.closed()
    told = way(run.bench.directory, source.proxy.host)
    hold = source.hold()
    run.make_folders()
    with (
        SystemLog() as log,
        umask(0),
        FileWatch(NEEDLES, run.folders, SHARED_FOLDERS) as files,
        run.start([source.reference], told, under=log.prefix) as running,
    ):
        with ProcessWatch(lambda: programs_below(running.pid)) as processes:
            source.await_skopeo(hold, running)
            processes.look()
            hold.release()
            result = running.wait()
        saved(result)
        run.assert_secret(result, running, *told.files)
    assert_unseen(processes)
    programs = ("skopeo", "docker-credential-tests") if way is by_helper else ("skopeo",)
    for name in programs:
        assert any(name in line for line in processes.command_lines), f"{name} was not seen"
    invoked = [line for line in log.lines if "Invoked with" in line]
    assert invoked and "some/image" in invoked[0], f"the system's log was not heard: {log.lines}"
    assert not [line for line in log.lines if NEEDLES.seen(line)]
    ours = files.sights.keys() - set(told.files)
    assert len(ours) == (1 if way in OF_OPTIONS else 0), f"seen in {sorted(ours)}"


@pytest.mark.each_value
@pytest.mark.parametrize("way", EACH_WAY)
@pytest.mark.parametrize("case", ["missing", "check", "no reference"])
def test_nobody_sees_it_when_a_run_fails_or_only_looks(run: Run, way: Way, case: str) -> None:
    """A tag that is missing, a registry that refuses after all, check mode: all with everything said."""
    source = run.closed(tokens=False)
    told = way(run.bench.directory, source.proxy.host)
    more = {"missing": [f"{source.reference}x"], "check": [], "no reference": ["no reference"]}[case]
    references = [source.reference, *more]
    with run.start(references, told, check=case == "check") as running:
        result = running.wait()
        assert result.failed is (case != "check"), result.msg
        # Newer ansible-cores leave it to the controller to tell the arguments.
        assert result.data.get("invocation", {"module_args": references})["module_args"]
        run.assert_secret(result, running, *told.files)


def test_a_password_that_is_wrong_is_as_secret(run: Run) -> None:
    registry = run.bench.registry(tokens=run.bench.tokens())
    image = push(registry, "some/image", "1", small(1))
    with run.start([image.reference], by_options(run.bench.directory, registry.host)) as running:
        result = running.wait()
        assert result.failed and "unauthorized" in result.msg
        run.assert_secret(result, running)


@pytest.mark.parametrize("content", ["{broken %s", '{"auths": {"HOST": {"auth": 7, "x": "%s"}}}', '{"auths": "%s"}'])
def test_a_login_file_that_is_none_is_not_quoted(run: Run, content: str) -> None:
    source = run.closed(tokens=False)
    path = run.bench.directory / "login.json"
    host = source.reference.partition("/")[0]
    path.write_text(content.replace("HOST", host) % OWNER.password, encoding="utf-8")
    with run.start([source.reference], Told({"authfile": path}, {})) as running:
        result = running.wait()
        assert result.failed and str(path) in result.msg
        run.assert_secret(result, running)


def test_the_key_of_a_client_certificate_stays_where_it_is(run: Run) -> None:
    """skopeo gets a directory with a link to it."""
    registry = run.bench.registry(client_certificate=True)
    image = push(registry, "some/image", "1", small(1))
    pair = run.bench.authority.client()
    key = Needles(tuple(line for line in pair.key.read_text("ascii").splitlines() if len(line) > 40), tokens=False)
    assert key.texts
    params = {
        "validate_certs": True,
        "ca_path": run.bench.authority.ca_path,
        "client_cert": pair.certificate,
        "client_key": pair.key,
    }
    run.make_folders()
    with (
        FileWatch(key, run.folders, SHARED_FOLDERS) as files,
        run.start([image.reference], Told(params, {})) as running,
    ):
        result = running.wait()
        shown = json.dumps(result.data) + "".join(running.output())
    saved(result)
    assert not key.seen(shown) and not files.sights
    assert any(path.name == "option.key" for path in files.events), "skopeo was given no key"


def test_the_password_of_a_proxy_is_in_no_place_but_the_environment(run: Run) -> None:
    """Programs need it there; Go gives requests for 127.0.0.1 to no proxy, so the registry has another name."""
    registry = run.bench.registry()
    push(registry, "some/image", "1", small(1))
    proxy = run.bench.proxy(registry)
    userinfo = f"{OWNER.username}:{forms_in_address(OWNER.password)}"
    address = f"http://{userinfo}@{proxy.host}"
    told = Told({}, {"http_proxy": address, "https_proxy": address})
    reference = "registry.example:5000/some/image:1"
    with FileWatch(NEEDLES, [run.scratch, run.home]) as files, run.start([reference], told) as running:
        with ProcessWatch(lambda: programs_below(running.pid)) as processes:
            result = running.wait()
        saved(result)
        run.assert_secret(result, running)
    assert any("proxy-authorization" in each.headers for each in proxy.requests())
    assert not [line for line in processes.command_lines if NEEDLES.seen(line)]
    assert not files.sights


def forms_in_address(text: str) -> str:
    """With every character encoded that an address could misunderstand."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize("broken", ["http://{user}:{password}@127.0.0.1:1", "{user}:{password}@127.0.0.1:x"])
def test_the_password_of_a_proxy_that_does_not_work_is_not_shown(run: Run, broken: str) -> None:
    """Also where it was not encoded, so that libraries take its beginning for a host."""
    address = broken.format(user=OWNER.username, password=OWNER.password)
    first = OWNER.password.partition("/")[0]
    told = Told({}, {"http_proxy": address, "https_proxy": address})
    with run.start(["registry.example:5000/some/image:1"], told) as running:
        result = running.wait()
        assert result.failed and "registry.example:5000" in result.msg
        run.assert_secret(result, running)
        assert first not in result.msg


@pytest.mark.parametrize(
    "way", [by_options, *(pytest.param(way, marks=THOROUGH) for way in OF_OPTIONS if way != by_options)]
)
def test_the_file_for_skopeo_is_private_from_its_first_byte(run: Run, way: Way) -> None:
    """Without a umask: its mode and its directory's are right when they are seen, and were never changed."""
    source = run.closed()
    told = way(run.bench.directory, source.proxy.host)
    hold = source.hold()
    run.bench.cache.mkdir(mode=0o700)
    run.bench.dest.parent.mkdir(mode=0o700)
    with FileWatch(NEEDLES, [run.bench.cache]) as files, umask(0), run.start([source.reference], told) as running:
        source.await_skopeo(hold, running)
        (found,) = NEEDLES.below(*run.folders)
        owner, holder = found.stat(), found.parent.stat()
        assert (stat.S_IMODE(owner.st_mode), stat.S_IMODE(holder.st_mode)) == (0o600, 0o700)
        assert owner.st_uid == holder.st_uid == os.geteuid()
        hold.release()
        saved(running.wait())
    sight = files.sights[found]
    assert (sight.modes, sight.parents) == ({0o600}, {0o700})
    for path in (found, found.parent):
        assert files.events[path][0] == CREATE and DELETE in files.events[path]
        assert not [event for event in files.events[path] if event & (ATTRIB | MOVED_TO) and event != DELETE], path
    assert not found.parent.exists()


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(each, marks=THOROUGH) for each in (signal.SIGINT, signal.SIGHUP))],
)
def test_it_is_gone_when_a_run_is_told_to_end(run: Run, number: signal.Signals) -> None:
    source = run.closed()
    hold = source.hold()
    with run.start([source.reference], by_options(run.bench.directory, source.proxy.host)) as running:
        source.await_skopeo(hold, running)
        assert NEEDLES.below(*run.folders)
        children = running.children()
        running.adopt(children)
        running.signal(number)
        result = running.wait()
        wait_for_end(children)
        assert result.failed and number.name in result.msg
        run.assert_secret(result, running)


@pytest.mark.both_ways(short=True)
def test_it_is_gone_when_a_copy_fails(run: Run) -> None:
    source = closed(run.bench)
    hold = source.hold()
    with run.start([source.reference], by_options(run.bench.directory, source.proxy.host)) as running:
        source.await_skopeo(hold, running)
        assert NEEDLES.below(*run.folders)
        source.registry.stop()
        hold.release()
        result = running.wait()
        assert result.failed
        run.assert_secret(result, running)


def killed(run: Run, source: Closed) -> Path:
    """The file that a killed run leaves."""
    hold = source.hold()
    with run.start([source.reference], by_options(run.bench.directory, source.proxy.host)) as running:
        source.await_skopeo(hold, running)
        children = running.children()
        running.adopt(children)
        running.kill()
        wait_for_end(children)
    (left,) = NEEDLES.below(*run.folders)
    assert stat.S_IMODE(left.stat().st_mode) == 0o600 and stat.S_IMODE(left.parent.stat().st_mode) == 0o700
    return left


THEN = [
    "nothing is new",
    *(pytest.param(each, marks=THOROUGH) for each in ("another archive", "login fails", "all fails")),
]


@pytest.mark.parametrize("then", THEN)
def test_after_a_kill_the_next_run_removes_it(run: Run, then: str) -> None:
    """Whatever that run is about, as long as it uses the cache; check mode writes nothing and so removes nothing."""
    public = run.bench.registry()
    image = push(public, "some/old", "1", small(7))
    run.bench.dest.parent.mkdir()
    saved(run.bench.save([image]))
    source = run.closed()
    left = killed(run, source)
    assert not run.bench.save([image], check=True).failed
    assert left.exists()
    if then == "nothing is new":
        saved(run.bench.save([image]), changed=False)
    elif then == "another archive":
        saved(run.bench.save([image], dest=run.bench.dest.with_name("other.tar.gz")))
    elif then == "all fails":
        assert run.bench.save(["127.0.0.1:1/some/image:1"], retries=0).failed
    else:
        assert run.bench.save([source.image], retries=0).failed
    assert not left.parent.exists()
    assert not NEEDLES.below(*run.folders)


def test_a_shell_sees_no_secret_of_ours(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that only tell their version, or set a mode, have no use for it either."""
    source = run.closed(tokens=False)
    seen = run.bench.directory / "seen"
    fake = run.bench.directory / "bin"
    fake.mkdir()
    for name in ("setpriv", "skopeo", "lsattr", "chattr"):
        real = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (fake / name).write_text(f'#!/bin/sh\n{{ echo "{name} $*"; env; }} >>{seen}\nexec {real} "$@"\n')
        (fake / name).chmod(0o755)
    env = {
        "SOURCE_USERNAME": OWNER.username,
        "SOURCE_PASSWORD": OWNER.password,
        "PATH": f"{fake}{os.pathsep}{os.environ['PATH']}",
    }
    with run.start([source.reference], Told({"attributes": "+d"}, env)) as running:
        result = running.wait()
        assert not re.search(r"Traceback", result.msg)
    called = seen.read_text("utf-8")
    assert {"setpriv", "skopeo", "lsattr"} <= {line.partition(" ")[0] for line in called.splitlines()}
    assert "--version" in called
    assert not NEEDLES.seen(called) and "SOURCE_" not in called


def test_forms_are_what_they_are_called() -> None:
    """The other tests rest on this."""
    found = Needles(tuple(forms("pä/ss", username="u")))
    for text in ("pä/ss", "p%C3%A4/ss", "p%C3%A4%2Fss", "p\\u00e4/ss", "cMOkL3Nz", "dTpww6Qvc3M"):
        assert f"<{text}>" in found, text
    assert "pass" not in found
