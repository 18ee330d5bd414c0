# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The treemap of a report: bytes by repository. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .._base.size import format_size
from .facts import Facts, Holding
from .markup import Markup, element
from .pieces import count, grouped, share
from .treemap import Rect, squarify

WIDTH, HEIGHT = 1152, 440
_TILES = 150
_GROUPS = 5
# Of the font, in units of the picture: wide letters would not fit, narrow ones leave some space.
_LETTER, _LINE, _MARGIN = 6.7, 14, 6
# Letters that a line must have room for, and that a label must have that is not a whole name.
_FEWEST, _ENOUGH = 5, 14
_PIECES = re.compile(r"[^-_.]*[-_.]+|[^-_.]+")


@dataclass(frozen=True)
class Tile:
    """One rectangle to be.

    :param new: how many of its bytes are new.
    :param kind: its class, which gives it its colour.
    """

    name: str
    bytes: int
    new: int
    kind: str
    about: str


def treemap(facts: Facts) -> Markup:
    """Draw the picture and explain its colours; a table has to be beside it."""
    kinds, legend = _kinds(facts)
    whole = sum(holding.bytes for holding in facts.holdings)
    tiles = _tiles(facts.holdings, kinds, whole)
    places = squarify([tile.bytes for tile in tiles], Rect(0, 0, WIDTH, HEIGHT))
    picture = element(
        "svg",
        element("title", "Bytes by repository", id="map-title"),
        element("desc", f"{_about_all(facts.holdings, whole)} The table below has all figures.", id="map-desc"),
        *(_drawn(tile, place) for tile, place in zip(tiles, places)),
        class_="map",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby="map-title map-desc",
    )
    key = [element("li", _swatch(kind), word) for kind, word in legend]
    return element("figure", element("div", picture, class_="panel pad"), element("ul", *key, class_="key"))


def _swatch(kind: str) -> Markup:
    box = element("rect", width=12, height=12, class_=kind or None)
    return element("svg", box, viewBox="0 0 12 12", aria_hidden="true")


def _about_all(holdings: Sequence[Holding], whole: int) -> str:
    named = [f"{one.name} has {format_size(one.bytes)}, {share(one.bytes, whole)}" for one in holdings[:3]]
    return f"{format_size(whole)} in {count(len(holdings), 'repository', 'repositories')}: {'; '.join(named)}."


def _tiles(holdings: Sequence[Holding], kinds: dict[str, str], whole: int) -> list[Tile]:
    """The largest first; those that would be specks are one tile."""
    filled = [holding for holding in holdings if holding.bytes]
    kept, rest = (filled, []) if len(filled) <= _TILES else (filled[: _TILES - 1], filled[_TILES - 1 :])
    tiles = [Tile(one.name, one.bytes, one.new, kinds.get(one.name, ""), _about(one, whole)) for one in kept]
    if rest:
        more = Holding(
            name=f"{grouped(len(rest))} more",
            bytes=sum(one.bytes for one in rest),
            new=sum(one.new for one in rest),
            references=sum(one.references for one in rest),
        )
        tiles.append(Tile(more.name, more.bytes, more.new, "", _about(more, whole)))
    return sorted(tiles, key=lambda tile: -tile.bytes)


def _about(holding: Holding, whole: int) -> str:
    new = f", {grouped(holding.new)} of them new" if holding.new else ""
    references = count(holding.references, "reference")
    return f"{holding.name}: {grouped(holding.bytes)} bytes{new}, {share(holding.bytes, whole)}, {references}"


def _kinds(facts: Facts) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The class of each repository's tile, and what the classes mean."""
    if any(holding.new for holding in facts.holdings):
        earlier = "were in the archive before" if facts.bundle is None else "its base has"
        return {}, [("new", "new bytes"), ("", f"bytes that {earlier}")]
    sizes: Counter[str] = Counter()
    for holding in facts.holdings:
        sizes[_group(holding.name)] += holding.bytes
    ordered = sorted(sizes, key=lambda name: (-sizes[name], name))
    classes = {name: f"g{number}" for number, name in enumerate(ordered[:_GROUPS], start=1)}
    legend = [(kind, name) for name, kind in classes.items()]
    if len(ordered) > _GROUPS:
        legend.append(("", "others"))
    return {holding.name: classes.get(_group(holding.name), "") for holding in facts.holdings}, legend


def _group(repository: str) -> str:
    """Registry and first component."""
    return "/".join(repository.split("/")[:2]) if repository.count("/") > 1 else repository.partition("/")[0]


def _drawn(tile: Tile, place: Rect) -> Markup:
    """A tile; what is new of it is filled from below, by the same measure."""
    drawn = [element("title", tile.about), _box(place, tile.kind)]
    if tile.new:
        height = place.height * tile.new / tile.bytes
        drawn.append(_box(Rect(place.x, place.y + place.height - height, place.width, height), "new"))
        drawn.append(_box(place, "edge"))
    return element("g", *drawn, *_label(tile, place))


def _box(place: Rect, kind: str) -> Markup:
    numbers = {"x": place.x, "y": place.y, "width": place.width, "height": place.height}
    return element("rect", class_=kind or None, **{name: _short(value) for name, value in numbers.items()})


def _label(tile: Tile, place: Rect) -> list[Markup]:
    """Write name and size if there is room."""
    letters = int((place.width - 2 * _MARGIN) / _LETTER)
    lines = int((place.height - _MARGIN) / _LINE)
    if letters < _FEWEST or lines < 1:
        return []
    amount = format_size(tile.bytes)
    has_amount = lines > 1 and len(amount) <= letters
    name = _wrapped(tile.name.rpartition("/")[2], letters, lines - has_amount)
    if not name:
        return []
    told = [(line, "") for line in name] + ([(amount, "amount")] if has_amount else [])
    return [
        element("text", line, class_=kind or None, x=_short(place.x + _MARGIN), y=_short(place.y + _LINE * number + 2))
        for number, (line, kind) in enumerate(told, start=1)
    ]


def _wrapped(name: str, letters: int, lines: int) -> list[str]:
    """A name in lines, broken where it has hyphens; nothing where too little of it would be left."""
    broken: list[str] = [""]
    pieces = _PIECES.findall(name)
    for piece in pieces:
        if len(broken[-1]) + len(piece) > letters and broken[-1]:
            broken.append("")
        broken[-1] += piece
    kept = broken[:lines]
    if len(kept[0]) > letters and len(pieces) > 1:
        return []
    cut = [line if len(line) <= letters else f"{line[: letters - 1]}…" for line in kept]
    if len(broken) > lines and not cut[-1].endswith("…"):
        cut[-1] = f"{cut[-1][: letters - 1]}…"
    return cut if cut == broken or sum(map(len, cut)) > _ENOUGH else []


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
