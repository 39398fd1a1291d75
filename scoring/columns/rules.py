"""A rulebook's rules over columns: typed answers in, one row of results a row out, in order."""

from collections.abc import Collection, Sequence
from functools import cache, reduce
from operator import or_

import polars as pl

from schemas.batch import (
    BAND,
    DOMAIN,
    FLAGS,
    LEAST,
    MISSING,
    MOST,
    PASSED_THROUGH,
    PICTURE,
    PROBLEMS,
    STATUS,
    TIER,
)
from schemas.rulebook import GradeStep, Grading
from scoring.columns.conditions import Meaning, answer, asked
from scoring.columns.derived_values import counted
from scoring.columns.explanation import Sentences
from scoring.columns.output_columns import Outline
from scoring.columns.scale import Scale, ledger_column
from scoring.columns.typed_answers import typed
from scoring.columns.weighing import Weighing
from scoring.compiled_rulebook import LoadedRulebook
from scoring.safety import NO_TIER

STATUSES = ("withheld_red_flag", "out_of_scope", "insufficient_information", "scored")
_WITHHELD, _OUT_OF_SCOPE, _INSUFFICIENT, _SCORED = range(4)
_CODE = "status.code"
_GOOD = "row.is_good"


class ColumnRules:
    """One rulebook as lazy expressions; `columns` are the names that come out, in order."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self.loaded = loaded
        self.outline = Outline(loaded)
        self._book = loaded.rulebook
        self._meaning = Meaning(loaded.questions, loaded.sources)
        self._scale = Scale(loaded, self._meaning)
        self._sentences = Sentences(loaded, self._meaning)
        weighing = Weighing(self._book, self._meaning)
        most_key = 2 * weighing.most_points * len(self._book.question)
        self._keys: type[pl.DataType] = pl.Int32 if most_key < 2**24 else pl.Int64
        self._far = 2**24 if most_key < 2**24 else 2**56
        self._stages = [
            *(
                [counted(each, loaded.questions, self._meaning).alias(answer(each.id))]
                for each in self._book.derived
            ),
            *weighing.stages(),
            self._scale.ledgers(),
            [self._status().alias(_CODE)],
        ]
        self._results = self._written()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names that come out, in order."""
        return self.outline.names

    def assessed(self, intakes: pl.LazyFrame, *, explain: bool = False) -> pl.LazyFrame:
        """The output columns for these answers, one row a row, in order; nothing is run yet.

        A question's column is Boolean, an integer, a float or decimal (two decimals at most), a
        text or Enum (choice), a list of them, each option once, or a mask of bits in questionnaire
        order (multi), or is left out: not answered. A row whose `problems` is not empty has no
        status and no results. With `explain`, each criterion has a sentence in `because_<id>`.
        """
        frame = self._read(intakes)
        for stage in self._stages:
            if stage:
                frame = frame.with_columns(stage)
        names = self.outline.explained if explain else self.outline.names
        results = self._results | (self._explained() if explain else {})
        return frame.select([results[name].alias(name) for name in names])

    def _read(self, intakes: pl.LazyFrame) -> pl.LazyFrame:
        schema = intakes.collect_schema()
        passed = [
            pl.col(name).cast(pl.String) if name in schema else pl.lit(None, pl.String).alias(name)
            for name in PASSED_THROUGH
        ]
        none = pl.lit(None, pl.List(pl.String)).alias(PROBLEMS)
        problems = pl.col(PROBLEMS) if PROBLEMS in schema else none
        good = (problems.is_null() | (problems.list.len() == 0)).alias(_GOOD)
        return intakes.select(*passed, problems, good, *typed(self.loaded.questions, schema))

    def _status(self) -> pl.Expr:
        withholding = {tier.id for tier in self._book.tier if tier.withholds}
        withheld = [
            self._meaning.of(flag.when)
            for flag in self._book.flag
            if flag.tier in withholding and not flag.about_person
        ]
        outside = [self._meaning.of(rule.when) for rule in self._book.scope]
        unanswered = [asked(name).is_null() for name in self._book.rulebook.must_answer]
        too_little = _any([*unanswered, self._scale.is_wide()])
        return (
            pl.when(~pl.col(_GOOD)).then(None)
            .when(_any(withheld)).then(pl.lit(_WITHHELD, pl.UInt8))
            .when(_any(outside)).then(pl.lit(_OUT_OF_SCOPE, pl.UInt8))
            .when(too_little).then(pl.lit(_INSUFFICIENT, pl.UInt8))
            .otherwise(pl.lit(_SCORED, pl.UInt8))
        )  # fmt: skip

    def _written(self) -> dict[str, pl.Expr]:
        """Each result by the name of its column."""
        code = pl.col(_CODE)
        results = {
            **{name: pl.col(name) for name in PASSED_THROUGH},
            "rulebook": pl.lit(self.loaded.name),
            "rulebook_sha256": pl.lit(self.loaded.sha256),
            STATUS: code.cat.to(pl.Enum(STATUSES)),
            TIER: self._tier(),
            FLAGS: self._flags(),
            MISSING: self._where_weighed(self._missing()),
            PROBLEMS: pl.col(PROBLEMS),
            **self._points(),
        }
        for grading in self._book.grading:
            if grading.id in self.outline.gradings:
                graded = self._graded(grading)
                results[grading.id] = pl.when(code >= _OUT_OF_SCOPE).then(graded)
        if self.loaded.banded is not None:
            results[BAND] = pl.when(code == _SCORED).then(self._scale.band())
        if self._book.ledger:
            results[PICTURE] = pl.when(code == _SCORED).then(self._scale.picture())
        return results

    def _points(self) -> dict[str, pl.Expr]:
        now, least, most = (Weighing.sums(self._book, side) for side in ("now", "least", "most"))
        domains = [f"{DOMAIN}{each.id}" for each in self._book.domain]
        sums = {
            **dict(zip((each.id for each in self._book.total), now.totals, strict=True)),
            **{each.id: ledger_column(each.id) for each in self._book.ledger},
            **dict(zip(domains, now.counted, strict=True)),
        }
        if self.loaded.banded is not None:
            place = self.loaded.banded
            sums |= {LEAST: least.totals[place], MOST: most.totals[place]}
        points = {name: _exact(pl.col(column)) for name, column in sums.items()}
        for place, criterion in enumerate(self._book.criterion):
            column = pl.col(Weighing.points(place))
            points[criterion.id] = _exact(column, possible=Weighing.possible(criterion))
        return {name: self._where_weighed(each) for name, each in points.items()}

    def _explained(self) -> dict[str, pl.Expr]:
        said = map(self._sentences.because, range(len(self._book.criterion)))
        return {
            name: self._where_weighed(each)
            for name, each in zip(self.outline.because, said, strict=True)
        }

    @staticmethod
    def _where_weighed(result: pl.Expr) -> pl.Expr:
        return pl.when(pl.col(_CODE) >= _INSUFFICIENT).then(result)

    def _tier(self) -> pl.Expr:
        names = [*(tier.id for tier in self._book.tier), NO_TIER]
        urgent: pl.Expr = pl.lit(len(names) - 1, pl.UInt8)
        for place, name in reversed(list(enumerate(names[:-1]))):
            raised = [self._meaning.of(each.when) for each in self._book.flag if each.tier == name]
            urgent = pl.when(_any(raised)).then(pl.lit(place, pl.UInt8)).otherwise(urgent)
        return pl.when(_GOOD).then(urgent).cat.to(pl.Enum(names))

    def _flags(self) -> pl.Expr:
        """The flags raised: concerns for the person first, then the most urgent."""
        urgency = {tier.id: place for place, tier in enumerate(self._book.tier)}
        flags = sorted(
            self._book.flag, key=lambda flag: (not flag.about_person, urgency[flag.tier])
        )
        raised = [
            pl.when(self._meaning.of(flag.when)).then(pl.lit(place, pl.UInt8))
            for place, flag in enumerate(flags)
        ]
        return pl.when(_GOOD).then(_named_list(raised, [flag.id for flag in flags]))

    def _missing(self) -> pl.Expr:
        """Must-answers first, then the largest swing; within both in questionnaire order."""
        names = list(self.loaded.questions)
        keys = [
            self._missing_key(name, place).alias(name)
            for place, name in enumerate(names)
            if name in self.loaded.expected
        ]
        return _named_list(keys, names, sort=True)

    def _missing_key(self, name: str, place: int) -> pl.Expr:
        """A number that sorts as the list does; its remainder is the place of the question."""
        count = len(self.loaded.questions)
        if name in self._book.rulebook.must_answer:
            return pl.when(asked(name).is_null()).then(
                pl.lit(place - count * (self._far // count), self._keys)
            )
        swings = [
            (pl.col(Weighing.points(n, "most")) - pl.col(Weighing.points(n, "least"))).cast(
                self._keys
            )
            for n, names in enumerate(self.loaded.touched_by)
            if name in names
        ]
        if not swings:
            return pl.lit(None, self._keys)
        swing = reduce(lambda one, other: one + other, swings)
        return pl.when(asked(name).is_null() & (swing > 0)).then(place - swing * count)

    def _graded(self, grading: Grading) -> pl.Expr:
        names = [step.id for step in grading.grade]
        given: pl.Expr = pl.lit(len(names) - 1, pl.UInt8)
        for place, step in reversed(list(enumerate(grading.grade))):
            given = pl.when(self._applies(step)).then(pl.lit(place, pl.UInt8)).otherwise(given)
        return given.cat.to(pl.Enum(names))

    def _applies(self, step: GradeStep) -> pl.Expr:
        if step.when is not None:
            return self._meaning.of(step.when)
        if step.unless is not None:
            return ~self._meaning.of(step.unless).fill_null(value=False)
        return pl.lit(value=True)


@cache
def compiled(loaded: LoadedRulebook) -> ColumnRules:
    """The rules of this rulebook over columns; compiled once."""
    return ColumnRules(loaded)


_MOST_NAMES = 255


def _any(truths: Sequence[pl.Expr]) -> pl.Expr:
    """Whether any is known to be true."""
    return reduce(or_, truths, pl.lit(value=False)).fill_null(value=False)


def _named_list(places: Sequence[pl.Expr], names: Sequence[str], *, sort: bool = False) -> pl.Expr:
    """The numbers that are not null, in order, as the names in those places."""
    if len(names) > _MOST_NAMES:
        raise ValueError(f"over {_MOST_NAMES} names cannot be listed")
    kind = pl.Enum(names)
    if not places:
        return pl.lit([], pl.List(kind))
    row = pl.concat_arr(places)
    listed = (row.arr.sort() if sort else row).arr.to_list().list.drop_nulls()
    place = (pl.element() % len(names)).cast(pl.UInt8)
    return listed.list.eval(place.cat.to(kind))


def _exact(points: pl.Expr, possible: Collection[int] = ()) -> pl.Expr:
    """Hundredths as the float nearest to the points.

    Polars multiplies by the inverse, and 11.7 turns into 11.700000000000001; so what comes out is
    rounded, unless every `possible` number comes out right without.
    """
    divided = points.cast(pl.Float64) / 100
    comes_out_right = possible and all(each * 0.01 == each / 100 for each in possible)
    return divided if comes_out_right else divided.round(2)
