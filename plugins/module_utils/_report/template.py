# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The skeleton of a report's page. Pure.

Nothing on the page comes from elsewhere, and the policy in its head says so to the browser: only this style sheet and
this script, by their digests, and no request at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from string import Template

from .markup import Markup, text
from .script import SCRIPT
from .style import STYLE

_BEFORE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>$title</title>
<style>$style</style>
<script>$script</script>
</head>
<body>
<a class="skip" href="#details">Skip to the details</a>
"""
)
_BEHIND = """
</body>
</html>
"""


def page(*, title: str, body: Markup) -> str:
    """Make a whole page."""
    return "".join(page_pieces(title=title, body=[body]))


def page_pieces(*, title: str, body: Iterable[Markup]) -> Iterator[str]:
    """Make a page in pieces, as those of its body are made."""
    yield _BEFORE.substitute(policy=policy(), title=text(title), style=STYLE, script=SCRIPT)
    yield from body
    yield _BEHIND


def policy() -> str:
    """The Content Security Policy of the page (W3C, CSP Level 3)."""
    return (
        f"default-src 'none'; style-src '{_source(STYLE)}'; script-src '{_source(SCRIPT)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _source(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode()
