# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP for registries: one request at a time over kept-alive connections, failures told apart by whether they heal.

``requests`` gets nothing from its environment by itself: no netrc, no CA variable; proxies are passed per request. Its
adapter is used without its session, which would take as long for a HEAD as the request itself.
"""

from __future__ import annotations

import email.utils
import http.client
import os
import re
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import cast
from urllib.parse import urljoin, urlsplit

from ._dial import Dialer
from ._errors import ConnectionRefused, Missing, ProxyLoginRefused, TransferError, printable
from ._gate import Gates
from ._json import JsonError, parse_object
from ._proxy import Proxies
from ._timed import at_most, ensure_time, timed_adapter
from ._tls import Trust, tls_context

try:
    import requests
    import requests.adapters
    import requests.exceptions
    import urllib3
    import urllib3.exceptions

    REQUESTS_ERROR: ImportError | None = None
except ImportError as missing:  # the module reports it, with the interpreter it runs under
    REQUESTS_ERROR = missing

USER_AGENT = "airgap.images/0.1.0"
_CONNECT_TIMEOUT = 30.0
_SILENT = "sent nothing for the whole stall_timeout; raise it if it is only slow"
_MAX_REDIRECTS = 5
_HEALING = (408, 429)
_MAX_ERROR_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OWN_PORTS = {"http": "80", "https": "443"}
_WANTS_LOGIN = 407
_GZIP = 31  # zlib: a header and trailer of gzip are expected
_MOST_TIMES = 16
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b")
_CHUNK = 1024 * 1024
_NO_DATE = (IndexError, OverflowError, TypeError, ValueError)  # what Pythons raise for a text that is none
_MOST_PIECES = 100_000  # each costs as much as many bytes
# Identity: a blob that is "decoded" on the way no longer has its digest.
_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Answer:
    """A response whose body was read whole.

    :param origin: where it came from, behind all redirects; see :func:`origin_of`.
    :param headers: by name in lower case.
    :param url: the same as an address.
    :param asked: the origin that was asked, before all redirects.
    """

    origin: str
    status: int
    headers: dict[str, str]
    body: bytes
    url: str = ""
    asked: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Whether another host has answered than the one that was asked."""
        return bool(self.asked) and self.origin != self.asked

    @property
    def plain(self) -> bytes:
        """The body, taken out of its Content-Encoding if it has one that is true; never more than 16 times as long.

        Encodings are never asked for, so the header may be about what the bytes are, not about how they were sent.
        """
        if not is_gzip(self.header("content-encoding")):
            return self.body
        try:
            return zlib.decompressobj(wbits=_GZIP).decompress(self.body, _MOST_TIMES * len(self.body) + 1)
        except zlib.error:
            return self.body

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")


