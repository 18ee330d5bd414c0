# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creates the Harbor projects that a load needs, before anything else is asked.

Harbor answers requests about a repository whose project does not exist as those of an account without permission.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .._base.errors import ImagesError, OptionError, Refused, TransferError
from .._host.log import Log
from .._oci.reference import Repository
from .._registry.harbor import Harbor, NewProject
from .._registry.pusher import Pusher
from .naming import Target

_MOST_NAMED = 5


@dataclass(frozen=True)
class Projects:
    """The projects of a run.

    :param created: those that were created (in check mode: would be), in order.
    :param failed: why there is no project, by its name.
    """

    created: tuple[str, ...] = ()
    failed: Mapping[str, TransferError] = field(default_factory=dict)

    def is_new(self, repository: Repository) -> bool:
        """Return True for a repository whose project was not there before."""
        return project_of(repository) in self.created

    def ensure(self, repository: Repository) -> None:
        """Make sure that the project of a repository was not found to be impossible.

        :raises TransferError: why there is none.
        """
        error = self.failed.get(project_of(repository))
        if error is not None:
            raise error


def project_of(repository: Repository) -> str:
    """Return the name of the project that Harbor has a repository in."""
    return repository.path.partition("/")[0]


def refuse_names_without_project(repositories: Iterable[Repository]) -> None:
    """Make sure that each repository has a project, which is the first of at least two parts of its path.

    :raises OptionError: names those that have none, and says how to give them one.
    """
    names = [str(one) for one in dict.fromkeys(repositories) if "/" not in one.path]
    if not names:
        return
    told = ", ".join(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        told += f" and {len(names) - _MOST_NAMED} more"
    raise OptionError(
        f"create_projects: {told}: a repository in Harbor has a project before its name. Give one to all, as in "
        "registry=HOST/PROJECT, or to these with rewrites"
    )


def prepare_projects(
    harbor: Harbor, registry: Pusher, targets: Sequence[Target], settings: NewProject, *, check: bool, log: Log
) -> Projects:
    """Create the projects that do not exist.

    :param registry: is asked in check mode where Harbor does not say whether a project exists.
    :param check: check mode: find out what would be created.
    :raises OptionError: when the registry is not a Harbor.
    :raises Interrupted: when the run was stopped.
    """
    first: dict[str, Target] = {}
    for target in targets:
        first.setdefault(project_of(target.repository), target)
    created: list[str] = []
    failed: dict[str, TransferError] = {}
    for name, target in first.items():
        try:
            is_new = _would_create(harbor, registry, target) if check else _create(harbor, name, settings, log)
        except TransferError as error:
            failed[name] = error
            continue
        except ImagesError as error:
            error.changed = bool(created) and not check
            raise
        if is_new:
            created.append(name)
            log.info(f"project {name} of {target.repository.registry} {'would be' if check else 'was'} created")
    return Projects(tuple(created), failed)


def _create(harbor: Harbor, name: str, settings: NewProject, log: Log) -> bool:
    """Create a project unless it is there. Return whether it was created."""
    is_there = harbor.has(name)
    if is_there:
        return False
    try:
        return harbor.create(name, settings)
    except Refused as error:
        if is_there is False:
            raise
        # A robot of a project may neither ask for it nor create any, but may push there.
        log.warning(f"{error}. It may exist: going on")
        return False


def _would_create(harbor: Harbor, registry: Pusher, target: Target) -> bool:
    """Find out whether a project would be created."""
    is_there = harbor.has(project_of(target.repository))
    if is_there is not None:
        return not is_there
    try:
        registry.head_manifest(target.repository, target.tag)
    except Refused:
        return True
    return False
