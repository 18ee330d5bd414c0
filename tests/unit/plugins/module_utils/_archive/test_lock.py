# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._archive.lock import (
    WRITER,
    Lock,
    LockedBase,
    LockedImage,
    LockedPlatform,
    LockedSkip,
    Requirement,
    form_of,
    image_key,
    links_in,
)
from ansible_collections.airgap.images.plugins.module_utils._archive.lock_file import read_lock, write_lock
from ansible_collections.airgap.images.plugins.module_utils._archive.offsets import Offset
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._archive.record import (
    lock_image,
    lock_skips,
    predict_image,
    renew_record,
    with_parts,
)
from ansible_collections.airgap.images.plugins.module_utils._base.errors import LockFileError, printable
from ansible_collections.airgap.images.plugins.module_utils._oci.descriptor import Descriptor
from ansible_collections.airgap.images.plugins.module_utils._oci.image import SkippedImage
from ansible_collections.airgap.images.plugins.module_utils._oci.layout import assemble
from ansible_collections.airgap.images.plugins.module_utils._oci.media_types import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST
from ansible_collections.airgap.images.plugins.module_utils._oci.platform import Platform
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import Reference, parse_reference
from ansible_collections.airgap.images.plugins.module_utils._save.options import lock_options
from ansible_collections.airgap.images.tests.unit.fakes import (
    AMD64,
    ARM64,
    Sample,
    listed,
    make_options,
    resolved,
)

DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
SHA = "ef" * 32

FULL = Lock(
    options={"arch": ["amd64"], "compress_level": None, "part_size": 5},
    images=(
        LockedImage(
            parse_reference("reg.lan/a:1"),
            DIGEST,
            OCI_INDEX,
            (
                LockedPlatform(DIGEST, DIGEST, OCI_MANIFEST, 12, AMD64),
                LockedPlatform(OTHER, DIGEST, OCI_MANIFEST, 13, None),
            ),
            ("a note",),
        ),
    ),
    skipped=(LockedSkip(parse_reference("b"), OTHER, "not for windows"),),
    failed=("docker.io/library/c:latest",),
    blobs={OTHER: 2, DIGEST: 1},
    parts=(Part("a.tar.gz.part0", 5, SHA),),
    compressor="zlib 1.3",
    writer=3,
    offsets={OTHER: Offset(5000, 0), DIGEST: Offset(10, 2048)},
)

WRITTEN = f"""{{
  "version": 1,
  "writer": 3,
  "options": {{
    "arch": [
      "amd64"
    ],
    "compress_level": null,
    "part_size": 5
  }},
  "images": [
    {{
      "reference": "reg.lan/a:1",
      "digest": "{DIGEST}",
      "media_type": "{OCI_INDEX}",
      "platforms": [
        {{
          "digest": "{DIGEST}",
          "media_type": "{OCI_MANIFEST}",
          "size": 12,
          "platform": {{
            "architecture": "amd64",
            "os": "linux"
          }}
        }},
        {{
          "digest": "{OTHER}",
          "source_digest": "{DIGEST}",
          "media_type": "{OCI_MANIFEST}",
          "size": 13
        }}
      ],
      "notes": [
        "a note"
      ]
    }}
  ],
  "skipped": [
    {{
      "reference": "docker.io/library/b:latest",
      "digest": "{OTHER}",
      "reason": "not for windows"
    }}
  ],
  "failed": [
    "docker.io/library/c:latest"
  ],
  "blobs": {{
    "{DIGEST}": 1,
    "{OTHER}": 2
  }},
  "offsets": {{
    "{DIGEST}": [
      10,
      2048
    ],
    "{OTHER}": [
      5000,
      0
    ]
  }},
  "compressor": "zlib 1.3",
  "parts": [
    {{
      "name": "a.tar.gz.part0",
      "size": 5,
      "sha256": "{SHA}"
    }}
  ]
}}
"""


def changed(**members: Any) -> bytes:
    return json.dumps({**json.loads(WRITTEN), **members}).encode()


