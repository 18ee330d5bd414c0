# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the role takes its list from: references, files here and there, URLs; and what it leaves out of it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.airgap.images.tests.functional._helpers import holds, traffic
from ansible_collections.airgap.images.tests.functional._role import (
    Site,
    assert_not_failed,
    assert_secret,
    assert_unchanged,
    failure,
    play,
    references,
    staged,
)
from ansible_collections.airgap.images.tests.support.extent import is_full
from ansible_collections.airgap.images.tests.support.served import Served
from ansible_collections.airgap.images.tests.support.workbench import Source

TOKEN = "t0p-s3cret-t0ken"
PASSWORD = "p4ss-f0r-lists"
BASIC = f"Basic {base64.b64encode(f'somebody:{PASSWORD}'.encode()).decode()}"
PROXIED = "http://lists.invalid/list.txt"
"""The URL that a proxy is asked for."""

NEEDED = {"/private/list.txt": f"Bearer {TOKEN}", PROXIED: BASIC}
"""The header without which a file is refused."""


class Files(Served):
    """Serves files over http, some only to who may see them. A context manager."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        self.asked: list[tuple[str, str]] = []
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)))

    def at(self, path: str) -> str:
        """The URL of a file."""
        return f"{self.url}{path}"


def _handler(files: Files) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            files.asked.append((self.path, authorization))
            known = self.path in files.files
            status = 200 if known else 404
            if authorization != NEEDED.get(self.path, authorization):
                status = 401
            body = files.files[self.path].encode() if status == 200 else b"no"
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="lists"')
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the tests' output free of it."""

    return Handler


def checksum(text: str) -> str:
    """Return a checksum in the form that ``get_url`` takes."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.fixture
def files(source: Source) -> Iterator[Files]:
    """Lists to download."""
    host = source.registry.host
    lists = {
        "/open.txt": f"{host}/oci/index:1\n{host}/windows/list:1\n",
        "/private/list.txt": f"# private\n{host}/docker/single:1\n{host}/a/b/c/d:1.0\n",
        "/changed.txt": f"{host}/oci/gzip:1\n",
        PROXIED: f"{host}/oci/many-layers:1\n",
    }
    with Files(lists) as served:
        yield served


@pytest.mark.thorough(repeats=True)
def test_lists_from_everywhere(source: Source, site: Site, files: Files) -> None:
    """All kinds of lists at once on one host, one through a proxy, and one that is not what was promised."""
    host = source.registry.host
    folder = site.folder / "project" / "files"
    folder.mkdir(parents=True)
    wide = f"{host}/oci/gzip:1\r\n# umlauts: äöü\r\n\r\n  {host}/oci/attested:1  \r\n"
    (folder / "wide.txt").write_bytes(wide.encode("utf-16"))
    plain = folder / "plain.txt"
    plain.write_text(f"{host}/oci/gzip:1\n{host}/oci/nested:1\n", encoding="utf-8")
    remote = site.on_host("mixed", "there.txt")
    remote.write_text(f"{host}/oci/plain:1\n{host}/charts/app:1.2.3\n", encoding="utf-8")
    (folder / "sources.txt").write_text(f"{host}/oci/plain:1 rancher,fleet:104\n", encoding="utf-8")
    (folder / "app.yaml").write_text(
        "# Source: app/templates/pod.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n"
        f"  initContainers: [{{name: a, image: '{host}/oci/gzip:1'}}]\n"
        f"  containers:\n    - image: {host}/docker/single:1\n    - image: '{{{{ .Values.image }}}}'\n",
        encoding="utf-8",
    )
    common = {
        "image_save_exclude": ["/nested:", "^127[.]0[.]0[.]1:[0-9]+/windows/"],
        "image_save_include": ["/(oci|docker|windows)/", "app:1[.]2[.]3$", "a/b/c/d"],
    }
    cases = {
        "mixed": {
            **common,
            "image_save_images": [f"{host}/oci/variants:1", f"{host}/oci/variants:1", f"{host}/other/app:1"],
            # The first is looked for where ``copy`` would look.
            "image_save_list_files": ["wide.txt", str(plain)],
            "image_save_remote_list_files": [str(remote)],
            "image_save_list_urls": [
                files.at("/open.txt"),
                {
                    "url": files.at("/private/list.txt"),
                    "checksum": checksum(files.files["/private/list.txt"]),
                    "headers": {"Authorization": f"Bearer {TOKEN}"},
                },
            ],
            "image_save_arch": ["amd64"],
        },
        "charts": {
            "image_save_list_files": ["sources.txt"],
            "image_save_list_format": "sources",
            "image_save_manifest_files": ["app.yaml"],
        },
        "proxied": {
            "image_save_list_urls": [
                {"url": PROXIED, "username": "somebody", "password": PASSWORD},
            ],
            "image_save_environment": {"http_proxy": files.at(""), "no_proxy": "127.0.0.1"},
        },
        "wrong": {
            "image_save_images": [f"{host}/oci/zstd:1"],
            "image_save_list_urls": [{"url": files.at("/changed.txt"), "checksum": checksum("something else")}],
        },
    }
    inventory = {name: {**site.inventory(name)[name], **variables} for name, variables in cases.items()}
    project = playbook(folder.parent)
    result = site.run(inventory, site.variables(), plays=project, options=["-vvvv"])

    assert_not_failed(result, "mixed")
    wanted = ["variants:1", "gzip:1", "attested:1", "plain:1", "app:1.2.3", "index:1", "single:1", "d:1.0"]
    lines = staged(site, "mixed")
    assert sorted(line.rpartition("/")[2] for line in lines) == sorted(wanted), lines
    assert references(site.checked("mixed")) == lines
    assert ("/private/list.txt", f"Bearer {TOKEN}") in files.asked
    assert_secret(result, TOKEN, PASSWORD, BASIC)
    for secret in (TOKEN, PASSWORD, BASIC):
        assert not [path for name in (*cases, "home") for path in holds(site.on_host(name), secret)]

    assert_not_failed(result, "charts")
    found = [f"{host}/{name}" for name in ("oci/plain:1", "oci/gzip:1", "docker/single:1")]
    assert references(site.checked("charts")) == staged(site, "charts") == found
    assert "app.yaml, document 1, spec.containers[1].image: {{ .Values.image }}: it is a template" in result.stderr

    assert_not_failed(result, "proxied")
    assert references(site.checked("proxied")) == staged(site, "proxied") == [f"{host}/oci/many-layers:1"]
    assert (PROXIED, BASIC) in files.asked

    assert result.rc == 2, result.stdout
    assert files.at("/changed.txt") in failure(result, "wrong")
    assert not [*site.on_host("wrong").rglob("*.part*")] and not site.fetched("wrong").parent.exists()
    asked = {each.manifest for each in source.registry.requests()}
    assert not any(each.startswith("oci/zstd") for each in asked), "saved although a list is not the promised one"

    if is_full():
        # Nothing new: no list is staged again.
        source.registry.clear()
        again = site.run({"mixed": inventory["mixed"]}, site.variables(), plays=project)
        assert_unchanged(again)
        assert traffic(source.registry).nothing


def playbook(folder: Path) -> Path:
    """A playbook in a folder of its own, so that it has ``files`` beside it."""
    path = folder / "site.json"
    path.write_text(json.dumps([play()]), encoding="utf-8")
    return path
