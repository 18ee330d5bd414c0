# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private module that asks for sizes: its options are those of a save."""

from __future__ import annotations

import yaml

from ansible_collections.airgap.images.plugins.module_utils._save.sizes import SizesParams
from ansible_collections.airgap.images.plugins.modules import image_save, image_sizes


def test_the_documentation_has_all_options() -> None:
    documented = yaml.safe_load(image_sizes.DOCUMENTATION)["options"]
    assert {*documented} == {*image_sizes.argument_spec()}


def test_options_mean_what_they_mean_for_a_save() -> None:
    save = yaml.safe_load(image_save.DOCUMENTATION)["options"]
    for name, option in yaml.safe_load(image_sizes.DOCUMENTATION)["options"].items():
        for key in ("type", "elements", "default"):
            if name != "images":
                assert option.get(key) == save[name].get(key), f"{name}: {key}"
        assert {*option.get("suboptions", ())} == {*save[name].get("suboptions", ())}, name


def test_the_engine_gets_all_that_it_reads() -> None:
    given = {*image_sizes.argument_spec(), *image_sizes.OF_SAVES} - {"debug"}
    assert given == {*SizesParams.__annotations__}
    save = image_save.argument_spec()
    assert {name: save[name]["default"] for name in image_sizes.OF_SAVES} == image_sizes.OF_SAVES