BASE = {"name": "a.tar.gz", "lock_sha256": SHA, "receipt": True}
REQUIRED = {"size": 7, "in": ["r.io/a", "r.io/b"], "from": {"archive": "a.tar.gz", "parts": ["a.tar.gz.part0"]}}
PART = {"name": "a.part0", "size": 1, "sha256": SHA}
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is not a lock file"),
    "half of it": (WRITTEN[:-20].encode(), "is not a lock file"),
    "another document": (b"{}", "version must be an integer"),
    "a later version": (changed(version=3), "is a lock file of version 3; this release reads versions 1 and 2"),
    "a bundle without a base": (changed(version=2), "base contradicts version 2"),
    "a full archive with a base": (changed(base=[BASE]), "base contradicts version 1"),
    "a base without a name": (changed(version=2, base=[{**BASE, "name": "../x"}]), "is not the name of an archive"),
    "a base without its lock": (changed(version=2, base=[{**BASE, "lock_sha256": "x"}]), "is not a sha256 digest"),
    "a requirement that is none": (
        changed(version=2, base=[BASE], requires={DIGEST: {"size": 1}}),
        "is not the name of an archive",
    ),
    "a requirement in a tag": (
        changed(version=2, base=[BASE], requires={DIGEST: {**REQUIRED, "in": ["r.io/a:1"]}}),
        "'r.io/a:1' is not a repository",
    ),
    "a requirement in a part that no file can be": (
        changed(
            version=2, base=[BASE], requires={DIGEST: {**REQUIRED, "from": {"archive": "a", "parts": ["\x1b[2J"]}}}
        ),
        "is not a valid part name",
    ),
    "a writer that is none": (changed(writer=0), "writer is 0, expected 1 or more"),
    "a writer that is no number": (changed(writer="2"), "writer must be an integer"),
    "images that are none": (changed(images=["a"]), "images[0] must be an object"),
    "a reference that is none": (
        changed(images=[{"reference": "A", "digest": DIGEST}]),
        "'A' is not a valid repository path component",
    ),
    "no digest": (changed(images=[{"reference": "a"}]), "is not a sha256 digest"),
    "a platform without size": (
        changed(images=[{"reference": "a", "digest": DIGEST, "platforms": [{"digest": DIGEST}]}]),
        "size must be an integer",
    ),
    "a source digest that is none": (
        changed(
            images=[
                {
                    "reference": "a",
                    "digest": DIGEST,
                    "platforms": [{"digest": DIGEST, "size": 1, "source_digest": "../x"}],
                }
            ]
        ),
        "'../x' is not a sha256 digest",
    ),
    "a blob that is none": (changed(blobs={"x": 1}), "'x' is not a sha256 digest"),
    "a blob without size": (changed(blobs={DIGEST: "1"}), "must be an integer"),
    "an offset of no blob": (changed(offsets={"x": [1, 1]}), "'x' is not a sha256 digest"),
    "an offset of one number": (changed(offsets={DIGEST: [1]}), "are not two numbers of bytes"),
    "an offset of three numbers": (changed(offsets={DIGEST: [1, 1, 1]}), "are not two numbers of bytes"),
    "an offset below zero": (changed(offsets={DIGEST: [0, -1]}), "are not two numbers of bytes"),
    "an offset larger than a file can be": (changed(offsets={DIGEST: [2**63, 0]}), "are not two numbers of bytes"),
    "an offset that is no number": (changed(offsets={DIGEST: [True, 0]}), "must hold integers only"),
    "an offset that is no list": (changed(offsets={DIGEST: 1}), "must be a list"),
    "a part elsewhere": (changed(parts=[{**PART, "name": "/etc/passwd"}]), "is not a valid part name"),
    "a part above": (changed(parts=[{**PART, "name": "a/../../b"}]), "is not a valid part name"),
    "a part without name": (changed(parts=[{**PART, "name": ""}]), "is not a valid part name"),
    "a part with a short sha256": (changed(parts=[{**PART, "sha256": "ab"}]), "is not a sha256 digest"),
    "a part whose sha256 is none": (changed(parts=[{**PART, "sha256": "g" * 64}]), "is not a sha256 digest"),
    "a part with a negative size": (changed(parts=[{**PART, "size": -1}]), "not a number of bytes"),
    "a part larger than a file can be": (changed(parts=[{**PART, "size": 2**63}]), "not a number of bytes"),
    "a blob larger than can be counted": (changed(blobs={DIGEST: 2**63}), "not a number of bytes"),
    "a part that is the directory": (changed(parts=[{**PART, "name": "."}]), "is not a valid part name"),
    "a part with two slashes": (changed(parts=[{**PART, "name": "a//b"}]), "is not a valid part name"),
    "a part that no file can be": (changed(parts=[{**PART, "name": "a\0b"}]), "is not a valid part name"),
    "a part of two lines": (changed(parts=[{**PART, "name": "a\nb"}]), "is not a valid part name"),
    "a part with too long a name": (changed(parts=[{**PART, "name": "é" * 128}]), "is not a valid part name"),
    "a very late version": (changed(version=10**18), "is a lock file of version 1000"),
    "a skip whose digest is none": (
        changed(skipped=[{"reference": "a", "digest": "\x1b[31m", "reason": ""}]),
        "is not a sha256 digest",
    ),
    "an option that is an object": (changed(options={"arch": {}}), "options.arch must be a plain value"),
    "an option that is deep": (changed(options={"arch": [["amd64"]]}), "options.arch must be a plain value"),
}

