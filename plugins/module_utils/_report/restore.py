# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that unpacks an archive where there is nothing but a POSIX shell and a few programs. Pure.

It contains the names and checksums of the archive's files, and is the same for the same archive. This module writes
what differs from archive to archive: the variables ``archive``, ``first``, ``total``, ``step``, ``size``, ``unpacked``,
``largest``, ``room``, ``count``, ``example`` and ``example_path``, and the functions ``each_file``, ``list_images``,
``tell_lacking``, ``need_all``, ``show_loop``, ``unpack`` and ``gather``. The rest is in the modules ``restore_*``.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable

from .._archive.lock import Lock
from .._archive.output import DIR, GZIP, ZSTD
from .._base.size import format_size
from .._oci.layout import load_tag
from .._oci.reference import Reference
from .restore_basics import BASICS
from .restore_check import CHECK
from .restore_main import MAIN
from .restore_next import NEXT
from .restore_target import TARGET
from .restore_unpack import FROM_DIRECTORY, FROM_TAR, UNPACK

_NAMED_AT_MOST = 100
_SEAL = re.compile(rb"\n# Seal: ([0-9a-f]{64})\n")
_SEALED_WITHIN = 1024
_EXPAND = {GZIP: "gzip -dc", ZSTD: "zstd -dcq"}
_HEAD = """#!/bin/sh
# Restores an archive of container images; the archive's files are beside it. For help: sh THIS_FILE --help
# Made by the Ansible collection airgap.images. Licence: GPL-3.0-or-later.
@SEAL@
# shellcheck disable=SC2016  # names are taken as they are
# shellcheck disable=SC2027,SC2154  # of the next line; csh and tcsh are not POSIX shells, and read no further than this
test $?shell = 1 && sh -c 'echo "error: csh and tcsh cannot read this script. Call it with sh" >&2' && exit 2
[ -z "${ZSH_VERSION-}" ] || emulate sh
set -u
LC_ALL=C
export LC_ALL
unset -v TAR_OPTIONS GZIP
"""


def restore_script(name: str, lock: Lock) -> bytes:
    """Write the script that checks and unpacks an archive.

    :param name: the archive's name; the script will be beside its files.
    :param lock: with the archive's parts.
    """
    compress = str(lock.options.get("compress"))
    pieces = [
        _HEAD,
        _settings(name, lock, compress),
        _function("each_file", ["doing=$1", "number=0", *_file_calls(name, lock, compress)]),
        _function("list_images", _prints(str(image.reference) for image in lock.images)),
        _function("tell_lacking", _lacking(lock.failed)),
        _function("need_all", [f"need {' '.join(_programs(compress))}"]),
        _function("show_loop", _loop([image.reference for image in lock.images])),
        _unpack(lock, compress),
        BASICS + CHECK + TARGET + UNPACK + NEXT + MAIN,
    ]
    # A name that is not valid text keeps its bytes.
    return _sealed("".join(piece.lstrip("\n") + "\n" for piece in pieces)[:-1].encode("utf-8", "surrogateescape"))


def _sealed(script: bytes) -> bytes:
    """Put a script's sha256 into it, computed with zeros in its place.

    By that, the next run sees damage, and distinguishes it from the script of another release.
    """
    blank = script.replace(b"@SEAL@", b"# Seal: " + b"0" * 64, 1)
    return script.replace(b"@SEAL@", b"# Seal: " + hashlib.sha256(blank).hexdigest().encode(), 1)


def is_unbroken(script: bytes, name: str, lock: Lock) -> bool:
    """Return True if a script of any release is as it was written, and checks exactly the files of an archive."""
    seal = _SEAL.search(script, 0, _SEALED_WITHIN)
    if seal is not None:  # those of the first releases have none
        start, end = seal.span(1)
        if hashlib.sha256(script[:start] + b"0" * 64 + script[end:]).hexdigest().encode() != seal[1]:
            return False
    return _names_files_of(script, name, lock)


def _names_files_of(script: bytes, name: str, lock: Lock) -> bool:
    """Return True if a script is whole at both ends and checks exactly the files of an archive."""
    files = "".join(f"    {call}\n" for call in _file_calls(name, lock, str(lock.options.get("compress"))))
    expected = f"\n{files}}}\n".encode("utf-8", "surrogateescape")
    return script.startswith(b"#!/bin/sh\n") and script.endswith(b'main "$@"\n') and expected in script


