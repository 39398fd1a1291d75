"""Hooks of the documentation site: links to files outside of docs/ lead to copies on the site."""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add each file outside of docs/ that a page links to."""
    for page in list(files.documentation_pages()):
        for _, target in LINK.findall(page.content_string):
            path = find_outside(page.src_uri, target)
            if path and (ROOT / path).is_file() and f"source/{path}" not in files.src_uris:
                content = (ROOT / path).read_bytes()
                files.append(File.generated(config, f"source/{path}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files outside of docs/ into links to their copies; a folder becomes text."""
    del config, files
    source = page.file.src_uri

    def rewrite(match: re.Match[str]) -> str:
        path = find_outside(source, match[2])
        if path and (ROOT / path).is_dir():
            return match[1]
        if not path or not (ROOT / path).is_file():
            return match[0]
        start = posixpath.dirname(source) or "."
        return f"[{match[1]}]({posixpath.relpath(f'source/{path}', start)})"

    return LINK.sub(rewrite, markdown)


def find_outside(page: str, target: str) -> str | None:
    """Return the path in the repository of a link that leaves docs/, else None."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return None if path.startswith("docs/") else path
