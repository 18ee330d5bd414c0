# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first screen of a report: what is in here, what is new, is it whole? Pure."""

from __future__ import annotations

from collections import Counter

from .._archive.referrers import images_only
from .._oci.reference import Reference
from .cards import ALERT, DONE, bar, card, icon, rows
from .commands import check_command, restore_command
from .comparison import image_size
from .markup import Markup, Piece, element, join
from .pieces import Subject, commands, count, grouped, number, share, size

_NAMED_PLATFORMS = 3
_NAMED_NEW = 3
_FORMS = {
    "gzip": "tar, gzip",
    "zstd": "tar, zstd",
    "none": "tar, not compressed",
    "dir": "directory",
}


def overview(subject: Subject) -> Markup:
    """Write the three answers at the top."""
    return element("div", _content(subject), _news(subject), _soundness(subject), class_="answers")


def _content(subject: Subject) -> Markup:
    lock = subject.lock
    asked_for = len(images_only(lock.images))
    repositories = {image.reference.name for image in lock.images}
    registries = {image.reference.registry for image in lock.images}
    where = f"from {count(len(repositories), 'repository', 'repositories')}"
    form = _FORMS.get(str(lock.options.get("compress")), "")
    return card(
        "content",
        "What is in here?",
        element("p", number(asked_for), " image" if asked_for == 1 else " images", class_="big"),
        element("p", f"{where} in {count(len(registries), 'registry', 'registries')}", class_="soft"),
        rows(
            *_referrers(len(lock.images) - asked_for),
            ("Platform images", number(sum(len(image.platforms) for image in lock.images))),
            ("Platforms", _platforms(subject)),
            ("Archive", join([size(subject.size), f" in {subject.files(len(lock.parts))}"])),
            ("Form", form),
            ("Content", join([size(subject.content_size), f" in {count(len(lock.blobs), 'blob')}"])),
            *_of_bundle(subject),
        ),
    )


def _referrers(found: int) -> list[tuple[str, Piece]]:
    return [("Signatures, SBOMs and the like", number(found))] if found else []


def _of_bundle(subject: Subject) -> list[tuple[str, Piece]]:
    """Say what a bundle rests on, and what it spares."""
    lock = subject.lock
    if not lock.is_bundle:
        return []
    left_out = sum(one.size for one in lock.requires.values())
    names = [element("span", f"{one.name} ({'arrived' if one.has_receipt else 'assumed'})") for one in lock.base]
    return [
        ("Bundle, based on", join(names)),
        ("Left out", join([size(left_out), f" in {count(len(lock.requires), 'layer')}"])),
        ("A full archive", join([size(lock.whole_size), " of content"])),
    ]


def _platforms(subject: Subject) -> Markup:
    """List the platforms without versions of Windows, which the list of images has."""
    found: Counter[str] = Counter()
    for image in subject.lock.images:
        for one in image.platforms:
            platform = one.platform
            if platform is None or platform.is_unknown:
                found["no platform"] += 1
            else:
                found["/".join(filter(None, (platform.os, platform.architecture, platform.variant)))] += 1
    named = found.most_common()
    lines: list[Piece] = [element("span", f"{name} ({grouped(times)})") for name, times in named[:_NAMED_PLATFORMS]]
    if len(named) > _NAMED_PLATFORMS:
        lines.append(element("span", f"and {len(named) - _NAMED_PLATFORMS} more"))
    return join(lines)


def _news(subject: Subject) -> Markup:
    return card("news", "What is new?", *_comparison(subject))


