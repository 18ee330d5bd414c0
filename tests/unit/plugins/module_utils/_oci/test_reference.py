# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import InvalidReferenceError, printable
from ansible_collections.airgap.images.plugins.module_utils._oci.reference import (
    Reference,
    Repository,
    SourceRegistry,
    canonical_registry,
    is_digest,
    parse_reference,
    parse_source_registry,
    pulled_from,
)

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"

READ: dict[str, tuple[str, str, str | None, str | None]] = {
    "nginx": ("docker.io", "library/nginx", "latest", None),
    "nginx:1.25": ("docker.io", "library/nginx", "1.25", None),
    "rancher/rancher:v2.7.9": ("docker.io", "rancher/rancher", "v2.7.9", None),
    "docker.io/nginx": ("docker.io", "library/nginx", "latest", None),
    "docker.io/library/nginx": ("docker.io", "library/nginx", "latest", None),
    "index.docker.io/rancher/rancher": ("docker.io", "rancher/rancher", "latest", None),
    "registry-1.docker.io/nginx:1": ("docker.io", "library/nginx", "1", None),
    "registry.hub.docker.com/a/b:1": ("docker.io", "a/b", "1", None),
    "DOCKER.IO/a/b:1": ("docker.io", "a/b", "1", None),
    "quay.io/jetstack/cert-manager-controller:v1.12.3": (
        "quay.io",
        "jetstack/cert-manager-controller",
        "v1.12.3",
        None,
    ),
    "registry.k8s.io/pause:3.9": ("registry.k8s.io", "pause", "3.9", None),
    "registry:5000/a/b:1": ("registry:5000", "a/b", "1", None),
    "registry:5000/c": ("registry:5000", "c", "latest", None),
    "localhost/c": ("localhost", "c", "latest", None),
    "localhost:5000/c:1": ("localhost:5000", "c", "1", None),
    "127.0.0.1:5000/c:1": ("127.0.0.1:5000", "c", "1", None),
    "[::1]:5000/c:1": ("[::1]:5000", "c", "1", None),
    "[2001:db8::1]/c": ("[2001:db8::1]", "c", "latest", None),
    "REG/c": ("REG", "c", "latest", None),
    "reg.lan/one/two/three/four/five:1": ("reg.lan", "one/two/three/four/five", "1", None),
    f"reg.lan/a@{DIGEST}": ("reg.lan", "a", None, DIGEST),
    f"reg.lan/a:1@{DIGEST}": ("reg.lan", "a", "1", DIGEST),
    f"registry:5000/a@{DIGEST}": ("registry:5000", "a", None, DIGEST),
    f"nginx@{DIGEST}": ("docker.io", "library/nginx", None, DIGEST),
    "a/b_c/d__e/f-g/h--i/j.k:Tag_1.2-3": ("docker.io", "a/b_c/d__e/f-g/h--i/j.k", "Tag_1.2-3", None),
    "a:_x": ("docker.io", "library/a", "_x", None),
    f"a:{'t' * 128}": ("docker.io", "library/a", "t" * 128, None),
    "12345/67:89": ("docker.io", "12345/67", "89", None),
    HEX[:63]: ("docker.io", f"library/{HEX[:63]}", "latest", None),
}

