"""Compiles a rulebook into Polars expressions that score a frame of intakes row by row."""

from collections.abc import Collection
from functools import cache

import polars as pl

from schemas.batches.batch import (
    ALL_ASKED_COLUMN,
    BAND_COLUMN,
    DOMAIN_PREFIX,
    FLAGS_COLUMN,
    LEAST_COLUMN,
    MISSING_COLUMN,
    MOST_COLUMN,
    NOT_ASKED_COLUMN,
    PASSTHROUGH_COLUMNS,
    PICTURE_COLUMN,
    PROBLEMS_COLUMN,
    SCOPE_REASONS_COLUMN,
    SCOPE_UNANSWERED_COLUMN,
    STATUS_COLUMN,
    TIER_COLUMN,
)
from schemas.rulebooks.rulebook import GradeStep, Grading
from scoring.columns.conditional_questions import FactStages
from scoring.columns.conditions import ConditionCompiler
from scoring.columns.explanation import ExplanationExpressions
from scoring.columns.first_rules import FirstRuleExpressions
from scoring.columns.name_lists import is_any_true, list_names
from scoring.columns.output_columns import OutputColumns
from scoring.columns.points.scale import ScaleExpressions, ledger_column_name
from scoring.columns.points.sums import SumStages, sum_column_names
from scoring.columns.points.weighing import WeighingStages
from scoring.columns.reading.typed_answers import compact_answers
from scoring.columns.red_flags import FlagExpressions, list_open
from scoring.columns.second_rules import SecondRuleExpressions
from scoring.compiled_rulebook import LoadedRulebook

STATUSES = ("withheld_red_flag", "out_of_scope", "insufficient_information", "scored")
_WITHHELD, _OUT_OF_SCOPE, _INSUFFICIENT, _SCORED = range(4)
_CODE = "status.code"
_GOOD = "row.is_good"


