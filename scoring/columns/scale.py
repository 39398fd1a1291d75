"""The scale over columns: from sums in hundredths to bands, ledgers and the picture they make."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add, and_, or_

import polars as pl

from schemas.rulebook import BandNeeds, Ledger, LedgerPart, Picture
from scoring.columns.conditions import Meaning
from scoring.columns.weighing import Weighing
from scoring.compiled_rulebook import LoadedRulebook
from scoring.weighing import hundredths


def ledger_column(ledger: str) -> str:
    """The column with the hundredths of a ledger."""
    return f"ledger.{ledger}"


class Scale:
    """Bands, ledgers and pictures of one rulebook as expressions over its sums."""

    def __init__(self, loaded: LoadedRulebook, meaning: Meaning) -> None:
        self._loaded = loaded
        self._book = loaded.rulebook
        self._meaning = meaning
        self._now = Weighing.sums(loaded.rulebook)

    def is_wide(self) -> pl.Expr:
        """Whether the ends of the banded range lie in bands too far apart."""
        if self._loaded.banded is None:
            return pl.lit(value=False)
        least, most = (
            Weighing.sums(self._book, side).totals[self._loaded.banded]
            for side in ("least", "most")
        )
        return self._band_at(most) - self._band_at(least) > self._book.rulebook.bands_apart

    def band(self) -> pl.Expr:
        """The band of the banded total, or the one it falls to where it lacks what it needs."""
        if self._loaded.banded is None:
            return pl.lit(None, pl.String)
        place = self._band_at(self._now.totals[self._loaded.banded])
        given: pl.Expr = pl.lit(None, pl.String)
        for number, band in enumerate(self._book.band):
            name: pl.Expr = pl.lit(band.id)
            if band.needs is not None:
                kept = self._needs_met(band.needs)
                name = pl.when(kept).then(name).otherwise(pl.lit(band.needs.otherwise))
            given = pl.when(place == number).then(name).otherwise(given)
        return given

    def ledgers(self) -> list[pl.Expr]:
        """What speaks for each mechanism."""
        return [self._ledger(each).alias(ledger_column(each.id)) for each in self._book.ledger]

    def picture(self) -> pl.Expr:
        """The first picture whose demands on the ledgers all hold."""
        given: pl.Expr = pl.lit(None, pl.String)
        for picture in reversed(self._book.picture):
            given = pl.when(_fits(picture)).then(pl.lit(picture.id)).otherwise(given)
        return given

    def _band_at(self, total: str) -> pl.Expr:
        starts = [(pl.col(total) >= start).cast(pl.Int8) for start in self._loaded.band_starts]
        return reduce(add, starts) if starts else pl.lit(0, pl.Int8)

    def _needs_met(self, needs: BandNeeds) -> pl.Expr:
        demands: list[pl.Expr] = [
            pl.col(self._now.counted[self._loaded.domains[name]]) > 0
            for name in needs.domains_above_zero
        ]
        if needs.when is not None:
            demands.append(self._meaning.of(needs.when))
        return _all(demands)

    def _ledger(self, ledger: Ledger) -> pl.Expr:
        return reduce(add, [self._part(part) for part in ledger.part])

    def _part(self, part: LedgerPart) -> pl.Expr:
        totals = [total.id for total in self._book.total]
        source = (
            self._now.totals[totals.index(part.total)]
            if part.total
            else self._now.counted[self._loaded.domains[part.domain or ""]]
        )
        taken = pl.col(source).cast(pl.Int64)
        if part.only_negative:
            taken = taken.clip(upper_bound=0)
        taken = taken * hundredths(part.factor) // 100
        if part.when is None:
            return taken
        return pl.when(self._meaning.of(part.when)).then(taken).otherwise(pl.lit(0, pl.Int64))


def _fits(picture: Picture) -> pl.Expr:
    at_least = [_ledger(name) >= hundredths(edge) for name, edge in picture.at_least.items()]
    one_of = [_ledger(name) >= hundredths(edge) for name, edge in picture.any_at_least.items()]
    below = [_ledger(name) < hundredths(edge) for name, edge in picture.below.items()]
    exceeds = _exceeding(picture.exceeds)
    return _all([*at_least, *([reduce(or_, one_of)] if one_of else []), *below, *exceeds])


def _exceeding(exceeds: Mapping[str, str]) -> Iterable[pl.Expr]:
    return [_ledger(larger) > _ledger(smaller) for larger, smaller in exceeds.items()]


def _ledger(name: str) -> pl.Expr:
    return pl.col(ledger_column(name))


def _all(demands: list[pl.Expr]) -> pl.Expr:
    return reduce(and_, demands) if demands else pl.lit(value=True)
