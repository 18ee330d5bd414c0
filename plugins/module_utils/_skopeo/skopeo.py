# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One ``skopeo copy``: its command line, a watch on its progress, its end, and what its errors mean."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Callable

from .._base.deadline import not_done_in_time
from .._base.errors import (
    ConnectionRefused,
    Missing,
    OptionError,
    ProxyLoginRefused,
    Refused,
    TransferError,
    WrongBytes,
    printable,
)
from .._base.secrets import Secrets
from .._base.stop import Stop
from .._host.disk_errors import is_out_of_files, reason
from .._host.process import end, has_ended, memory_file, start
from .._http.trust_store import TrustStore
from .._oci.image import PlatformImage, hex_of
from .._oci.reference import Repository
from .._registry.access import Access
from .registries_conf import given_file
from .work import Work

_OLDEST = (1, 6)
_KEEP_MANIFEST = "--preserve-digests"
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 1.0
_NOT_RUN = (126, 127)  # what a shell says of a program that it cannot find or run
_VERSION_SECONDS = 60.0
_MOST_SAID = 64 * 1024 * 1024
_LAST_SAID = 64 * 1024
_VERSION = re.compile(r"version (\d+)\.(\d+)")
_ASKED = re.compile(r'^Error parsing image name "[^"]*": ')
_MIRRORS = re.compile(r"\(Mirrors also failed: (.*)\): ")
# Where else it looked, whose names say nothing about the cause either.
_NAMED = re.compile(r"(?:(?<=\[)|(?<=\]\): )|\breading manifest \S+ in )[^\s\[\]]+(?=: )")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class _Cause:
    """One class of skopeo's failures: how it is known, whether trying again can help, and what to tell the user."""

    pattern: str
    heals: bool
    remedy: str = ""
    raised: type[TransferError] = TransferError


# The first that matches counts. Texts were read off skopeo 1.9.3 and 1.22.
_CAUSES = (
    _Cause("is blocked in ", False, "take it out of the list, or have registries.conf allow it"),
    _Cause("loading registries configuration", False, "correct that file, or remove it"),
    _Cause("no space left on device|disk quota exceeded", False, "free some space for cache_dir"),
    _Cause("too many open files", True, "lower jobs or raise the limit of open files (ulimit -n)"),
    _Cause("permission denied|read-only file system", False, "cache_dir must be writable"),
    _Cause("policy\\.json: no such file", False, "install a policy.json, or set signature_policy or insecure_policy"),
    _Cause("Source image rejected|signature was required", False, "the signature policy does not accept this image"),
    _Cause("toomanyrequests|too many requests|status:? 429|registry 429|StatusCode: 429", True),
    _Cause("(HTTP status:|from registry|status code|StatusCode:) 5\\d\\d", True),
    _Cause(
        "unauthorized|authentication required|denied|StatusCode: 40[13]",
        False,
        "give username and password, registries or authfile",
        Refused,
    ),
    _Cause(
        "manifest unknown|name unknown|not found|StatusCode: 404",
        False,
        "it is not (or no longer) in the registry",
        Missing,
    ),
    _Cause(
        "Proxy Authentication Required",
        False,
        "correct user and password in the address of the proxy",
        ProxyLoginRefused,
    ),
    # Before "x509", which all of these are as well.
    _Cause("not yet valid: current time \\S+ is before", False, "the clock here may be behind"),
    _Cause("has expired or is not yet valid", False, "it has to be renewed, or the clock here is wrong"),
    _Cause(
        "x509: (cannot validate certificate|certificate is (not )?valid) for",
        False,
        "use the name that it has",
    ),
    _Cause("legacy Common Name", False, "make it anew, with its name as subjectAltName"),
    _Cause("does not look like a TLS handshake", False, "plain http is used only with validate_certs=false"),
    _Cause("x509|tls: |certificate", False, "give the registry's authority with ca_path"),
    _Cause("gave HTTP response to HTTPS client", False, "plain http is used only with validate_certs=false"),
    _Cause("unexpected EOF|EOF|connection reset|broken pipe|INTERNAL_ERROR|stream error", True),
    _Cause(
        "[Dd]igest did not match|does not match (\\w+ ){0,2}(digest|sha256)|expected.{0,200}but have",
        True,
        raised=WrongBytes,
    ),
    _Cause("pinging container registry .{0,300}connection refused", True, raised=ConnectionRefused),
    _Cause("connection refused|no such host|i/o timeout|timeout|deadline exceeded|network is unreachable", True),
    _Cause("server misbehaving|temporary failure", True),
    _Cause(
        "unsupported docker v2s2 media type",
        False,
        "push the image again with OCI types (docker buildx: oci-mediatypes=true)",
    ),
    _Cause("unsupported schema version|nimplemented manifest MIME", False, "the registry gives a wrong Content-Type"),
)


