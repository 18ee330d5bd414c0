# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes an OCI image layout with one small image for two platforms: make_layout.py DIRECTORY TEXT."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile


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


def main():
    root, text = sys.argv[1], sys.argv[2].encode()
    os.makedirs(os.path.join(root, "blobs", "sha256"))
    manifests = [image(root, "amd64", text + b" amd64"), image(root, "arm64", text + b" arm64")]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    top = {"schemaVersion": 2, "manifests": [blob(root, "index.v1+json", json.dumps(index).encode())]}
    for name, document in (("index.json", top), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(root, name), "w") as file:
            json.dump(document, file)


if __name__ == "__main__":
    main()
