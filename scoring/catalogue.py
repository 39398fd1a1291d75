"""The catalogue: every rulebook that ships, checked byte for byte before it is used.

RulebookError           the author of a rulebook must act: file and block are named
UnknownRulebookError    the client must act: there is no such rulebook, or it is not in use
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from schemas.base import Frozen, Text
from schemas.rulebook import Instrument, Rulebook, Version
from scoring.compiled_rulebook import LoadedRulebook
from scoring.validation.rulebook_validation import review
from scoring.validation.rulebook_versions import change, least_version

Shape = TypeVar("Shape", bound=Frozen)
SHIPPED = Path(__file__).parent / "rulebooks"


class RulebookError(Exception):
    """A rulebook file that may not be used; the message names file and block."""


class UnknownRulebookError(LookupError):
    """No rulebook of that name is in use."""


class Entry(Frozen):
    """`[[entry]]` of index.toml: what is known of one rulebook file."""

    instrument: Instrument
    version: Version
    file: Text
    status: Literal["draft", "active", "retired"]
    released_on: date
    approver: Text
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def name(self) -> str:
        """`instrument@version`."""
        return f"{self.instrument}@{self.version}"

    @property
    def order(self) -> tuple[int, ...]:
        """The version as numbers that sort."""
        return _order(self.version)


class Catalogue:
    """The rulebooks by name, in the order of the index."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        index = _toml(folder / "index.toml")
        self.entries = tuple(
            _validated(Entry, each, "index.toml") for each in index.get("entry", ())
        )
        self._loaded = {each.name: _checked(folder, each) for each in self.entries}

    def active(self, name: str) -> LoadedRulebook:
        """The active rulebook of that name; an instrument alone means its newest active version."""
        found = [
            each
            for each in self.entries
            if each.status == "active" and name in (each.name, each.instrument)
        ]
        if not found:
            raise UnknownRulebookError("no active rulebook has that name")
        return self._loaded[max(found, key=lambda each: each.order).name]

    def any_status(self, instrument: str, version: str) -> LoadedRulebook:
        """That version of the instrument, in use or not."""
        try:
            return self._loaded[f"{instrument}@{version}"]
        except KeyError:
            raise UnknownRulebookError("no rulebook has that name and version") from None

    def entry(self, loaded: LoadedRulebook) -> Entry:
        """The entry of a loaded rulebook."""
        return next(each for each in self.entries if each.name == loaded.name)

    def scored(self) -> tuple[LoadedRulebook, ...]:
        """Every active rulebook, in the order of the index."""
        return tuple(self._loaded[each.name] for each in self.entries if each.status == "active")


@cache
def catalogue() -> Catalogue:
    """The rulebooks that ship with the product."""
    return Catalogue()


def read(path: Path) -> LoadedRulebook:
    """One rulebook file, validated and reviewed. Raises RulebookError with all that is wrong."""
    rulebook = _validated(Rulebook, _toml(path), path.name)
    problems = review(rulebook)
    if problems:
        raise RulebookError("\n".join(f"{path.name}: {problem}" for problem in problems))
    return LoadedRulebook(rulebook, sha256(path))


def release(path: Path, approver: str, released_on: date, folder: Path = SHIPPED) -> Entry:
    """Enter a rulebook of the folder into its index, active, with its hash.

    Raises RulebookError where it is faulty, entered already, or numbered too low for its changes.
    """
    loaded = read(path)
    header = loaded.rulebook.rulebook
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RulebookError(f"{path.name}: must lie in the folder of rulebooks to be released")
    if not approver.strip():
        raise RulebookError(f"{path.name}: needs an approver")
    file = path.resolve().relative_to(folder.resolve()).as_posix()
    earlier = Catalogue(folder)
    versions = [each for each in earlier.entries if each.instrument == header.instrument]
    if any(each.version == header.version for each in versions):
        raise RulebookError(f"{file}: {loaded.name} is released already and never changes")
    if versions:
        newest = max(versions, key=lambda each: each.order)
        _numbered_truly(earlier.any_status(newest.instrument, newest.version), loaded, file)
    entry = Entry(
        instrument=header.instrument,
        version=header.version,
        file=file,
        status="active",
        released_on=released_on,
        approver=approver,
        sha256=loaded.sha256,
    )
    with (folder / "index.toml").open("a", encoding="utf-8") as index:
        index.write(_entry_text(entry))
    return entry


def sha256(path: Path) -> str:
    """The SHA-256 of the file's bytes, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checked(folder: Path, entry: Entry) -> LoadedRulebook:
    path = folder / entry.file
    if not path.is_file():
        raise RulebookError(f"index.toml: {entry.name}: the file {entry.file} is missing")
    if sha256(path) != entry.sha256:
        raise RulebookError(f"{entry.file}: the bytes are not those released as {entry.name}")
    loaded = read(path)
    if loaded.name != entry.name:
        raise RulebookError(f"{entry.file}: holds {loaded.name}, but the index says {entry.name}")
    return loaded


def _numbered_truly(old: LoadedRulebook, new: LoadedRulebook, file: str) -> None:
    weight = change(old.rulebook, new.rulebook)
    if weight is None:
        raise RulebookError(f"{file}: says the same as {old.name}")
    least = least_version(old.rulebook.rulebook.version, weight)
    if _order(new.rulebook.rulebook.version) < _order(least):
        raise RulebookError(
            f"{file}: a {weight} change to {old.name} needs version {least} or later"
        )


def _entry_text(entry: Entry) -> str:
    lines = ["", "[[entry]]"]
    for name, value in entry.model_dump().items():
        lines.append(f"{name} = {value if isinstance(value, date) else json.dumps(value)}")
    return "\n".join([*lines, ""])


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulebookError(f"{path.name}: {error}") from error
    except RecursionError:
        raise RulebookError(f"{path.name}: nests too deeply") from None


def _validated(kind: type[Shape], table: Mapping[str, Any], file: str) -> Shape:
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        lines = [f"{file}: {_block(table, each['loc'])}: {each['msg']}" for each in error.errors()]
        raise RulebookError("\n".join(lines)) from error


def _block(table: Any, location: tuple[int | str, ...]) -> str:
    """Where in the file, with the id of every block on the way: criterion A1 > level 2 > points."""
    words, here = [], table
    for step in location:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        named = here.get("id") if isinstance(here, Mapping) and isinstance(step, int) else None
        words.append(str(named or (step + 1 if isinstance(step, int) else step)))
    return " > ".join(words)