TEXTS = st.text(st.sampled_from('aZ0 \n"\\é\u2028\U0001f600'), max_size=8)
WORDS = st.sampled_from(["", "linux", "windows", "amd64", "arm", "v7", "10.0.17763.1", "win32k", "A_b+c-d"])
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
SIZES = st.integers(0, 2**50)
REFERENCES = st.builds(
    Reference, st.sampled_from(["reg.lan", "r:5000"]), st.sampled_from(["a", "b/c"]), st.just("1"), st.none() | DIGESTS
)
PLATFORMS = st.builds(
    LockedPlatform,
    DIGESTS,
    DIGESTS,
    TEXTS,
    SIZES,
    st.none() | st.builds(Platform, WORDS, WORDS, WORDS, WORDS, st.lists(WORDS, max_size=2).map(tuple)),
)
IMAGES = st.builds(
    LockedImage,
    REFERENCES,
    DIGESTS,
    TEXTS,
    st.lists(PLATFORMS, max_size=2).map(tuple),
    st.lists(TEXTS, max_size=2).map(tuple),
)
PARTS = st.builds(
    Part, st.sampled_from(["a.part0", "b/c", "a..b"]), SIZES, st.binary(min_size=32, max_size=32).map(bytes.hex)
)
LOCKS = st.builds(
    Lock,
    st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS, max_size=2), max_size=3),
    st.lists(IMAGES, max_size=2).map(tuple),
    st.lists(st.builds(LockedSkip, REFERENCES, st.just("") | DIGESTS, TEXTS), max_size=2).map(tuple),
    st.lists(TEXTS, max_size=2).map(tuple),
    st.dictionaries(DIGESTS, SIZES, max_size=3),
    st.lists(PARTS, max_size=2).map(tuple),
    TEXTS,
    st.integers(1, 4),
    st.dictionaries(DIGESTS, st.builds(Offset, SIZES, SIZES), max_size=3),
)


def test_it_is_written_byte_by_byte() -> None:
    assert write_lock(FULL).decode() == WRITTEN


def test_it_is_read() -> None:
    assert read_lock(WRITTEN.encode(), path="x") == FULL


def test_the_first_writer_has_no_number() -> None:
    """So that the lock file of an earlier release stays the same where it is written again."""
    raw = WRITTEN.replace('  "writer": 3,\n', "").encode()
    assert read_lock(raw, path="x") == replace(FULL, writer=1)
    assert write_lock(replace(FULL, writer=1)) == raw


def test_an_archive_without_offsets_has_no_such_member() -> None:
    raw = write_lock(replace(FULL, offsets={}))
    assert b"offsets" not in raw
    assert read_lock(raw, path="x") == replace(FULL, offsets={})


def test_a_new_archive_is_of_this_writer() -> None:
    assert json.loads(write_lock(Lock({}, ())))["writer"] == WRITER


def test_folders_have_links_since_the_second_writer() -> None:
    names = ["index.json", f"{SHA}/index.json", f"{SHA}/oci-layout", f"share/{SHA}/index.json", f"share/sha256/{SHA}"]
    lock = Lock({}, (), parts=tuple(Part(name, 1, SHA) for name in names))
    assert links_in(lock) == {"blobs": "share", f"{SHA}/blobs": "../share"}
    assert links_in(replace(lock, writer=1)) == {"blobs": "share"}


