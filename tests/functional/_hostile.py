# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for every run against a registry that means harm, whatever it answers."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.airgap.images.tests.functional._helpers import check, snapshot
from ansible_collections.airgap.images.tests.support.hostile import Asked, Hostile, Reply, Rule
from ansible_collections.airgap.images.tests.support.module import Result, run_module
from ansible_collections.airgap.images.tests.support.samples import small

HONEST = small(1)
"""The sound image that is saved beside the others."""

LONGEST = 1000
"""Characters that a reason may have at most."""


@dataclass
class Site:
    """A folder with a home, a scratch folder, a cache and a destination, and what lies around them."""

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.home, self.scratch, self.dest.parent, self.root / "logs"):
            folder.mkdir(parents=True)
        (self.root / "bystander").write_text("not to be touched\n", encoding="utf-8")

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def dest(self) -> Path:
        return self.root / "out" / "images.tar.gz"

    @property
    def env(self) -> dict[str, str | None]:
        return {"HOME": str(self.home), "TMPDIR": str(self.scratch)}

    def params(self, images: Sequence[str], **params: Any) -> dict[str, Any]:
        """A run that saves what can be saved, says all it knows, and tries nothing twice."""
        usual: dict[str, Any] = {
            "images": list(images),
            "dest": self.dest,
            "cache_dir": self.cache,
            "failed_list": self.root / "logs" / "failed.txt",
            "log_file": self.root / "logs" / "run.log",
            "debug": True,
            "validate_certs": False,
            "allow_partial": True,
            "retries": 0,
            "retry_delay": 0.01,
            "stall_timeout": 20,
            "timeout": 60,
        }
        return {**usual, **params}

    def save(self, images: Sequence[str], *, env: Mapping[str, str | None] | None = None, **params: Any) -> Result:
        """Runs the module; nothing may be shown that moves a cursor, and nothing written beside cache and archive."""
        with self.untouched():
            result = run_module(self.params(images, **params), env={**self.env, **(env or {})}, timeout=120)
        self.assert_printable(result)
        return result

    def save_measured(self, images: Sequence[str], **params: Any) -> tuple[Result, int]:
        """As ``save``; also gives the most memory that the run had, in bytes."""
        told = self.root / "peak"
        told.touch()
        result = self.save(images, env={"AIRGAP_PEAK": str(told)}, **params)
        return result, int(told.read_text(encoding="ascii")) * 1024

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Asserts that nothing around cache and archive comes, goes or changes."""
        before = self._around()
        yield
        assert self._around() == before

    def assert_printable(self, result: Result) -> None:
        """Neither the result nor a text file of the run has a character that does something to a terminal."""
        assert "Traceback" not in result.stderr, result.stderr
        # Ansible repeats the arguments as they were given.
        for text in _texts({key: value for key, value in result.data.items() if key != "invocation"}):
            assert_harmless(text)
        for path in [*self.root.glob("logs/*"), *self.dest.parent.glob("*.lock.json")]:
            for line in path.read_text(encoding="utf-8").split("\n"):
                assert_harmless(line)

    def _around(self) -> dict[str, tuple[object, ...]]:
        ours = (self.home, self.scratch, self.root / "bystander")
        roots = {str(path): ("",) for path in self.root.iterdir() if path.name not in ("cache", "out", "logs", "peak")}
        return {**roots, **snapshot(*ours)}


def assert_harmless(text: str) -> None:
    """No control characters, line breaks, changes of direction or halves of characters."""
    bad = [each for each in text if unicodedata.category(each) in ("Cc", "Zl", "Zp", "Cs")]
    bad += [each for each in text if each in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
    assert not bad, f"{bad[:5]!r} in {text[:2000]!r}"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def reasons(result: Result) -> dict[str, str]:
    """Why each image failed, by reference."""
    return {str(each["reference"]): str(each["reason"]) for each in result["failed_images"]}


def refused(result: Result, reference: str) -> str:
    """The reason for which an image failed; it is there, and no longer than anybody reads."""
    assert reference in reasons(result), f"{reference} did not fail: {result.msg}"
    reason = reasons(result)[reference]
    assert 10 < len(reason) <= LONGEST, reason[:2000]
    return reason


def only(result: Result, site: Site, hostile: Hostile) -> None:
    """Asserts that the archive is sound and has the honest image, and no other."""
    assert not result.failed and result.changed, result.msg
    archive = check(site.dest)
    assert archive.references == {hostile.reference("honest"): HONEST.digest}


def shut_out(result: Result, site: Site, hostile: Hostile) -> None:
    """Asserts that nothing is saved with skopeo alone: it never logs in where the login is asked for below ``/v2/``."""
    assert "so that skopeo sends none" in refused(result, hostile.reference("honest"))
    assert not site.dest.exists()


def files(root: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(os.path.relpath(path, root) for path in root.rglob("*"))


def to_us(part: str, reply: Reply, *, method: str = "") -> Rule:
    """An answer that skopeo does not get."""

    def rule(asked: Asked) -> Reply | None:
        fits = part in asked.path and not asked.by_skopeo and method in ("", asked.method)
        return reply if fits else None

    return rule
