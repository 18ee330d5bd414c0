# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sections of a report that tell of bytes and files: repositories, layers, parts, commands. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .._archive.output import ZSTD
from .._archive.parts import Part
from .._oci.layout import ROOT
from .commands import (
    TARGET,
    check_command,
    containerd_command,
    copy_command,
    hangar_commands,
    hangar_of_directory,
    oci_tar_command,
    podman_command,
    restore_command,
    unpack_command,
    word,
)
from .facts import Facts, Layer
from .map import treemap
from .markup import Markup, element, join, text
from .pieces import (
    NOT_KNOWN,
    Column,
    Subject,
    commands,
    count,
    digest,
    folded,
    grid,
    number,
    reference,
    row,
    section,
    share,
    size,
)

_OPEN_PARTS = 24
_LISTED_PARTS = 2000


def repositories(subject: Subject) -> Markup:
    """The treemap, and a table with the same figures."""
    facts = subject.facts
    if facts is None:
        return section("bytes", "Bytes by repository", element("p", f"Which repository holds how much is {NOT_KNOWN}."))
    whole = sum(holding.bytes for holding in facts.holdings)
    rows = [
        row(one.name, size(one.bytes), share(one.bytes, whole), number(one.references), numbers=(0, 1, 2))
        for one in facts.holdings
    ]
    columns = (
        Column("Repository"),
        Column("Bytes", is_number=True),
        Column("Share", is_number=True, sorts=False),
        Column("References", is_number=True),
    )
    table = grid(columns, rows, caption="Bytes by repository")
    return section(
        "bytes",
        "Bytes by repository",
        element("p", "Each blob counts once, for the first repository in the list that has it.", class_="soft"),
        treemap(facts) if any(holding.bytes for holding in facts.holdings) else text(""),
        folded(f"As a table: {count(len(rows), 'repository', 'repositories')}", table, is_open=False),
    )


def layers(subject: Subject) -> Markup:
    """Write what images share, and what is large."""
    facts = subject.facts
    if facts is None:
        told = [
            "The platform images together would be ",
            size(subject.named_size),
            ", each as if it were alone; the archive has every blob once, and holds ",
            size(subject.content_size),
            f". Which layers are shared is {NOT_KNOWN}.",
        ]
        return section("layers", "Shared and largest layers", element("p", *told))
    saved = facts.named - facts.unique
    is_bundle = subject.lock.is_bundle
    told = [
        "Each as if it were alone, the platform images would be ",
        size(facts.named),
        f". The archive has every blob once{', without those of its base' if is_bundle else ''}: ",
        size(saved),
        f" ({share(saved, facts.named)}) are {'shared or left out' if is_bundle else 'shared'}.",
    ]
    return section(
        "layers",
        "Shared and largest layers",
        element("p", *told),
        *_layer_table("Most shared", facts.shared, facts),
        *_layer_table("Largest", facts.largest, facts),
    )


def _layer_table(title: str, listed: Sequence[Layer], facts: Facts) -> list[Markup]:
    if not listed:
        return []
    rows = [
        row(
            digest(one.digest),
            size(one.size),
            number(one.uses),
            size(one.saved),
            join([reference(one.first), *([f" and {one.references - 1} more"] if one.references > 1 else [])]),
            numbers=(0, 1, 2),
        )
        for one in listed
    ]
    columns = (
        Column("Layer", sorts=False),
        Column("Size", is_number=True),
        Column("Platform images", is_number=True),
        Column("Spared", is_number=True),
        Column("In"),
    )
    heading = f"{title}: {len(listed)} of {count(facts.layers, 'layer')}"
    return [element("h3", heading), grid(columns, rows, caption=f"{title} layers")]


