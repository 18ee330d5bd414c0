# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``NAME.report.json``: the facts of a report, and the digests by which a run sees that the report is whole. Pure.

Equal content gives equal bytes, and only the bytes that this release writes are read: a file that somebody has edited,
or that was damaged, says nothing. docs/report.md describes the format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from .._base.json import Json, JsonError, JsonObject, canonical, compact, parse_object
from .comparison import Changed, Comparison, Removed
from .facts import BundleSize, Facts, Holding, Layer, Referrer
from .failures import Failure, Invalid

VERSION = 1
"""Rises whenever the file's members change their names or meaning."""

_LARGEST = 2**63 - 1
_MOST_VALUES = 4_000_000


@dataclass(frozen=True)
class FactsFile:
    """The content of the file. All digests are sha256 in hex digits.

    :param lock: of the lock file that the report belongs to.
    :param page: of ``NAME.report.html``.
    :param table: of ``NAME.report.csv``.
    :param facts: ``None``: not known any more.
    """

    lock: str
    page: str
    table: str
    facts: Facts | None


def write_facts_file(content: FactsFile) -> bytes:
    """Write the file; its last member is the sha256 of all the others as compact JSON."""
    document: dict[str, Json] = {
        "version": VERSION,
        "lock_sha256": content.lock,
        "page_sha256": content.page,
        "table_sha256": content.table,
        "facts": None if content.facts is None else facts_json(content.facts),
    }
    return canonical({**document, "sha256": hashlib.sha256(compact(document)).hexdigest()})


def read_facts_file(raw: bytes) -> FactsFile | None:
    """Read the file.

    :returns: ``None`` where it is not one of this version, or not as it was written.
    """
    try:
        document = parse_object(raw, most=_MOST_VALUES)
        content = FactsFile(
            lock=document.text("lock_sha256"),
            page=document.text("page_sha256"),
            table=document.text("table_sha256"),
            facts=read_facts(document.object("facts")) if "facts" in document else None,
        )
    except JsonError:
        return None
    return content if write_facts_file(content) == raw else None


def is_of_another_version(raw: bytes) -> bool:
    """Return True if this is the file as another release writes it."""
    try:
        return parse_object(raw, most=_MOST_VALUES).integer("version") != VERSION
    except JsonError:
        return False


def facts_json(facts: Facts) -> Json:
    """Turn facts into what the file holds of them."""
    return {
        "content_sha256": facts.content,
        "before": None if facts.before is None else _comparison_json(facts.before),
        "unshared_bytes": facts.named,
        "unique_bytes": facts.unique,
        "layers": facts.layers,
        "largest_layers": [_layer_json(layer) for layer in facts.largest],
        "shared_layers": [_layer_json(layer) for layer in facts.shared],
        "repositories": [
            {"name": one.name, "references": one.references, "bytes": one.bytes, "new_bytes": one.new}
            for one in facts.holdings
        ],
        "failed": [{"reference": one.reference, "digest": one.digest, "reason": one.reason} for one in facts.failed],
        "invalid": [{"origin": one.origin, "line": one.text, "reason": one.reason} for one in facts.invalid],
        **({"referrers": [_referrer_json(one) for one in facts.referrers]} if facts.referrers else {}),
        **_bundle_json(facts.bundle),
    }


def _bundle_json(bundle: BundleSize | None) -> dict[str, Json]:
    return {} if bundle is None else {"bundle": {"bytes": bundle.bytes, "full_bytes": bundle.full}}


def read_facts(document: JsonObject) -> Facts:
    """Read the facts that the file holds.

    :raises JsonError: when they are not facts.
    """
    return Facts(
        content=document.text("content_sha256"),
        before=_read_comparison(document.object("before")) if "before" in document else None,
        named=_number(document, "unshared_bytes"),
        unique=_number(document, "unique_bytes"),
        layers=_number(document, "layers"),
        largest=_read_layers(document.objects("largest_layers")),
        shared=_read_layers(document.objects("shared_layers")),
        holdings=tuple(
            Holding(
                name=one.text("name"),
                bytes=_number(one, "bytes"),
                new=_number(one, "new_bytes"),
                references=_number(one, "references"),
            )
            for one in document.objects("repositories")
        ),
        failed=tuple(
            Failure(one.text("reference"), one.text("digest"), one.text("reason")) for one in document.objects("failed")
        ),
        invalid=tuple(
            Invalid(one.text("origin"), one.text("line"), one.text("reason")) for one in document.objects("invalid")
        ),
        referrers=tuple(_read_referrer(one) for one in document.objects("referrers")),
        bundle=_read_bundle(document.object("bundle")) if "bundle" in document else None,
    )


def _referrer_json(one: Referrer) -> Json:
    return {
        "reference": one.reference,
        "image": one.image,
        "kind": one.kind,
        "refers_to": one.refers_to,
        "size": one.size,
    }


def _read_referrer(document: JsonObject) -> Referrer:
    return Referrer(
        reference=document.text("reference"),
        image=document.text("image"),
        kind=document.text("kind"),
        refers_to=document.text("refers_to"),
        size=_number(document, "size"),
    )


def _read_bundle(document: JsonObject) -> BundleSize:
    return BundleSize(_number(document, "bytes"), _number(document, "full_bytes"))


def _comparison_json(comparison: Comparison) -> Json:
    return {
        "added": list(comparison.added),
        "changed": [
            {"reference": one.reference, "digest": one.digest, "platforms": list(one.platforms)}
            for one in comparison.changed
        ],
        "removed": [
            {"reference": one.reference, "digest": one.digest, "platforms": list(one.platforms), "size": one.size}
            for one in comparison.removed
        ],
        "blobs": comparison.blobs,
        "bytes": comparison.bytes,
    }


def _read_comparison(document: JsonObject) -> Comparison:
    return Comparison(
        added=document.texts("added"),
        changed=tuple(
            Changed(one.text("reference"), one.text("digest"), one.texts("platforms"))
            for one in document.objects("changed")
        ),
        removed=tuple(
            Removed(one.text("reference"), one.text("digest"), one.texts("platforms"), _number(one, "size"))
            for one in document.objects("removed")
        ),
        blobs=_number(document, "blobs"),
        bytes=_number(document, "bytes"),
    )


def _layer_json(layer: Layer) -> Json:
    return {
        "digest": layer.digest,
        "size": layer.size,
        "uses": layer.uses,
        "references": layer.references,
        "first_reference": layer.first,
    }


def _read_layers(documents: Iterable[JsonObject]) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            digest=one.text("digest"),
            size=_number(one, "size"),
            uses=_number(one, "uses"),
            references=_number(one, "references"),
            first=one.text("first_reference"),
        )
        for one in documents
    )


def _number(document: JsonObject, key: str) -> int:
    number = document.integer(key)
    if not 0 <= number <= _LARGEST:
        raise JsonError(f"{key} is out of range")
    return number