def _settings(name: str, lock: Lock, compress: str) -> str:
    total = len(lock.parts)
    content = sum(lock.blobs.values())
    example = lock.images[0].reference if lock.images else None
    values = {
        "archive": name,
        "first": _path(name, lock.parts[0].name, compress) if lock.parts else "",
        "total": str(total),
        "step": str(total // _NAMED_AT_MOST + 1),
        "size": format_size(sum(part.size for part in lock.parts)),
        "unpacked": format_size(content),
        "largest": format_size(max(lock.blobs.values(), default=0)),
        "room": format_size(content if compress == DIR else 2 * content),
        "count": f"{len(lock.images)} image{'s' if len(lock.images) != 1 else ''}",
        "example": str(example or ""),
        "example_path": target_path(example) if example else "",
    }
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())


def target_path(reference: Reference) -> str:
    """Name a reference in the registry of the other side; one by digest gets a tag, as with hangar."""
    return f"{reference.repository}:{load_tag(reference)}"


def _path(name: str, part: str, compress: str) -> str:
    return f"{name}/{part}" if compress == DIR else part


def _file_calls(name: str, lock: Lock, compress: str) -> list[str]:
    return [
        f"one_file {part.sha256} {part.size} {shlex.quote(_path(name, part.name, compress))}" for part in lock.parts
    ]


def _prints(lines: Iterable[str]) -> list[str]:
    return [f"printf '%s\\n' {shlex.quote(line)}" for line in lines]


def _lacking(failed: tuple[str, ...]) -> list[str]:
    if not failed:
        return []
    return [
        f'say "This archive is partial. {len(failed)} of the images asked for could not be saved, and are not in it:"',
        *(f"say {shlex.quote(f'  {reference}')}" for reference in failed),
    ]


def _programs(compress: str) -> list[str]:
    """List the programs that a script calls."""
    basics = ["sha256sum", "cat", "mkdir", "mv", "rm", "ln"]
    if compress == DIR:
        return basics
    expand = _EXPAND.get(compress)
    return [*basics, "tar", *([expand.split()[0]] if expand else [])]


def _loop(references: list[Reference]) -> list[str]:
    """Write the commands that copy all images, as the reader may type them."""
    by_digest = any(reference.digest for reference in references)
    lines = ['printf \'  %s\\n\' "sh $(quote "$script") --images | while read -r image; do"']
    path = '"${image#*/}"'
    if by_digest:
        path = '"$to"'  # in zsh, path is where programs are looked for
        lines += _prints(
            [
                "    to=${image#*/}",
                "    case ${to%@*} in",
                "      *:*) to=${to%@*} ;;",
                "      *) to=${to%@*}:digest-${to##*:} ;;",
                "    esac",
            ]
        )
    copy = f'    %s"$image" docker://REGISTRY/{path}%s </dev/null || break\\n'
    return [*lines, f'printf {shlex.quote(copy)} "$copy" "$after"', "printf '  done\\n'"]


def _unpack(lock: Lock, compress: str) -> str:
    if compress == DIR:
        directories = sorted({part.name[: part.name.rindex("/")] for part in lock.parts if "/" in part.name})
        return _function("make_directories", _mkdirs(directories)) + FROM_DIRECTORY
    expand = _EXPAND.get(compress)
    stage = f'\n        {{ {expand} && : >"$work/expanded"; }} |' if expand else ""
    mark = ' && [ -e "$work/expanded" ]' if expand else ""
    return FROM_TAR.replace("@EXPAND@", stage).replace("@EXPANDED@", mark)


def _mkdirs(directories: list[str]) -> list[str]:
    made = sorted({parent for directory in directories for parent in _with_parents(directory)})
    return ['mkdir "$1" || return 1', *(f'mkdir "$1"/{shlex.quote(each)} || return 1' for each in made)]


def _with_parents(directory: str) -> list[str]:
    names = directory.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]


def _function(name: str, lines: list[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines or [":"])
    return f"{name}() {{\n{body}}}\n"
