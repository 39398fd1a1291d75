"""Lists of names as Polars expressions: of the indexes that are not null in a row."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

import polars as pl

_MAX_NAMES = 255


class RankKeys:
    """Sort keys of names by a rank of up to `most`: modulo their number each is a position."""

    def __init__(self, count: int, most: int) -> None:
        is_small = 2 * most * count < 2**24
        self.kind: type[pl.DataType] = pl.Int32 if is_small else pl.Int64
        self._count = count
        self._far = (2**24 if is_small else 2**56) // count

    def rank_name(self, position: int, rank: pl.Expr) -> pl.Expr:
        """Return the key of the name at this position: higher ranks first, then positions."""
        return position - rank.cast(self.kind) * self._count

    def put_first(self, position: int, place: int = 0) -> pl.Expr:
        """Return a key before all ranks, by place, then by position."""
        return pl.lit(position - self._count * (self._far - place), self.kind)


def list_names(indexes: Sequence[pl.Expr], names: Sequence[str], *, sort: bool = False) -> pl.Expr:
    """Return the names at the indexes that are not null, modulo the number of names."""
    if len(names) > _MAX_NAMES:
        raise ValueError(f"over {_MAX_NAMES} names cannot be listed")
    kind = pl.Enum(names)
    if not indexes:
        return pl.lit([], pl.List(kind))
    row = pl.concat_arr(indexes)
    items = (row.arr.sort() if sort else row).arr.to_list().list.drop_nulls()
    index = (pl.element() % len(names)).cast(pl.UInt8)
    return items.list.eval(index.cat.to(kind))


def is_any_true(truths: Sequence[pl.Expr]) -> pl.Expr:
    """Return whether any of these is known to be true."""
    return reduce(or_, truths, pl.lit(value=False)).fill_null(value=False)