class Skopeo:
    """Runs skopeo for the copies and questions of one run.

    :ivar authfile: the login file to give to skopeo; ``None`` where its own search is to find credentials.
    :ivar private: a directory that nobody else can read, for what leads to certificates and keys; empty where
        :attr:`shows_certificates` is false.
    :ivar temporary: where skopeo and GnuPG put what is of a moment, which must have modes and sockets; empty where
        their own choice will do.
    :param stop: set when the run is to end; copies under way are then ended too.
    :param secrets: what no error shows, although skopeo repeats what registries say.
    """

    def __init__(self, access: Access, work: Work, trust: TrustStore, *, stop: Stop, secrets: Secrets) -> None:
        self._access = access
        self._work = work
        self._trust = trust
        self.authfile = access.authfile
        self.private = ""
        self.temporary = ""
        self._stop = stop
        self._secrets = secrets
        given = given_file(os.environ)
        self._configuration = [] if given is None else ["--registries-conf", given]

    @property
    def shows_certificates(self) -> bool:
        """Whether options name certificates, so that skopeo needs a directory of our own for them."""
        return self._access.ca_path is not None or self._access.client_cert is not None

    def check(self) -> str:
        """Make sure that skopeo is there and new enough.

        :returns: its path.
        :raises OptionError: says how to get it.
        """
        path = shutil.which(self._work.skopeo_path)
        if path is None:
            raise OptionError(f"skopeo_path: {self._work.skopeo_path!r} is no program on the target; install skopeo")
        version = _VERSION.search(self._ask_version(path))
        if version is None:
            raise OptionError(f"skopeo_path: {path} --version does not answer as skopeo does")
        if (int(version.group(1)), int(version.group(2))) < _OLDEST:
            raise OptionError(f"skopeo_path: {path} is too old ({version.group(0)}); at least version 1.6 is needed")
        return path

    def _ask_version(self, path: str) -> str:
        with memory_file("version") as told:
            try:
                process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # the engine knows no module
                    [path, "--version"],
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                raise OptionError(f"skopeo_path: {path} cannot be run: {reason(error)}") from error
            deadline = time.monotonic() + _VERSION_SECONDS
            try:
                while not has_ended(process, _POLL_SECONDS):
                    self._stop.check()
                    if time.monotonic() >= deadline or _says_too_much(told):
                        raise OptionError(f"skopeo_path: {path} --version does not end; is it skopeo?")
            finally:
                end(process)
            if process.returncode < 0:
                raise OptionError(f"skopeo_path: {path} --version was ended by signal {-process.returncode}; run again")
            return _last_words(told)

    def copy(self, image: PlatformImage, name: str, folder: str, share: str, *, deadline: float) -> None:
        """Copy one platform image into an empty OCI layout whose blobs are shared.

        :param name: ``@DIGEST`` or ``:TAG`` by which its repository is asked for it.
        :param folder: path of the layout; is made by skopeo. Its parent is a directory of this run alone.
        :param share: directory that holds ``sha256/``.
        :param deadline: ``time.monotonic()`` at which the copy is given up.
        :raises TransferError: what went wrong, and whether trying again can help.
        """
        command = self._command(image, name, folder, share)
        self._run(command, image.repository, lambda: _progress(folder), deadline=deadline)

    def accept(self, image: PlatformImage, name: str, directory: str, *, deadline: float) -> None:
        """Ask the registry for a platform image's manifest and configuration, and check the signature policy.

        That is what a copy does first. It then takes a layer for present whose name is there, and fetches none.

        :param name: ``@DIGEST`` or ``:TAG`` by which its repository is asked for it.
        :param directory: empty; what comes there is of no use.
        :param deadline: ``time.monotonic()`` at which it is given up.
        :raises TransferError: what went wrong, and whether trying again can help.
        """
        share = os.path.join(directory, "share")
        os.makedirs(os.path.join(share, "sha256"))
        for digest in image.layer_digests:
            with open(os.path.join(share, "sha256", hex_of(digest)), "xb"):
                pass
        folder = os.path.join(directory, "layout")
        # A conversion would need the layers.
        command = self._arguments(image, name, folder, share, [_KEEP_MANIFEST])
        self._run(command, image.repository, lambda: _progress(folder), deadline=deadline)

    def manifest(self, repository: Repository, name: str, *, limit: int, deadline: float) -> bytes:
        """Ask for a manifest or index as it is; nothing is checked.

        :param name: ``@DIGEST`` or ``:TAG``.
        :param limit: bytes accepted at most.
        :param deadline: ``time.monotonic()`` at which it is given up.
        :raises TransferError: what went wrong, and whether trying again can help.
        """
        return self._inspect(["--raw"], f"{repository}{name}", repository, limit=limit, deadline=deadline)

    def configuration(self, repository: Repository, name: str, *, limit: int, deadline: float) -> bytes:
        """Ask for the configuration of an image that is no index; see :meth:`manifest`."""
        return self._inspect(["--config", "--raw"], f"{repository}{name}", repository, limit=limit, deadline=deadline)

    def _inspect(self, options: list[str], name: str, repository: Repository, *, limit: int, deadline: float) -> bytes:
        cert_dir = self._trust.cert_dir(repository.registry, self.private)
        command = [self._work.skopeo_path, *self._configuration, "inspect", *options]
        if self.authfile is not None:
            command += ["--authfile", self.authfile]
        if cert_dir is not None:
            command += ["--cert-dir", cert_dir]
        if not self._access.validate_certs:
            command.append("--tls-verify=false")
        with memory_file("answer") as answer:
            command.append(f"docker://{name}")
            self._run(command, repository, lambda: _size(answer), deadline=deadline, output=answer)
            answer.seek(0)
            raw = answer.read(limit + 1)
        if len(raw) > limit:
            raise WrongBytes(f"skopeo: an answer has more than {limit} bytes, which is refused", heals=False)
        return raw

    def _run(
        self,
        command: list[str],
        repository: Repository,
        progress: Callable[[], object],
        *,
        deadline: float,
        output: BinaryIO | None = None,
    ) -> None:
        """Run it to its end.

        :param progress: tells something else as long as it goes on.
        :param output: takes its standard output.
        """
        with memory_file("skopeo") as errors:
            # Messages in English are the ones that are known here.
            environment = {**os.environ, "LC_ALL": "C"}
            if self.temporary:
                environment["TMPDIR"] = self.temporary
            try:
                process = start(command, errors=errors, environment=environment, output=output)
            except OSError as error:
                raise TransferError(
                    f"skopeo cannot be started: {reason(error)}", heals=is_out_of_files(error)
                ) from error
            try:
                self._watch(process, [errors] if output is None else [errors, output], progress, deadline)
            finally:
                end(process)
            if process.returncode in _NOT_RUN:
                said = printable(_last_words(errors).strip(), 200)
                raise TransferError(f"skopeo_path: {self._work.skopeo_path} cannot be run: {said}", heals=False)
            if process.returncode != 0:
                raise explain(self._secrets.hide(_last_words(errors)), process.returncode, str(repository))

    def _command(self, image: PlatformImage, name: str, folder: str, share: str) -> list[str]:
        # Of a schema 1 manifest skopeo would keep the bytes, but under a name that is not their sha256.
        return self._arguments(image, name, folder, share, [] if image.is_converted else [_KEEP_MANIFEST])

    def _arguments(self, image: PlatformImage, name: str, folder: str, share: str, more: Sequence[str]) -> list[str]:
        cert_dir = self._trust.cert_dir(image.repository.registry, self.private)
        command = [self._work.skopeo_path, *self._configuration]
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
        if not self._access.validate_certs:
            command.append("--src-tls-verify=false")
        return [*command, f"docker://{image.repository}{name}", f"oci:{folder}"]

    def _watch(
        self,
        process: subprocess.Popen[bytes],
        outputs: Sequence[BinaryIO],
        progress: Callable[[], object],
        deadline: float,
    ) -> None:
        """Wait for the end; give up at the deadline, at a stop, or when nothing goes on for too long."""
        seen, moved = progress(), time.monotonic()
        looked = moved
        while True:
            if has_ended(process, _POLL_SECONDS):
                return
            now = time.monotonic()
            self._stop.check()
            if any(_says_too_much(one) for one in outputs):
                raise TransferError("skopeo does not stop to talk; is skopeo_path skopeo?", heals=False)
            if now >= deadline:
                raise not_done_in_time()
            if now - looked < min(_LOOK_SECONDS, self._work.stall_timeout / 4):
                continue
            looked, found = now, progress()
            if found != seen:
                seen, moved = found, now
            elif now - moved >= self._work.stall_timeout:
                raise TransferError(f"the transfer stalled: no byte in {self._work.stall_timeout:g} s", heals=True)


