"""The packages of the plugins, and the one direction in which they import each other.

This table is the only place that says what may import what. CONTRIBUTING.md says what each package is for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# What a package may import, beside itself. Each names packages above it only, so there can be no circle.
MODULE_UTILS: dict[str, frozenset[str]] = {}
MODULE_UTILS["_base"] = frozenset()
MODULE_UTILS["_host"] = frozenset({"_base"})
MODULE_UTILS["_oci"] = frozenset({"_base"})
MODULE_UTILS["_http"] = frozenset({"_base", "_host"})
MODULE_UTILS["_registry"] = frozenset({"_base", "_host", "_oci", "_http"})
MODULE_UTILS["_skopeo"] = frozenset({"_base", "_host", "_oci", "_http", "_registry"})
MODULE_UTILS["_archive"] = frozenset({"_base", "_host", "_oci"})
MODULE_UTILS["_source"] = frozenset({"_base", "_host", "_oci", "_archive"})
MODULE_UTILS["_verify"] = frozenset({"_base", "_host", "_oci", "_archive", "_source"})
MODULE_UTILS["_cache"] = frozenset({"_base", "_host", "_oci"})
MODULE_UTILS["_report"] = frozenset({"_base", "_oci", "_archive"})
MODULE_UTILS["_publish"] = frozenset({"_base", "_host", "_oci", "_archive", "_report"})
MODULE_UTILS["_load"] = frozenset(set(MODULE_UTILS) - {"_verify"})
MODULE_UTILS["_save"] = frozenset(set(MODULE_UTILS) - {"_source", "_verify", "_load"})

PLUGIN_UTILS: dict[str, frozenset[str]] = {}
PLUGIN_UTILS["_display"] = frozenset()
PLUGIN_UTILS["_hosts"] = frozenset()
PLUGIN_UTILS["_lists"] = frozenset({"_hosts"})
PLUGIN_UTILS["_set"] = frozenset({"_display", "_hosts", "_lists"})
PLUGIN_UTILS["_stage"] = frozenset({"_display", "_hosts", "_lists", "_set"})
PLUGIN_UTILS["_carry"] = frozenset({"_display", "_hosts", "_lists", "_stage"})
PLUGIN_UTILS["_watch"] = frozenset({"_display"})
PLUGIN_UTILS["_fetch"] = frozenset({"_display", "_hosts"})

_PLUGINS = "ansible_collections.airgap.images.plugins"


@dataclass(frozen=True)
class Edge:
    """An import: ``importer`` and ``imported`` are modules as dotted names below ``plugins``."""

    importer: str
    imported: str
    line: int


def complaints(plugins: Path) -> list[str]:
    """Compare the imports below a folder ``plugins`` with the table; an empty list: they keep to it."""
    edges = [edge for kind in ("module_utils", "plugin_utils") for edge in edges_below(plugins, kind)]
    found = [_complaint(edge) for edge in edges]
    found += _not_in_packages(plugins, "module_utils", MODULE_UTILS) + _not_in_packages(
        plugins, "plugin_utils", PLUGIN_UTILS
    )
    found += [f"modules import each other in a circle: {' -> '.join(circle)}" for circle in circles(edges)]
    return [complaint for complaint in found if complaint]


def edges_below(plugins: Path, kind: str) -> list[Edge]:
    """Every import of one module of the collection by another: lazy ones, and those for types alone, as well."""
    edges: dict[tuple[str, str], Edge] = {}
    for path in sorted((plugins / kind).rglob("*.py")):
        importer = ".".join(path.relative_to(plugins).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_bytes())):
            for imported in _imported(node, importer):
                module = _as_module(plugins, imported)
                edges[importer, module] = Edge(importer, module, getattr(node, "lineno", 0))
    return list(edges.values())


def _imported(node: ast.AST, importer: str) -> Iterator[str]:
    """The modules that a statement imports, by dotted names below ``plugins``; names in a module count as modules."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = f"{_PLUGINS}.{importer}".split(".")[: -node.level] if node.level else []
        start = ".".join([*above, *([node.module] if node.module else [])])
        names = [f"{start}.{alias.name}" for alias in node.names]
    else:
        return
    for name in names:
        if name.startswith(f"{_PLUGINS}."):
            yield name.removeprefix(f"{_PLUGINS}.")


def _as_module(plugins: Path, name: str) -> str:
    parts = name.split(".")
    while parts and not plugins.joinpath(*parts).with_suffix(".py").is_file():
        parts.pop()
    return ".".join(parts) or name


def _complaint(edge: Edge) -> str:
    from_kind, from_package, *_module = edge.importer.split(".")
    kind, package, *_module = [*edge.imported.split("."), "", ""]
    if kind == from_kind:
        table = MODULE_UTILS if kind == "module_utils" else PLUGIN_UTILS
        allowed = package == from_package or package in table.get(from_package, ())
    else:
        allowed = kind == "module_utils"  # the controller's may import the engine's, and never the other way round
    if allowed:
        return ""
    return f"plugins/{edge.importer.replace('.', '/')}.py:{edge.line}: {from_package} must not import {edge.imported}"


def _not_in_packages(plugins: Path, kind: str, table: Mapping[str, object]) -> list[str]:
    """Files beside the packages, and packages that the table does not know."""
    here = "tests/gates/packages.py"
    found = {path.relative_to(plugins / kind).parts[0] for path in (plugins / kind).rglob("*.py")}
    unknown = [f"plugins/{kind}/{name} is not a package of {here}" for name in sorted(found - {*table})]
    return unknown + [f"plugins/{kind}/{name} is in {here} only" for name in sorted({*table} - found)]


def circles(edges: list[Edge]) -> list[list[str]]:
    """Modules that import each other, over however many others; each circle once, from its first module on."""
    ways: dict[str, set[str]] = {}
    for edge in edges:
        ways.setdefault(edge.importer, set()).add(edge.imported)
    found: set[tuple[str, ...]] = set()
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> None:
        if module in path:
            circle = path[path.index(module) :]
            first = circle.index(min(circle))
            found.add(tuple(circle[first:] + circle[:first]))
            return
        if module in done:
            return
        for following in sorted(ways.get(module, ())):
            walk(following, [*path, module])
        done.add(module)

    for start in sorted(ways):
        walk(start, [])
    return [[*circle, circle[0]] for circle in sorted(found)]
