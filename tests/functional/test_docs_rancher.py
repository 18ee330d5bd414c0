# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of docs/guides/rancher.md, as they stand there, but for names of hosts and the paths on them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.airgap.images.tests.functional._role import Site
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.module import COLLECTION
from ansible_collections.airgap.images.tests.support.playbook import PlaybookResult, run_playbook
from ansible_collections.airgap.images.tests.support.push import push
from ansible_collections.airgap.images.tests.support.registry import Credentials
from ansible_collections.airgap.images.tests.support.samples import oci_index, small
from ansible_collections.airgap.images.tests.support.skopeo import registry_digests
from ansible_collections.airgap.images.tests.support.workbench import Workbench

PAGE = COLLECTION / "docs" / "guides" / "rancher.md"


def blocks() -> dict[str, str]:
    """The files of the page by their paths, which are in the first line of each block."""
    found = re.findall(r"^```yaml\n# (\S+\.yml)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return dict(found)


def extract(folder: Path, changes: Mapping[str, str]) -> None:
    """Writes the files of the page, with other words for patterns; each of them has to be there."""
    files = blocks()
    for pattern, words in changes.items():
        changed = {name: re.sub(pattern, words, text, flags=re.MULTILINE) for name, text in files.items()}
        assert changed != files, f"docs/guides/rancher.md says {pattern!r} nowhere"
        files = changed
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextmanager
def lists(texts: Mapping[str, str], token: str) -> Iterator[str]:
    """Serves lists by their paths, those below ``/api/`` only to who shows the token. Gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = not self.path.startswith("/api/") or self.headers["Private-Token"] == token
            status = 401 if not allowed else 200 if self.path in texts else 404
            body = texts[self.path].encode() if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the tests' output free of it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Controller:
    """Runs the playbooks of the page on hosts over ssh, with a vault that is encrypted."""

    def __init__(self, site: Site, folder: Path, variables: Mapping[str, Any]) -> None:
        self._site = site
        self._folder = folder
        self._password = folder.parent / "vault-password"
        self._password.write_text("open sesame\n", encoding="utf-8")
        self.vault = folder / "group_vars" / "all" / "vault.yml"
        self.secrets: dict[str, str] = yaml.safe_load(self.vault.read_text("utf-8"))
        self._ansible("vault", "encrypt", "--vault-password-file", str(self._password), str(self.vault))
        assert self.vault.read_text("utf-8").startswith("$ANSIBLE_VAULT;")
        self.hosts = sorted(set(re.findall(r"[\w.]+\.example\.com", (folder / "inventory.yml").read_text("utf-8"))))
        # As variables of hosts they come before those of the page, which are of groups.
        hosts = {"all": {"hosts": site.inventory(*self.hosts, **variables)}}
        (folder / "ssh.json").write_text(json.dumps(hosts), encoding="utf-8")

    def run(self, playbook: str, *more: str) -> PlaybookResult:
        """Runs one of them, after options and others, and makes sure that all ends well and tells no secret."""
        inventories = ["-i", str(self._folder / "inventory.yml"), "-i", str(self._folder / "ssh.json")]
        result = run_playbook(
            self._folder / playbook,
            options=[*inventories, "--vault-password-file", str(self._password), *more],
            env=self._site.hosts.env,
        )
        assert result.rc == 0, f"{playbook}:\n{result.stdout}\n{result.stderr}"
        told = result.stdout + result.stderr + json.dumps([each.data for each in result.tasks])
        for name, secret in self.secrets.items():
            assert name.endswith("_user") or secret not in told, f"{playbook} tells {name}"
        return result

    def _ansible(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "ansible", *arguments]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)


def read_as_root(path: Path) -> str:
    """A file that only root may read."""
    return subprocess.run(["sudo", "-n", "cat", str(path)], capture_output=True, text=True, check=True).stdout


@pytest.mark.thorough(repeats=True)
def test_the_playbooks_of_the_page(bench: Workbench, site: Site) -> None:
    """From two lists and a reference to a registry of the site that has the same images."""
    vault = {name: f"{value}-{name}-x9" for name, value in yaml.safe_load(blocks()["group_vars/all/vault.yml"]).items()}
    outside = bench.registry(basic=Credentials(vault["vault_dockerhub_user"], vault["vault_dockerhub_token"]))
    inside = bench.registry(basic=Credentials(vault["vault_registry_user"], vault["vault_registry_password"]))
    rancher = push(outside, "rancher/rancher", "v2.7.9", oci_index())
    shell = push(outside, "rancher/shell", "v0.1.21", small(2, docker=True))
    manager = push(outside, "jetstack/cert-manager-controller", "v1.12.3", small(3))
    public, private = re.findall(r"https://[^/]+(/.*[.]txt)$", blocks()["group_vars/connected/vars.yml"], re.MULTILINE)
    texts = {
        public: "rancher/rancher:v2.7.9\nrancher/wins-windows:1\n",
        private: f"# ours\ndocker.io/rancher/shell@{shell.digest}\n",
    }
    folder = site.folder / "rancher"
    with lists(texts, vault["vault_list_token"]) as url:
        secrets = {f"^{name}: .*": f"{name}: {value}" for name, value in vault.items()}
        names = {
            "https://(github|git.example).com": url,
            "host: docker.io$": f"host: {outside.host}",
            "registry.site.example.com:5000$": inside.host,
            "(?<=: )(/srv/.*|/etc/.*)": r'"{{ work }}\1"',
        }
        extract(folder, {**secrets, **names})
        loopback = {
            "image_save_source_registry": outside.host,
            "image_save_validate_certs": False,
            "image_save_async": 0,
            "image_save_part_size": "64K",
            "site_registry_tls": False,
        }
        controller = Controller(site, folder, loopback)
        saved = controller.run("save.yml", "--skip-tags", "image_save_install,image_save_cleanup")

    shown = saved.task("Show the files, and the images that were skipped").data["msg"]
    arrived = {str(path) for path in (folder / "media").rglob("*") if path.is_file()}
    carried = arrived - {str(folder / "media" / "images.set.json")}
    assert carried == {*shown["carry"], *shown["on_every_stick"]} != arrived
    savers = ["north.example.com", "south.example.com"]
    assert {Path(path).parent.name for path in carried} == {"media", *savers}, "a host has saved nothing"
    assert len([path for path in carried if ".part" in path]) > len(savers), "there should be several parts"

    controller.run("load.yml")
    assert registry_digests(inside, rancher.repository, rancher.tag)[1:] == [rancher.platform("amd64").digest]
    assert registry_digests(inside, shell.repository, shell.digest.replace("sha256:", "digest-"))[-1] == shell.digest
    assert registry_digests(inside, manager.repository, manager.tag) == [manager.digest]
    loader = site.on_host("loader.site.example.com", "srv/airgap")
    assert {path.name for path in loader.iterdir()} == {*savers, "loaded.json"}, "something is left over"

    inside.clear()
    nodes = {"server1": False, "agent1": True} if is_full() else {"agent1": True}
    limit = [f"{name}.site.example.com" for name in nodes]
    more = []
    if is_full():
        limit.append("loader.site.example.com")
        more.append(str(folder / "load.yml"))
    again = controller.run("rke2.yml", "--skip-tags", "rke2_install", "--limit", ",".join(limit), *more)
    assert {each.host for each in again.tasks} == set(limit)
    assert not [each.task for each in again.tasks if each.host.startswith("loader") and each.changed]
    assert not inside.requests()
    for name, joins in nodes.items():
        config = site.on_host(f"{name}.site.example.com", "etc/rancher/rke2")
        node = yaml.safe_load(read_as_root(config / "config.yaml"))
        assert node["token"] == vault["vault_rke2_token"] and ("server" in node) is joins
        registries = yaml.safe_load(read_as_root(config / "registries.yaml"))
        assert registries["mirrors"]["docker.io"] == {"endpoint": [inside.url]}
        login = {"username": vault["vault_registry_user"], "password": vault["vault_registry_password"]}
        assert registries["configs"] == {inside.host: {"auth": login}}
