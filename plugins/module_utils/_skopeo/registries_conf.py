# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registries for which skopeo is configured to use mirrors, other locations, blocks or credential helpers.

containers-registries.conf(5). If in doubt, a registry counts as configured, and is left to skopeo.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from .._oci.reference import Repository

# What begins at a line's first character, as keys and tables have to. skopeo takes them in any case, and for a key with
# an escape in it we do not say which one it is.
_TABLES = re.compile(
    r"^[ \t]*(?:\[\[?[ \t]*)?(?:"
    r"[\"']?registr(?:y|ies)[\"']?[ \t]*(?:[\].]|=[ \t]*[\[{])"
    r"|[\"']?credential-helpers"
    r"|\"[^\"\n]*\\"
    r")",
    re.MULTILINE | re.IGNORECASE,
)
_SEARCHED = re.compile(r"^[ \t]*unqualified-search-registries[ \t]*=[ \t]*\[[^\]\[]*\]", re.MULTILINE)
_COMMENTS = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_STRINGS = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_PLAIN_HELPER = re.compile(
    r"^[ \t]*credential-helpers[ \t]*=[ \t]*\[\s*(\"containers-auth\.json\"[\s,]*)?\][ \t]*$", re.MULTILINE
)
_DROP_INS = "registries.conf.d"
_PORT = re.compile(r":[0-9]+$")
_HOST = re.compile(r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:)|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")


class RegistriesConf:
    """The configuration at the moment this is made.

    :param environ: says where it is read from.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._names: set[str] = set()
        self._names_in_drop_ins: set[str] = set()
        given = given_file(environ)
        # Of one that is named and is not there, skopeo says so.
        self._is_unclear = given is not None and not os.path.exists(given)
        for path in registries_files(environ):
            self._read(path)

    def concerns(self, registry: str) -> bool:
        """Return True if the configuration may concern a registry (``HOST[:PORT]``)."""
        if self._is_unclear:
            return True
        host = _PORT.sub("", registry)
        return any(covers(name, registry) or covers(name, host) for name in self._names)

    def applies_to(self, repository: Repository) -> bool:
        """Return True if the configuration may concern a repository. An option that names a mirror wins over it."""
        return not repository.stands_for and self.concerns(repository.registry)

    def outranks_mirror_of(self, name: str) -> bool:
        """Return True if skopeo would not go to the mirror of a repository, whatever file it is given.

        A drop-in file that names the repository in full is read after that file, and takes its place.

        :param name: of the repository, in the list.
        """
        return name in self._names_in_drop_ins

    def others(self, registries: Iterable[str]) -> frozenset[str]:
        """The hosts that skopeo may ask instead of these registries; some more may be among them."""
        if not any(self.concerns(registry) for registry in registries):
            return frozenset()
        hosts = {name.partition("/")[0] for name in self._names}
        return frozenset(host for host in hosts if _HOST.fullmatch(host))

    def _read(self, path: str) -> None:
        try:
            with open(path, encoding="utf-8-sig") as file:
                names = names_in(file.read())
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError):
            names = None
        if names is None:
            self._is_unclear = True
        else:
            self._names.update(names)
            if os.path.basename(os.path.dirname(path)) == _DROP_INS:
                self._names_in_drop_ins.update(names)


def names_in(text: str) -> frozenset[str] | None:
    """All strings of a configuration that treats any registry in a way of its own, its name among them.

    :returns: nothing where it does not; ``None`` where what it says is not plain to see.
    """
    # What is in a string over several lines looks like anything else.
    if '"""' in text or "'''" in text:
        return None
    text = _SEARCHED.sub("", _PLAIN_HELPER.sub("", _COMMENTS.sub("", text)))
    if not _TABLES.search(text):
        return frozenset()
    if "\\" in text or "credential-helpers" in text.lower():
        return None
    return frozenset(double or single for double, single in _STRINGS.findall(text))


def configuration_folders(environ: Mapping[str, str]) -> list[str]:
    """Return the folders that skopeo searches for its configuration, in order of precedence."""
    home = environ.get("HOME") or os.path.expanduser("~")
    own = os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers")
    folders = (own, os.path.join(home, ".config", "containers"), "/etc/containers", "/usr/share/containers")
    return [*dict.fromkeys(folders)]


def given_file(environ: Mapping[str, str]) -> str | None:
    """The file that a variable names, as podman and buildah read them; skopeo has to be told."""
    return environ.get("CONTAINERS_REGISTRIES_CONF") or environ.get("REGISTRIES_CONFIG_PATH") or None


def registries_files(environ: Mapping[str, str]) -> Iterator[str]:
    """The files in force, and those that would be: one too many does no harm."""
    given = given_file(environ)
    if given is not None:
        yield given
    for folder in configuration_folders(environ):
        yield os.path.join(folder, "registries.conf")
        drop_ins = os.path.join(folder, _DROP_INS)
        if os.path.isdir(drop_ins):
            yield from (os.path.join(drop_ins, name) for name in sorted(os.listdir(drop_ins)) if name.endswith(".conf"))


def covers(name: str, registry: str) -> bool:
    """Return True if a ``prefix`` or ``location`` covers a registry, or something below it."""
    host = name.partition("/")[0].lower()
    if host.startswith("*."):
        return registry.lower().endswith(host[1:])
    return host == registry.lower()
