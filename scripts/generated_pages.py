"""Writes generated pages below docs/; with `--check` names those that are outdated."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs"


def write_pages(pages: Mapping[str, Iterable[str]], source: str) -> None:
    """Write the lines of each page, by its path below docs/; `source` is what they come from."""
    texts = {name: "\n".join([*lines, ""]) for name, lines in pages.items()}
    outdated = [name for name, text in texts.items() if read_page(name) != text]
    if "--check" in sys.argv[1:]:
        for name in outdated:
            print(f"docs/{name} differs from {source}; run `make openapi`")
        raise SystemExit(1 if outdated else 0)
    for name in outdated:
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_text(texts[name], encoding="utf-8")
        print(f"docs/{name}")


def read_page(name: str) -> str | None:
    """Return the page as it is, None if there is none."""
    page = FOLDER / name
    return page.read_text(encoding="utf-8") if page.is_file() else None
