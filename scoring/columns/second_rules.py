"""The second generation of scoring rules as Polars expressions."""

from functools import reduce
from operator import add, and_

import polars as pl

from schemas.batches.batch import (
    ALTERNATIVES_COLUMN,
    ASK_FIRST_COLUMN,
    BAND_LEAST_COLUMN,
    BAND_MOST_COLUMN,
    CONTRADICTIONS_COLUMN,
    WHY_NO_BAND_COLUMN,
)
from schemas.rulebooks.guidance import AcceptableRange, Alternative, NoBandReason
from scoring.columns.conditional_questions import is_open
from scoring.columns.conditions import ConditionCompiler
from scoring.columns.missing_answers import MissingAnswerExpressions
from scoring.columns.name_lists import is_any_true, list_names, sort_names
from scoring.columns.points.scale import ScaleExpressions
from scoring.columns.points.sums import SumStages
from scoring.compiled_rulebook import LoadedRulebook

_LEAST_BAND, _MOST_BAND = "band.least", "band.most"


class SecondRuleExpressions:
    """Band ranges, other explanations and contradictions of one rulebook over its columns."""

    def __init__(
        self,
        loaded: LoadedRulebook,
        meaning: ConditionCompiler,
        scale: ScaleExpressions,
        sums: SumStages,
    ) -> None:
        self._loaded = loaded
        self._book = loaded.rulebook
        self._meaning = meaning
        self._scale = scale
        self._missing_answers = MissingAnswerExpressions(loaded, sums)

    def build_stages(self) -> list[list[pl.Expr]]:
        """Return the stages between the sums and the status."""
        bands = [
            self._scale.place_band("least").alias(_LEAST_BAND),
            self._scale.place_band("most", if_unknown=True).alias(_MOST_BAND),
        ]
        return [bands, *self._missing_answers.build_stages()]

    def is_insufficient(self) -> pl.Expr:
        """Return whether there is a reason to give no band."""
        return is_any_true([self._applies(reason) for reason in self._book.no_band_reason])

    def list_missing_answers(self) -> pl.Expr:
        """Return the missing questions in the order in which they are worth asking."""
        return self._missing_answers.list_missing_answers()

    def build_results(self) -> dict[str, pl.Expr]:
        """Return the columns that only these rules give with a score."""
        bands = pl.Enum([band.id for band in self._book.band])
        first = self._missing_answers.list_first_questions(
            pl.col(_LEAST_BAND) != pl.col(_MOST_BAND)
        )
        return {
            BAND_LEAST_COLUMN: pl.col(_LEAST_BAND).cat.to(bands),
            BAND_MOST_COLUMN: pl.col(_MOST_BAND).cat.to(bands),
            ASK_FIRST_COLUMN: first,
            WHY_NO_BAND_COLUMN: self._list_no_band_reasons(),
        }

    def build_explanations(self) -> dict[str, pl.Expr]:
        """Return the columns that only these rules give with any status."""
        return {
            ALTERNATIVES_COLUMN: self._list_alternatives(),
            CONTRADICTIONS_COLUMN: self._list_contradictions(),
        }

    def _applies(self, reason: NoBandReason) -> pl.Expr:
        if reason.range_too_wide:
            return ~is_any_true([self._accepts(it) for it in self._book.acceptable_range])
        return is_any_true([is_open(self._loaded.questions[name]) for name in reason.unanswered])

    def _list_no_band_reasons(self) -> pl.Expr:
        reasons = self._book.no_band_reason
        indexes = [
            pl.when(self._applies(reason)).then(pl.lit(index, pl.UInt8))
            for index, reason in enumerate(reasons)
        ]
        return list_names(indexes, [reason.id for reason in reasons])

    def _accepts(self, acceptable: AcceptableRange) -> pl.Expr:
        apart = pl.col(_MOST_BAND).cast(pl.Int16) - pl.col(_LEAST_BAND).cast(pl.Int16)
        demands = [apart <= acceptable.most_bands_apart]
        if acceptable.ends:
            positions = [band.id for band in self._book.band]
            least, most = map(positions.index, acceptable.ends)
            demands += [pl.col(_LEAST_BAND) == least, pl.col(_MOST_BAND) == most]
        if acceptable.when is not None:
            demands.append(self._meaning.compile(acceptable.when).fill_null(value=False))
        demands += [~is_open(self._loaded.questions[name]) for name in acceptable.answered]
        return reduce(and_, demands)

    def _list_alternatives(self) -> pl.Expr:
        names = [alternative.id for alternative in self._book.alternative]
        keys = [
            self._alternative_key(alternative, index)
            for index, alternative in enumerate(self._book.alternative)
        ]
        return sort_names(keys, names, pl.Int32)

    def _alternative_key(self, alternative: Alternative, index: int) -> pl.Expr:
        """Return the sort key of an explanation; modulo their number it is its index."""
        strengths = [
            pl.when(self._meaning.compile(sign.when).fill_null(value=False))
            .then(pl.lit(sign.strength, pl.Int32))
            .otherwise(pl.lit(0, pl.Int32))
            for sign in alternative.sign
        ]
        strength = reduce(add, strengths)
        is_listed = strength >= self._book.rulebook.alternatives_from
        if alternative.unless is not None:
            is_listed &= ~self._meaning.compile(alternative.unless).fill_null(value=False)
        return pl.when(is_listed).then(index - strength * len(self._book.alternative))

    def _list_contradictions(self) -> pl.Expr:
        rules = self._book.contradiction
        indexes = [
            pl.when(self._meaning.compile(rule.when)).then(pl.lit(index, pl.UInt8))
            for index, rule in enumerate(rules)
        ]
        return list_names(indexes, [rule.id for rule in rules])