REFUSED: dict[str, tuple[str, str]] = {
    "nothing": ("", "it is empty"),
    "a scheme": ("https://reg.lan/a:1", "begins with 'https://'"),
    "skopeo's scheme": ("docker://reg.lan/a:1", "begins with 'docker://'"),
    "a command": ("docker pull nginx", "contains whitespace"),
    "two references": ("nginx\nredis", "contains whitespace"),
    "a line end": ("nginx\n", "contains whitespace"),
    "an odd blank": ("nginx\u00a0", "contains whitespace"),
    "an image ID": (HEX, "image ID"),
    "upper case": ("rancher/Rancher:v1", "'Rancher' is not a valid repository path component"),
    "upper case alone": ("Nginx", "'Nginx' is not a valid repository path component"),
    "two slashes": ("reg.lan//a", "'' is not a valid repository path component"),
    "a slash at the end": ("reg.lan/a/", "'' is not a valid repository path component"),
    "a slash at the start": ("/a/b", "'' is not a valid repository path component"),
    "a host alone": ("reg.lan/", "names no repository"),
    "a host with a tag": ("reg.lan/:1", "names no repository"),
    "an empty tag": ("nginx:", "'' is not a valid tag"),
    "a tag with a dot in front": ("nginx:.1", "'.1' is not a valid tag"),
    "a tag with a hyphen in front": ("nginx:-1", "'-1' is not a valid tag"),
    "a tag that is too long": (f"a:{'t' * 129}", "is not a valid tag"),
    "a tag in another script": ("a:één", "is not a valid tag"),
    "two tags": ("a:1:2", "is not a valid repository path component"),
    "two colons": ("a::2", "is not a valid repository path component"),
    "an empty digest": ("a@", "'' is not a valid digest"),
    "a short digest": ("a@sha256:abc", "is not a valid digest"),
    "an upper-case digest": (f"a@sha256:{HEX.upper()}", "is not a valid digest"),
    "a long digest": (f"a@{DIGEST}0", "is not a valid digest"),
    "a digest alone": (f"@{DIGEST}", "names no repository"),
    "another algorithm": (f"a@sha512:{HEX}{HEX}", "'sha512' is not supported; expected sha256"),
    "two digests": (f"a@{DIGEST}@{DIGEST}", "is not a valid digest"),
    "no port": ("reg.lan:/a", "'reg.lan:' is not a valid registry"),
    "port zero": ("reg.lan:0/a", "an invalid port"),
    "port too large": ("reg.lan:65536/a", "an invalid port"),
    "port of six digits": ("reg.lan:100000/a", "is not a valid registry"),
    "an address that is none": (":::::".join("[]") + "/a", "is not a valid IPv6 address"),
    "an address that is too long": ("[1:2:3:4:5:6:7:8:9]:5000/a", "is not a valid IPv6 address"),
    "a very long scheme": ("a" * 100_000 + "://b", "write the reference without it"),
    "a letter that is none of a scheme's": ("doc\u212aer://b", "is not a valid registry"),
    "a host with an underscore": ("my_reg.lan/a", "'my_reg.lan' is not a valid registry"),
    "a host with a hyphen at the end": ("reg-.lan/a", "is not a valid registry"),
    "user and password": ("user:pass@reg.lan/a", "is not a valid digest"),
    "three underscores": ("a___b", "is not a valid repository path component"),
    "a dot at the start": ("a/.b", "is not a valid repository path component"),
    "the parent directory": ("reg.lan/../a", "'..' is not a valid repository path component"),
    "a control character": ("a/b\x1b[31m", "is not a valid repository path component"),
    "a backslash": ("a\\b", "is not a valid repository path component"),
    "too long a name": ("reg.lan/" + "a" * 248, "longer than 255"),
}

SOURCES: dict[str, SourceRegistry] = {
    "mirror.lan:5000": SourceRegistry("mirror.lan:5000"),
    "mirror": SourceRegistry("mirror"),
    "mirror.lan/dockerhub/proxy": SourceRegistry("mirror.lan", "dockerhub/proxy"),
    "mirror.lan/": SourceRegistry("mirror.lan"),
    " mirror.lan ": SourceRegistry("mirror.lan"),
    "index.docker.io": SourceRegistry("docker.io"),
    "[::1]:5000/x": SourceRegistry("[::1]:5000", "x"),
}

SOURCES_REFUSED: dict[str, tuple[str, str]] = {
    "nothing": ("", "is not a valid registry"),
    "a scheme": ("https://mirror.lan", "write the host alone"),
    "a path alone": ("/x", "is not a valid registry"),
    "upper case in the path": ("mirror.lan/Team", "'Team' is not a valid repository path component"),
    "two slashes": ("mirror.lan//x", "'' is not a valid repository path component"),
    "a port that is none": ("mirror.lan:http", "is not a valid registry"),
    "an address that is none": ("[:::]:5000/hub", "is not a valid IPv6 address"),
    "a line end before the slash": ("mirror.lan\n/", "is not a valid registry"),
}

PULLED: dict[str, tuple[str, SourceRegistry | None, Repository]] = {
    "its own": ("quay.io/a/b:1", None, Repository("quay.io", "a/b")),
    "another host": ("quay.io/a/b:1", SourceRegistry("mirror.lan"), Repository("mirror.lan", "a/b")),
    "library": ("nginx", SourceRegistry("mirror.lan"), Repository("mirror.lan", "library/nginx")),
    "a prefix": ("nginx", SourceRegistry("mirror.lan", "hub/x"), Repository("mirror.lan", "hub/x/library/nginx")),
}

NAMES = st.text(st.sampled_from("az09"), min_size=1, max_size=6)
JOINS = st.sampled_from([".", "_", "__", "-", "---"])
COMPONENTS = NAMES | st.builds("{}{}{}".format, NAMES, JOINS, NAMES)
HOSTS = st.sampled_from(["docker.io", "localhost", "reg.lan", "REG", "a.b-c.d:5000", "[::1]", "[fe80::1]:443", "r:1"])
TAGS = st.builds("{}{}".format, st.sampled_from("aZ0_"), st.text(st.sampled_from("aZ09_.-"), max_size=12))
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")


