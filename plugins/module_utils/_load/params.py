# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the module's parameters into typed options: names, paths and ranges. Pure."""

from __future__ import annotations

from typing import TypedDict

from .._base.checks import check_range
from .._base.errors import OptionError, quoted
from .._base.size import parse_size
from .._host.paths import refuse_strange_path
from .._oci.image_list import read_origin
from .._registry.access import Access
from .._registry.harbor import NewProject
from .naming import Naming, read_registry, read_rewrites
from .options import Choice, Options, Rules, Work

RewriteParams = TypedDict("RewriteParams", {"from": str, "to": str})
"""One item of ``rewrites``."""


class Params(TypedDict):
    """The parameters as the module's argument specification gives them."""

    src: list[str]
    to: str
    dest: str | None
    registry: str | None
    keep_registry: bool
    rewrites: list[RewriteParams]
    images: list[str]
    list_files: list[str]
    list_format: str
    origins: list[str]
    exclude: list[str]
    share: str | None
    share_among: list[str]
    on_conflict: str
    index: str
    verify: str
    check_target: str
    referrers: str
    create_projects: bool
    project_public: bool
    project_quota: str | None
    receipt: str | None
    report: str | None
    request_file: str | None
    failed_list: str | None
    username: str | None
    password: str | None
    authfile: str | None
    validate_certs: bool
    ca_path: str | None
    client_cert: str | None
    client_key: str | None
    jobs: int
    retries: int
    retry_delay: float
    timeout: int
    stall_timeout: int
    log_file: str | None
    progress_file: str | None


def read_options(params: Params, *, check: bool) -> Options:
    """Check the parameters, and return them with types.

    :raises OptionError: names the option, its value and what is accepted.
    """
    refuse_strange_paths(params)
    return Options(
        src=tuple(params["src"]),
        choice=read_choice(params),
        naming=read_naming(params),
        rules=Rules(
            on_conflict=params["on_conflict"],
            index=params["index"],
            check_target=params["check_target"],
            verify=params["verify"],
            referrers=params["referrers"],
        ),
        access=_access(params),
        work=_work(params),
        receipt=params["receipt"],
        report=params["report"],
        request_file=params["request_file"],
        failed_list=params["failed_list"],
        new_project=_new_project(params),
        check=check,
    )


def read_choice(params: Params) -> Choice:
    """Read which images are loaded.

    :raises OptionError: when an origin or the share is not valid.
    """
    _refuse_strange_share(params)
    return Choice(
        images=tuple(params["images"]),
        list_files=tuple(params["list_files"]),
        list_format=params["list_format"],
        origins=tuple(map(read_origin, params["origins"])),
        exclude=tuple(params["exclude"]),
        share=params["share"] or "",
        share_among=tuple(params["share_among"]),
    )


def refuse_strange_paths(params: Params) -> None:
    """Refuse paths that cannot be right.

    :raises OptionError: names the option.
    """
    if not params["src"]:
        raise OptionError("src: names no archive; at least one path is needed")
    paths: dict[str, list[str | None]] = {
        "src": [*params["src"]],
        "list_files": [*params["list_files"]],
        "dest": [params["dest"]],
        "receipt": [params["receipt"]],
        "report": [params["report"]],
        "request_file": [params["request_file"]],
        "failed_list": [params["failed_list"]],
        "authfile": [params["authfile"]],
        "ca_path": [params["ca_path"]],
        "client_cert": [params["client_cert"]],
        "client_key": [params["client_key"]],
    }
    for option, values in paths.items():
        for value in values:
            refuse_strange_path(option, value)


def _refuse_strange_share(params: Params) -> None:
    share, among = params["share"], params["share_among"]
    if (share or among) and share not in among:
        raise OptionError(f"share: {quoted(share or '')} is not in share_among ({', '.join(among) or 'empty'})")


def read_naming(params: Params) -> Naming:
    """Read the rules for names.

    :raises OptionError: when the registry or a rewrite is not valid.
    """
    rewrites = read_rewrites((item["from"], item["to"]) for item in params["rewrites"])
    return Naming(read_registry(params["registry"] or ""), params["keep_registry"], rewrites)


def _new_project(params: Params) -> NewProject | None:
    quota = params["project_quota"]
    if not params["create_projects"]:
        if quota or params["project_public"]:
            raise OptionError("project_public and project_quota have no effect without create_projects=true")
        return None
    return NewProject(params["project_public"], parse_size(quota, option="project_quota") if quota else None)


def _access(params: Params) -> Access:
    username, password = params["username"], params["password"]
    return Access(
        source=None,
        login=(username, password) if username and password else None,
        logins=(),
        authfile=params["authfile"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
    )


def _work(params: Params) -> Work:
    check_range("jobs", params["jobs"], 1, 20)
    check_range("retries", params["retries"], 0, 100)
    check_range("retry_delay", params["retry_delay"], 0, 3600)
    check_range("timeout", params["timeout"], 1, 7 * 86400)
    check_range("stall_timeout", params["stall_timeout"], 1, 86400)
    return Work(
        jobs=params["jobs"],
        retries=params["retries"],
        retry_delay=params["retry_delay"],
        timeout=params["timeout"],
        stall_timeout=params["stall_timeout"],
    )
