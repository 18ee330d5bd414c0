# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/archive.md is enough to write another reader and a writer of the same bytes: both read what the module made.

Reader and writer (``_archive_format.py``, ``_archive_writer.py``) were written from that page, and import nothing of
the collection's plugins. The collection's own reader has to give the same as that one.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.airgap.images.plugins.filter.merge_locks import merge_locks
from ansible_collections.airgap.images.tests.functional import _archive_format, _archive_writer
from ansible_collections.airgap.images.tests.functional import _archive_own_reading as own_reading
from ansible_collections.airgap.images.tests.functional._archive_format import (
    ROOT,
    SHARE,
    FormatError,
    Read,
    parse_unique,
    read,
    read_blob,
)
from ansible_collections.airgap.images.tests.functional._archive_press import BY_IMAGE, CASES, FAILING, Press, push_all
from ansible_collections.airgap.images.tests.functional._archive_writer import (
    compressed,
    cut,
    ends_of,
    groups_of,
    indented,
    members_of,
    offsets_of,
    tar_of,
)
from ansible_collections.airgap.images.tests.support.module import Result
from ansible_collections.airgap.images.tests.support.workbench import Source, Workbench

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "archive.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads((DOCS / "schemas" / "lock.schema.json").read_bytes())


@pytest.fixture(scope="module")
def press(seeded_source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    folder = tmp_path_factory.mktemp("format")
    with Workbench(folder / "bench") as bench:
        yield Press(push_all(seeded_source, bench.registry()), folder)


LATER = ("part_at", "parity", "referrers")
"""Options that are in a lock file only if they are set."""

OF_OTHERS = {"base", "requires", "parity"}
"""The members that only bundles, or archives with parity files, have."""

OF_REFERRERS = {"refers_to", "artifact_type"}
"""The members of a reference that only signatures and the like have."""

MORE = ("gzip level 9", "gzip level 0", "zstd level 12", "one part", "none", *BY_IMAGE[1:])
"""Cases that differ from another one in a number alone: of a level, or of parts."""

EACH_CASE = [pytest.param(case, marks=pytest.mark.thorough) if case in MORE else case for case in CASES]


def lock_of(press: Press, case: str) -> dict[str, Any]:
    """The lock file of an archive."""
    lock: dict[str, Any] = json.loads(Path(f"{press.save(case)[0]}.lock.json").read_bytes())
    return lock


@pytest.fixture(scope="module", params=EACH_CASE)
def made(press: Press, request: pytest.FixtureRequest) -> tuple[Path, Result, Read]:
    """An archive that the module made, and what the reader of this format has of it."""
    path, result = press.save(request.param)
    return path, result, read(path)


def test_reader_and_writer_know_nothing_of_the_collections_code() -> None:
    for module in (_archive_format, _archive_writer):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not [name for name in imported if "plugins" in name or "ansible" in name], imported


def test_page_reader_and_writer_say_the_same() -> None:
    """The numbers that both were given stand on the page, so that neither can change without it."""
    said = " ".join(PAGE.split())
    for text in (
        "time: 1980-01-01T00:00:00Z | `02263523000` NUL |",
        "`1F 8B 08 00 00 00 00 00 00 FF`",
        "`01 00 00 FF FF`",
        "`28 B5 2F FD 00 38`",
        "level 4 or `compress_level`",
        "level 1 or `compress_level`",
        "pieces of 1,048,560 bytes (16 times 65,535)",
        "at most 65,535 bytes",
        "at most 131,072 bytes",
        "more than 1,048,576 bytes of the tar stream",
        "a multiple of 10,240",
        '`{"imageLayoutVersion":"1.0.0"}`',
        "`v1.1.0`",
        f"`{_archive_writer.OCI_INDEX}`",
        f"`{_archive_format.REF_NAME}`",
        f"the longest name has {len(SHARE) + 65} characters",
    ):
        assert text in said, f"docs/archive.md does not say {text}"
    magics = [bytes.fromhex(text) for text in re.findall(r"^\| [a-z0-9]+ \| `([0-9A-F ]+)` \|$", PAGE, re.MULTILINE)]
    assert magics == list(_archive_writer.STORED)
    modes = re.findall(r"`(0000\d{3})` NUL", PAGE)
    assert modes[:3] == [_archive_writer.MODES[kind] for kind in "502"]


def test_the_reader_finds_every_image(made: tuple[Path, Result, Read]) -> None:
    """By its reference, then manifest, configuration and layers; what is absent is a foreign layer."""
    _path, result, found = made
    saved = {image["reference"]: image for image in result["images"] if image["status"] == "saved"}
    assert set(found.entries) == set(saved) and saved
    for reference, entry in found.entries.items():
        document = json.loads(found.blobs[entry["digest"]])
        assert len(found.blobs[entry["digest"]]) == entry["size"]
        wanted = {one["digest"] for one in saved[reference]["platforms"]}
        listed = document.get("manifests", [entry])
        assert {one["digest"] for one in listed} == wanted
        for one in listed:
            manifest = json.loads(found.blobs[one["digest"]])
            for blob in (manifest["config"], *manifest["layers"]):
                assert blob["digest"] in found.blobs or blob.get("urls"), f"{blob['digest']} of {reference}"


def test_the_writer_gives_the_same_members(made: tuple[Path, Result, Read]) -> None:
    _path, _result, found = made
    written = members_of(found.lock, found.blobs)
    assert [member.name for member in written] == [member.name for member in found.members]
    assert written == list(found.members)


def test_the_writer_gives_the_same_files(made: tuple[Path, Result, Read]) -> None:
    """From the lock file and the blobs alone, all other bytes follow, the compressed ones too."""
    path, _result, found = made
    options = found.lock["options"]
    members = members_of(found.lock, found.blobs)
    if options["compress"] == "dir":
        below = {member.name[len(ROOT) + 1 :]: member.content for member in members if member.kind == "0"}
        assert {name: (path / name).read_bytes() for name in below} == below
        return
    assert b"".join(piece for piece, _stored in tar_of(members)) == found.stream
    ends = ends_of(groups_of(found.lock, found.blobs)) if options.get("part_at") == "image" else []
    raw, starts = compressed(tar_of(members), options["compress"], options["compress_level"], ends)
    if has_offsets(found.lock):
        assert offsets_of(members, options["compress"], starts) == found.lock["offsets"]
    places = [max(position for plain, position in starts if plain == end) for end in ends]
    files = cut(path.name, raw, options["part_size"], options["part_digits"], places)
    assert [part["name"] for part in found.lock["parts"]] == list(files)
    for name, content in files.items():
        assert (path.parent / name).read_bytes() == content, f"{name} has other bytes"


def test_the_reader_reads_each_blob_by_its_offset(made: tuple[Path, Result, Read]) -> None:
    _path, _result, found = made
    assert ("offsets" in found.lock) == has_offsets(found.lock)
    for digest, content in found.blobs.items() if has_offsets(found.lock) else ():
        assert read_blob(found, digest) == content
        skip = found.lock["offsets"][digest][1]
        is_stored = content.startswith(_archive_writer.STORED) or found.lock["options"]["compress"] == "none"
        assert (skip == 0) if is_stored else (0 < skip < 2**21)


def test_the_collections_own_reader_gives_the_same(made: tuple[Path, Result, Read], workdir: Path) -> None:
    path, _result, found = made
    for source in own_reading.sources_of(path, found.lock, workdir):
        archive = own_reading.opened(*source.paths)
        assert own_reading.blobs_of(archive, in_order=False) == found.blobs, source.about
        assert own_reading.blobs_of(archive, in_order=True) == found.blobs, source.about
        assert not archive.verify() and not archive.missing_parts
        said = {str(image.reference): {one.digest for one in image.platforms} for image in archive.images}
        wanted = {one["reference"]: {each["digest"] for each in one["platforms"]} for one in found.lock["images"]}
        assert said == wanted, source.about
        for image in archive.images:
            entry, locked = found.entries[str(image.reference)], own_reading.locked(found.lock, image)
            assert image.digest in (locked["digest"], entry["digest"])
            if "source_digest" not in locked["platforms"][0]:
                assert archive.document(image.digest) == found.blobs[image.digest]
            assert image.media_type == locked["media_type"] or image.digest == entry["digest"]


def has_offsets(lock: dict[str, Any]) -> bool:
    """Return True if docs/archive.md says that a lock file has ``offsets``."""
    return lock["options"]["compress"] != "dir" and lock["options"]["compress_level"] is None


def test_the_checksums_have_the_documented_form(made: tuple[Path, Result, Read]) -> None:
    path, _result, found = made
    prefix = f"{path.name}/" if found.lock["options"]["compress"] == "dir" else ""
    lines = [f"{part['sha256']}  {prefix}{part['name']}\n" for part in found.lock["parts"]]
    assert Path(f"{path}.sha256").read_text(encoding="utf-8") == "".join(lines)


def test_the_lock_file_is_what_schema_and_page_say(made: tuple[Path, Result, Read]) -> None:
    _path, _result, found = made
    assert indented(found.lock) == found.raw_lock
    jsonschema.Draft202012Validator(SCHEMA).validate(found.lock)
    jsonschema.Draft202012Validator(_closed(SCHEMA)).validate(found.lock)
    rows = re.findall(r"^\| `([a-z_.\[\]]+)` \|", PAGE.partition("## The lock file")[2].partition("## ")[0], re.M)
    top = [row for row in rows if "." not in row]
    assert list(found.lock) == [row for row in top if row not in ("offsets", *OF_OTHERS) or row in found.lock]
    assert not found.lock.keys() & OF_OTHERS and ("offsets" in found.lock) == has_offsets(found.lock)
    assert set(found.lock.get("offsets", found.lock["blobs"])) == set(found.lock["blobs"])
    assert list(found.lock.get("offsets", ())) == sorted(found.lock.get("offsets", ()))
    options = [row.partition(".")[2] for row in rows if row.startswith("options.")]
    assert list(found.lock["options"]) == [one for one in options if one in found.lock["options"] or one not in LATER]
    order = [row.partition("[].platforms[].")[2] for row in rows if ".platforms[]." in row]
    of_image = [row.partition("[].")[2] for row in rows if row.startswith("images[].") and row.count("[]") == 1]
    for image in found.lock["images"]:
        assert list(image) == [name for name in of_image if name not in OF_REFERRERS]
        for platform in image["platforms"]:
            assert list(platform) == [name for name in order if name in platform]
    assert list(found.lock["blobs"]) == sorted(found.lock["blobs"])


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without room for members that it does not name."""
    closed = copy.deepcopy(schema)
    for part in [closed, *closed["$defs"].values()]:
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    return closed


def test_the_cases_have_what_they_are_to_show(press: Press) -> None:
    """That nothing above holds because it had nothing to look at."""
    gzip, zstd = (read(press.save(case)[0]) for case in ("gzip", "zstd"))
    platforms = [one for image in gzip.lock["images"] for one in image["platforms"]]
    assert [one for one in platforms if "source_digest" in one], "no conversion"
    assert [one for one in platforms if "platform" not in one], "no artefact"
    assert [one for one in platforms if "os.features" in one.get("platform", {})], "no features"
    assert gzip.lock["skipped"], "nothing is skipped"
    assert [image for image in gzip.lock["images"] if image["notes"]], "no notes"
    several = [image for image in gzip.lock["images"] if "/noarch" in image["reference"]]
    assert [len({one["digest"] for one in image["platforms"]}) for image in several] == [1, 1]
    assert [len(image["platforms"]) for image in several] == [3, 3], "no manifest of several platforms"
    digests = {json.loads(gzip.blobs[entry["digest"]])["mediaType"] for entry in gzip.entries.values()}
    assert len(digests) == 2, "only one kind of entry"
    assert b'"second":"2"' in b"".join(gzip.blobs.values()), "the words of the last entry are not in a generated index"
    assert '"alpha":"ä ß \u2603","org.example":"x","zeta":"1"'.encode() in b"".join(gzip.blobs.values())
    assert max(map(len, gzip.blobs.values())) > 2 * 16 * 65_535, "no blob of several pieces"
    assert zstd.stream == gzip.stream
    stretches = {position for position, skip in gzip.lock["offsets"].values() if skip}
    ends = [position for position in stretches if gzip.raw[position - 4 : position] == b"\0\0\xff\xff"]
    assert ends, "no stretch follows another that was deflated"
    assert lock_of(press, "partial")["failed"] == [press.references[FAILING]]
    assert lock_of(press, "a policy of its own")["options"]["signature_policy"].startswith("sha256:")


@pytest.mark.parametrize(
    ("case", "widths"),
    [
        ("parts", {2}),
        ("parts as hangar has them", {1, 2}),
        ("parts of four digits", {4}),
        pytest.param("one part", {1}, marks=pytest.mark.thorough),
    ],
)
def test_parts_have_as_many_digits_as_their_case_says(press: Press, case: str, widths: set[int]) -> None:
    names = [part["name"].rpartition(".part")[2] for part in lock_of(press, case)["parts"]]
    assert {len(name) for name in names} == widths, names


@pytest.mark.parametrize("what", ["header", "filling", "blob", "end"])
def test_the_reader_sees_every_kind_of_damage(press: Press, workdir: Path, what: str) -> None:
    """Of one byte in the tar stream, even where lock file and checksums were made to fit."""
    path, _result = press.save("one platform")
    found = read(path)
    place = found.stream.index(f"{SHARE}/".encode(), 4096)
    at = {"header": place + 140, "filling": 512 + 18, "blob": place + 512, "end": len(found.stream) - 1}[what]
    stream = bytearray(found.stream)
    stream[at] ^= 1
    (workdir / "images.tar").write_bytes(stream)
    part = {"name": "images.tar", "size": len(stream), "sha256": hashlib.sha256(stream).hexdigest()}
    lock = {**found.lock, "options": {**found.lock["options"], "compress": "none"}, "parts": [part]}
    (workdir / "images.tar.lock.json").write_bytes(indented(lock))
    with pytest.raises(FormatError):
        read(workdir / "images.tar")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("parts", 0, "name"), "../images.tar.gz"),
        (("parts", 0, "name"), "/etc/passwd"),
        (("parts", 0, "name"), "a//b"),
        (("parts", 0, "name"), "a\nb"),
        (("parts", 0, "sha256"), "sha256:" + 64 * "0"),
        (("parts", 0, "size"), -1),
        (("images", 0, "digest"), "md5:1"),
        (("images", 0, "reference"), "no-registry"),
        (("images", 0, "platforms"), []),
        (("options", "compress"), "bzip2"),
        (("blobs", "abc"), 1),
        (("offsets", "abc"), [1, 1]),
        (("offsets", f"sha256:{64 * 'a'}"), [1]),
        (("offsets", f"sha256:{64 * 'a'}"), [1, -1]),
        (("options",), {}),
        (("failed",), None),
    ],
)
def test_the_schema_refuses(press: Press, path: tuple[str | int, ...], value: object) -> None:
    lock = lock_of(press, "one platform")
    place: Any = lock
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(lock)


def test_the_schema_is_one_and_leaves_room_for_more(press: Press) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    lock = lock_of(press, "one platform")
    lock["images"][0]["signatures"] = lock["later"] = {"any": "thing"}
    jsonschema.Draft202012Validator(SCHEMA).validate(lock)


def test_the_lock_file_of_a_set_fits_the_same_schema(press: Press) -> None:
    texts, taken = {}, set()
    for host, case in (("north", "partial"), ("south", "dir")):
        path, lock = press.save(case)[0], lock_of(press, case)
        lock["images"] = [image for image in lock["images"] if image["reference"] not in taken][:2]
        taken |= {image["reference"] for image in lock["images"]}
        texts[f"{host}/{path.name}.lock.json"] = json.dumps(lock)
    merged = parse_unique(merge_locks(texts).encode("utf-8"))
    jsonschema.Draft202012Validator(_closed(SCHEMA)).validate(merged)
    assert list(merged)[-1] == "hosts" and merged["hosts"] == ["north", "south"]
    assert list(merged["images"][0])[-1] == "host"
    assert merged["parts"][0]["name"].startswith("north/images.tar.gz")
    assert merged["parts"][-1]["name"] == "south/images/saved-images-list.json"
    assert merged["compressor"].startswith("none, zlib ")
    assert "compress" not in merged["options"] and merged["options"]["arch"] == ["amd64", "arm64"]