class ColumnRules:
    """One rulebook as lazy expressions over a frame of intakes."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self.loaded = loaded
        self.output_columns = OutputColumns(loaded)
        self._book = loaded.rulebook
        self._meaning = ConditionCompiler(loaded.questions, loaded.derived_by_id)
        self._flags = FlagExpressions(loaded, self._meaning)
        self._scale = ScaleExpressions(loaded, self._meaning)
        self._sentences = ExplanationExpressions(loaded, self._meaning)
        weighing = WeighingStages(self._book, self._meaning)
        sums = SumStages(self._book, weighing.kind)
        self._generation: FirstRuleExpressions | SecondRuleExpressions = (
            FirstRuleExpressions(loaded, self._scale)
            if self._book.rulebook.scoring_rules == 1
            else SecondRuleExpressions(loaded, self._meaning, self._scale, sums)
        )
        self._stages = [
            *FactStages(self._book, self._meaning).build_stages(),
            *weighing.build_stages(),
            *sums.build_stages(),
            self._scale.ledger_expressions(),
            *self._generation.build_stages(),
            [self._status().alias(_CODE)],
        ]
        self._results = self._result_columns()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the output columns, in order."""
        return self.output_columns.names

    def assess_intakes(self, intakes: pl.LazyFrame, *, explain: bool = False) -> pl.LazyFrame:
        """Return the output columns lazily, with one row for each intake, in order.

        The column of a question is Boolean, an integer, a float or decimal (at most two decimals),
        a text or Enum (choice), a list of options without repeats or a bit mask in questionnaire
        order (multi). A missing column means not answered. A row with `problems` has no status and
        no results. With `explain`, each criterion has a sentence in `because_<id>`.
        """
        frame = self._prepare(intakes)
        for stage in self._stages:
            if stage:
                frame = frame.with_columns(stage)
        names = (
            self.output_columns.names_with_explanations if explain else self.output_columns.names
        )
        results = self._results | (self._explanation_columns() if explain else {})
        return frame.select([results[name].alias(name) for name in names])

    def _prepare(self, intakes: pl.LazyFrame) -> pl.LazyFrame:
        schema = intakes.collect_schema()
        passthrough = [
            pl.col(name).cast(pl.String) if name in schema else pl.lit(None, pl.String).alias(name)
            for name in PASSTHROUGH_COLUMNS
        ]
        none = pl.lit(None, pl.List(pl.String)).alias(PROBLEMS_COLUMN)
        problems = pl.col(PROBLEMS_COLUMN) if PROBLEMS_COLUMN in schema else none
        good = (problems.is_null() | (problems.list.len() == 0)).alias(_GOOD)
        return intakes.select(
            *passthrough, problems, good, *compact_answers(self.loaded.questions, schema)
        )

    def _status(self) -> pl.Expr:
        outside = [self._meaning.compile(rule.when) for rule in self._book.scope]
        return (
            pl.when(~pl.col(_GOOD)).then(None)
            .when(self._flags.is_withheld()).then(pl.lit(_WITHHELD, pl.UInt8))
            .when(is_any_true(outside)).then(pl.lit(_OUT_OF_SCOPE, pl.UInt8))
            .when(self._generation.is_insufficient()).then(pl.lit(_INSUFFICIENT, pl.UInt8))
            .otherwise(pl.lit(_SCORED, pl.UInt8))
        )  # fmt: skip

    def _result_columns(self) -> dict[str, pl.Expr]:
        """Return each result by the name of its column."""
        code = pl.col(_CODE)
        results = {
            **{name: pl.col(name) for name in PASSTHROUGH_COLUMNS},
            "rulebook": pl.lit(self.loaded.name),
            "rulebook_sha256": pl.lit(self.loaded.sha256),
            STATUS_COLUMN: code.cat.to(pl.Enum(STATUSES)),
            TIER_COLUMN: pl.when(_GOOD).then(self._flags.find_tier()),
            FLAGS_COLUMN: pl.when(_GOOD).then(self._flags.list_flags()),
            ALL_ASKED_COLUMN: pl.when(_GOOD).then(self._flags.is_all_asked()),
            NOT_ASKED_COLUMN: pl.when(_GOOD).then(self._flags.list_not_asked()),
            SCOPE_REASONS_COLUMN: pl.when(_GOOD).then(self._list_scope_reasons()),
            SCOPE_UNANSWERED_COLUMN: pl.when(_GOOD).then(self._list_scope_unanswered()),
            MISSING_COLUMN: self._where_weighed(self._generation.list_missing_answers()),
            **{
                name: self._where_weighed(result)
                for name, result in self._generation.build_results().items()
            },
            **{
                name: pl.when(_GOOD).then(result)
                for name, result in self._generation.build_explanations().items()
            },
            PROBLEMS_COLUMN: pl.col(PROBLEMS_COLUMN),
            **self._point_columns(),
        }
        for grading in self._book.grading:
            if grading.id in self.output_columns.gradings:
                grade = self._grade(grading)
                results[grading.id] = pl.when(code >= _OUT_OF_SCOPE).then(grade)
        if self.loaded.banded_total_index is not None:
            results[BAND_COLUMN] = pl.when(code == _SCORED).then(self._scale.select_band())
        if self._book.ledger:
            results[PICTURE_COLUMN] = pl.when(code == _SCORED).then(self._scale.select_picture())
        return results

    def _list_scope_reasons(self) -> pl.Expr:
        rules = self._book.scope
        indexes = [
            pl.when(self._meaning.compile(rule.when)).then(pl.lit(index, pl.UInt8))
            for index, rule in enumerate(rules)
        ]
        return list_names(indexes, [rule.id for rule in rules])

    def _list_scope_unanswered(self) -> pl.Expr:
        return list_open([self.loaded.questions[name] for name in self.loaded.scope_questions])

    def _point_columns(self) -> dict[str, pl.Expr]:
        now, least, most = (sum_column_names(self._book, side) for side in ("now", "least", "most"))
        domains = [f"{DOMAIN_PREFIX}{domain.id}" for domain in self._book.domain]
        names = {
            **dict(zip((total.id for total in self._book.total), now.totals, strict=True)),
            **{ledger.id: ledger_column_name(ledger.id) for ledger in self._book.ledger},
            **dict(zip(domains, now.domain_points, strict=True)),
        }
        if self.loaded.banded_total_index is not None:
            banded = self.loaded.banded_total_index
            names |= {LEAST_COLUMN: least.totals[banded], MOST_COLUMN: most.totals[banded]}
        points = {name: _to_points(pl.col(column)) for name, column in names.items()}
        gives_open_points = self._book.rulebook.counts_certain_points
        for index, criterion in enumerate(self._book.criterion):
            column = pl.col(
                WeighingStages.points_column_name(index)
                if gives_open_points
                else WeighingStages.settled_column_name(index)
            )
            points[criterion.id] = _to_points(
                column, possible=WeighingStages.list_possible_points(criterion)
            )
        return {name: self._where_weighed(expression) for name, expression in points.items()}

    def _explanation_columns(self) -> dict[str, pl.Expr]:
        return {
            name: self._sentences.explain_criterion(index, pl.col(_CODE) >= _INSUFFICIENT)
            for index, name in enumerate(self.output_columns.because_names)
        }

    @staticmethod
    def _where_weighed(result: pl.Expr) -> pl.Expr:
        return pl.when(pl.col(_CODE) >= _INSUFFICIENT).then(result)

    def _grade(self, grading: Grading) -> pl.Expr:
        names = [step.id for step in grading.grade]
        index: pl.Expr = pl.lit(len(names) - 1, pl.UInt8)
        for n, step in reversed(list(enumerate(grading.grade))):
            index = pl.when(self._applies(step)).then(pl.lit(n, pl.UInt8)).otherwise(index)
        return index.cat.to(pl.Enum(names))

    def _applies(self, step: GradeStep) -> pl.Expr:
        if step.when is not None:
            return self._meaning.compile(step.when)
        if step.unless is not None:
            return ~self._meaning.compile(step.unless).fill_null(value=False)
        return pl.lit(value=True)


@cache
def compile_column_rules(loaded: LoadedRulebook) -> ColumnRules:
    """Return the rules of this rulebook over columns; compiled once per process."""
    return ColumnRules(loaded)


def _to_points(points: pl.Expr, possible: Collection[int] = ()) -> pl.Expr:
    """Return hundredths as the float nearest to the points.

    Polars multiplies by the inverse, which turns 11.7 into 11.700000000000001. So the result is
    rounded, unless every `possible` number is exact without rounding.
    """
    divided = points.cast(pl.Float64) / 100
    is_exact = possible and all(number * 0.01 == number / 100 for number in possible)
    return divided if is_exact else divided.round(2)
