# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role image_verify on the controller: its variables, checked, and the files by which hosts ask for lost parts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.airgap.images.plugins.module_utils._archive.request import Request, parse_request
from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ImagesError,
    OptionError,
    StorageError,
    printable,
)
from ansible_collections.airgap.images.plugins.module_utils._base.json import JsonError, JsonObject
from ansible_collections.airgap.images.plugins.module_utils._source.find import find_archives
from ansible_collections.airgap.images.plugins.module_utils._verify.request_file import (
    Wish,
    check_requests,
    refuse_request_file,
    update_requests,
)
from ansible_collections.airgap.images.plugins.plugin_utils._stage.checks import check_list


@dataclass(frozen=True)
class Verification:
    """The variables C(image_verify_X) by their names X, with the default in place of an empty value.

    Lists are checked by :func:`check_verification`, so until then they may be anything.
    """

    src: Sequence[str]
    controller_src: Sequence[str]
    request_file: str
    poll: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Verification:
        """Take the options out of a dictionary, as Ansible has templated it.

        :raises KeyError: when one is missing.
        """
        given = {field.name: values[field.name] for field in fields(cls)}
        lists = {
            name: [*map(str, given[name])]
            for name in ("src", "controller_src")
            if isinstance(given[name], (list, tuple))
        }
        return cls(**{**given, **lists, "request_file": str(given["request_file"]), "poll": int(given["poll"])})


def check_verification(options: Verification) -> None:
    """Check everything that can be known without the host.

    :raises OptionError: names the variable, and says what is expected.
    """
    check_list("image_verify_src", options.src)
    check_list("image_verify_controller_src", options.controller_src)
    if bool(options.src) == bool(options.controller_src):
        raise OptionError(
            "image_verify_src (paths on the host, such as the mount point of a stick), image_verify_controller_src "
            "(paths on the controller): set one or the other."
        )
    for path in options.controller_src:
        _refuse_relative("image_verify_controller_src", path)
    if options.request_file:
        _refuse_relative("image_verify_request_file", options.request_file)
    if options.poll <= 0:
        raise OptionError(
            "image_verify_poll: expected the seconds between two checks of the job, at least 1, but it is "
            f"{options.poll}."
        )
    if options.controller_src and options.request_file:
        _refuse_request_file(options)


def _refuse_request_file(options: Verification) -> None:
    """Find out that one request file cannot serve all archives before their parts are read.

    :raises OptionError: in that case, or when another file would be replaced.
    """
    try:
        archives = find_archives([os.path.expanduser(path) for path in options.controller_src])
    except ImagesError:
        return  # the module finds the same, and reports it
    refuse_request_file(os.path.expanduser(options.request_file), archives)


def _refuse_relative(name: str, path: str) -> None:
    if not os.path.isabs(os.path.expanduser(path)):
        raise OptionError(f"{name}: expected an absolute path on the controller, but it is {printable(path)}.")


def write_requests(path: str, said: Iterable[object], *, check: bool) -> tuple[list[str], bool]:
    """Write what hosts ask for. What several ask for of one archive is put together.

    :param path: of a file on the controller, or of a directory.
    :param said: by the hosts, which are not trusted.
    :param check: change nothing.
    :returns: the paths of the files, and whether anything is (or would be) different.
    :raises StorageError: when a host has not answered what it was asked.
    :raises OptionError: when another file would be replaced.
    """
    wishes: dict[str, Wish] = {}
    for one in said:
        wish = _wish_of(one)
        before = wishes.get(wish.request.lock_sha256, wish)
        request = Request(
            wish.request.archive,
            wish.request.lock_sha256,
            tuple(sorted({*wish.request.parts, *before.request.parts})),
            tuple(sorted({*wish.request.digests, *before.request.digests})),
        )
        wishes[request.lock_sha256] = Wish(request, wish.is_tree)
    return update_requests(check_requests(path, [*wishes.values()]), check=check)


def _wish_of(said: object) -> Wish:
    try:
        if not isinstance(said, Mapping):
            raise JsonError("it is not an object")
        document = JsonObject({str(name): value for name, value in said.items()})
        return Wish(parse_request(document), bool(said.get("is_directory")))
    except JsonError as error:
        raise StorageError(f"a host asks for something that is not part of an archive: {error}") from error
