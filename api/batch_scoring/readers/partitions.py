"""Reads the columns that the folders of a partitioned data set name, such as `year=2024/`."""

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from urllib.parse import unquote

import polars as pl

from api.batch_scoring.file_formats import UnusableInputError, join_names
from scoring.columns.output_columns import OutputColumns
from scoring.compiled_rulebook import LoadedRulebook

Partitions = tuple[tuple[str, str | None], ...]
"""Columns and their values, None for a missing one."""

_MISSING = "__HIVE_DEFAULT_PARTITION__"


def parse_partitions(file: PurePath) -> Partitions:
    """Return the columns that the folders of a file name, in the order of the folders."""
    steps = [step.partition("=") for step in file.parts[:-1]]
    return tuple(
        (name, None if value == _MISSING else unquote(value))
        for name, mark, value in steps
        if mark and name
    )


def list_partition_columns(
    partitions: Iterable[Partitions], loaded: LoadedRulebook, keep: Sequence[str]
) -> tuple[str, ...]:
    """Return the columns of all files. Raises UnusableInputError for one that results have."""
    columns = tuple(dict.fromkeys(name for columns in partitions for name, _ in columns))
    names_in_use = {*OutputColumns(loaded).names_with_explanations, *loaded.questions, *keep}
    clashing = [name for name in columns if name in names_in_use]
    if clashing:
        raise UnusableInputError(
            f"the folders name the column {join_names(clashing)}, which the results or questions "
            "have; rename the folders"
        )
    return columns


def add_partitions(rows: pl.DataFrame, partitions: Partitions) -> pl.DataFrame:
    """Return the rows with a column of text for each partition."""
    return rows.with_columns(
        pl.lit(value, pl.String).alias(name) for name, value in dict(partitions).items()
    )
