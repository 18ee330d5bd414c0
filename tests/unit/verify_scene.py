# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A verification in one process, of archives that were carried across."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from ansible_collections.airgap.images.plugins.module_utils._archive.parity import members_of, parity_names, xor
from ansible_collections.airgap.images.plugins.module_utils._archive.parts import Part
from ansible_collections.airgap.images.plugins.module_utils._base.stop import Stop
from ansible_collections.airgap.images.plugins.module_utils._host.log import Log
from ansible_collections.airgap.images.plugins.module_utils._host.progress import Progress
from ansible_collections.airgap.images.plugins.module_utils._verify.compare import Counter, Reading
from ansible_collections.airgap.images.plugins.module_utils._verify.engine import verify
from ansible_collections.airgap.images.plugins.module_utils._verify.options import Params, read_options
from ansible_collections.airgap.images.plugins.module_utils._verify.result import Result
from ansible_collections.airgap.images.plugins.modules.image_verify import argument_spec
from ansible_collections.airgap.images.tests.unit.carried import Carried, carry


def verified(*sources: Path, check: bool = False, stop: Stop | None = None, **changed: Any) -> Result:
    """Verify what some paths lead to."""
    usual: dict[str, Any] = {name: spec.get("default") for name, spec in argument_spec().items()}
    usual.update(src=[str(source) for source in sources], **changed)
    options = read_options(cast(Params, usual), check=check)
    return verify(options, log=Log(debug=True), stop=stop or Stop())


def reading() -> Reading:
    """Everything that reading files needs."""
    return Reading(Stop(), Log(debug=True), Progress(), Counter())


def states(result: Result) -> dict[str, str]:
    """The states of the parts and parity files that are not whole."""
    files = [one for verdict in result.verdicts for one in (*verdict.archive.parts, *verdict.archive.parity)]
    return {one.part.name: one.state for one in files if not one.is_ok}


def touched(result: Result) -> dict[str, list[str]]:
    """The images that a damage touches, each with the parts that it needs."""
    return {
        one.reference.rpartition("/")[2]: [*one.parts] for verdict in result.verdicts for one in verdict.harm.images
    }


def carry_with_parity(folder: Path, form: str = "gzip in parts", **options: Any) -> Carried:
    """Save an archive with parity files beside it."""
    carried = carry(folder, form, **options)
    parity = []
    for group, name in enumerate(parity_names(carried.dest.name, len(carried.parts))):
        with ExitStack() as opened:
            members = members_of(group, len(carried.parts))
            raw = b"".join(xor([opened.enter_context(carried.parts[number].open("rb")) for number in members]))
        (carried.dest.parent / name).write_bytes(raw)
        parity.append(Part(name, len(raw), hashlib.sha256(raw).hexdigest()))
    carried.write_lock(parity=tuple(parity))
    return carried


def parity_of(carried: Carried, group: str = "") -> Path:
    """The path of a parity file."""
    return Path(f"{carried.dest}.parity{group}")
