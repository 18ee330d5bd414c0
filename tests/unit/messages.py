# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads from the sources what they can say when something goes wrong: a text for each place that raises an error.

What is put in at run time is a hole in the text. Python is read as a syntax tree, the role's tasks as YAML; the script
that restores is shell within Python.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HOLE = "\0"
_WORD = re.compile(r"[a-z]{2}")
_SHELL = re.compile(r"^\w+\(\) \{$", re.M)
_MANY = 100
_WORDS = re.compile(r"[a-z]{2,} [a-z]+ ")

# Their first argument is what the user reads. A JsonError becomes a part of such a text, and so has none of its own.
_ERRORS = frozenset(
    {
        "AnsibleConnectionFailure",
        "BlobsUnknown",
        "BodyTooLarge",
        "BrokenOffError",
        "BusyError",
        "ConnectionRefused",
        "DamagedPart",
        "EncodingError",
        "ForeignLayersRefused",
        "ImagesError",
        "ImmutableTag",
        "Interrupted",
        "InvalidReferenceError",
        "LackingBase",
        "LockFileError",
        "LostParts",
        "ManifestError",
        "ManifestTooLarge",
        "Missing",
        "MissingBlob",
        "MissingPart",
        "MissingPlatform",
        "MissingProject",
        "NestedIndex",
        "NotBegun",
        "NotCarried",
        "NotInArchive",
        "NotPulled",
        "OptionError",
        "Orphaned",
        "ProxyLoginRefused",
        "QuotaExceeded",
        "ReadOnlyRegistry",
        "Refused",
        "RegistryFull",
        "SourceError",
        "SourceGone",
        "SpaceError",
        "StorageError",
        "TransferError",
        "TypeRefused",
        "UploadLost",
        "WrongBytes",
        "WrongLock",
        "WrongOffset",
        "_failed",  # a result, _watch/job.py
        "ended",  # the same error with another text
        "raised",  # of a cause, _skopeo.py
        "warn",
        "warning",
    }
)
# What is called with a text that stands between two others, and which argument that is.
_AROUND = {
    "DamagedBlobError": (1, f"{HOLE} in the cache is damaged: ", ""),  # _base/errors.py
    "_Cause": (2, f"skopeo: {HOLE}; ", ""),  # _skopeo/skopeo.py
    "explaining": (0, "", f": {HOLE}"),  # _cache/disk.py
    "_wrong": (0, f"{HOLE} came with ", ""),  # _registry/blob_file.py
    "explained": (0, "", f": {HOLE}"),  # _host/disk_errors.py
    "fail": (2, "", ""),  # image_save.py
    "request": (0, "", ""),  # _base/stop.py
    # Reasons of images that are not saved
    "SkippedImage": (1, "", ""),
}
# Functions that return such a text.
_RETURNING = ("_explain", "_failure", "failure_", "distrust", "notice_of_")
_FAILING = frozenset({"assert", "ansible.builtin.assert", "fail", "ansible.builtin.fail"})


def in_python(source: str) -> Iterator[tuple[int, str]]:
    """The line and the text of each error that a Python source can show."""
    scopes = list(_functions(ast.parse(source)))
    of_module = _assigned([node for _name, body in scopes for node in body], constants_only=True)
    of_module.update(_returned(scopes))
    for function, body in scopes:
        known = {**of_module, **_assigned(body)}
        for node in body:
            for text in _texts_of(node, known, function):
                if _WORD.search(text):
                    yield node.lineno, normal(text)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SHELL.search(node.value):
                yield from ((node.lineno, text) for text in in_shell(node.value))


def in_shell(source: str) -> Iterator[str]:
    """The texts of a shell script that has the functions ``say``, and ``fail`` and others that end it."""
    source = re.sub(r"\$\(\([^()]*\)\)|\$\([^()]*\)|\$\{[^}]*\}|\$\w+|\$\$", HOLE, source.replace("\\\n", ""))
    for kind, text in re.findall(r'\b(say|fail|give_up|misuse) "([^"]*)"', source):
        if _WORD.search(text):
            yield normal(text if kind == "say" else f"error: {text}")


def in_tasks(source: str) -> Iterator[tuple[int, str]]:
    """The number and the text of each task of a YAML file that fails by itself."""
    for number, task in enumerate(_tasks(yaml.safe_load(source)), start=1):
        for name in _FAILING & task.keys():
            arguments = task[name]
            text = str(arguments.get("fail_msg") or arguments.get("msg") or "")
            text = re.sub(r"{{.*?}}|{%.*?%}", HOLE, text, flags=re.DOTALL)
            if _WORD.search(text):
                yield number, normal(text)