def _comparison(subject: Subject) -> list[Markup]:
    facts, before, lock = subject.facts, subject.before, subject.lock
    if facts is None:
        return [
            element("p", "Not known any more", class_="big"),
            element(
                "p",
                f"The comparison with {subject.earlier} was lost or damaged. Everything else here comes from the lock "
                "file.",
                class_="soft",
            ),
        ]
    if before is None:
        return [
            element("p", "First archive", class_="big"),
            element("p", "There was no archive before, so everything in it is new.", class_="soft"),
            rows(
                ("New references", number(len(lock.images))),
                ("New blobs", join([number(len(lock.blobs)), " of ", number(len(lock.blobs))])),
                ("New bytes", size(subject.content_size)),
            ),
        ]
    if not (before.added or before.changed or before.removed or before.blobs):
        return [
            element("p", "Nothing", class_="big"),
            element("p", f"The same references with the same content as in {subject.earlier}.", class_="soft"),
        ]
    counts = (("Added", before.added), ("Changed", before.changed), ("Removed", before.removed))
    same = len(lock.images) - len(before.added) - len(before.changed)
    return [
        element(
            "dl",
            *(element("div", element("dt", word), element("dd", number(len(found)))) for word, found in counts),
            class_="counts",
        ),
        element("p", f"{count(same, 'reference')} as in {subject.earlier}", class_="soft"),
        bar(before.bytes, subject.content_size),
        rows(
            ("New bytes", join([size(before.bytes), f" ({share(before.bytes, subject.content_size)})"])),
            ("New blobs", join([number(before.blobs), " of ", number(len(lock.blobs))])),
        ),
        *_largest_new(subject),
        element("p", element("a", "Everything that is new", href="#new"), class_="more"),
    ]


def _largest_new(subject: Subject) -> list[Markup]:
    """List the largest of the new and changed references."""
    fresh = [image for image in subject.lock.images if subject.changes[str(image.reference)] in ("new", "changed")]
    fresh.sort(key=lambda image: (-image_size(image), str(image.reference)))
    if not fresh:
        return []
    items = [
        element("li", element("span", _short_name(image.reference)), element("span", change, class_="soft"))
        for image, change in ((image, subject.changes[str(image.reference)]) for image in fresh[:_NAMED_NEW])
    ]
    return [element("p", "Largest new and changed images", class_="soft above"), element("ul", *items, class_="names")]


def _short_name(reference: Reference) -> str:
    """Shorten a reference by what most of them have in common."""
    return str(reference)[len(reference.name) - len(reference.repository.rpartition("/")[2]) :]


def _soundness(subject: Subject) -> Markup:
    lock = subject.lock
    told: list[Piece] = []
    if subject.missing:
        answer = element("p", icon(ALERT), "Partial", class_="big warn")
        told.append(f"{_missing_in_words(subject)}; see ")
        told.append(element("a", "what is missing", href="#missing"))
        told.append(".")
    else:
        answer = element("p", icon(DONE), "Complete", class_="big good")
        told.append(
            "Everything that was asked for is in the archive."
            if subject.facts is not None
            else "No reference failed. Whether the list had invalid lines is not known any more."
        )
    if lock.skipped:
        told.append(f" Left out: {count(len(lock.skipped), 'reference')} with none of the wanted platforms.")
    each = ", each " if len(lock.parts) > 1 else ", "
    return card(
        "soundness",
        "Is it whole?",
        answer,
        element("p", *told, class_="soft"),
        rows((subject.files(len(lock.parts)), join([size(subject.size), each, "with its sha256"])), *_parity(subject)),
        element("p", "Check what has arrived:", class_="soft above"),
        commands(check_command(subject.name)),
        element("p", "Or check and unpack at once:", class_="soft"),
        commands(restore_command(subject.name)),
    )


def _parity(subject: Subject) -> list[tuple[str, Piece]]:
    files = subject.lock.parity
    if not files:
        return []
    told = join([size(sum(one.size for one in files)), ", to make a lost part again"])
    return [(count(len(files), "parity file"), told)]


def _missing_in_words(subject: Subject) -> str:
    failed, invalid = len(subject.lock.failed), subject.missing - len(subject.lock.failed)
    words = [f"{count(failed, 'reference')} failed"] if failed else []
    if invalid:
        words.append(f"{count(invalid, 'line is not a reference', 'lines are not references')}")
    asked = len(images_only(subject.lock.images)) + len(subject.lock.skipped) + subject.missing
    return f"{grouped(subject.missing)} of {grouped(asked)} asked for are missing: {' and '.join(words)}"
