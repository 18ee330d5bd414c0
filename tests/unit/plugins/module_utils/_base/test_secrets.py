# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts without secrets, in whatever form they come."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.secrets import HIDDEN, Secrets

PASSWORD = "s3cr3t/ü+ %:w0rd?"
PAIR = f"reader:{PASSWORD}".encode()
FORMS = {
    "as it is": PASSWORD,
    "in an address": quote(PASSWORD),
    "in an address, every character": quote(PASSWORD, safe=""),
    "in a form": quote_plus(PASSWORD),
    "base64": base64.b64encode(PASSWORD.encode()).decode(),
    "as Basic sends it": base64.b64encode(PAIR).decode(),
    "without padding": base64.b64encode(PAIR).decode().rstrip("="),
    "base64 for addresses": base64.urlsafe_b64encode(PAIR).decode(),
    "base64 in an address": quote(base64.b64encode(PAIR).decode(), safe=""),
}


def known() -> Secrets:
    secrets = Secrets()
    secrets.add(PASSWORD, username="reader")
    return secrets


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_hidden_in_every_form(form: str) -> None:
    assert known().hide(f"denied ({form}), reader") == f"denied ({HIDDEN}), reader"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("length", [4, 9])
def test_the_beginning_of_a_secret_is_hidden_where_a_text_was_cut(form: str, length: int) -> None:
    assert known().hide(f"denied ({form[:length]}…") == f"denied ({HIDDEN}…"


def test_where_a_text_was_cut_between_words_nothing_is_lost() -> None:
    assert known().hide("denied: some words…; try 2") == "denied: some words…; try 2"


LOOKS_LIKE: dict[str, tuple[str, str]] = {
    "a token": ("sent Bearer abcdefghijklmnop0123", f"sent Bearer {HIDDEN}"),
    "somebody's pair": ("authorization=Basic cmVhZGVyOnMzY3IzdA==!", f"authorization=Basic {HIDDEN}!"),
    "a JSON web token": ("got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln, no", f"got {HIDDEN}, no"),
    "a login in an address": ('proxy "http://me:pw@p.lan:1" no', f'proxy "http://{HIDDEN}@p.lan:1" no'),
    "a login without a scheme": (
        "no connection to me:pw@s.lan:1: refused",
        f"no connection to {HIDDEN}@s.lan:1: refused",
    ),
    "a signed address": ('Get "https://s.lan/b?X-Sig=abc&e=1": EOF', f'Get "https://s.lan/b?{HIDDEN}": EOF'),
    "an address in quotes of a log": (
        'Get \\"https://s.lan/b?X-Sig=abc\\": EOF',
        f'Get \\"https://s.lan/b?{HIDDEN}\\": EOF',
    ),
}


@pytest.mark.parametrize(("text", "expected"), LOOKS_LIKE.values(), ids=LOOKS_LIKE)
def test_what_looks_like_a_secret_is_hidden(text: str, expected: str) -> None:
    assert Secrets().hide(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "reg.lan refused access: basic authentication is needed",
        "bearer token of reg.lan:5000/team/app",
        'Get "https://reg.lan:5000/v2/team/app/manifests/1": EOF',
        "reg.lan/team/app@sha256:" + "ab" * 32,
        "/srv/cache/@home: no such file",
        f"initializing source docker://reg.lan:5000/team/app@sha256:{'ab' * 32}: EOF",
        f"docker://127.0.0.1:5000/app:1@sha256:{'ab' * 32}",
        f"app:1@sha256:{'ab' * 32}, reg.lan/app:1@sha256:{'ab' * 32}",
    ],
)
def test_what_people_need_is_not_hidden(text: str) -> None:
    assert known().hide(text) == text


def test_short_secrets_do_not_take_words_apart() -> None:
    secrets = Secrets()
    secrets.add("a", username="")
    secrets.add("")
    secrets.add("", username="reader")
    assert secrets.hide("a bad day, cmVhZGVyOg== reader:") == "a bad day, cmVhZGVyOg== reader:"
    assert secrets.hide("sent OmE=") == f"sent {HIDDEN}"


def test_passwords_of_proxies_are_secrets() -> None:
    secrets = Secrets()
    secrets.add_proxies(
        {"http_proxy": "http://me:p%40ssw%3Frd@p.lan:1", "HTTPS_PROXY": "http://p.lan:1", "MY_URL": "http://a:other@b"}
    )
    secrets.add_proxies({"https_proxy": "me:fiRst/secOnd@p.lan:1"})
    assert secrets.hide("fiRst is no host, secOnd@p.lan:1") == f"{HIDDEN} is no host, {HIDDEN}@p.lan:1"
    pair = base64.b64encode(b"me:p@ssw?rd").decode()
    assert secrets.hide(f"p%40ssw%3Frd p@ssw?rd {pair} p.lan other") == f"{HIDDEN} {HIDDEN} {HIDDEN} p.lan other"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_text_shows_a_secret(secret: str, before: str, after: str) -> None:
    secrets = Secrets()
    secrets.add(secret, username="reader")
    shown = secrets.hide(f"{before}{secret}{after}")
    assert not [piece for piece in shown.split(HIDDEN) if secret in piece]
