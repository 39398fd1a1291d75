"""Loads the rulebooks that ship with the product and verifies each against its recorded hash.

RulebookError           the author of the rulebook must act; the message names file and block
UnknownRulebookError    the client must act: no such rulebook, or it is not active
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from schemas.base import FrozenModel, Sha256, Text
from schemas.rulebooks.rulebook import Instrument, Rulebook, Version
from schemas.rulebooks.rulebook_name import RulebookName
from scoring.compiled_rulebook import LoadedRulebook
from scoring.validation.rulebook_validation import find_rulebook_faults
from scoring.validation.rulebook_versions import classify_change, find_least_version

Model = TypeVar("Model", bound=FrozenModel)
RULEBOOKS_FOLDER = Path(__file__).parent / "rulebooks"


class RulebookError(Exception):
    """A rulebook file is invalid; the message names file and block."""


class UnknownRulebookError(LookupError):
    """There is no rulebook of that name, or it is not active."""


class CatalogueEntry(FrozenModel):
    """`[[entry]]` of index.toml: the release record of one rulebook file."""

    instrument: Instrument
    version: Version
    file: Text
    status: Literal["draft", "active", "retired"]
    released_on: date
    approver: Text
    sha256: Sha256

    @property
    def name(self) -> str:
        """`instrument@version`."""
        return str(self.rulebook_name)

    @property
    def rulebook_name(self) -> RulebookName:
        """Instrument and version."""
        return RulebookName(self.instrument, self.version)


class Catalogue:
    """The rulebooks of a folder by name, in the order of its index.

    With `lazy`, each is loaded at its first use.
    """

    def __init__(self, folder: Path = RULEBOOKS_FOLDER, *, lazy: bool = False) -> None:
        index = _read_toml(folder / "index.toml")
        self.entries = tuple(
            _validate(CatalogueEntry, table, "index.toml") for table in index.get("entry", ())
        )
        self._folder = folder
        self._entries = {entry.name: entry for entry in self.entries}
        self._loaded: dict[str, LoadedRulebook] = {}
        if not lazy:
            self.load_all()

    def load_all(self) -> None:
        """Load every rulebook now. Raises RulebookError."""
        for name in self._entries:
            self.find_version(name)

    def find_active(self, name: str) -> LoadedRulebook:
        """Return the active rulebook of that name, or the newest active version of an instrument.

        Raises UnknownRulebookError.
        """
        entries = [
            entry
            for entry in self.entries
            if entry.status == "active" and name in (entry.name, entry.instrument)
        ]
        if not entries:
            raise UnknownRulebookError("there is no active rulebook of that name")
        newest = max(entries, key=lambda entry: entry.rulebook_name.version_numbers)
        return self.find_version(newest.name)

    def find_version(self, name: str) -> LoadedRulebook:
        """Return the rulebook `instrument@version`, active or not. Raises UnknownRulebookError."""
        if name not in self._loaded:
            entry = self._entries.get(name)
            if entry is None:
                raise UnknownRulebookError("no rulebook has that name and version")
            self._loaded[name] = _load_entry(self._folder, entry)
        return self._loaded[name]

    def find_current(self, name: str) -> LoadedRulebook:
        """Return the active rulebook of that name if it is the newest of its instrument.

        New links take no other version; those that exist stay answerable. Raises
        UnknownRulebookError.
        """
        loaded = self.find_active(name)
        if loaded is not self.find_active(loaded.instrument):
            raise UnknownRulebookError("a newer version of that rulebook is active")
        return loaded

    def list_current(self) -> tuple[LoadedRulebook, ...]:
        """Return the newest active version of each instrument, in the order of the index."""
        active = self.list_active()
        return tuple(it for it in active if it is self.find_active(it.instrument))

    def find_released(self, name: str) -> LoadedRulebook:
        """Return the rulebook of that name, or the newest version of an instrument; no draft.

        Raises UnknownRulebookError.
        """
        versions = [it for it in self.list_released() if name in (it.name, it.instrument)]
        if not versions:
            raise UnknownRulebookError("there is no released rulebook of that name")
        return max(versions, key=lambda it: self.find_entry(it).rulebook_name.version_numbers)

    def list_released(self) -> tuple[LoadedRulebook, ...]:
        """Return every rulebook that is active or retired, in the order of the index."""
        return tuple(
            self.find_version(entry.name) for entry in self.entries if entry.status != "draft"
        )

    def find_entry(self, loaded: LoadedRulebook) -> CatalogueEntry:
        """Return the index entry of a loaded rulebook."""
        return next(entry for entry in self.entries if entry.name == loaded.name)

    def list_active(self) -> tuple[LoadedRulebook, ...]:
        """Return every active rulebook, in the order of the index."""
        return tuple(
            self.find_version(entry.name) for entry in self.entries if entry.status == "active"
        )


@cache
def load_catalogue() -> Catalogue:
    """Return the rulebooks that ship with the product; loaded once per process."""
    return Catalogue(lazy=True)


def read_rulebook(path: Path, *, with_trials: bool = True) -> LoadedRulebook:
    """Read and validate a rulebook file. Raises RulebookError, which lists every fault.

    `with_trials` also tries drawn answers, which takes seconds; a released file has passed it.
    """
    rulebook = _validate(Rulebook, _read_toml(path), path.name)
    faults = find_rulebook_faults(rulebook, with_trials=with_trials)
    if faults:
        raise RulebookError("\n".join(f"{path.name}: {fault}" for fault in faults))
    return LoadedRulebook(rulebook, hash_file(path))


def add_release(
    path: Path, approver: str, released_on: date, folder: Path = RULEBOOKS_FOLDER
) -> CatalogueEntry:
    """Add a rulebook file of the folder to its index as active, with its hash.

    Raises RulebookError if the file is invalid, already released, or its version is too low for
    its changes.
    """
    loaded = read_rulebook(path)
    header = loaded.rulebook.rulebook
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RulebookError(f"{path.name}: must be in the rulebooks folder")
    if not approver.strip():
        raise RulebookError(f"{path.name}: needs an approver")
    file = path.resolve().relative_to(folder.resolve()).as_posix()
    catalogue = Catalogue(folder)
    versions = [entry for entry in catalogue.entries if entry.instrument == header.instrument]
    if any(entry.version == header.version for entry in versions):
        raise RulebookError(f"{file}: {loaded.name} is already released and cannot be changed")
    if versions:
        newest = max(versions, key=lambda entry: entry.rulebook_name.version_numbers)
        _check_version(catalogue.find_version(newest.name), loaded, file)
    entry = CatalogueEntry(
        instrument=header.instrument,
        version=header.version,
        file=file,
        status="active",
        released_on=released_on,
        approver=approver,
        sha256=loaded.sha256,
    )
    with (folder / "index.toml").open("a", encoding="utf-8") as index:
        index.write(_format_entry(entry))
    return entry


def hash_file(path: Path) -> str:
    """Return the SHA-256 of the file as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _load_entry(folder: Path, entry: CatalogueEntry) -> LoadedRulebook:
    path = folder / entry.file
    if not path.is_file():
        raise RulebookError(f"index.toml: {entry.name}: the file {entry.file} is missing")
    if hash_file(path) != entry.sha256:
        raise RulebookError(f"{entry.file}: the bytes are not those released as {entry.name}")
    loaded = read_rulebook(path, with_trials=False)
    if loaded.name != entry.name:
        raise RulebookError(
            f"{entry.file}: contains {loaded.name}, but the index expects {entry.name}"
        )
    return loaded


