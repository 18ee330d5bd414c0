# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script that unpacks an archive where there is nothing but a POSIX shell and a few programs. Pure.

It contains the names and checksums of the archive's files, and is the same for the same archive. This module writes
what differs from archive to archive: the variables ``archive``, ``first``, ``total``, ``step``, ``at_once``, ``size``,
``unpacked``, ``largest``, ``room``, ``count``, ``example`` and ``example_path``, and the functions ``each_file``,
``each_group``, ``list_images``, ``tell_lacking``, ``need_all``, ``show_loop``, ``at``, ``unpack`` and ``gather``. The
rest is in the modules ``restore_*``. The script of a whole set, C(plugin_utils/_set/restore.py), is made of the same
pieces.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Callable, Union

from .._archive.lock import Lock
from .._archive.output import DIR, GZIP, ZSTD
from .._archive.referrers import images_only
from .._base.size import format_size
from .._oci.layout import load_tag
from .._oci.reference import Reference
from .restore_basics import BASICS, HELP
from .restore_bundle import (
    FINAL_OF_BUNDLE,
    HELP_OF_BUNDLE,
    OPTIONS_OF_BUNDLE,
    PUBLISH_BUNDLE,
    REQUIRED,
    required_calls,
    required_in_words,
)
from .restore_check import BESIDE_THE_SCRIPT, CHECK
from .restore_main import MAIN
from .restore_next import NEXT
from .restore_parity import group_calls, parity
from .restore_renamed import renamed
from .restore_tar import GATHER_BY_UNPACKING, GATHER_FROM_DIRECTORY, OPTIONS_OF_TAR, TAR
from .restore_target import FINAL, TARGET
from .restore_unpack import (
    EXPAND_GZIP,
    EXTRACT,
    FROM_DIRECTORY,
    PIPELINE,
    PUBLISH,
    PUT_TO_TAR,
    SET_TAR_OPTIONS,
    UNPACK,
)

_NAMED_AT_MOST = 100
_MANY = 200
"""How many files are checked by a program each. A program that checks them all tells of some dozens at a time."""
_SEAL = re.compile(rb"\n# Seal: ([0-9a-f]{64})\n")
_SEALED_WITHIN = 1024
_LINES = 1000
_EXPAND = {GZIP: "expand_gzip", ZSTD: "zstd -dcq"}
_EXPANDERS = {GZIP: "gzip", ZSTD: "zstd"}
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


Text = Union[str, Callable[[], Iterable[str]]]
"""A text, or what makes it in pieces, each time anew: a directory has a line for each of its files."""


def restore_script(name: str, lock: Lock) -> bytes:
    """Write the script that checks and unpacks an archive.

    :param name: the archive's name; the script will be beside its files.
    :param lock: with the archive's parts.
    """
    return b"".join(restore_pieces(name, lock))


def restore_pieces(name: str, lock: Lock) -> Iterator[bytes]:
    """Yield the same in pieces."""
    compress = str(lock.options.get("compress"))
    first = _path(name, lock.parts[0].name, compress) if lock.parts else ""
    return assembled(
        lock,
        settings(name, first, lock, needs_copy=compress != DIR, is_directory=compress == DIR),
        programs([compress], is_bundle=lock.is_bundle),
        [
            lambda: function_pieces("each_file", chain(["doing=$1", "number=0"], file_calls(name, lock))),
            BESIDE_THE_SCRIPT,
            _unpack(lock, compress),
            parity(group_calls(name, lock)),
            renamed([lock]),
        ],
    )


def assemble(lock: Lock, values: dict[str, str], needed: list[str], pieces: Sequence[Text]) -> bytes:
    """Write a script as a whole; see :func:`assembled`."""
    return b"".join(assembled(lock, values, needed, pieces))


