"""Reads the data dictionary of a REDCap project: the label and choices of each field."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from api.batch_scoring.file_formats import UnusableInputError

_MARKUP = re.compile(r"<[^>]*>")


class DictionaryField(NamedTuple):
    """A field of a data dictionary: its label, and its choices by the content of its cells."""

    name: str
    label: str
    choices: dict[str, str]


def read_dictionary(file: Path) -> dict[str, DictionaryField]:
    """Return the fields of a REDCap data dictionary. Raises UnusableInputError and OSError."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            fields = parse_dictionary([*csv.DictReader(stream)])
    except UnicodeDecodeError:
        raise UnusableInputError(f"{file}: the data dictionary must be UTF-8") from None
    if "" in fields or not fields:
        raise UnusableInputError(f"{file}: is not a REDCap data dictionary (CSV)")
    return fields


def parse_dictionary(lines: Sequence[dict[str, str]]) -> dict[str, DictionaryField]:
    """Return the fields of a REDCap data dictionary, as its CSV export has them.

    Each is found by its name, with its choices by code, and by its label, with them by label.
    """
    fields = {}
    for line in lines:
        values = {
            key.strip().casefold(): (value or "").strip() for key, value in line.items() if key
        }
        name = values.get("variable / field name") or values.get("field_name", "")
        choices = (
            values.get("choices, calculations, or slider labels")
            or values.get("select_choices_or_calculations", "")
        )  # fmt: skip
        pairs = [part.partition(",") for part in choices.split("|") if "," in part]
        label = _drop_markup(values.get("field label") or values.get("field_label", ""))
        codes = {code.strip(): _drop_markup(text) for code, _, text in pairs}
        fields[name] = DictionaryField(name, label, codes)
        labels = {text: text for text in codes.values()}
        fields.setdefault(label, DictionaryField(name, label, labels))
    return fields


def _drop_markup(text: str) -> str:
    return _MARKUP.sub("", text).strip()