@given(LOCKS)
def test_what_is_written_is_read_back(lock: Lock) -> None:
    assert read_lock(write_lock(lock), path="x") == lock


@pytest.mark.parametrize(("raw", "said"), REFUSED.values(), ids=REFUSED)
def test_errors_name_the_file_and_what_is_wrong(raw: bytes, said: str) -> None:
    with pytest.raises(LockFileError) as caught:
        read_lock(raw, path="/srv/a.lock.json")
    assert str(caught.value).startswith("/srv/a.lock.json ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 700


VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, 1.5, "", "a", DIGEST, SHA, "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*PART, "reference", "digest"]), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*json.loads(WRITTEN)]), VALUES).map(lambda members: changed(**members))
    | st.binary(max_size=50)
    | st.integers(0, len(WRITTEN)).map(lambda place: WRITTEN[:place].encode())
)
def test_reading_raises_nothing_else(raw: bytes) -> None:
    try:
        read_lock(raw, path="x")
    except LockFileError as error:
        assert printable(str(error)) == str(error)


def test_what_was_saved_is_locked() -> None:
    one, two = Sample(b"one"), Sample(b"two", platform=ARM64)
    source = replace(resolved("reg.lan/a:1", one, two), notes=("a note",))
    locked = lock_image(assemble(source, [one.stored, two.stored]))
    assert locked == LockedImage(
        parse_reference("reg.lan/a:1"),
        source.digest,
        OCI_INDEX,
        tuple(
            LockedPlatform(
                sample.image.digest,
                sample.image.digest,
                OCI_MANIFEST,
                sum(map(len, sample.blobs.values())),
                sample.image.descriptor.platform,
            )
            for sample in (one, two)
        ),
        ("a note",),
        loaded_digest=source.digest,
    )
    assert predict_image(source) == locked, "what was foreseen comes true"
    assert locked.entry == assemble(source, [one.stored, two.stored]).entry.digest
    written = write_lock(replace(FULL, images=(locked,)))
    assert read_lock(written, path="x").images[0].entry == locked.entry and b'"entry": "sha256:' in written


def test_what_a_tag_is_to_name_elsewhere() -> None:
    one, two = Sample(b"one"), Sample(b"two", platform=ARM64)
    stored = [one.stored, two.stored]
    whole = resolved("a", one, two)
    assert lock_image(assemble(whole, stored)).loaded_digest == whole.digest
    docker = replace(whole, media_type=DOCKER_LIST)
    assert lock_image(assemble(docker, stored)).loaded_digest == whole.digest, "registries take lists as they are"
    partial = replace(whole, is_whole=False)
    saved = assemble(partial, stored)
    assert lock_image(saved).loaded_digest == saved.entry.digest != whole.digest
    single = resolved("a", one)
    assert lock_image(assemble(single, [one.stored])).loaded_digest == one.image.digest
    converted = replace(one.stored, descriptor=Descriptor(OCI_MANIFEST, OTHER, 3, AMD64))
    assert lock_image(assemble(single, [converted])).loaded_digest == OTHER


def test_a_converted_image_keeps_the_digest_of_its_source() -> None:
    sample = Sample(b"one")
    converted = replace(sample.stored, descriptor=Descriptor(OCI_MANIFEST, OTHER, 3, AMD64))
    locked = lock_image(assemble(resolved("a", sample), [converted]))
    [platform] = locked.platforms
    assert (platform.digest, platform.source_digest) == (OTHER, sample.image.digest)


def test_skips_are_locked() -> None:
    assert lock_skips([SkippedImage(listed("a"), "why", DIGEST)]) == (LockedSkip(parse_reference("a"), DIGEST, "why"),)


def test_options_are_recorded_in_one_spelling() -> None:
    options = make_options(arch=["x86_64", "arm/v7"], os=["Linux"], part_size="1KB", compress="zstd")
    assert lock_options(options, "system") == {
        "arch": ["amd64", "arm/v7"],
        "os": ["linux"],
        "fail_on_missing_platform": False,
        "include_foreign_layers": False,
        "compress": "zstd",
        "compress_level": None,
        "part_size": 1000,
        "part_digits": None,
        "signature_policy": "system",
    }


