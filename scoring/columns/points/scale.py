"""Places totals in bands and ledgers in a picture, as Polars expressions over sums."""

from functools import reduce
from operator import add, and_, or_

import polars as pl

from schemas.rulebooks.rulebook import BandNeeds, Ledger, LedgerPart, Picture
from scoring.columns.conditions import ConditionCompiler
from scoring.columns.points.sums import SumColumns, sum_column_names
from scoring.compiled_rulebook import LoadedRulebook
from scoring.weighing import to_hundredths


def ledger_column_name(ledger: str) -> str:
    """Return the name of the column with a ledger's hundredths."""
    return f"ledger.{ledger}"


class ScaleExpressions:
    """Bands, ledgers and pictures of one rulebook as expressions over its sums."""

    def __init__(self, loaded: LoadedRulebook, meaning: ConditionCompiler) -> None:
        self._loaded = loaded
        self._book = loaded.rulebook
        self._meaning = meaning
        self._now = sum_column_names(loaded.rulebook)

    def is_range_too_wide(self) -> pl.Expr:
        """Return whether the ends of the banded range are too many bands apart."""
        if self._loaded.banded_total_index is None:
            return pl.lit(value=False)
        least, most = (
            sum_column_names(self._book, side).totals[self._loaded.banded_total_index]
            for side in ("least", "most")
        )
        return self._band_index(most) - self._band_index(least) > self._book.rulebook.bands_apart

    def select_band(self) -> pl.Expr:
        """Return the band of the banded total, or its fallback if its needs are not met."""
        if self._loaded.banded_total_index is None:
            return pl.lit(None, pl.String)
        names = [band.id for band in self._book.band]
        return self.place_band().cat.to(pl.Enum(names)).cast(pl.String)

    def place_band(self, side: str = "now", *, if_unknown: bool = False) -> pl.Expr:
        """Return the index of the band of one side, or of its fallback if its needs are not met.

        A condition of unknown truth counts as `if_unknown`.
        """
        positions = {band.id: index for index, band in enumerate(self._book.band)}
        sums = sum_column_names(self._book, side)
        index = self._band_index(sums.totals[self._loaded.banded_total_index or 0])
        result: pl.Expr = pl.lit(0, pl.UInt8)
        for number, band in enumerate(self._book.band):
            position: pl.Expr = pl.lit(number, pl.UInt8)
            if band.needs is not None:
                fallback = pl.lit(positions[band.needs.otherwise], pl.UInt8)
                are_met = self._needs_met(band.needs, sums, if_unknown=if_unknown)
                position = pl.when(are_met).then(position).otherwise(fallback)
            result = pl.when(index == number).then(position).otherwise(result)
        return result

    def ledger_expressions(self) -> list[pl.Expr]:
        """Return the points for each mechanism, as named columns."""
        return [
            self._sum_ledger(ledger).alias(ledger_column_name(ledger.id))
            for ledger in self._book.ledger
        ]

    def select_picture(self) -> pl.Expr:
        """Return the first picture whose demands on the ledgers are all met."""
        result: pl.Expr = pl.lit(None, pl.String)
        for picture in reversed(self._book.picture):
            result = pl.when(_matches(picture)).then(pl.lit(picture.id)).otherwise(result)
        return result

    def _band_index(self, total: str) -> pl.Expr:
        starts = [(pl.col(total) >= start).cast(pl.Int8) for start in self._loaded.band_starts]
        return reduce(add, starts) if starts else pl.lit(0, pl.Int8)

    def _needs_met(self, needs: BandNeeds, sums: SumColumns, *, if_unknown: bool) -> pl.Expr:
        demands: list[pl.Expr] = [
            pl.col(sums.domain_points[self._loaded.domain_indexes[name]]) > 0
            for name in needs.domains_above_zero
        ]
        if needs.when is not None:
            demands.append(self._meaning.compile(needs.when).fill_null(value=if_unknown))
        return _all(demands)

    def _sum_ledger(self, ledger: Ledger) -> pl.Expr:
        return reduce(add, [self._part(part) for part in ledger.part])

    def _part(self, part: LedgerPart) -> pl.Expr:
        totals = [total.id for total in self._book.total]
        source = (
            self._now.totals[totals.index(part.total)]
            if part.total
            else self._now.domain_points[self._loaded.domain_indexes[part.domain or ""]]
        )
        points = pl.col(source).cast(pl.Int64)
        if part.only_negative:
            points = points.clip(upper_bound=0)
        points = points * to_hundredths(part.factor) // 100
        if part.when is None:
            return points
        return pl.when(self._meaning.compile(part.when)).then(points).otherwise(pl.lit(0, pl.Int64))


def _matches(picture: Picture) -> pl.Expr:
    at_least = [_ledger(name) >= to_hundredths(edge) for name, edge in picture.at_least.items()]
    one_of = [_ledger(name) >= to_hundredths(edge) for name, edge in picture.any_at_least.items()]
    below = [_ledger(name) < to_hundredths(edge) for name, edge in picture.below.items()]
    exceeds = [_ledger(larger) > _ledger(smaller) for larger, smaller in picture.exceeds.items()]
    return _all([*at_least, *([reduce(or_, one_of)] if one_of else []), *below, *exceeds])


def _ledger(name: str) -> pl.Expr:
    return pl.col(ledger_column_name(name))


def _all(demands: list[pl.Expr]) -> pl.Expr:
    return reduce(and_, demands) if demands else pl.lit(value=True)
