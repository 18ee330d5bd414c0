# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands with which an archive is checked, unpacked and loaded, as a shell takes them. Pure."""

from __future__ import annotations

import shlex

from ._layout import ROOT
from ._lock import Lock
from ._options import CHECKSUM_SUFFIX, GZIP, RESTORE_SUFFIX, ZSTD
from ._parts import Part
from ._reference import Reference

TARGET = "TARGET_DIR"
REGISTRY = "REGISTRY"


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


def join_command(name: str, parts: tuple[Part, ...]) -> str:
    """Write the parts one after the other, in the order of their numbers, however these are written."""
    names = [part.name for part in parts]
    if names == sorted(names):
        return f"cat {word(name)}.part*"
    width = len(names[0]) - len(f"{name}.part") if names else 1
    shown = "$i" if width == 1 else f"$(printf %0{width}d $i)"
    return f"(i=0; while [ $i -lt {len(names)} ]; do cat {word(name)}.part{shown} || exit; i=$((i+1)); done)"


def hangar_can_read(name: str, parts: tuple[Part, ...]) -> bool:
    """Whether ``hangar load`` finds the parts: it knows numbers without zeros before them only."""
    names = [part.name for part in parts]
    return names in ([name], [f"{name}.part{number}" for number in range(len(names))])


def hangar_command(name: str) -> str:
    """Load the archive with hangar, parts and all."""
    return f"hangar load -s {word(name)} -d {REGISTRY}"


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
