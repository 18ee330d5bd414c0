# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That the benchmark is right, with tiny sizes. How long anything takes is not looked at here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ansible_collections.airgap.images.tests.bench import __main__ as command
from ansible_collections.airgap.images.tests.bench import hosts, play, whole
from ansible_collections.airgap.images.tests.bench.context import SHORT, Bench
from ansible_collections.airgap.images.tests.bench.copying import Cold, bare, ensure_same
from ansible_collections.airgap.images.tests.bench.figures import Figure, Series, series
from ansible_collections.airgap.images.tests.bench.process import BenchError, alternating, run_module
from ansible_collections.airgap.images.tests.bench.report import Report, as_markdown, as_text
from ansible_collections.airgap.images.tests.bench.workload import add_images, blobs_of
from ansible_collections.airgap.images.tests.support.module import ROOT
from ansible_collections.airgap.images.tests.support.push import get_manifest
from ansible_collections.airgap.images.tests.support.registry import Registry


def figure(ours: float, reference: float, bound: float | None, *broken: str) -> Figure:
    """A row of one sample each."""
    return Figure("made", "a|b", Series("ours", "s", (ours,)), Series("theirs", "s", (reference,)), bound, broken)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A benchmark with tiny sizes."""
    folder = tmp_path_factory.mktemp("benchmark")
    with Registry(folder / "registry") as registry:
        yield Bench(folder, registry, SHORT)


FEW = ("link",)
EVERY = pytest.param(tuple(command.GROUPS), marks=pytest.mark.thorough)


@pytest.mark.parametrize("groups", [FEW, EVERY], ids=["few groups", "every group"])
def test_groups_are_measured(workdir: Path, monkeypatch: pytest.MonkeyPatch, groups: tuple[str, ...]) -> None:
    # Copies of the checkout have no history, so what is measured is measured beside itself.
    for module in (hosts, play, whole):
        monkeypatch.setattr(module, "earlier", lambda bench, commit: ROOT)
    done = command.measure(SHORT, list(groups), workdir)
    assert {each.group for each in done.figures} == set(groups) == set(done.seconds)
    names = [each.name for each in done.figures]
    assert len(set(names)) == len(names)
    sent = [each for each in done.figures if each.name.startswith("bytes, ")]
    assert len(sent) == (3 if "copy" in groups else 0)
    for each in sent:
        assert each.ours.samples == each.reference.samples, "exactly the unique bytes"
        assert each.reached
    assert not [path for path in workdir.iterdir() if path.is_dir()], "it removes what it made"

    command.write(done, workdir)
    document = json.loads((workdir / "results.json").read_text("utf-8"))
    assert [each["name"] for each in document["figures"]] == names
    assert document["machine"]["skopeo"]
    page = (workdir / "results.md").read_text("utf-8")
    assert all(f"| {name} |" in page for name in names)
    drawn = ElementTree.parse(workdir / "plot.svg").getroot()  # noqa: S314
    bars = [each for each in drawn.iter() if each.tag.endswith("rect")]
    assert len(bars) == sum(1 for each in done.figures if each.bound)


@pytest.mark.parametrize(("bound", "status", "word"), [(1.50, 0, "reached"), (1.49, 1, "MISSED")])
def test_a_ratio_that_misses_its_bound(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bound: float,
    status: int,
    word: str,
) -> None:
    monkeypatch.setitem(command.GROUPS, "made", lambda bench: [figure(3, 2, bound)])
    monkeypatch.setattr(command.machine, "describe", lambda folder: {"cores": "2"})
    assert command.main(["--only", "made", "--output", str(workdir / "out"), "--work", str(workdir)]) == status
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("a|b")]
    assert line.split() == ["a|b", "3", "s", "2", "s", "1.50", f"{bound:.2f}", word]
    (written,) = json.loads((workdir / "out" / "results.json").read_text("utf-8"))["figures"]
    assert (written["ratio"], written["reached"]) == (1.5, status == 0)
    assert f"| {word} |" in (workdir / "out" / "results.md").read_text("utf-8")


def test_what_counts_as_reached() -> None:
    assert figure(9, 1, None).reached
    assert not figure(1, 2, 1.0, "2 GETs").reached
    assert figure(1.004, 1, 1.0).reached, "two digits are shown, and two count"
    assert not figure(1.006, 1, 1.0).reached
    assert not figure(1, 0, 1.0).reached
    told = Report({}, {}, {"made": 1.0}, [figure(1, 2, 1.0, "2 GETs")])
    assert "a|b: 2 GETs" in as_text(told)
    assert "a\\|b" in as_markdown(told)


def test_medians() -> None:
    assert series("what", "s", [3, 1, 2]).median == 2
    assert series("what", "s", (each for each in (4, 1, 2, 3))).median == 2.5
    with pytest.raises(ValueError, match="was not measured"):
        series("what", "s", [])
    odd, even = Series("ours", "s", (9, 1, 3)), Series("theirs", "s", (1, 2))
    assert Figure("made", "row", odd, even, None).ratio == 2.0


def test_variants_take_turns() -> None:
    taken: list[str] = []

    def take(name: str) -> int:
        taken.append(name)
        return len(taken)

    samples = alternating(3, {name: partial(take, name) for name in ("a", "b")})
    assert taken == ["a", "b", "b", "a", "a", "b"]
    assert samples == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_images_are_the_same_as_if_they_had_been_pushed(benchmark: Bench, workdir: Path) -> None:
    images = benchmark.images
    assert sum(blobs_of(images).values()) == pytest.approx(SHORT.megabytes * 1e6, rel=0.1)
    assert images == add_images(benchmark.storage, SHORT.megabytes, SHORT.images), "the same from the same seed"
    stored = images[0]
    raw, _media_type = get_manifest(benchmark.registry, stored.repository, stored.tag)
    assert len(raw) == stored.manifests[stored.digest]
    done = bare(benchmark, images[:1], 1)  # more at once may fetch what they share twice
    assert done.sent == sum(stored.blobs.values())
    assert done.shared == {each.partition(":")[2] for each in (*stored.platforms, *stored.blobs)}


def test_other_blobs_or_archives_are_not_compared(benchmark: Bench) -> None:
    images = benchmark.images[:1]
    names = frozenset(each.partition(":")[2] for each in (*images[0].platforms, *images[0].blobs))

    def cold(shared: frozenset[str], *parts: tuple[str, str]) -> Cold:
        return Cold(1.0, 1.0, 0.0, 1.0, 0, 0, shared, parts)

    same = {"dir 4": [cold(names)], "alone 4": [cold(names)], "gzip": [cold(names)], "split": [cold(names)]}
    ensure_same(images, same)
    with pytest.raises(BenchError, match=r"dir 4: .* other blobs"):
        ensure_same(images, {**same, "dir 4": [cold(names - {min(names)})]})
    with pytest.raises(BenchError, match=r"dir and alone: .* 2 different archives"):
        ensure_same(images, {**same, "alone 4": [cold(names, ("", "0" * 64))]})


def test_a_module_that_fails_is_no_measurement(benchmark: Bench, workdir: Path) -> None:
    params = benchmark.params(benchmark.images[:1], workdir)
    with pytest.raises(BenchError, match="manifest unknown"):
        run_module({**params, "images": [f"{benchmark.registry.host}/bench/app-0:none"]})
