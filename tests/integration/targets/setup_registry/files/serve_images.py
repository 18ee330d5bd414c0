# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a registry with small images for two platforms, and writes a list of them: serve_images.py FOLDER NAME...

The images are team/NAME:1. The registry goes on in the background; its address and process id are printed as JSON.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time


def blob(root, media_type, raw):
    digest = hashlib.sha256(raw).hexdigest()
    with open(os.path.join(root, "blobs", "sha256", digest), "wb") as file:
        file.write(raw)
    return {"mediaType": "application/vnd.oci.image." + media_type, "digest": "sha256:" + digest, "size": len(raw)}


def layer(text):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo("message")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return raw.getvalue()


def image(root, architecture, text):
    plain = layer(text)
    config = {
        "architecture": architecture,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(root, "config.v1+json", json.dumps(config).encode()),
        "layers": [blob(root, "layer.v1.tar+gzip", gzip.compress(plain, mtime=0))],
    }
    descriptor = blob(root, "manifest.v1+json", json.dumps(manifest).encode())
    descriptor["platform"] = {"architecture": architecture, "os": "linux"}
    return descriptor


def write_layout(root, text):
    os.makedirs(os.path.join(root, "blobs", "sha256"))
    manifests = [image(root, "amd64", text + b" amd64"), image(root, "arm64", text + b" arm64")]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    top = {"schemaVersion": 2, "manifests": [blob(root, "index.v1+json", json.dumps(index).encode())]}
    for name, document in (("index.json", top), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(root, name), "w") as file:
            json.dump(document, file)


def start_registry(folder):
    """Return its port and its process id once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": os.path.join(folder, "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    path = os.path.join(folder, "registry.yml")
    with open(path, "w") as file:
        json.dump(config, file)
    with open(os.path.join(folder, "registry.log"), "w") as log:
        command = ["docker-registry", "serve", path]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return port, process.pid
        except ConnectionError:
            if time.monotonic() > deadline or process.poll() is not None:
                process.kill()
                raise
            time.sleep(0.05)


def push(layout, image):
    options = ["--all", "--preserve-digests", "--insecure-policy", "--dest-tls-verify=false"]
    subprocess.check_output(["skopeo", "copy", *options, "oci:" + layout, "docker://" + image])


def push_all(folder, names, address):
    for name in names:
        layout = os.path.join(folder, "layout-" + name)
        write_layout(layout, name.encode())
        push(layout, f"{address}/team/{name}:1")
    with open(os.path.join(folder, "list.txt"), "w") as file:
        file.write("# all that is there\n" + "".join(f"team/{name}:1\n" for name in names))


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    port, pid = start_registry(folder)
    address = f"127.0.0.1:{port}"
    try:
        push_all(folder, names, address)
    except BaseException:
        os.kill(pid, signal.SIGTERM)
        raise
    print(json.dumps({"address": address, "pid": pid}))


if __name__ == "__main__":
    main()