def explain(text: str, status: int, repository: str) -> TransferError:
    """Turn skopeo's last words into an error for the user.

    :param text: its standard error, without secrets.
    :param status: its exit status; negative for the signal that ended it.
    :param repository: what was copied; words in its name say nothing about the cause.
    """
    fatal = _FATAL.findall(text)
    lines = [line for line in text.splitlines() if line.strip()]
    said = fatal[-1].replace('\\"', '"') if fatal else (lines[-1] if lines else f"it ended with status {status}")
    said = _ASKED.sub("", said)
    has_mirrors = _MIRRORS.search(said) is not None
    short = printable(_DIGEST.sub(r"\1…", said).replace("\\n", ", ")) if has_mirrors else printable(said, 400)
    if status < 0:
        return TransferError(f"skopeo was ended by signal {-status}", heals=True)
    told = _NAMED.sub("", said.replace(repository, "") if repository else said)
    cause = _cause(told)
    if cause is None:
        return TransferError(f"skopeo: {short}", heals=False)
    # The registry itself, asked last, may well be out of reach for good; a mirror is not.
    of_mirrors = _MIRRORS.search(told)
    may_pass = of_mirrors is not None and any(one.heals for one in _causes(of_mirrors.group(1)))
    text = f"skopeo: {short}" + (f"; {cause.remedy}" if cause.remedy else "")
    return cause.raised(text, heals=cause.heals or may_pass)


def _causes(said: str) -> Iterator[_Cause]:
    return (cause for cause in _CAUSES if re.search(cause.pattern, said))


def _cause(said: str) -> _Cause | None:
    return next(_causes(said), None)


def _says_too_much(output: BinaryIO) -> bool:
    """Whether a program's output, which is in memory, grows beyond all that skopeo has to say."""
    return _size(output) > _MOST_SAID


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _last_words(output: BinaryIO) -> str:
    """The end of a program's output, in whole lines."""
    output.seek(max(0, os.fstat(output.fileno()).st_size - _LAST_SAID))
    if output.tell():
        output.readline()  # half a line could hold half a secret
    return output.read().decode("utf-8", "replace")


def _progress(folder: str) -> tuple[tuple[str, int], ...]:
    """Names and sizes of the files that skopeo is writing (``oci-put-blob*``); any change is progress."""
    found = []
    try:
        for entry in os.scandir(folder):
            try:
                found.append((entry.name, entry.stat(follow_symlinks=False).st_size))
            except FileNotFoundError:
                continue
    except FileNotFoundError:
        pass
    return tuple(sorted(found))
