# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of what registries and programs say: two headers, skopeo's errors, the configuration of registries."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Iterator

from ...plugins.module_utils._base.errors import TransferError
from ...plugins.module_utils._http import status_errors
from ...plugins.module_utils._registry import challenge as challenge_module
from ...plugins.module_utils._skopeo import registries_conf, skopeo_errors
from .properties import assert_shown, is_sample, text_of

try:
    import tomllib
except ImportError:  # before Python 3.11, where the seeds are tried too
    tomllib = None  # type: ignore[assignment]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]+)?|\[[0-9a-f:]+\](:[0-9]+)?")
_NOW = 1_700_000_000.0


def check_challenge(data: bytes) -> None:
    """WWW-Authenticate: http.client gives headers as Latin-1."""
    header = data.decode("latin-1")
    challenges = challenge_module.parse_challenges(header)
    for challenge in challenges:
        assert _TOKEN.fullmatch(challenge.scheme), challenge
        assert challenge.scheme in header.lower()
        for name, value in challenge.parameters.items():
            assert _TOKEN.fullmatch(name), challenge
            assert name in header.lower()
            assert value in header or "\\" in header, challenge
    if not is_sample(data):
        return
    written = ", ".join(_written(challenge) for challenge in challenges)
    # A backslash may stand before any character, so that what is written again can be longer.
    if len(written) <= 8192:
        assert challenge_module.parse_challenges(written) == challenges, written


def _written(challenge: challenge_module.Challenge) -> str:
    values = {name: re.sub(r'(["\\])', r"\\\1", value) for name, value in challenge.parameters.items()}
    return f"{challenge.scheme} " + ", ".join(f'{name}="{value}"' for name, value in values.items())


def check_retry_after(data: bytes) -> None:
    """Retry-After: seconds, or nothing."""
    value = data.decode("latin-1")
    asked = status_errors.parse_retry_after(value, now=_NOW)
    if asked is None:
        assert not (value.isascii() and value.strip().isdigit())
        return
    assert math.isfinite(asked) and asked >= 0, asked
    number = value.strip()
    if number.isdigit() and len(number) <= 9:
        assert asked == int(number)
    # The same moment, written as a registry has to write it.
    if 0 < asked < 10**9 and not number.isdigit():
        date = email.utils.formatdate(_NOW + asked, usegmt=True)
        assert status_errors.parse_retry_after(date, now=_NOW) == asked


def check_skopeo(data: bytes) -> None:
    """skopeo's errors: whatever it says, there is one sentence, and a verdict."""
    text = data.decode("utf-8", "replace")
    error = skopeo_errors.explain(text, 1, "reg.lan/a/b")
    assert isinstance(error, TransferError)
    assert_shown(str(error), 600)
    assert error.retry_after is None
    assert skopeo_errors.explain(text, -9, "").heals
    # Words in the name of what was copied say nothing about the cause.
    if "reg.lan/a/b" in text and "denied/timeout" not in text:
        other = "reg.lan/denied/timeout"
        renamed = skopeo_errors.explain(text.replace("reg.lan/a/b", other), 1, other)
        assert renamed.heals == error.heals


def check_registries_conf(data: bytes) -> None:
    """A registry that the configuration concerns is recognised, as a TOML reader sees it."""
    text = text_of(data)
    names = registries_conf.names_in(text)
    if tomllib is None:
        return
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    for name in _concerned(document):
        host = name.partition("/")[0].lower()
        if _HOST.fullmatch(host):
            assert names is None or any(registries_conf.covers(one, host) for one in names), (name, names)
    helpers = _of_any_case(document, "credential-helpers")
    if any(helper != "containers-auth.json" for one in helpers if isinstance(one, list) for helper in one):
        assert names is None, helpers


def _concerned(document: dict[str, object]) -> Iterator[str]:
    """The registries that the configuration says anything about; the decoder of skopeo knows keys in any case."""
    for entries in _of_any_case(document, "registry"):
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield from _texts(_of_any_case(entry, "prefix"))
                yield from _texts(_of_any_case(entry, "location"))
    for old in _of_any_case(document, "registries"):
        for kind in ("insecure", "block"):
            for table in _of_any_case(old, kind) if isinstance(old, dict) else ():
                for listed in _of_any_case(table, "registries") if isinstance(table, dict) else ():
                    yield from _texts(listed if isinstance(listed, list) else [])


def _of_any_case(table: dict[str, object], key: str) -> list[object]:
    return [value for name, value in table.items() if name.lower() == key]


def _texts(values: list[object]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]