def _check_version(old: LoadedRulebook, new: LoadedRulebook, file: str) -> None:
    kind = classify_change(old.rulebook, new.rulebook)
    if kind is None:
        raise RulebookError(f"{file}: is identical to {old.name}")
    least = find_least_version(old.rulebook.rulebook.version, kind)
    if _parse_version(new.rulebook.rulebook.version) < _parse_version(least):
        raise RulebookError(f"{file}: a {kind} change to {old.name} needs version {least} or later")


def _format_entry(entry: CatalogueEntry) -> str:
    lines = ["", "[[entry]]"]
    for name, value in entry.model_dump().items():
        lines.append(f"{name} = {value if isinstance(value, date) else json.dumps(value)}")
    return "\n".join([*lines, ""])


def _parse_version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulebookError(f"{path.name}: {error}") from error
    except RecursionError:
        raise RulebookError(f"{path.name}: nests too deeply") from None


def _validate(model: type[Model], table: Mapping[str, Any], file: str) -> Model:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        faults = [(_locate_block(table, fault["loc"]), fault["msg"]) for fault in error.errors()]
        lines = [f"{file}: {block}: {message}" for block, message in faults]
        raise RulebookError("\n".join(lines)) from error


def _locate_block(table: Any, location: tuple[int | str, ...]) -> str:
    """Return the path of a fault in the file, with ids of blocks: criterion > A1 > level > some."""
    steps, value = [], table
    for step in location:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
        block_id = value.get("id") if isinstance(value, Mapping) and isinstance(step, int) else None
        steps.append(str(block_id or (step + 1 if isinstance(step, int) else step)))
    return " > ".join(steps)