def normal(text: str) -> str:
    """A text with single blanks, and one hole where several, or quotation marks around one, stand."""
    text = " ".join(text.split())
    text = re.sub(f"'({HOLE})'", r"\1", text)
    return re.sub(f"{HOLE}+", HOLE, text).strip()


def _functions(tree: ast.Module) -> Iterator[tuple[str, list[Any]]]:
    """Each function with the nodes that are its own, and the module's."""
    scopes: list[tuple[str, ast.AST]] = [("", tree)]
    while scopes:
        name, scope = scopes.pop()
        own: list[Any] = []
        waiting = list(ast.iter_child_nodes(scope))
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                scopes.append((node.name, node))
                continue
            own.append(node)
            waiting += ast.iter_child_nodes(node)
        yield name, own


def _assigned(body: list[Any], *, constants_only: bool = False) -> dict[str, list[str]]:
    """The texts that a name, or an attribute of self, stands for."""
    known: dict[str, list[str]] = {}
    for node in body:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            name = target.id if isinstance(target, ast.Name) else ast.unparse(target)
            if not constants_only or name.isupper() or name.startswith("self."):
                known.setdefault(name, []).extend(_text(node.value, {}))
    return known


def _returned(scopes: list[tuple[str, list[Any]]]) -> dict[str, list[str]]:
    """The texts that the functions of a module return, by the function's name and ``()``."""
    known: dict[str, list[str]] = {}
    for function, body in scopes:
        texts = [text for node in body if isinstance(node, ast.Return) and node.value for text in _text(node.value, {})]
        if any(_WORD.search(text) for text in texts):
            known[f"{function}()"] = texts
    return known


def _texts_of(node: Any, known: dict[str, list[str]], function: str) -> Iterator[str]:
    if isinstance(node, ast.Return) and function.startswith(_RETURNING) and node.value is not None:
        yield from _text(node.value, known)
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self.problem":  # _host/log.py
        yield from _text(node.value, {})
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    place, before, after = _AROUND.get(name, (0, "", ""))
    given = [*node.args, *(word.value for word in node.keywords if word.arg in ("failure", "what"))]
    if (name in _ERRORS or name in _AROUND) and len(given) > place:
        yield from (f"{before}{text}{after}" for text in _text(given[place], known))


def _text(node: ast.expr, known: dict[str, list[str]]) -> list[str]:
    """The texts that an expression may be; names of texts and choices between texts are followed."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return [*map("".join, itertools.product(*(_piece(value, known) for value in node.values)))]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [left + right for left in _text(node.left, known) for right in _text(node.right, known)]
    if isinstance(node, ast.IfExp):
        return [*_text(node.body, known), *_text(node.orelse, known)]
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in _text(value, known)]
    if isinstance(node, ast.Call):
        return known.get(f"{ast.unparse(node.func).rpartition('.')[2]}()") or [HOLE]
    if isinstance(node, (ast.Name, ast.Attribute)):
        return known.get(ast.unparse(node)) or [HOLE]
    return [HOLE]


def _piece(node: ast.expr, known: dict[str, list[str]]) -> list[str]:
    """A piece of an f-string: what is put in is followed only where it always is a text of a few words."""
    if isinstance(node, ast.FormattedValue):
        texts = _text(node.value, known) if isinstance(node.value, ast.Name) else [HOLE]
        return texts if all(_WORDS.search(text) and len(text) < _MANY for text in texts) else [HOLE]
    return _text(node, known)


def _tasks(items: Any) -> Iterator[dict[str, Any]]:
    for item in items or []:
        if isinstance(item, dict):
            yield item
            for part in ("block", "rescue", "always"):
                yield from _tasks(item.get(part))


def of_collection(root: Path) -> dict[str, list[str]]:
    """Every text, with the places that say it."""
    found: dict[str, list[str]] = {}
    for path in sorted([*root.glob("plugins/**/*.py"), *root.glob("roles/*/tasks/*.yml")]):
        read = in_python if path.suffix == ".py" else in_tasks
        for line, text in read(path.read_text(encoding="utf-8")):
            found.setdefault(text, []).append(f"{path.relative_to(root)}:{line}")
    return found
