"""Parquet in: typed columns, a slice of rows at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from api.batch.columns_named import ColumnNames
from api.batch.files import UnusableInputError
from api.batch.read import Rows, faults_of

ROWS = 65_536


class ParquetPiece(NamedTuple):
    """A slice of a Parquet file."""

    frame: pl.LazyFrame
    start: int
    height: int
    bytes: int

    def rows(self) -> Rows:
        """The columns as they are typed in the file. Raises UnusableInputError."""
        try:
            frame = self.frame.slice(self.start, self.height).collect(engine="streaming")
        except pl.exceptions.PolarsError:
            raise UnusableInputError("the Parquet file is damaged") from None
        return Rows(frame, faults_of(()), None)


def parquet_pieces(
    name: str, names: ColumnNames, *, size: int, rows: int | None = None
) -> Iterator[ParquetPiece]:
    """The slices of the file, which is `size` bytes large. Raises UnusableInputError."""
    try:
        scan = pl.scan_parquet(name, glob=False)
        header = scan.collect_schema().names()
        height = scan.select(pl.len()).collect().item()
    except (OSError, pl.exceptions.PolarsError):
        raise UnusableInputError("the file is no Parquet, or is damaged") from None
    kept = names.kept(header)
    frame = scan.select([pl.col(header[place]).alias(ours) for place, ours in kept.items()])
    most = rows or ROWS
    for start in range(0, height, most):
        count = min(most, height - start)
        yield ParquetPiece(frame, start, count, size * count // height)
