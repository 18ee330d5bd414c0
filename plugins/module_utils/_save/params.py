# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the module's parameters into typed options: suffixes, sizes, platforms and ranges. Pure."""

from __future__ import annotations

import os
from typing import Literal, TypedDict

from .._archive.output import AT_IMAGE, DIR, PART_DIGITS, Output, check_level, complete_dest
from .._base.checks import check_range, is_text
from .._base.errors import InvalidReferenceError, OptionError, quoted
from .._base.size import parse_size
from .._host.paths import refuse_strange_path
from .._oci.image_list import read_origin
from .._oci.platform import parse_filter
from .._oci.reference import SourceRegistry, parse_source_registry
from .._registry.access import Access, Certificates
from .._registry.registries import RegistryParams, read_registries
from .._skopeo.work import Work
from .options import Options, Selection, Since

_AttributeName = Literal["mode", "owner", "group", "seuser", "serole", "setype", "selevel", "attributes"]
_ATTRIBUTES: tuple[_AttributeName, ...] = (
    "mode",
    "owner",
    "group",
    "seuser",
    "serole",
    "setype",
    "selevel",
    "attributes",
)
_CACHE_NAME = "saved-image-cache"


class AccessParams(TypedDict):
    """The parameters that say how to reach registries."""

    username: str | None
    password: str | None
    registries: list[RegistryParams]
    authfile: str | None
    source_registry: str | None
    validate_certs: bool
    ca_path: str | None
    client_cert: str | None
    client_key: str | None


class WorkParams(TypedDict):
    """The parameters that say how the work is done."""

    cache_dir: str | None
    jobs: int
    retries: int
    retry_delay: float
    timeout: int
    stall_timeout: int
    lock_timeout: int
    verify: str
    keep_cache: bool
    prune_cache: bool
    skopeo_path: str
    skopeo_copy: str
    signature_policy: str | None
    insecure_policy: bool


class Params(AccessParams, WorkParams):
    """The parameters as the module's argument specification gives them."""

    images: list[str]
    list_files: list[str]
    list_format: str
    origins: list[str]
    from_lock: str | None
    request: str | None
    since: list[str]
    since_missing: str
    since_confirmed: list[str]
    arch: list[str]
    os: list[str]
    fail_on_missing_platform: bool
    include_foreign_layers: bool
    referrers: str
    dest: str
    compress: str
    compress_level: int | None
    part_size: str | None
    part_at: str
    part_digits: int | None
    parity: bool
    failed_list: str | None
    allow_partial: bool
    force: bool
    log_file: str | None
    progress_file: str | None
    mode: object
    owner: str | None
    group: str | None
    seuser: str | None
    serole: str | None
    setype: str | None
    selevel: str | None
    attributes: str | None


def read_options(params: Params, *, check: bool) -> Options:
    """Check the parameters, and return them with types.

    :raises OptionError: names the option, its value and what is accepted.
    """
    _refuse_strange_paths(params)
    output = _output(params)
    _refuse_contradictions(params)
    return Options(
        selection=Selection(
            images=tuple(params["images"]),
            list_files=tuple(params["list_files"]),
            list_format=params["list_format"],
            from_lock=params["from_lock"],
            platforms=parse_filter(params["arch"], params["os"]),
            fail_on_missing_platform=params["fail_on_missing_platform"],
            include_foreign_layers=params["include_foreign_layers"],
            referrers=params["referrers"],
            origins=tuple(map(read_origin, params["origins"])),
        ),
        output=output,
        access=read_access(params),
        work=_work(params, output),
        check=check,
        request=params["request"],
        since=Since(tuple(params["since"]), params["since_missing"], tuple(params["since_confirmed"])),
    )


def _refuse_strange_paths(params: Params) -> None:
    """Refuse paths that no filesystem accepts, and names that would break the lines of a checksum file."""
    paths: dict[str, list[str | None]] = {
        "list_files": [*params["list_files"]],
        "from_lock": [params["from_lock"]],
        "request": [params["request"]],
        "since": [*params["since"]],
        "dest": [params["dest"]],
        "failed_list": [params["failed_list"]],
        "authfile": [params["authfile"]],
        "ca_path": [params["ca_path"]],
        "client_cert": [params["client_cert"]],
        "client_key": [params["client_key"]],
        "registries": [
            path
            for item in params["registries"]
            for path in (item.get("ca_path"), item.get("client_cert"), item.get("client_key"))
        ],
        "cache_dir": [params["cache_dir"]],
        "skopeo_path": [params["skopeo_path"]],
        "signature_policy": [params["signature_policy"]],
    }
    for option, values in paths.items():
        for value in values:
            refuse_strange_path(option, value)
    if any(character in params["dest"] for character in "\r\n") or not is_text(params["dest"]):
        raise OptionError(f"dest: {quoted(params['dest'])} must be text in one line, as checksum files require")


