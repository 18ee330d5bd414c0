# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands with which an archive is checked, unpacked and loaded, as a shell takes them. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from .._archive.lock import Lock
from .._archive.output import CHECKSUM_SUFFIX, DIR, GZIP, RESTORE_SUFFIX, ZSTD
from .._archive.parts import Part
from .._oci.layout import ROOT
from .._oci.reference import Reference

TARGET = "TARGET_DIR"
REGISTRY = "REGISTRY"
OCI_TAR = "images.tar"


def check_command(name: str) -> str:
    """Check every file of the archive, in their directory."""
    return f"sha256sum -c {word(name + CHECKSUM_SUFFIX)}"


def restore_command(name: str) -> str:
    """Check, join and unpack."""
    return f"sh {word(name + RESTORE_SUFFIX)} {TARGET}"


def unpack_command(name: str, lock: Lock) -> str:
    """Unpack a tar archive with nothing but the usual tools, in a directory that is there."""
    compress = str(lock.options.get("compress"))
    extract = {GZIP: "tar -xz", ZSTD: "tar --zstd -x"}.get(compress, "tar -x")
    if [part.name for part in lock.parts] == [name]:
        return f"{extract} -f {word(name)} -C {TARGET}"
    return f"{join_command(name, lock.parts)} | {extract} -C {TARGET}"


def join_command(name: str, parts: Sequence[Part]) -> str:
    """Write the parts one after the other, in the order of their numbers, however these are written."""
    names = [part.name for part in parts]
    if names == sorted(names):
        return f"cat {word(name)}.part*"
    width = len(names[0]) - len(f"{name}.part") if names else 1
    shown = "$i" if width == 1 else f"$(printf %0{width}d $i)"
    return f"(i=0; while [ $i -lt {len(names)} ]; do cat {word(name)}.part{shown} || exit; i=$((i+1)); done)"


def oci_tar_command(name: str) -> str:
    """Check and write one tar for containerd, podman and buildah."""
    return f"sh {word(name + RESTORE_SUFFIX)} --oci-tar {OCI_TAR}"


def containerd_command() -> str:
    """Import all images of that tar, for Kubernetes; without unpacking, which stops at what is for another platform."""
    return f"ctr --namespace k8s.io image import --no-unpack {OCI_TAR}"


def podman_command(reference: Reference) -> str:
    """Take one image out of that tar."""
    return f"podman pull oci-archive:{OCI_TAR}:{reference}"


def hangar_commands(name: str, lock: Lock) -> list[str]:
    """Load the archive with hangar 1.6, parts and all.

    It knows part numbers without zeros before them only, does not tell zstd by itself, reads no plain tar, and puts the
    path of a directory behind its working directory.
    """
    compress = lock.options.get("compress")
    if compress == DIR:
        return [f"hangar load --compress dir -s {word(name)} -d {REGISTRY}"]
    if compress not in (GZIP, ZSTD):
        return [hangar_of_directory()]
    names = [part.name for part in lock.parts]
    is_found = names in ([name], [f"{name}.part{number}" for number in range(len(names))])
    joined = [] if is_found else [f"{join_command(name, lock.parts)} > {word(name)}"]
    form = "--compress zstd " if compress == ZSTD else ""
    return [*joined, f"hangar load {form}-s {word(name)} -d {REGISTRY}"]


def hangar_of_directory() -> str:
    """Load what the archive was unpacked to with hangar 1.6."""
    return f"(cd {TARGET} && hangar load --compress dir -s {ROOT} -d {REGISTRY})"


def copy_command(reference: Reference, layout: str = f"{TARGET}/{ROOT}") -> str:
    """Copy one image from the unpacked archive to a registry.

    :param layout: a directory, as a shell takes it.
    """
    tag = f":{reference.tag}" if reference.tag else ""
    tag = f"@{reference.digest}" if reference.digest and not tag else tag
    return (
        f"skopeo copy --all --preserve-digests oci:{layout}:{reference} docker://{REGISTRY}/{reference.repository}{tag}"
    )


def word(name: str) -> str:
    """A file of this directory as one word of a shell, and never as an option."""
    return shlex.quote(f"./{name}" if name.startswith("-") else name)
