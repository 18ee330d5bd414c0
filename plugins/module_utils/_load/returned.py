# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns a load's result into the values that the module returns. Pure."""

from __future__ import annotations

from dataclasses import asdict

from .._base.json import Json
from .._report.causes import cause_json
from .options import Options
from .result import Loaded, Result


def as_returned(result: Result, options: Options) -> dict[str, Json]:
    """Return the values that RETURN documents."""
    cluster = result.cluster
    return {
        "changed": result.changed,
        "msg": result.sentence(check=options.check, failed_list=options.failed_list or ""),
        "succeeded": not result.is_failure,
        "registry": result.registry,
        "notes": list(result.notes),
        "images": [one.as_json() for one in result.images],
        "failed_images": [
            {"reference": str(one.listed.reference), "origin": str(one.listed.origin), "reason": one.reason}
            for one in result.failed
        ],
        "moved_tags": [_moved(one) for one in result.moved],
        "invalid_lines": [
            {"origin": str(line.origin), "line": line.text, "reason": line.reason} for line in result.listed.invalid
        ],
        "causes": [cause_json(cause) for cause in result.causes],
        "left_out": result.left_out,
        "projects_created": list(result.projects_created),
        "receipt": result.receipt,
        "receipts": list(result.receipts),
        "confirmation": result.confirmation,
        "lacking": [one.as_json() for one in result.lacking],
        "request_files": list(result.requests),
        "fulfilled": list(result.fulfilled),
        "report": result.report,
        "stats": dict(asdict(result.stats)),
        "registries_yaml": cluster.registries_yaml,
        "hosts_toml": dict(cluster.hosts_toml),
        "system_default_registry": cluster.system_default_registry,
    }


def diff_of(result: Result) -> dict[str, Json]:
    """Return what Ansible shows in diff mode: the tags that are (or would be) different, before and after."""
    differing = [one for one in result.images if one.is_there and one.before != one.digest]
    return {
        "before_header": result.registry,
        "after_header": result.registry,
        "before": "".join(f"{one.target} {one.before}\n" for one in differing if one.before),
        "after": "".join(f"{one.target} {one.digest}\n" for one in differing),
    }


def _moved(one: Loaded) -> Json:
    return {"target": str(one.target), "before": one.before, "after": one.digest}
