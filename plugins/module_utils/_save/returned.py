# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns a run's result into the values that the module returns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from .._archive.lock import Lock, LockedImage
from .._archive.names import path_of
from .._archive.output import DIR, Output
from .._archive.parts import Part
from .._archive.referrers import kind_of_referrer, referrers_by_image
from .._base.json import Json
from .._base.shared import shared
from .._report.causes import cause_json
from .decide import describe
from .result import Result, Stats


def as_returned(result: Result, output: Output, *, check: bool) -> dict[str, Json]:
    """Return the values that RETURN documents."""
    returned: dict[str, Json] = {
        "changed": result.changed,
        "reason": result.reason,
        "msg": result.sentence(output.dest, check=check, failed_list=output.failed_list or ""),
        "succeeded": not result.is_failure,
        "notes": list(result.notes),
        "dest": output.dest,
        **_parts(result, output),
        "images": _images(result),
        "failed_images": [
            {"reference": str(one.listed.reference), "origin": str(one.listed.origin), "reason": one.reason}
            for one in result.failed
        ],
        "causes": [cause_json(cause) for cause in result.causes],
        "hint": result.hint(check=check),
        "skipped_images": [{"reference": str(one.reference), "reason": one.reason} for one in result.skipped],
        "invalid_lines": [
            {"origin": str(line.origin), "line": line.text, "reason": line.reason} for line in result.listed.invalid
        ],
        "stats": _stats(result.stats),
        **result.beside(output.dest),
    }
    if result.lock is not None and result.lock.is_bundle:
        returned["bundle"] = _bundle(result.lock, is_needed=not result.is_needless)
    if result.forecast is not None:
        returned["plan"] = dict(asdict(result.forecast))
    return returned


def _bundle(lock: Lock, *, is_needed: bool) -> Json:
    base: list[Json] = [{"name": one.name, "receipt": one.has_receipt} for one in lock.base]
    return {
        "base": base,
        "is_needed": is_needed,
        "left_out": len(lock.requires),
        "bytes_left_out": sum(one.size for one in lock.requires.values()),
        "bytes_full": lock.whole_size if lock.blobs else 0,
    }


def diff_of(result: Result, output: Output) -> dict[str, Json]:
    """Return what Ansible shows in diff mode: the content of the archive before and after."""
    after = result.lock if result.is_published else result.before
    return {
        "before_header": output.dest,
        "after_header": output.dest,
        "before": describe(result.before),
        "after": describe(after),
    }


def _parts(result: Result, output: Output) -> dict[str, Json]:
    """Return the files that are on disk now: after a failure, those of the archive before.

    The files of a directory, which may be a hundred thousand, are only counted; its lock file lists them.
    """
    lock = result.lock if result.is_published else result.before
    parts = lock.parts if lock is not None else ()
    return {
        "parts": _described(output, parts if output.compress != DIR else ()),
        "part_count": len(parts),
        "parity_files": _described(output, lock.parity if lock is not None else ()),
    }


def _described(output: Output, files: Sequence[Part]) -> list[Json]:
    return [{"path": path_of(output, file), "size": file.size, "sha256": file.sha256} for file in files]


def _images(result: Result) -> list[Json]:
    saved = {str(image.reference): image for image in _saved(result.lock)}
    referrers = referrers_by_image(_saved(result.lock))
    skipped = {str(one.reference): one for one in result.skipped}
    failed = {str(one.listed.reference): one for one in result.failed}
    images: list[Json] = []
    for listed in result.listed.images:
        name = str(listed.reference)
        if name in failed:
            images.append(_entry(name, "failed", failed[name].digest, reason=failed[name].reason))
        elif name in skipped:
            images.append(_entry(name, "skipped", skipped[name].digest, reason=skipped[name].reason))
        elif name in saved:
            entry = _saved_entry(saved[name], _status(result))
            images.append({**entry, "referrers": [*map(_referrer, referrers.get(listed.reference, ()))]})
    return images


def _status(result: Result) -> str:
    if result.is_needless:
        return "carried"
    return "saved" if result.is_published else "fetched"


def _saved(lock: Lock | None) -> tuple[LockedImage, ...]:
    return lock.images if lock is not None else ()


def _saved_entry(image: LockedImage, status: str) -> dict[str, Json]:
    entry = _entry(str(image.reference), status, image.digest)
    entry["notes"] = list(image.notes)
    entry["platforms"] = [
        {
            "platform": shared(str(platform.platform)) if platform.platform is not None else "",
            "digest": platform.digest,
            "size": platform.size,
        }
        for platform in image.platforms
    ]
    return entry


def _referrer(image: LockedImage) -> Json:
    return {
        "reference": str(image.reference),
        "kind": kind_of_referrer(image),
        "refers_to": image.refers_to,
        "digest": image.digest,
        "size": sum(platform.size for platform in image.platforms),
    }


def _entry(reference: str, status: str, digest: str, *, reason: str = "") -> dict[str, Json]:
    return {
        "reference": reference,
        "status": status,
        "digest": digest,
        "reason": reason,
        "notes": [],
        "platforms": [],
        "referrers": [],
    }


def _stats(stats: Stats) -> Json:
    figures: dict[str, Json] = dict(asdict(stats))
    heads, gets = figures.pop("manifest_heads"), figures.pop("manifest_gets")
    figures["manifest_requests"] = {"HEAD": heads, "GET": gets}
    return figures
