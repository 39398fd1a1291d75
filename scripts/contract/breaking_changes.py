"""Lists the changes of the API's description that break a client of the last release.

Compares openapi/openapi.json with the newest file in openapi/releases/. Fails on a break that
openapi/releases/accepted.toml does not name, and on a line there that names none. With --release,
files the present description as that of a release, without examples and texts.
"""

import json
import sys
import tomllib
from fnmatch import filter as filter_names
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from description_changes import list_breaking_changes

FOLDER = Path(__file__).parents[2] / "openapi"
RELEASES = FOLDER / "releases"
LEFT_OUT = {"description", "summary", "examples", "example", "title"}
OpenApiObject = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Print each change that is not accepted, and return the exit status."""
    present = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
    if arguments == ["--release"]:
        file = RELEASES / f"{present['info']['version']}.json"
        file.write_text(json.dumps(strip_texts(present), separators=(",", ":")) + "\n")
        print(f"wrote {file.name}; empty accepted.toml with the first change after the release")
        return 0
    last_release = json.loads(find_newest_release().read_text(encoding="utf-8"))
    changes, accepted = sorted(set(list_breaking_changes(last_release, present))), load_accepted()
    unaccepted = [it for it in changes if not any(fnmatchcase(it, pattern) for pattern in accepted)]
    idle = [pattern for pattern in accepted if not filter_names(changes, pattern)]
    for change in unaccepted:
        print(f"breaks clients of {last_release['info']['version']}: {change}")
    for pattern in idle:
        print(f"accepted.toml names a change that breaks nothing: {pattern}")
    return 1 if unaccepted or idle else 0


def find_newest_release() -> Path:
    """Return the file of the highest version."""
    return max(RELEASES.glob("*.json"), key=lambda file: tuple(map(int, file.stem.split("."))))


def load_accepted() -> list[str]:
    """Return the patterns of accepted changes; each group has its reason beside it."""
    groups = tomllib.loads((RELEASES / "accepted.toml").read_text(encoding="utf-8"))["accepted"]
    return [pattern for group in groups for pattern in group["changes"] if group["reason"]]


def strip_texts(value: Any, *, are_names: bool = False) -> Any:
    """Return a description without examples and texts; members may have the names of texts."""
    match value:
        case dict():
            return {
                key: strip_texts(member, are_names=key in {"properties", "schemas"})
                for key, member in value.items()
                if are_names or key not in LEFT_OUT
            }
        case list():
            return [strip_texts(item) for item in value]
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
