# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that manifests name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.airgap.images.plugins.module_utils._base.errors import OptionError
from ansible_collections.airgap.images.plugins.plugin_utils._lists.manifest_images import Found, Manifests, images_in

RENDERED = Path(__file__).parents[4] / "data" / "rendered-chart.txt"


def find(text: str) -> Found:
    return images_in([Manifests("m.yaml", text)])


def test_a_rendered_chart() -> None:
    """Each container of each kind, volumes, custom resources; no comment, argument, variable, setting or schema."""
    found = find(RENDERED.read_text("utf-8"))
    assert found.images == [
        "docker.io/library/busybox:1.36",
        "rancher/rancher:v2.9.2",
        f"quay.io/team/sidecar@sha256:{'a' * 64}",
        "ghcr.io/team/debug:3",
        "quay.io/team/model:7",
        "rancher/kubectl:v1.30.4",
        "registry.k8s.io/pause:3.9",
        "quay.io/prometheus/prometheus:v2.53.0",
        "rancher/k3s-upgrade",
        "example.org/agent:1",
    ]
    unread = [(one.file, one.document, one.resource, one.path, one.value) for one in found.unread]
    assert unread == [
        ("m.yaml", 5, "Pod/test", "spec.containers[0].image", ""),
        ("m.yaml", 5, "Pod/test", "spec.containers[1].image", "{{ .Values.image }}"),
        ("m.yaml", 5, "Pod/test", "spec.containers[2].image", "Quay.io/Team/APP:1"),
        ("m.yaml", 9, "Machine/node", "spec.image", "ubuntu-22.04"),
    ]
    reasons = [one.reason for one in found.unread]
    assert reasons[0].startswith("it is empty")
    assert reasons[1] == "it is a template; manifests have to be rendered first"
    assert reasons[3] == "resources of cluster.example.org are not known to name container images there"


def test_several_files_have_each_image_once() -> None:
    pod = "kind: Pod\napiVersion: v1\nspec: {containers: [{image: a:1}, {image: %s}]}\n"
    found = images_in([Manifests("one", pod % "b:1"), Manifests("two", pod % "A:1")])
    assert found.images == ["a:1", "b:1"]
    assert found.origins == ["one:3", "one:3"]
    assert [(one.file, one.path) for one in found.unread] == [("two", "spec.containers[1].image")]


def test_items_of_a_list_are_resources_of_their_own() -> None:
    found = find(
        "kind: List\napiVersion: v1\nitems:\n"
        "- {kind: Odd, apiVersion: odd.example.org/v1, metadata: {name: x}, spec: {image: a:1}}\n"
        "- {kind: Pod, apiVersion: v1, spec: {containers: [{image: b:1}]}}\n"
    )
    assert found.images == ["b:1"]
    assert [(one.resource, one.path) for one in found.unread] == [("Odd/x", "items[0].spec.image")]


@pytest.mark.parametrize("value", ["{{ .Values.image }}", "[a, b]", "{a: b}"])
def test_what_was_not_rendered_is_no_text(value: str) -> None:
    (unread,) = find(f"kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: {value}\n").unread
    assert (unread.path, unread.reason) == (
        "spec.containers[0].image",
        "it is not a string; manifests have to be rendered first",
    )


def test_aliases_are_looked_at_once() -> None:
    """However many paths lead to one part; those that hold themselves too."""
    lines = ["a0: &a0 {spec: {containers: [{image: x:1}]}}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    assert find("\n".join(lines)).images == ["x:1"]
    assert find("a: &a\n  b: *a\n  containers: [{image: y:1}]\n").images == ["y:1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "'m.yaml' is not valid YAML: "),
        ("a: b\n  c: d\n", "line 2"),
        ("image: {{ .Values.image }}:{{ .Values.tag }}\n", "'m.yaml' is not valid YAML: "),
        ("[" * 100_000, "m.yaml"),
        ("- " * 5_000 + "a", "m.yaml"),
    ],
)
def test_what_is_no_yaml_names_its_file(text: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        find(text)
    assert said in str(caught.value)


@given(st.text(max_size=200))
def test_every_text_is_read_or_refused(text: str) -> None:
    with suppress(OptionError):
        assert all(find(text).images)