class Http:
    """Requests to one registry and to the hosts that it names (token service, blob storage).

    :param host: ``HOST[:PORT]``; only requests to it carry the client certificate and the Authorization header.
    :param read_timeout: seconds without a byte after which a request is given up.
    :param gates: of the proxies, shared with others who go through them.
    """

    def __init__(
        self, host: str, trust: Trust, *, read_timeout: float, connections: int, gates: Gates | None = None
    ) -> None:
        self.host = host
        self._trust = trust
        self._read_timeout = read_timeout
        self._connections = connections
        self._gates = gates or Gates()
        self._dialer = Dialer()
        self._mutex = threading.Lock()
        self._adapters: dict[bool, requests.adapters.HTTPAdapter] = {}
        if trust.verify is False:  # was asked for; urllib3 would say so at every request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def read(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        limit: int,
        form: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request and read its body.

        :param limit: bytes of the body accepted at most.
        :param form: fields of a form, for POST.
        :raises TransferError: when no answer comes, or a body longer than the limit.
        """
        with self._open(method, url, headers, form) as response:
            wanted = limit if response.status_code < 400 else _MAX_ERROR_BYTES
            body = self._body(response, wanted, fail=response.status_code < 400)
            return _answer(response, body, url)

    @contextmanager
    def stream(self, url: str, *, headers: dict[str, str]) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """GET a body of any size in pieces; the :class:`Answer` given has no body unless the status is an error."""
        with self._open("GET", url, headers, None) as response:
            failed = response.status_code >= 400
            body = self._body(response, _MAX_ERROR_BYTES, fail=False) if failed else b""
            yield _answer(response, body, url), self._chunks(response)

    def close(self) -> None:
        for adapter in self._adapters.values():
            adapter.close()

    def _body(self, response: requests.Response, limit: int, *, fail: bool) -> bytes:
        """Read a body to its end, also an empty one: only then is the connection kept."""
        body = bytearray()
        for number, chunk in enumerate(self._chunks(response)):
            body += chunk
            if len(body) > limit or number >= _MOST_PIECES:
                if fail:
                    what = f"is longer than {limit} bytes" if len(body) > limit else "comes in too small pieces"
                    raise TransferError(f"the answer {what}, which is refused", heals=False)
                return bytes(body[:limit])
        return bytes(body)

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        host = shown_host(response.url)
        received = 0
        try:
            for chunk in _received(response):
                received += len(chunk)
                yield chunk
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            ensure_time()
            raise explain_failure(error, host) from error
        length = number_of(response.headers.get("content-length", ""))
        if response.request.method != "HEAD" and length is not None and received < length:
            raise TransferError(f"the answer of {host} ended after {received} of {length} bytes", heals=True)

    @contextmanager
    def _open(
        self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None
    ) -> Iterator[requests.Response]:
        response = self._send(method, url, headers, form)
        hops = 0
        try:
            while response.status_code in _REDIRECTS and "location" in response.headers:
                if hops == _MAX_REDIRECTS:
                    raise TransferError(f"{self.host} redirects more than {_MAX_REDIRECTS} times", heals=False)
                target = self._redirect_target(url, response.headers["location"])
                response.close()
                if form is not None:
                    raise TransferError(f"{self.host} redirects a request for a token, which is refused", heals=False)
                if origin_of(target) != origin_of(url):
                    headers = {key: value for key, value in headers.items() if key.lower() != "authorization"}
                url = target
                response = self._follow(method, url, headers)
                hops += 1
            yield response
        finally:
            response.close()

    def _follow(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        """Send a request to where a redirect leads; if nobody listens there, the registry itself has answered."""
        try:
            return self._send(method, url, headers, None)
        except ConnectionRefused as error:
            raise TransferError(str(error), heals=error.heals) from error

    def _redirect_target(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
        except ValueError as error:
            raise TransferError(f"{self.host} redirects to something that is no address", heals=False) from error
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise TransferError(
                f"{self.host} redirects from https to {printable(urlsplit(target).scheme)}, which is refused",
                heals=False,
            )
        if urlsplit(target).scheme not in ("http", "https"):
            raise TransferError(f"{self.host} redirects to something that is not http or https", heals=False)
        return target

    def _send(self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None) -> requests.Response:
        try:
            request = requests.Request(method, url, headers={**_HEADERS, **headers}, data=form).prepare()
            origin = origin_of(url)
            proxies = _proxies(origin)
        except (requests.exceptions.RequestException, ValueError) as error:
            raise explain_failure(error, shown_host(url)) from error
        adapter = self._adapter(is_own=origin == origin_of(f"https://{self.host}"))
        if not proxies:
            return self._try(adapter, request, proxies)
        [proxy] = proxies.values()
        return self._gates.of(proxy).through(lambda: self._try(adapter, request, proxies))

    def _try(
        self, adapter: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, proxies: dict[str, str]
    ) -> requests.Response:
        timeouts = (at_most(_CONNECT_TIMEOUT), at_most(self._read_timeout))
        try:
            response = adapter.send(request, stream=True, timeout=timeouts, proxies=proxies)
        # Some of urllib3's errors, and of what it is built on, come as they are.
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            ensure_time()
            if proxies and _tunnel_status(error) == _WANTS_LOGIN:
                raise _refused_login(proxies) from error
            raise explain_failure(error, shown_host(request.url or "")) from error
        if proxies and response.status_code == _WANTS_LOGIN:
            response.close()
            raise _refused_login(proxies)
        return response

    def _adapter(self, *, is_own: bool) -> requests.adapters.HTTPAdapter:
        """Connections to the registry itself, which gets the client certificate, or to other hosts."""
        shown = self._trust.client_cert if is_own else None
        with self._mutex:
            adapter = self._adapters.get(shown is not None)
            if adapter is None:
                context, plain = self._context(shown), self._context(None)
                adapter = timed_adapter(self._connections, context=context, proxy_context=plain, dialer=self._dialer)
                self._adapters[shown is not None] = adapter
            return adapter

    def _context(self, client_cert: tuple[str, str] | None) -> ssl.SSLContext:
        try:
            return tls_context(self._trust.verify, client_cert)
        except OSError as error:
            why = printable(str(error), 300)
            raise TransferError(f"the certificates for {self.host} cannot be used: {why}", heals=False) from error


def number_of(text: str) -> int | None:
    """A header's number of bytes; ``None`` where it is none, or no size that anything has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def explain_failure(error: Exception, host: str) -> TransferError:
    """Say what went wrong on the way to a host, and whether trying again can help."""
    kinds = requests.exceptions
    cause = _innermost(error)
    detail = printable(str(cause) or type(cause).__name__, 300)
    is_refused = isinstance(cause, ConnectionRefusedError)
    if isinstance(error, (kinds.SSLError, urllib3.exceptions.SSLError)):
        if "eof occurred" in detail.lower():
            return TransferError(f"the connection to {host} broke off: {detail}", heals=True)
        return TransferError(_explain_tls(detail, host), heals=False)
    if isinstance(error, kinds.ProxyError):
        told = f"the proxy on the way to {host} failed: {detail}"
        if is_refused:
            return ConnectionRefused(told, heals=True)
        return TransferError(told, heals=not 400 <= _tunnel_status(error) < 500)
    if isinstance(error, kinds.ConnectTimeout):
        return TransferError(f"{host} did not accept a connection within {_CONNECT_TIMEOUT:.0f} s", heals=True)
    if isinstance(error, (kinds.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return TransferError(f"{host} {_SILENT}", heals=True)
    broken = (kinds.ChunkedEncodingError, urllib3.exceptions.ProtocolError, http.client.HTTPException)
    if isinstance(error, broken):
        return TransferError(f"the answer of {host} broke off: {detail}", heals=True)
    from_the_system = isinstance(error, OSError) and not isinstance(error, kinds.RequestException)
    if isinstance(error, kinds.ConnectionError) or from_the_system:
        if isinstance(cause, http.client.HTTPException) and not isinstance(cause, OSError):
            return TransferError(f"the answer of {host} is not readable: {detail}", heals=True)
        if "timed out" in detail.lower():
            return TransferError(f"{host} {_SILENT}", heals=True)
        if "resol" in detail.lower() or "name or service" in detail.lower():
            return TransferError(f"the name of {host} cannot be resolved: {detail}; check it, and DNS here", heals=True)
        if "reset" in detail.lower():
            return TransferError(f"the connection to {host} broke off: {detail}", heals=True)
        if is_refused:
            return ConnectionRefused(f"no connection to {host}: {detail}; check its name and port", heals=True)
        return TransferError(f"no connection to {host}: {detail}", heals=True)
    return TransferError(f"the request to {host} failed: {detail}", heals=False)


def is_gzip(encoding: str) -> bool:
    """Whether a Content-Encoding says gzip."""
    return encoding.strip().lower() in ("gzip", "x-gzip")


def explain_status(answer: Answer, *, host: str, what: str) -> TransferError:
    """Say what an error status of a registry means for the thing that was asked for.

    :param host: the registry; where another host has answered, it is that one that is named.
    """
    said = _registry_message(answer.plain)
    told = f" ({said})" if said else ""
    status = answer.status
    if answer.is_elsewhere and status not in _HEALING and status < 500:
        return TransferError(
            f"{shown_host(answer.url)}, where {host} redirects for {what}, answered {status}{told}. Something on the "
            "way may block that host (firewall, proxy): let it through, or ask its owner",
            heals=False,
            is_final=True,
        )
    if answer.is_elsewhere:
        host = f"{shown_host(answer.url)}, where {host} redirects,"
    if status == 401:
        return TransferError(
            f"{host} refused access to {what}: unauthorized{told}. Give username and password, registries or authfile; "
            "some registries answer so for repositories that do not exist",
            heals=False,
        )
    if status == 403:
        return TransferError(f"{host} denied access to {what}{told}: the account may not pull it", heals=False)
    if status == 404:
        return Missing(
            f"{what} does not exist on {host}{told}, or its upstream did not answer, where that is a cache of another "
            "registry",
            heals=False,
        )
    if status == 429:
        return TransferError(
            f"{host} limits the rate of requests (429 too many requests){told}; credentials often raise the limit",
            heals=True,
            retry_after=_asked_to_wait(answer),
        )
    if status >= 500 or status == 408:
        return TransferError(
            f"{host} answered {status} when asked for {what}{told}", heals=True, retry_after=_asked_to_wait(answer)
        )
    return TransferError(f"{host} answered {status} when asked for {what}{told}", heals=False)


def _asked_to_wait(answer: Answer) -> float | None:
    """The seconds of Retry-After; a date in it counts from the registry's own clock, as ours may be wrong."""
    now = time.time()
    with suppress(*_NO_DATE):
        now = _utc(answer.header("date"))
    return parse_retry_after(answer.header("retry-after"), now=now)


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3); ``None`` if unreadable."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value.lstrip("0")[:9] or "0")
    try:
        return max(0.0, _utc(value) - now)
    except _NO_DATE:
        return None


def _utc(text: str) -> float:
    """Seconds since the epoch of a date; without a zone it is UTC (RFC 5322, 3.3, "-0000")."""
    date = email.utils.parsedate_to_datetime(text)
    return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()


def _received(response: requests.Response) -> Iterator[bytes]:
    """A body as it comes in, with one read of the socket for each piece.

    urllib3's own reading waits until a piece is full, which takes for ever where a byte comes now and then.
    """
    raw = response.raw
    answer = cast("http.client.HTTPResponse", raw._original_response)
    while True:
        chunk = answer.read1(_CHUNK)
        if not chunk:
            break
        yield chunk
    answer.read()  # tells http.client that this was all: the connection can be used again
    raw.release_conn()


@cache
def _proxies(origin: str) -> dict[str, str]:
    """The proxy that the environment names for a host, as ``requests`` takes it."""
    proxy = Proxies(os.environ).find(origin)
    return {urlsplit(origin).scheme: proxy} if proxy else {}


def _tunnel_status(error: Exception) -> int:
    """What a proxy answered that was asked for a tunnel to a host; 0 where it is something else that failed."""
    found = _TUNNEL.search(str(_innermost(error)))
    return int(found.group(1)) if found else 0


def _refused_login(proxies: dict[str, str]) -> ProxyLoginRefused:
    [proxy] = proxies.values()
    return ProxyLoginRefused(
        f"the proxy {shown_host(proxy)} wants another login (407): correct user and password in its address. It is not "
        "asked again in this run, because some lock an account after a few failures",
        heals=False,
        is_final=True,
    )


def _explain_tls(detail: str, host: str) -> str:
    low = detail.lower()
    if "hostname mismatch" in low or "doesn't match" in low or "not valid for" in low:
        return f"the certificate of {host} is for another name: {detail}. Use the name that the certificate has"
    if "not yet valid" in low:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
        return f"the certificate of {host} is not valid yet: {detail}. The clock here may be behind: it has {now} UTC"
    if "expired" in low:
        return f"the certificate of {host} has expired: {detail}. It has to be renewed, or the clock here is wrong"
    if "key identifier" in low:
        return (
            f"the certificate of {host} is not accepted: {detail}. Make the authority anew with subjectKeyIdentifier, "
            "and what it signs with authorityKeyIdentifier"
        )
    if "issuer certificate" in low or "verify the first certificate" in low:
        return (
            f"the certificate of {host} is not trusted: {detail}. Who has signed it is not known here: if that is an "
            "intermediate, have the server send it too, or add it to ca_path; if it is the authority itself, give it "
            "with ca_path"
        )
    if "certificate verify failed" in low or "self-signed" in low or "self signed" in low:
        return f"the certificate of {host} is not trusted: {detail}. Give its authority with ca_path"
    if "wrong version number" in low or "record layer failure" in low:
        return f"{host} does not speak TLS (http only?): {detail}. Plain http is used only with validate_certs=false"
    return f"TLS with {host} failed: {detail}"


def _innermost(error: BaseException) -> BaseException:
    """What is nearest to the cause: urllib3 wraps it in several layers."""
    seen: BaseException = error
    for _depth in range(8):
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if not isinstance(inner, BaseException) and seen.args and isinstance(seen.args[0], BaseException):
            inner = seen.args[0]
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return seen


def _registry_message(body: bytes) -> str:
    """The first error of a registry's answer (distribution-spec, "Error Codes")."""
    try:
        errors = parse_object(body).objects("errors")
        return printable(": ".join(filter(None, (errors[0].text("code"), errors[0].text("message")))), 200)
    except (JsonError, IndexError):
        return ""


def _answer(response: requests.Response, body: bytes, asked: str) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    url = response.url
    return Answer(origin_of(url), response.status_code, headers, body, url=url, asked=origin_of(asked))


def shown_host(url: str) -> str:
    """The host of an address that a server gave, safe to show; without a password that stands before it."""
    try:
        return printable(urlsplit(url).netloc.rpartition("@")[2], 200) or "a host without name"
    except ValueError:
        return "a host without name"


def origin_of(url: str) -> str:
    """``SCHEME://HOST[:PORT]`` of an address, in one spelling: lower case, and no port where it is the scheme's own.

    User and password stay, so that an address with them is another origin than one without.

    :raises ValueError: when it is no address.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host = parts.netloc.lower()
    name, colon, port = host.rpartition(":")
    return f"{scheme}://{name}" if colon and port in ("", _OWN_PORTS.get(scheme)) else f"{scheme}://{host}"
