"""Runs the Python examples of a page of the documentation, one after another in one namespace."""

import re
import sys
from pathlib import Path

_EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Run the examples of the page that is named, and print how many there are."""
    page = Path(sys.argv[1])
    examples = list_examples(page.read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(page), "exec"), names)  # noqa: S102 - our own page
    print(f"{len(examples)} examples ran")


def list_examples(text: str) -> list[str]:
    """Return the Python examples in the text of a page."""
    return _EXAMPLE.findall(text)


if __name__ == "__main__":
    main()
