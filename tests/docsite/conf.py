# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the site. tests/docs.sh makes its source: these pages, and the reference from the docstrings."""

from __future__ import annotations

import re
from pathlib import Path

import sphinx_antsibull_ext
import yaml

_galaxy = yaml.safe_load((Path(__file__).parent / "galaxy.yml").read_text("utf-8"))

project = "airgap.images"
author = "airgap.images contributors"
project_copyright = author
version = release = _galaxy["version"]

extensions = ["myst_parser", "sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
root_doc = "index"
# What only pages link to, for download.
exclude_patterns = ["files/**"]
# As deep as the headings that pages link to; the anchors are those that code hosts give them.
myst_heading_anchors = 4
myst_enable_extensions = ["tasklist"]
# The inventory is made with the source of the site, so that nothing has to be fetched.
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/projects/ansible/latest/", "ansible.inv")}

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"{project} {version}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
# The reference is dark where the theme is, which its readers may choose against their system.
antsibull_ext_color_scheme = "default"
_dark = (Path(sphinx_antsibull_ext.__file__).parent / "colors-default-dark.css").read_text("utf-8")
html_theme_options = {"dark_css_variables": dict(re.findall(r"--(antsibull-[\w-]+):([^;}]+)", _dark))}