CONTENT: dict[str, tuple[Lock, bool]] = {
    "itself": (FULL, True),
    "other parts": (replace(FULL, parts=(), compressor="x", blobs={}), True),
    "other notes": (replace(FULL, images=(replace(FULL.images[0], notes=()),)), True),
    "other skips": (replace(FULL, skipped=(), failed=()), True),
    "other wishes": (replace(FULL, options={**FULL.options, "arch": ["arm64"]}), True),
    "another digest": (replace(FULL, images=(replace(FULL.images[0], digest=OTHER),)), False),
    "fewer platforms": (
        replace(FULL, images=(replace(FULL.images[0], platforms=FULL.images[0].platforms[:1]),)),
        False,
    ),
    "no images": (replace(FULL, images=()), False),
    "another part size": (replace(FULL, options={**FULL.options, "part_size": 6}), False),
    "another level": (replace(FULL, options={**FULL.options, "compress_level": 1}), False),
}


@pytest.mark.parametrize(("other", "expected"), CONTENT.values(), ids=CONTENT)
def test_whether_one_archive_serves_both(other: Lock, expected: bool) -> None:
    assert FULL.holds_same(other) is expected
    assert other.holds_same(FULL) is expected


def test_the_form_of_an_archive() -> None:
    assert form_of({"compress": "gzip", "arch": ["amd64"]}) == {
        "compress": "gzip",
        "compress_level": None,
        "part_size": None,
        "part_digits": None,
        "include_foreign_layers": None,
        "signature_policy": None,
        "part_at": "size",
    }


def test_an_image_is_known_by_its_digests_and_platforms() -> None:
    assert image_key(FULL.images[0]) == ("reg.lan/a:1", DIGEST, ((DIGEST, "linux/amd64"), (DIGEST, "")))


def test_a_manifest_for_other_platforms_is_other_content() -> None:
    one, other = FULL.images[0], replace(FULL.images[0].platforms[0], platform=ARM64)
    assert not FULL.holds_same(replace(FULL, images=(replace(one, platforms=(other, one.platforms[1])),)))
    twice = replace(FULL, images=(replace(one, platforms=(*one.platforms, other)),))
    assert not FULL.holds_same(twice)
    assert replace(FULL, writer=1).holds_same(twice), "the first writer named it once, whatever it is for"


def test_a_record_is_renewed_without_touching_what_stands() -> None:
    wanted = Lock(
        {"arch": ["arm64"]}, (replace(FULL.images[0], notes=("new",), platforms=()),), failed=("x",), blobs={OTHER: 9}
    )
    record = renew_record(FULL, wanted)
    assert record.options == {"arch": ["arm64"]}
    assert record.images == (replace(FULL.images[0], notes=("new",)),)
    assert (record.skipped, record.failed) == ((), ("x",))
    assert (record.parts, record.blobs, record.compressor) == (FULL.parts, FULL.blobs, FULL.compressor)
    assert record.offsets == FULL.offsets


def test_parts_are_added() -> None:
    part = Part("b", 1, SHA)
    assert with_parts(FULL, (part,), "zstd 1.5") == replace(FULL, parts=(part,), compressor="zstd 1.5")


def test_a_bundle_is_read_as_it_was_written() -> None:
    bundle = replace(
        read_lock(WRITTEN.encode(), path="x"),
        base=(LockedBase("a.tar.gz", SHA, has_receipt=True), LockedBase("b.tar.gz", SHA, has_receipt=False)),
        requires={DIGEST: Requirement(7, ("r.io/a", "r.io/b"), "a.tar.gz", ("a.tar.gz.part0",))},
        parity=(Part("a.tar.gz.parity", 5, SHA),),
    )
    raw = write_lock(bundle)
    assert json.loads(raw)["version"] == 2
    assert json.loads(raw)["requires"] == {DIGEST: REQUIRED}
    assert read_lock(raw, path="x") == bundle


def test_a_full_archive_has_nothing_of_a_bundle_in_its_lock_file() -> None:
    raw = write_lock(read_lock(WRITTEN.encode(), path="x"))
    assert json.loads(raw)["version"] == 1
    assert not {"base", "requires", "parity"} & json.loads(raw).keys()