def assembled(lock: Lock, values: dict[str, str], needed: list[str], pieces: Sequence[Text]) -> Iterator[bytes]:
    """Yield a script in pieces.

    :param lock: of all images that it restores.
    :param values: the variables that differ from script to script.
    :param needed: the programs that it calls.
    :param pieces: with the functions ``each_file``, ``at``, ``unpack`` and ``gather``, and those for parity files and
        for parts under other numbers.
    """
    texts: list[Text] = [
        "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items()),
        pieces[0],
        function("list_images", _prints(str(image.reference) for image in lock.images)),
        function("tell_lacking", _lacking(lock.failed)),
        function("need_all", [f"need {' '.join(needed)}"]),
        function("show_loop", _loop([image.reference for image in lock.images])),
        *pieces[1:],
        *_common(lock),
    ]
    return _sealed(texts)


def _common(lock: Lock) -> list[str]:
    """Return what is the same in all scripts of full archives, and in all of bundles."""
    if not lock.is_bundle:
        main = MAIN.replace("@OPTIONS@", OPTIONS_OF_TAR.strip("\n")).replace("@REQUIRED@", "")
        return [BASICS + HELP + CHECK + TARGET + FINAL + UNPACK + PUBLISH + NEXT + TAR + main]
    main = MAIN.replace("@OPTIONS@", OPTIONS_OF_BUNDLE.strip("\n")).replace("@REQUIRED@", "    check_required\n")
    return [
        function("each_required", required_calls(lock)),
        BASICS + HELP_OF_BUNDLE + CHECK + TARGET + FINAL_OF_BUNDLE + UNPACK + REQUIRED + PUBLISH_BUNDLE + NEXT + main,
    ]


def _sealed(texts: Sequence[Text]) -> Iterator[bytes]:
    """Yield a script with its sha256 in its head, computed with zeros in its place.

    By that, the next run sees damage, and distinguishes it from the script of another release.
    """
    hasher = hashlib.sha256()
    for piece in _with_seal("0" * 64, texts):
        hasher.update(piece)
    yield from _with_seal(hasher.hexdigest(), texts)


def _with_seal(seal: str, texts: Sequence[Text]) -> Iterator[bytes]:
    """Yield head and texts, each on a line of its own."""
    yield _HEAD.replace("@SEAL@", f"# Seal: {seal}", 1).encode()
    for text in texts:
        yield b"\n"
        for piece in [text.lstrip("\n")] if isinstance(text, str) else text():
            yield piece.encode("utf-8", "surrogateescape")  # a name that is not valid text keeps its bytes


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
    files = "".join(f"    {call}\n" for call in file_calls(name, lock))
    expected = f"\n{files}}}\n".encode("utf-8", "surrogateescape")
    return script.startswith(b"#!/bin/sh\n") and script.endswith(b'main "$@"\n') and expected in script


