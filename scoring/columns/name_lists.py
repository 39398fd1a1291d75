"""Lists of names as Polars expressions: of the indexes that are not null in a row."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_

import polars as pl

_MAX_NAMES = 255
_SORTED_ITEMS = pl.element().sort()


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


def list_names(indexes: Sequence[pl.Expr], names: Sequence[str]) -> pl.Expr:
    """Return the names at the indexes that are not null."""
    return _list_present(indexes, names, pl.lit(_MAX_NAMES, pl.UInt8), lambda items: items)


def sort_names(keys: Sequence[pl.Expr], names: Sequence[str], kind: type[pl.DataType]) -> pl.Expr:
    """Return the names whose keys of this type are not null, the smallest key first.

    A key modulo the number of names is the index of its name.
    """
    after_all = pl.lit(2**31 - 1 if kind == pl.Int32 else 2**63 - 1, kind)
    return _list_present(keys, names, after_all, lambda items: items.list.eval(_SORTED_ITEMS))


def _list_present(
    indexes: Sequence[pl.Expr],
    names: Sequence[str],
    absent: pl.Expr,
    order: Callable[[pl.Expr], pl.Expr],
) -> pl.Expr:
    """List names by index. A value for `absent` is twice as fast as nulls: joined, filtered."""
    if len(names) > _MAX_NAMES:
        raise ValueError(f"over {_MAX_NAMES} names cannot be listed")
    kind = pl.Enum(names)
    if not indexes:
        return pl.lit([], pl.List(kind))
    row = pl.concat_arr([index.fill_null(absent) for index in indexes]).arr.to_list()
    items = order(row.list.filter(pl.element() != absent))
    index = (pl.element() % len(names)).cast(pl.UInt8)
    return items.list.eval(index.cat.to(kind))


def is_any_true(truths: Sequence[pl.Expr]) -> pl.Expr:
    """Return whether any of these is known to be true."""
    return reduce(or_, truths, pl.lit(value=False)).fill_null(value=False)
