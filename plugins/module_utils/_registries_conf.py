# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether skopeo goes other ways to a registry than we do: mirrors, locations, blocks, credential helpers.

containers-registries.conf(5). The answer may be too careful, never too bold: what the configuration mentions is left
to skopeo.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

_TABLES = re.compile(r"^\s*(\[\[?\s*[\"']?registr(y|ies)\b|registry\s*=|[\"']?credential-helpers)", re.MULTILINE)
_SEARCHED = re.compile(r"^\s*unqualified-search-registries\s*=\s*\[[^\]]*\]", re.MULTILINE)
_COMMENTS = re.compile(r"^\s*#.*$", re.MULTILINE)
_STRINGS = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_PLAIN_HELPER = re.compile(
    r"^\s*credential-helpers\s*=\s*\[\s*(\"containers-auth\.json\"\s*,?\s*)?\]\s*$", re.MULTILINE
)


class RegistriesConf:
    """What skopeo reads, as it is when this is made.

    :param environ: says where it is read from.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._names: set[str] = set()
        self._is_unclear = False
        for path in _files(environ):
            self._read(path)

    def concerns(self, registry: str) -> bool:
        """Whether skopeo may treat this registry (``HOST[:PORT]``) in a way of its own."""
        if self._is_unclear:
            return True
        host = registry.partition(":")[0]
        return any(_covers(name, registry) or _covers(name, host) for name in self._names)

    def _read(self, path: str) -> None:
        try:
            with open(path, encoding="utf-8") as file:
                text = _COMMENTS.sub("", file.read())
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError):
            self._is_unclear = True
            return
        text = _SEARCHED.sub("", _PLAIN_HELPER.sub("", text))
        if not _TABLES.search(text):
            return
        # Escapes, or strings over several lines, could hide a name.
        if "\\" in text or '"""' in text or "'''" in text or "credential-helpers" in text:
            self._is_unclear = True
        self._names.update(double or single for double, single in _STRINGS.findall(text))


def _files(environ: Mapping[str, str]) -> Iterator[str]:
    """The files in force, and those that would be: one too many does no harm."""
    home = environ.get("HOME") or os.path.expanduser("~")
    own = os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers")
    folders = [own, os.path.join(home, ".config", "containers"), "/etc/containers", "/usr/share/containers"]
    given = environ.get("CONTAINERS_REGISTRIES_CONF") or environ.get("REGISTRIES_CONFIG_PATH")
    if given:
        yield given
    for folder in folders:
        yield os.path.join(folder, "registries.conf")
        drop_ins = os.path.join(folder, "registries.conf.d")
        if os.path.isdir(drop_ins):
            yield from (os.path.join(drop_ins, name) for name in sorted(os.listdir(drop_ins)) if name.endswith(".conf"))


def _covers(name: str, registry: str) -> bool:
    """Whether a ``prefix`` or ``location`` is about a registry, or something below it."""
    host = name.partition("/")[0].lower()
    if host.startswith("*."):
        return registry.lower().endswith(host[1:])
    return host == registry.lower()
