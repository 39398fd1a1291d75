"""Writes results as an SPSS file: codes with value labels, and columns with labels."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.output.results_codebook import list_codebook_rows
from schemas.batches.batch import LIST_SEPARATOR
from scoring.compiled_rulebook import LoadedRulebook

_MAX_NAME_BYTES = 64
_MAX_TEXT_BYTES = 32_767
_MAX_LABEL = 256
_TRUTH: dict[int | float, str] = {0: "false", 1: "true"}


def write_spss(parts: Sequence[Path], file: Path, loaded: LoadedRulebook) -> None:
    """Merge Arrow IPC files into an SPSS file. Raises UnusableInputError for what it cannot hold.

    A value label is the id that the codebook explains. A name that SPSS does not allow is changed;
    the label of its column has the original.
    """
    import pyreadstat

    results = pl.scan_ipc(list(parts)).collect()
    meanings = {name: meaning for name, _, meaning, *_ in list_codebook_rows(loaded)}
    labels: dict[str, str | None] = {}
    codes: dict[str, dict[int | float, str]] = {}
    columns = []
    for name, short_name in _shorten_names(results.columns).items():
        series, value_labels = _encode(results[name])
        columns.append(series.alias(short_name))
        labels[short_name] = (meanings.get(name) or name)[:_MAX_LABEL]
        if value_labels:
            codes[short_name] = value_labels
    frame = pl.DataFrame(columns)
    _check_lengths(frame)
    pyreadstat.write_sav(
        frame, str(file), file_label=loaded.name, column_labels=labels, row_compress=True,
        variable_value_labels=codes,
    )  # fmt: skip


def _encode(values: pl.Series) -> tuple[pl.Series, dict[int | float, str]]:
    """Return the codes of a column and their labels, or its texts or numbers without labels."""
    kind = values.dtype
    if isinstance(kind, pl.Enum):
        labels: dict[int | float, str] = {**dict(enumerate(kind.categories, 1))}
        return values.to_physical().cast(pl.Float64) + 1, labels
    if kind == pl.Boolean:
        return values.cast(pl.Float64), _TRUTH
    if isinstance(kind, pl.List):
        return values.cast(pl.List(pl.String)).list.join(LIST_SEPARATOR), {}
    if kind.is_numeric():
        return values.cast(pl.Float64), {}
    return values.cast(pl.String), {}


def _shorten_names(names: Iterable[str]) -> dict[str, str]:
    """Return a name that SPSS allows for each column, no two alike in any case."""
    used_names: set[str] = set()
    short_names = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.]", "_", name).rstrip(".") or "v"
        plain = plain if plain[0].isalpha() else f"v_{plain}"
        number, short_name = 1, plain[:_MAX_NAME_BYTES]
        while short_name.lower() in used_names:
            number += 1
            short_name = f"{plain[: _MAX_NAME_BYTES - 6]}_{number}"
        used_names.add(short_name.lower())
        short_names[name] = short_name
    return short_names


def _check_lengths(frame: pl.DataFrame) -> None:
    for series in frame:
        if series.dtype == pl.String:
            longest = series.str.len_bytes().max()
            if isinstance(longest, int) and longest > _MAX_TEXT_BYTES:
                raise UnusableInputError(
                    f"column {series.name}: a text in SPSS has at most {_MAX_TEXT_BYTES:,} bytes; "
                    "write Parquet or CSV"
                )
