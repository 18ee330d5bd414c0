# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moves of the walk: an option, the list, a tag, or damage to what stands."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..support.archive import Archive
from . import spoil
from .ground import NAMED
from .site import Site
from .walk_images import INVALID, MISSING, Shelf, State

OPTIONS: dict[str, tuple[Any, ...]] = {
    "compress": ("gzip", "zstd", "none", "dir"),
    "compress_level": (None, None, 1, 6, 9),
    "part_size": (None, "20K", "100K", 7919, "1M", "0.5MB"),
    "part_digits": (None, None, 1, 3),
    "arch": (None, ["amd64"], ["arm64"], ["amd64", "arm64", "arm/v7"], ["arm64", "amd64"], ["s390x"], ["arm"]),
    "os": (None, ["linux"], ["windows"], ["linux", "windows"]),
    "keep_cache": (None, True, False),
    "prune_cache": (None, False, True),
    "allow_partial": (None, True, True, False),
    "force": (None, None, True),
    "verify": (None, "digest", "size"),
    "include_foreign_layers": (None, False, True),
    "fail_on_missing_platform": (None, False, True),
    "failed_list": (None, True),
    "mode": (None, None, "0640", "0600"),
    "jobs": (1, 4, 20),
    "insecure_policy": (None, False, True),
    "skopeo_copy": (None, "auto", "always"),
    "signature_policy": (None, True),
}
"""Values by option; ``None``: it is not given. Paths are the walker's, so ``True`` stands for one."""

_BEGIN = ("index", "plain", "docker", "list", "many")
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker-daemon": {"": [{"type": "%s"}]}}}'


