# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors become failures of images here, and show no secret from here on."""

from __future__ import annotations

import pytest

from ansible_collections.airgap.images.plugins.module_utils._base.errors import (
    ConnectionRefused,
    ImagesError,
    ManifestError,
    Missing,
    MissingPlatform,
    TransferError,
)
from ansible_collections.airgap.images.plugins.module_utils._base.secrets import HIDDEN, Secrets
from ansible_collections.airgap.images.plugins.module_utils._oci.image_list import InvalidLine, Origin
from ansible_collections.airgap.images.plugins.module_utils._registry.failures import Failures
from ansible_collections.airgap.images.plugins.module_utils._registry.outage import Outages

PASSWORD = "correct-horse-battery"


@pytest.fixture
def failures() -> Failures:
    secrets = Secrets()
    secrets.add(PASSWORD)
    return Failures(secrets, Outages())


@pytest.mark.parametrize(
    "error",
    [
        TransferError(f"it said {PASSWORD}", heals=True, retry_after=3.0, is_final=True),
        Missing(f"it said {PASSWORD}", heals=False),
        ManifestError(f"it said {PASSWORD}"),
        MissingPlatform(f"it said {PASSWORD}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_secret_is_hidden_and_the_error_stays_what_it_is(failures: Failures, error: ImagesError) -> None:
    error.changed = True
    shown = failures.of_image("reg.lan", "reg.lan/a:1", error)
    assert (type(shown), str(shown)) == (type(error), f"it said {HIDDEN}")
    assert vars(shown) == vars(error)
    assert PASSWORD in str(error), "which is left as it was"


def test_an_error_without_a_secret_is_the_same(failures: Failures) -> None:
    error = ManifestError("it is not a manifest")
    assert failures.of_image("reg.lan", "reg.lan/a:1", error) is error


def test_a_registry_that_is_out_of_reach_is_given_up(failures: Failures) -> None:
    refused = ConnectionRefused(f"refused {PASSWORD}", heals=False, is_final=True)
    shown = [failures.of_image("reg.lan", f"reg.lan/a:{number}", refused) for number in range(6)]
    assert [str(one) for one in shown[:5]] == [f"refused {HIDDEN}"] * 5
    assert "reg.lan was given up" in str(shown[5])


def test_a_line_that_is_not_a_reference_shows_no_secret(failures: Failures) -> None:
    line = InvalidLine(Origin("/l", 1), f"user:{PASSWORD}", f"{PASSWORD} is not a reference")
    shown = failures.of_line(line)
    assert (shown.origin, PASSWORD in shown.text, PASSWORD in shown.reason) == (line.origin, False, False)
