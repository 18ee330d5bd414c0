# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module asks for a host through a proxy exactly where skopeo does, in the same environment."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import check, saved
from ansible_collections.airgap.images.tests.support.faults import Respond, Rule
from ansible_collections.airgap.images.tests.support.module import environment
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Registry
from ansible_collections.airgap.images.tests.support.samples import small
from ansible_collections.airgap.images.tests.support.workbench import Workbench

# Names that no DNS knows: who asks for one directly gets no answer from anywhere.
HOSTS = (
    "corp.invalid",
    "registry.corp.invalid",
    "registry.corp.invalid:5000",
    "a.b.corp.invalid",
    "mycorp.invalid",
    "other.invalid:5001",
    "other.invalid:443",
    "UPPER.invalid",
)
# What stands in NO_PROXY (or, where the second is set, in no_proxy), and how many of HOSTS it covers by Go's rules.
ENVIRONMENTS = {
    "a name": ("corp.invalid", None, 4),
    "a dot": (".corp.invalid", None, 3),
    "a star": ("*.corp.invalid,10.0.0.0/8", None, 3),
    "ports": ("registry.corp.invalid:5000, other.invalid:443", None, 2),
    "case and blanks": (" Upper.Invalid ,,MYCORP.invalid", None, 2),
    "lower case": (None, "corp.invalid", 4),
    "both": ("mycorp.invalid", "*", 1),
    "a list": (" Upper.Invalid ,,registry.corp.invalid:5000, other.invalid:443,*.b.corp.invalid,.mycorp", None, 4),
}
EACH_ENVIRONMENT = [
    pytest.param(*each, id=name, marks=() if name in ("both", "a list") else pytest.mark.thorough)
    for name, each in ENVIRONMENTS.items()
]


def skopeo_asks_directly(host: str, env: dict[str, str]) -> str:
    """The host, where skopeo looks up its name; nothing where it asks the proxy."""
    command = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{host}/app:1"]
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode != 0
    return "" if "418" in run.stderr or "teapot" in run.stderr else host


@pytest.mark.field(
    "proxies",
    given="`NO_PROXY` with names, `.name`, `*.name`, ports, blanks, upper and lower case",
    happens="a host is contacted directly exactly when skopeo does so",
)
@pytest.mark.parametrize(("upper", "lower", "covered"), EACH_ENVIRONMENT)
def test_no_proxy_means_what_it_means_for_skopeo(
    bench: Workbench, registry: Registry, upper: str | None, lower: str | None, covered: int
) -> None:
    proxy = bench.proxy(registry, Rule(Respond(418)))
    env = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, "NO_PROXY": upper, "no_proxy": lower}
    with ThreadPoolExecutor(4) as pool:
        direct = [host for host in pool.map(lambda h: skopeo_asks_directly(h, environment(env)), HOSTS) if host]
    assert len(direct) == covered, direct
    proxy.clear()
    result = bench.save([f"{host}/app:1" for host in HOSTS], env=env, retries=0)
    reasons = {one["reference"]: one["reason"] for one in result["failed_images"]}
    assert [host for host in HOSTS if "name" in reasons[f"{host}/app:1"]] == direct, reasons
    asked = {urlsplit(each.path).netloc for each in proxy.requests() if each.path.startswith("http://")}
    assert asked == {host.lower() for host in HOSTS if host not in direct}


@pytest.mark.field(
    "proxies", given="a registry on loopback, and a proxy", happens="contacted directly, regardless of `NO_PROXY`"
)
def test_a_host_of_no_proxy_is_saved_directly(bench: Workbench, registry: Registry) -> None:
    """A run that would go through the proxy for one of its requests fails."""
    image = push(registry, "some/image", "1", small(1))
    proxy = bench.proxy(registry, Rule(Respond(403)))
    env = {"http_proxy": proxy.url, "https_proxy": proxy.url, "NO_PROXY": None, "no_proxy": None}
    saved(bench.save([image], env=env))
    assert not proxy.requests()


@pytest.mark.field(
    "proxies",
    given="a SOCKS proxy",
    happens=("images behind it fail, with a message that names the proxy and the setting to change; others are saved"),
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", pytest.param("https_proxy", marks=pytest.mark.thorough)])
def test_a_socks_proxy_is_named_with_a_remedy(bench: Workbench, registry: Registry, variable: str) -> None:
    image = push(registry, "some/image", "1", small(1))
    env = {"HTTP_PROXY": None, "HTTPS_PROXY": None, "https_proxy": None, variable: "socks5://me:s3cret@127.0.0.1:1"}
    result = bench.save(["registry.corp.invalid/app:1", image], env=env, allow_partial=True, retries=0)
    (failed,) = result["failed_images"]
    assert "SOCKS proxy (socks5://127.0.0.1:1)" in failed["reason"] and "no_proxy" in failed["reason"]
    assert "s3cret" not in json.dumps(result.data)
    assert list(check(Path(result["dest"])).references) == [image.reference]