def _refuse_contradictions(params: Params) -> None:
    """Refuse options that exclude each other. Empty lists and false count as left out, as playbooks pass them."""
    if params["from_lock"] and not params["request"] and (params["images"] or params["list_files"]):
        raise OptionError("from_lock: replaces images and list_files; give one or the other")
    if params["since_confirmed"] and not params["since"]:
        raise OptionError("since_confirmed: confirms lock files that since names; give both or neither")
    if params["signature_policy"] and params["insecure_policy"]:
        raise OptionError("signature_policy: has no effect with insecure_policy=true; give one or the other")


def _output(params: Params) -> Output:
    compress = params["compress"]
    check_level(params["compress_level"], compress)
    part_size = params["part_size"]
    if part_size is not None and compress == "dir":
        raise OptionError("part_size: has no effect with compress=dir; leave it out")
    if params["part_at"] == AT_IMAGE and compress == DIR:
        raise OptionError("part_at: has no effect with compress=dir, which has a file for each blob; leave it out")
    if params["parity"] and compress == DIR:
        raise OptionError("parity: has no effect with compress=dir; leave it out")
    if params["parity"] and part_size is None and params["part_at"] != AT_IMAGE:
        raise OptionError("parity: a lost part is made again from the other ones, so part_size is needed too")
    if params["part_digits"] is not None:
        check_range("part_digits", params["part_digits"], PART_DIGITS[0], PART_DIGITS[-1])
    return Output(
        dest=complete_dest(params["dest"], compress),
        compress=compress,
        compress_level=params["compress_level"],
        part_size=None if part_size is None else parse_size(part_size, option="part_size"),
        part_at=params["part_at"],
        part_digits=params["part_digits"],
        failed_list=params["failed_list"],
        allow_partial=params["allow_partial"],
        force=params["force"],
        parity=params["parity"],
        has_attributes=any(params[name] is not None for name in _ATTRIBUTES),
    )


def read_access(params: AccessParams) -> Access:
    """Return how to reach registries.

    :raises OptionError: names the option, its value and what is accepted.
    """
    username, password = params["username"], params["password"]
    usual = Certificates(params["validate_certs"], params["ca_path"], params["client_cert"], params["client_key"])
    registries = read_registries(params["registries"], usual)
    source = _source(params["source_registry"])
    return Access(
        source=source,
        login=(username, password) if username and password else None,
        logins=registries.logins,
        authfile=params["authfile"],
        validate_certs=usual.validate_certs,
        ca_path=usual.ca_path,
        client_cert=usual.client_cert,
        client_key=usual.client_key,
        certificates=registries.certificates,
        mirrors=registries.mirrors if source is None else {},
    )


def _source(text: str | None) -> SourceRegistry | None:
    if not text:
        return None
    try:
        return parse_source_registry(text)
    except InvalidReferenceError as error:
        raise OptionError(f"source_registry: {error}") from error


def _work(params: WorkParams, output: Output) -> Work:
    work = read_work(params, params["cache_dir"] or os.path.join(output.directory, _CACHE_NAME))
    _check_cache_dir(work.cache_dir, output)
    return work


def read_work(params: WorkParams, cache_dir: str) -> Work:
    """Return how the work is done.

    :param cache_dir: path, which the parameters need not name.
    :raises OptionError: names the option, its value and what is accepted.
    """
    check_range("jobs", params["jobs"], 1, 20)
    check_range("retries", params["retries"], 0, 100)
    check_range("retry_delay", params["retry_delay"], 0, 3600)
    check_range("timeout", params["timeout"], 1, 7 * 86400)
    check_range("stall_timeout", params["stall_timeout"], 1, 86400)
    check_range("lock_timeout", params["lock_timeout"], 0, 7 * 86400)
    return Work(
        cache_dir=os.path.abspath(cache_dir),
        jobs=params["jobs"],
        retries=params["retries"],
        retry_delay=params["retry_delay"],
        timeout=params["timeout"],
        stall_timeout=params["stall_timeout"],
        lock_timeout=params["lock_timeout"],
        verify=params["verify"],
        keep_cache=params["keep_cache"],
        prune_cache=params["prune_cache"],
        skopeo_path=params["skopeo_path"],
        signature_policy=params["signature_policy"],
        insecure_policy=params["insecure_policy"],
        skopeo_copy=params["skopeo_copy"],
    )


def _check_cache_dir(cache_dir: str, output: Output) -> None:
    if ":" in cache_dir:
        raise OptionError(f"cache_dir: {cache_dir} must not contain ':', which skopeo reads as the end of the path")
    if output.compress != DIR:
        return
    if os.path.commonpath([cache_dir, output.dest]) in (cache_dir, output.dest):
        raise OptionError(
            f"cache_dir: with compress=dir, {cache_dir} and dest {output.dest} must be apart; "
            "give dest another name, or set cache_dir"
        )