class Walker:
    """A site on its way.

    :ivar state: what the next runs are made with.
    """

    def __init__(self, site: Site, shelf: Shelf, chance: random.Random) -> None:
        self.site = site
        self.shelf = shelf
        self.chance = chance
        lines = [f"{NAMED}/walk/{name}:1" for name in _BEGIN]
        self.state = State(lines, dict.fromkeys(shelf.names, 0), {"compress": chance.choice(OPTIONS["compress"])})
        self._good = copy.deepcopy(self.state)
        self._folders: dict[str, str] = {}
        self._moved = 0
        self._from_file = False
        self._refused = "reject"

    @property
    def failed_list(self) -> Path:
        return self.site.out / "failed.txt"

    @property
    def folder(self) -> Path:
        """Where the archive of the present form is; each form has a folder of its own."""
        return self.site.out / self._folders.get(self.form, self.form)

    @property
    def form(self) -> str:
        return str(self.state.options.get("compress", "gzip"))

    def params(self) -> dict[str, Any]:
        """The module's parameters for this step."""
        return self.params_at(self.site)

    def params_at(self, site: Site) -> dict[str, Any]:
        """The same on another site."""
        lists = {"images": self.state.lines}
        if self._from_file:
            (site.folder / "list.txt").write_text("".join(f"{line}\n" for line in self.state.lines), "utf-8")
            lists = {"images": [], "list_files": [str(site.folder / "list.txt")]}
        options = dict(self.state.options)
        if options.pop("failed_list", None):
            options["failed_list"] = str(site.out / "failed.txt")
        if options.pop("signature_policy", None):
            options["signature_policy"] = str(site.folder / "policy.json")
            (site.folder / "policy.json").write_text(_POLICY % self._refused, "utf-8")
        dest = site.out / self.folder.name / "walk"
        return {**options, **lists, "dest": str(dest), "cache_dir": str(site.cache), "stall_timeout": 60}

    def move(self) -> str:
        """Change something; tells what."""
        self._good = copy.deepcopy(self.state)
        moves, weights = zip(*MOVES)
        while not (told := self.chance.choices(moves, weights)[0](self)):
            pass  # there was nothing to change
        self.params()  # writes the list
        return str(told)

    def retreat(self) -> None:
        """Go back to what was not refused, and clear away what nobody may touch but its owner."""
        tags = self.state.tags
        self.state = self._good
        self.state.tags = tags
        shutil.rmtree(self.folder, ignore_errors=True)
        self.params()

    def layers_of_archive(self, archive: Archive) -> set[str]:
        """Digests of the layers of the images that an archive holds."""
        images = (self.shelf.image_of(reference, self.state) for reference in archive.references)
        wanted = [each for image in images if image is not None for each in self.shelf.wanted(image, self.state)]
        return {layer.digest for each in wanted for layer in each.layers}

    # -- moves ------------------------------------------------------------------------

    def set_option(self) -> str:
        name = self.chance.choice(list(OPTIONS))
        others = [value for value in OPTIONS[name] if value != self.state.options.get(name)]
        return self._set(name, self.chance.choice(others))

    def set_form(self) -> str:
        """Another form, with what belongs to it."""
        form = self.chance.choice(OPTIONS["compress"])
        told = [self._set("compress", form)]
        if form == "dir":
            told += [self._set(name, None) for name in ("compress_level", "part_size", "part_digits")]
        if form == "none":
            told.append(self._set("compress_level", None))
        return ", ".join(told)

    def _set(self, name: str, value: Any) -> str:
        if value is None:
            self.state.options.pop(name, None)
        else:
            self.state.options[name] = value
        return f"{name}={value}"

    def add(self) -> str:
        name = self.chance.choice(self.shelf.names)
        return self._insert(f"{NAMED}/walk/{name}:1")

    def add_by_digest(self) -> str:
        name = self.chance.choice(self.shelf.names)
        return self._insert(self.shelf.by_digest(name, self.chance.randrange(self.shelf.versions(name))))

    def add_bad(self) -> str:
        return self._insert(self.chance.choice((*MISSING, *INVALID)))

    def add_again(self) -> str:
        return self._insert(self.chance.choice(self.state.lines)) if self.state.lines else ""

    def add_comment(self) -> str:
        return self._insert(self.chance.choice(("", "# a comment", "// another", "   ")))

    def _insert(self, line: str) -> str:
        self.state.lines.insert(self.chance.randrange(len(self.state.lines) + 1), line)
        return f"added {line!r}"

    def remove(self) -> str:
        if len(self.state.lines) < 2:
            return ""
        return f"removed {self.state.lines.pop(self.chance.randrange(len(self.state.lines)))!r}"

    def mend(self) -> str:
        """Take out what fails."""
        bad = {*MISSING, *INVALID}
        self.state.lines = [line for line in self.state.lines if line not in bad] or [f"{NAMED}/walk/plain:1"]
        return "removed all bad lines"

    def reorder(self) -> str:
        self.chance.shuffle(self.state.lines)
        return "reordered"

    def from_file(self) -> str:
        self._from_file = not self._from_file
        return "list_files" if self._from_file else "images"

    def move_tag(self) -> str:
        name = self.chance.choice(self.shelf.names)
        self.state.tags[name] = self.chance.randrange(self.shelf.versions(name))
        self.shelf.move(name, self.state.tags[name])
        return f"{name} moved to {self.state.tags[name]}"

    def damage_archive(self) -> str:
        """A file of the archive, or beside it; what only a reading of the bytes finds, only where they are read."""
        kinds = spoil.SEEN_BY_SIZE if self.state.options.get("verify") == "size" else spoil.KINDS
        files = [path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()]
        return self._spoil(files, kinds)

    def damage_cache(self) -> str:
        files = [path for path in self.site.cache.rglob("*") if path.is_file() and not path.is_symlink()]
        return self._spoil([path for path in files if path.name != ".lock"], (*spoil.KINDS, spoil.DIRECTORY))

    def _spoil(self, files: list[Path], kinds: tuple[spoil.Kind, ...]) -> str:
        sound = sorted(path for path in files if path.stat().st_size)
        if not sound:
            return ""
        path, kind = self.chance.choice(sound), self.chance.choice(kinds)
        kind.apply(path, self.chance)
        return f"{path.relative_to(self.site.folder)}: {kind.name}"

    def lose_cache(self) -> str:
        shutil.rmtree(self.site.cache, ignore_errors=True)
        return "the cache is gone"

    def lose_archive(self) -> str:
        shutil.rmtree(self.folder, ignore_errors=True)
        return "the archive is gone"

    def stray_part(self) -> str:
        suffix = {"gzip": ".tar.gz", "zstd": ".tar.zst", "none": ".tar"}.get(self.form)
        if suffix is None or not self.folder.is_dir():
            return ""
        path = self.folder / f"walk{suffix}{self.chance.choice(('', '.part0', '.part7', '.part012'))}"
        if path.exists():
            return ""
        path.write_bytes(self.chance.randbytes(100))
        return f"{path.name} of somebody"

    def move_dest(self) -> str:
        """The archive, with all beside it, is carried to another folder."""
        self._moved += 1
        old, name = self.folder, f"{self.form}-{self._moved}"
        if old.is_dir():
            old.rename(old.with_name(name))
        self._folders[self.form] = name
        return f"moved to {name}"

    def new_dest(self) -> str:
        """Another archive, from the same cache; the one before stays."""
        self._moved += 1
        self._folders[self.form] = f"{self.form}-{self._moved}"
        return f"dest is {self.folder.name}"

    def change_policy(self) -> str:
        """Another content of the policy's file, which accepts the same."""
        if not self.state.options.get("signature_policy"):
            return ""
        self._refused = "insecureAcceptAnything" if self._refused == "reject" else "reject"
        return f"policy.json has {self._refused}"

    def nothing(self) -> str:
        return "nothing"


MOVES: tuple[tuple[Callable[[Walker], str], int], ...] = (
    (Walker.set_option, 12),
    (Walker.set_form, 3),
    (Walker.add, 6),
    (Walker.add_by_digest, 3),
    (Walker.add_bad, 2),
    (Walker.add_again, 1),
    (Walker.add_comment, 1),
    (Walker.remove, 3),
    (Walker.mend, 2),
    (Walker.reorder, 1),
    (Walker.from_file, 1),
    (Walker.move_tag, 4),
    (Walker.damage_archive, 4),
    (Walker.damage_cache, 3),
    (Walker.lose_cache, 1),
    (Walker.lose_archive, 1),
    (Walker.stray_part, 2),
    (Walker.move_dest, 1),
    (Walker.new_dest, 1),
    (Walker.change_policy, 2),
    (Walker.nothing, 1),
)
"""The moves, and how often each is made against the others."""
