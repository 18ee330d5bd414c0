"""The documentation site: which links are found bad, and what its source is made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docsite import links
from docsite.stage import install_command, place, stage, tidy_reference
from gates.versions import CHECKOUT
from support import markdown


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


PAGES = {
    "README.md": "# Top\n\n[a](docs/a.md#two-words) `[no](link.md)`\n\n```text\n[no](link.md)\n```\n",
    "docs/a.md": "# A\n\n## Two `words`\n\n## Two words\n\n[up](../README.md) [b][b]\n\n[b]: b.svg\n",
    "docs/b.svg": "<svg/>",
}


def test_good_links_of_pages_are_no_complaint(tmp_path: Path) -> None:
    assert links.check_pages(write(tmp_path, PAGES)) == []


@pytest.mark.parametrize(
    "link",
    [
        "[x](docs/gone.md)",
        "[x](docs/a.md#gone)",
        "[x](#gone)",
        "[x](../outside.md)",
        "[x](docs/b.svg#line)",
        "![x](gone.png)",
        "[x][y]\n\n[y]: gone.md",
        "[two\nlines](gone.md)",
        '[x](gone.md "a title")',
    ],
)
def test_bad_links_of_pages_are_found(tmp_path: Path, link: str) -> None:
    tree = write(tmp_path, {**PAGES, "README.md": f"# Top\n\n{link}\n"})
    (complaint,) = links.check_pages(tree)
    assert complaint.startswith("README.md:")


def test_anchors_are_those_of_code_hosts() -> None:
    text = "# Über `code`, and [more](x.md)\n\n## Again\n\n## Again\n\n```sh\n# no heading\n```\n"
    assert [each.anchor for each in markdown.headings(text)] == ["über-code-and-more", "again", "again-1"]


def test_blocks_are_found_where_they_are_indented_too() -> None:
    text = "# Top\n\n1. one:\n\n   ```console\n   $ a\n   $ b\n   ```\n\n```yaml\nx: 1\n```\n"
    assert [(each.language, each.text, each.line, each.heading) for each in markdown.blocks(text)] == [
        ("console", "$ a\n$ b\n", 5, "Top"),
        ("yaml", "x: 1\n", 10, "Top"),
    ]


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/",
        "https://localhost/",
        "https://example.com/a b",
        "https://example.com/.",
        "ftp://a.example/",
    ],
)
def test_addresses_that_lead_nowhere_are_found(address: str) -> None:
    assert len(links.check_form({address: ["README.md:1"]})) == 1


def test_good_addresses_are_no_complaint() -> None:
    assert links.check_form({"https://docs.example.com:8443/a%2Bb?c=d#e": ["README.md:1"]}) == []


SITE = {
    "index.html": '<h1 id="top">x</h1><a href="a/b.html#here">b</a><a href="#top">t</a><img src="p.png">'
    '<a href="https://example.com/">out</a><link rel="canonical" href="https://example.com/">',
    "a/b.html": '<p id="here"><a href="../index.html">up</a><script src="../s.js"></script>',
    "p.png": "",
    "s.js": "",
    "s.css": "a { background: url(p.png) } b { background: url(data:image/png;base64,xx) }",
}


def complaints(site: Path) -> list[str]:
    return links.check_site(site, links.read_site(site))


def test_a_good_site_is_no_complaint(tmp_path: Path) -> None:
    site = write(tmp_path, SITE)
    assert complaints(site) == []
    assert links.outside(tmp_path / "none", links.read_site(site)) == {"https://example.com/": ["index.html"]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.html", '<a href="gone.html">x</a>'),
        ("x.html", '<a href="index.html#gone">x</a>'),
        ("x.html", '<img src="gone.png">'),
        ("x.html", '<img src="https://example.com/p.png">'),
        ("x.html", '<script src="//example.com/s.js"></script>'),
        ("x.html", '<link rel="stylesheet" href="https://example.com/s.css">'),
        ("x.html", '<img srcset="p.png 1x, https://example.com/p.png 2x">'),
        ("x.html", "<style>@import 'https://example.com/s.css';</style>"),
        ("x.html", '<p style="background: url(https://example.com/p.png)">'),
        ("x.css", "@font-face { src: url('https://example.com/f.woff2') }"),
        ("x.css", '@import "https://example.com/s.css";'),
    ],
)
def test_what_is_bad_on_a_site_is_found(tmp_path: Path, name: str, text: str) -> None:
    (complaint,) = complaints(write(tmp_path, {**SITE, name: text}))
    assert complaint.startswith(f"{name}: ")


def test_a_site_without_a_first_page_is_none(tmp_path: Path) -> None:
    assert complaints(tmp_path) == ["the site has no index.html"]


def test_the_source_has_links_that_sphinx_knows(tmp_path: Path) -> None:
    """To pages that move, to pages that are generated, and to files that only lie there."""
    files = {
        "CHANGELOG.rst": "x",
        "CONTRIBUTING.md": "# C\n\n[reliable](docs/reliability.md#faults) [versions](tests/versions.toml)\n",
        "SECURITY.md": "# S\n",
        "roles/image_save/README.md": "# R\n\n[all](meta/argument_specs.yml)\n",
        "roles/image_load/README.md": "# L\n",
        "roles/image_verify/README.md": "# V\n",
        "roles/image_save/meta/argument_specs.yml": "x",
        "plugins/modules/image_save.py": "x",
        "tests/versions.toml": "x",
        "docs/index.md": "# I\n\n## Guides\n\n- [The `guide`](guide.md): x\n- [role](../roles/image_save/README.md)\n\n"
        "See [module](../plugins/modules/image_save.py).\n",
        "docs/guide.md": "# G\n\n[c](../CONTRIBUTING.md)\n",
        "docs/reliability.md": "# F\n",
        "docs/_build/html/index.html": "x",
    }
    source = tmp_path / "source"
    stage(write(tmp_path / "tree", files), source)
    read = {
        path.relative_to(source).as_posix(): path.read_text("utf-8") for path in source.rglob("*") if path.is_file()
    }
    assert set(read) == {
        *(
            "conf.py",
            "static/site.css",
            "index.md",
            "guide.md",
            "reliability.md",
            "role.md",
            "load-role.md",
            "verify-role.md",
            "files/tests/versions.toml",
        ),
        *("project/changelog.rst", "project/contributing.md", "project/security.md"),
    }
    assert read["guide.md"] == "# G\n\n[c](project/contributing.md)\n"
    assert (
        "[reliable](../reliability.md#faults) [versions](../files/tests/versions.toml)"
        in read["project/contributing.md"]
    )
    assert "(reference/image_save_role.rst)" in read["role.md"]
    assert "[module](reference/image_save_module.rst)" in read["index.md"]
    table = "```{toctree}\n:hidden:\n:caption: Guides\n\nThe guide <guide>\nRole <role>\n```\n"
    assert read["index.md"].endswith(table)
    assert place("plugins/filter/merge_locks.py") == "reference/merge_locks_filter.rst"


def test_lists_of_headings_are_dropped_from_what_was_generated(tmp_path: Path) -> None:
    write(tmp_path, {"a.rst": "A\n=\n\n.. contents::\n   :local:\n   :depth: 1\n\nText\n"})
    tidy_reference(tmp_path)
    assert (tmp_path / "a.rst").read_text("utf-8") == "A\n=\n\n\nText\n"


def test_the_reference_does_not_say_that_the_collection_may_be_there(tmp_path: Path) -> None:
    note = "    You might already have this collection installed if you are using the ``ansible`` package.\n    No.\n\n"
    write(tmp_path, {"a.rst": f".. note::\n    This is part.\n\n{note}    To install it, use: x.\n"})
    tidy_reference(tmp_path)
    assert (tmp_path / "a.rst").read_text("utf-8") == ".. note::\n    This is part.\n\n    To install it, use: x.\n"


def test_all_pages_install_the_collection_as_the_readme_does() -> None:
    readme, start = ((CHECKOUT / name).read_text("utf-8") for name in ("README.md", "docs/getting-started.md"))
    command = install_command(readme)
    assert f"$ {command}\n" in start
    for page in links.pages(CHECKOUT):
        found = re.findall(r"ansible-galaxy collection install [^`\n]*", (CHECKOUT / page).read_text("utf-8"))
        assert {*found} <= {command}, page
    with pytest.raises(ValueError, match="expected one command"):
        install_command("nothing")