def settings(archive: str, first: str, lock: Lock, *, needs_copy: bool, is_directory: bool) -> dict[str, str]:
    """Return the variables that differ from script to script.

    :param archive: what the files are, for messages.
    :param first: name of a file that is beside the script.
    :param lock: of all images and files.
    :param needs_copy: whether a tar of everything needs a copy of it first.
    :param is_directory: whether all files are those of directories, so that each is found under its own name only.
    """
    total = len(lock.parts)
    content = sum(lock.blobs.values())
    example = lock.images[0].reference if lock.images else None
    images = len(images_only(lock.images))
    return {
        "archive": archive,
        "first": first,
        "total": str(total),
        "step": str(total // _NAMED_AT_MOST + 1),
        "at_once": "yes" if is_directory and total > _MANY else "",
        "size": format_size(sum(part.size for part in lock.parts)),
        "unpacked": format_size(content),
        "largest": format_size(max(lock.blobs.values(), default=0)),
        "count": f"{images} image{'s' if images != 1 else ''}",
        "example": str(example or ""),
        "example_path": target_path(example) if example else "",
        **(_settings_of_bundle(lock) if lock.is_bundle else {"room": format_size(content * (1 + needs_copy))}),
    }


def _settings_of_bundle(lock: Lock) -> dict[str, str]:
    names = dict.fromkeys(one.name for one in lock.base)
    return {"base": ", ".join(names), "required": required_in_words(lock), "verify": ""}


def target_path(reference: Reference) -> str:
    """Name a reference in the registry of the other side; one by digest gets a tag, as with hangar."""
    return f"{reference.repository}:{load_tag(reference)}"


def _path(name: str, part: str, compress: str) -> str:
    return f"{name}/{part}" if compress == DIR else part


def file_calls(name: str, lock: Lock, folder: str = "") -> Iterator[str]:
    """Yield the calls of ``one_file`` for the files of an archive.

    :param folder: the directory that they may be in, with ``/`` at its end.
    """
    compress = str(lock.options.get("compress"))
    for part in lock.parts:
        yield f"one_file {part.sha256} {part.size} {shlex.quote(folder + _path(name, part.name, compress))}"


def _prints(lines: Iterable[str]) -> list[str]:
    return [f"printf '%s\\n' {shlex.quote(line)}" for line in lines]


def _lacking(failed: tuple[str, ...]) -> list[str]:
    if not failed:
        return []
    return [
        f'say "This archive is partial. {len(failed)} of the images asked for could not be saved, and are not in it:"',
        *(f"say {shlex.quote(f'  {reference}')}" for reference in failed),
    ]


def programs(formats: Iterable[str], *, is_bundle: bool = False) -> list[str]:
    """List the programs that a script calls.

    :param formats: of its archives.
    """
    needed = ["sha256sum", "cat", "mkdir", "mv", "rm", "ln", *(["ls"] if is_bundle else [])]
    for compress in formats:
        expander = _EXPANDERS.get(compress)
        needed += [] if compress == DIR else ["tar", *([expander] if expander else [])]
    return [*dict.fromkeys(needed)]


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


def _unpack(lock: Lock, compress: str) -> Text:
    if compress == DIR:
        return lambda: _unpack_directory(lock)
    body = SET_TAR_OPTIONS.lstrip("\n") + pipeline(compress, "each_file put")
    gather = "" if lock.is_bundle else GATHER_BY_UNPACKING
    return f"{expanders([compress])}{PUT_TO_TAR.lstrip()}\nunpack() {{\n{body}}}\n{EXTRACT}{gather}"


def _unpack_directory(lock: Lock) -> Iterator[str]:
    made = (f'mkdir "$1"/{each} || return 1' for each in directories_of(lock))
    yield from function_pieces("make_directories", chain(['mkdir "$1" || return 1'], made))
    yield FROM_DIRECTORY
    yield "" if lock.is_bundle else GATHER_FROM_DIRECTORY


def expanders(formats: Iterable[str]) -> str:
    """Return the functions that expand archives of these formats."""
    return EXPAND_GZIP.lstrip("\n") if GZIP in formats else ""


def pipeline(compress: str, each_file: str) -> str:
    """Return the commands that join the files of an archive, expand and unpack them.

    :param each_file: the command that puts all of them.
    """
    expand = _EXPAND.get(compress)
    stage = f'\n        {{ {expand} && : >"$work/expanded"; }} |' if expand else ""
    mark = ' && [ -e "$work/expanded" ]' if expand else ""
    joined = PIPELINE.lstrip("\n").replace("@EACH_FILE@", each_file)
    return joined.replace("@EXPAND@", stage).replace("@EXPANDED@", mark)


def directories_of(lock: Lock) -> list[str]:
    """List the directories of an archive that is one, as words of a shell, each after the one that it is in."""
    directories = {part.name[: part.name.rindex("/")] for part in lock.parts if "/" in part.name}
    return [shlex.quote(each) for each in sorted({parent for one in directories for parent in _with_parents(one)})]


def _with_parents(directory: str) -> list[str]:
    names = directory.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]


def function(name: str, lines: Iterable[str]) -> str:
    """Return a function of a shell."""
    return "".join(function_pieces(name, lines))


def function_pieces(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield the same in pieces."""
    yield f"{name}() {{\n"
    left = iter(lines)
    some = [*islice(left, _LINES)] or [":"]
    while some:
        yield "".join([f"    {line}\n" for line in some])
        some = [*islice(left, _LINES)]
    yield "}\n"