@st.composite
def written_references(draw: st.DrawFn) -> str:
    """References in all the forms that people write."""
    host = draw(st.none() | HOSTS)
    # A first component with a dot would be a registry.
    path = "/".join([draw(NAMES), *draw(st.lists(COMPONENTS, max_size=3))])
    tag = draw(st.none() | TAGS)
    digest = draw(st.none() | DIGESTS)
    return (
        (f"{host}/" if host else "") + path + (f":{tag}" if tag is not None else "") + (f"@{digest}" if digest else "")
    )


@pytest.mark.parametrize(("text", "expected"), READ.items(), ids=READ)
def test_references_are_read(text: str, expected: tuple[str, str, str | None, str | None]) -> None:
    assert parse_reference(text) == Reference(*expected)


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_errors_say_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", READ, ids=READ)
def test_a_reference_reads_as_itself(text: str) -> None:
    reference = parse_reference(text)
    assert parse_reference(str(reference)) == reference


@given(written_references())
def test_every_reference_reads_as_itself(text: str) -> None:
    reference = parse_reference(text)
    again = parse_reference(str(reference))
    assert again == reference
    assert str(again) == str(reference)
    assert str(reference).startswith(f"{reference.name}")


@given(st.text(max_size=40) | st.text(st.sampled_from("aA0:/@.-_[]\n "), max_size=30))
def test_reading_raises_nothing_else(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReferenceError as error:
        assert printable(str(error)) == str(error)
    else:
        assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(("text", "expected"), SOURCES.items(), ids=SOURCES)
def test_source_registries_are_read(text: str, expected: SourceRegistry) -> None:
    assert parse_source_registry(text) == expected


@pytest.mark.parametrize(("text", "said"), SOURCES_REFUSED.values(), ids=SOURCES_REFUSED)
def test_source_registries_are_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_source_registry(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(("text", "source", "expected"), PULLED.values(), ids=PULLED)
def test_where_a_reference_is_pulled_from(text: str, source: SourceRegistry | None, expected: Repository) -> None:
    assert pulled_from(parse_reference(text), source) == expected


MIRRORS = {"docker.io": SourceRegistry("mirror.lan:5000", "hub"), "quay.io": SourceRegistry("quay.lan")}
FROM_MIRRORS: dict[str, tuple[str, Repository]] = {
    "a prefix": ("nginx", Repository("mirror.lan:5000", "hub/library/nginx", "docker.io/library/nginx")),
    "another name": (
        "index.docker.io/team/app@" + DIGEST,
        Repository("mirror.lan:5000", "hub/team/app", "docker.io/team/app"),
    ),
    "no prefix": ("quay.io/a/b:1", Repository("quay.lan", "a/b", "quay.io/a/b")),
    "the port of https": ("quay.io:443/a/b:1", Repository("quay.lan", "a/b", "quay.io:443/a/b")),
    "another port": ("quay.io:5000/a/b:1", Repository("quay.io:5000", "a/b")),
    "another registry": ("ghcr.io/a/b:1", Repository("ghcr.io", "a/b")),
    "the mirror itself": ("mirror.lan:5000/hub/a:1", Repository("mirror.lan:5000", "hub/a")),
}


@pytest.mark.parametrize(("text", "expected"), FROM_MIRRORS.values(), ids=FROM_MIRRORS)
def test_mirrors_take_the_place_of_one_registry_each(text: str, expected: Repository) -> None:
    assert pulled_from(parse_reference(text), None, MIRRORS) == expected


def test_the_registry_for_all_comes_before_mirrors() -> None:
    expected = Repository("all.lan", "library/nginx")
    assert pulled_from(parse_reference("nginx"), SourceRegistry("all.lan"), MIRRORS) == expected


def test_policies_know_a_mirror_by_the_name_of_the_list() -> None:
    mirror = Repository("mirror.lan:5000", "hub/team/app", "docker.io/team/app")
    assert str(mirror) == "mirror.lan:5000/hub/team/app"
    assert mirror.as_named == Repository("docker.io", "team/app")
    plain = Repository("reg.lan:5000", "a/b")
    assert plain.as_named == plain


def test_a_repository_is_shown_with_its_registry() -> None:
    assert str(Repository("reg.lan:5000", "a/b")) == "reg.lan:5000/a/b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("HTTP://reg.lan:5000/v2/", "reg.lan:5000"),
        ("reg.lan", "reg.lan"),
    ],
)
def test_registries_have_one_name(text: str, expected: str) -> None:
    assert canonical_registry(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DIGEST, True),
        (f"{DIGEST}\n", False),
        (f" {DIGEST}", False),
        (DIGEST.upper(), False),
        (DIGEST[:-1], False),
        (f"{DIGEST}0", False),
        (f"sha512:{HEX}{HEX}", False),
        ("", False),
    ],
    ids=repr,
)
def test_digests_are_told_apart(text: str, expected: bool) -> None:
    assert is_digest(text) is expected
