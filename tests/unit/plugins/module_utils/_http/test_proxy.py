# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import TransferError
from ansible_collections.airgap.images.plugins.module_utils._http.proxy import Proxies

PROXY = "http://proxy.test:3128"

# NO_PROXY, host, whether the host is asked directly. What skopeo does with names is compared in
# tests/functional/test_save_proxy.py; addresses are read off the documentation of Go's httpproxy.
EXCEPTIONS = {
    "a name": ("corp.test", "corp.test", True),
    "a name covers what is below it": ("corp.test", "registry.corp.test", True),
    "but not what only ends so": ("corp.test", "mycorp.test", False),
    "a dot covers what is below": (".corp.test", "registry.corp.test", True),
    "but not the name itself": (".corp.test", "corp.test", False),
    "a star is a dot": ("*.corp.test", "registry.corp.test", True),
    "also of the name itself": ("*.corp.test", "corp.test", False),
    "a star alone": ("*", "registry.test", True),
    "a star alone covers addresses": ("a.test, *", "10.1.2.3", True),
    "case does not count": ("Corp.TEST", "Registry.corp.test", True),
    "blanks do not count": (" a.test ,\tcorp.test ", "corp.test", True),
    "empty entries mean nothing": (",, ,", "corp.test", False),
    "its port": ("corp.test:5000", "corp.test:5000", True),
    "another port": ("corp.test:5000", "corp.test:5001", False),
    "the port of the scheme": ("corp.test:443", "corp.test", True),
    "a port alone is nothing": (":5000", "corp.test:5000", False),
    "an address": ("10.1.2.3", "10.1.2.3", True),
    "another address": ("10.1.2.3", "10.1.2.30", False),
    "an address and its port": ("10.1.2.3:5000", "10.1.2.3:5000", True),
    "an address and another port": ("10.1.2.3:5000", "10.1.2.3", False),
    "a network": ("10.0.0.0/8", "10.1.2.3:5000", True),
    "a network by one of its addresses": ("10.9.9.9/8", "10.1.2.3", True),
    "another network": ("10.0.0.0/8", "11.1.2.3", False),
    "a network is not for names": ("10.0.0.0/8", "ten.test", False),
    "a network by a mask is a name": ("10.0.0.0/255.0.0.0", "10.1.2.3", False),
    "a network of version 6": ("fd00::/8", "[fd00::1]:5000", True),
    "an address of version 6": ("fd00::1", "[fd00::1]", True),
    "written otherwise": ("FD00:0::1", "[fd00::1]:5000", True),
    "with its port": ("[fd00::1]:5000", "[fd00::1]:5000", True),
    "with another port": ("[fd00::1]:5000", "[fd00::1]:5001", False),
    "version 4 written as version 6": ("::ffff:10.1.2.3", "10.1.2.3", True),
    "a name beyond ASCII": ("b\u00fccher.test", "registry.xn--bcher-kva.test", True),
}


@pytest.mark.parametrize(("no_proxy", "host", "is_direct"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_who_is_asked_directly(no_proxy: str, host: str, is_direct: bool) -> None:
    proxies = Proxies({"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert proxies.find(f"https://{host}") == ("" if is_direct else PROXY)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"])
def test_this_machine_is_never_asked_through_a_proxy(host: str) -> None:
    assert Proxies({"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}).find(f"http://{host}") == ""


VARIABLES = {
    "by scheme": ({"HTTP_PROXY": "http://plain.test:1", "HTTPS_PROXY": PROXY}, PROXY),
    "lower case": ({"https_proxy": PROXY}, PROXY),
    "upper case comes first": ({"https_proxy": "http://low.test:1", "HTTPS_PROXY": PROXY}, PROXY),
    "empty is not set": ({"HTTPS_PROXY": "", "https_proxy": PROXY}, PROXY),
    "that of http is not for https": ({"HTTP_PROXY": PROXY}, ""),
    "nor one for all": ({"ALL_PROXY": PROXY, "all_proxy": PROXY}, ""),
    "exceptions in lower case": ({"HTTPS_PROXY": PROXY, "no_proxy": "registry.test"}, ""),
    "upper case comes first for exceptions": (
        {"HTTPS_PROXY": PROXY, "no_proxy": "registry.test", "NO_PROXY": "other.test"},
        PROXY,
    ),
    "without a scheme": ({"HTTPS_PROXY": "proxy.test:3128"}, PROXY),
    "itself on TLS": ({"HTTPS_PROXY": "https://proxy.test:3129"}, "https://proxy.test:3129"),
    "with a login": ({"HTTPS_PROXY": "http://me:pw@proxy.test:3128"}, "http://me:pw@proxy.test:3128"),
}


@pytest.mark.parametrize(("environ", "expected"), VARIABLES.values(), ids=VARIABLES)
def test_which_variable_counts(environ: dict[str, str], expected: str) -> None:
    assert Proxies(environ).find("https://registry.test") == expected


UNUSABLE = {
    "socks5": ("socks5://me:s3cret@proxy.test:1080", r"names a SOCKS proxy \(socks5://proxy\.test:1080\)"),
    "socks5h": ("socks5h://proxy.test", r"names a SOCKS proxy"),
    "another scheme": ("ftp://me:s3cret@proxy.test", r"is not the address of a proxy \(ftp://proxy\.test\)"),
    "no host": ("http://", r"is not the address of a proxy \(http://\)"),
    "no number": ("http://me:s3cret@proxy.test:port", r"is not the address of a proxy \(http://proxy\.test:port\)"),
}


@pytest.mark.parametrize(("proxy", "said"), UNUSABLE.values(), ids=UNUSABLE)
def test_proxies_that_cannot_be_used(proxy: str, said: str) -> None:
    proxies = Proxies({"HTTPS_PROXY": proxy, "NO_PROXY": "direct.test"})
    assert proxies.find("https://direct.test") == ""
    with pytest.raises(TransferError, match=said) as caught:
        proxies.find("https://registry.test")
    assert caught.value.heals is False
    assert "s3cret" not in str(caught.value)