def parts(subject: Subject) -> Markup:
    """The archive's files with their checksums."""
    listed = subject.lock.parts[:_LISTED_PARTS]
    table = _files(listed, caption="Files of the archive with their checksums")
    left = len(subject.lock.parts) - len(listed)
    if left:
        table = join([table, element("p", f"And {count(left, 'file')} more, which {subject.checksum_file} names.")])
    if len(listed) > _OPEN_PARTS:
        table = folded("Names and checksums", table, is_open=False)
    title = subject.files(len(subject.lock.parts))
    place = [f"below {subject.name}; "] if subject.is_directory else []
    return section(
        "parts",
        "Parts and checksums",
        element(
            "p",
            title,
            ", ",
            size(subject.size),
            ", ",
            *place,
            "checksums in ",
            element("code", subject.checksum_file),
        ),
        table,
        *_parity(subject),
    )


def _parity(subject: Subject) -> list[Markup]:
    files = subject.lock.parity
    if not files:
        return []
    told = (
        "; it makes one lost part again. Carry it on another stick."
        if len(files) == 1
        else "; each makes one lost part of its group again. Carry them on another stick."
    )
    return [
        element("p", count(len(files), "parity file"), ", ", size(sum(one.size for one in files)), told),
        _files(files, caption="Parity files with their checksums"),
    ]


def _files(files: Sequence[Part], *, caption: str) -> Markup:
    rows = [
        row(element("code", one.name), size(one.size), element("code", one.sha256, class_="d"), numbers=(0,))
        for one in files
    ]
    columns = (Column("Name"), Column("Size", is_number=True), Column("SHA-256", sorts=False))
    return grid(columns, rows, caption=caption)


def restore(subject: Subject) -> Markup:
    """Write what to do on the other side."""
    name = subject.name
    steps = [
        element("li", element("p", "Check that everything has arrived undamaged."), commands(check_command(name))),
        element("li", *_unpacking(subject)),
        element("li", *_loading(subject)),
    ]
    return section(
        "restore",
        "Check, unpack and load",
        element(
            "p",
            "In the directory of the files. Put your names in place of TARGET_DIR and REGISTRY.",
            class_="soft",
        ),
        element("ol", *steps, class_="steps"),
    )


def _unpacking(subject: Subject) -> list[Markup]:
    name = subject.name
    if subject.lock.is_bundle:
        names = ", ".join(one.name for one in subject.lock.base)
        told = f"Check again, and add it to the {ROOT} in TARGET_DIR that was unpacked from {names}, all at once."
        return [element("p", told), commands(restore_command(name))]
    if subject.is_directory:
        what, by_hand = (
            "Or by hand: it is a directory and only has to be copied.",
            f"cp -R {word(name)} {TARGET}/{ROOT}",
        )
    else:
        needs = ", where tar knows zstd" if subject.lock.options.get("compress") == ZSTD else ""
        what, by_hand = f"Or by hand, without the script{needs}.", unpack_command(name, subject.lock)
    return [
        element("p", "Check again, join the parts and unpack, all at once."),
        commands(restore_command(name)),
        element("p", what, class_="soft above"),
        commands(f"mkdir -p {TARGET}", by_hand),
    ]


def _loading(subject: Subject) -> list[Markup]:
    name, lock = subject.name, subject.lock
    told = [element("p", "Load it into the registry of the site: each image with skopeo.")]
    named = next((image.reference for image in lock.images if image.reference.tag), None)
    named = named or (lock.images[0].reference if lock.images else None)
    if named is not None:
        told.append(commands(copy_command(named)))
    told.append(
        element(
            "p",
            "Or all at once with hangar 1.6. It gives OCI images other digests, and skips images with zstd "
            "layers, charts and signatures.",
            class_="soft above",
        )
    )
    if lock.is_bundle:
        told.append(commands(hangar_of_directory()))
        return told
    told.append(commands(*hangar_commands(name, lock)))
    told.append(element("p", "Or without a registry: one tar for containerd and podman.", class_="soft above"))
    pull = [podman_command(named)] if named is not None else []
    told.append(commands(oci_tar_command(name), containerd_command(), *pull))
    return told
