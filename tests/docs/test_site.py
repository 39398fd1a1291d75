"""`make docs`: every page has a place, every link and anchor resolves, nothing is fetched."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REMOTE_RESOURCE = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//|"""
    r"""<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|icon)[^>]*\bhref=["']?(?:https?:)?//"""
)


def build_site(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    result = build_site(ROOT, folder)
    assert result.returncode == 0, result.stderr[-2000:]
    return folder


def test_every_page_has_a_place_and_every_link_and_anchor_resolves(site):
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    html = {
        "index.html" if str(page) == "README.md" else str(page.with_suffix(".html"))
        for page in pages
    }
    assert len(html) > 40
    assert [name for name in sorted(html) if not (site / name).is_file()] == []


def test_what_a_page_links_to_outside_of_its_folder_is_on_the_site(site):
    copy = site / "source" / "scoring" / "rulebooks" / "nociplastic" / "2.0.0.toml"
    original = ROOT / "scoring" / "rulebooks" / "nociplastic" / "2.0.0.toml"
    assert copy.read_bytes() == original.read_bytes()


def test_no_page_fetches_anything_from_another_host(site):
    pages = list(site.rglob("*.html"))
    assert pages
    assert [page.name for page in pages if REMOTE_RESOURCE.search(page.read_text())] == []
    assert REMOTE_RESOURCE.search('<link rel="stylesheet" href="https://fonts.example/css">')


def test_broken_links_and_a_page_without_a_place_fail_the_build(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "site_hooks.py", tmp_path / "scripts")
    options = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{options}\nnav: [README.md]\n")
    links = "[a](nowhere.md) [b](README.md#nowhere) [c](../nowhere.toml)"
    (docs / "README.md").write_text(f"# Start\n\n{links}\n")
    (docs / "other.md").write_text("# Other\n")
    result = build_site(tmp_path, tmp_path / "site")
    assert result.returncode == 1
    assert result.stderr.count("WARNING") == 4
    for place in ("nowhere.md'", "#nowhere", "../nowhere.toml", "other.md"):
        assert place in result.stderr
