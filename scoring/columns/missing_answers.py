"""Ranks open questions by swing, as Polars expressions over the columns of criteria and domains.

Equal to `scoring.second_rules.missing_answers`: a question stands for itself and for the undecided
questions whose `ask_when` reads it.
"""

from collections.abc import Iterable
from functools import reduce
from operator import add, or_
from typing import NamedTuple

import polars as pl

from schemas.rulebooks.rulebook import Criterion, Question
from scoring.answers.question_dependencies import map_question_reads
from scoring.columns.conditional_questions import is_open, is_undecided
from scoring.columns.name_lists import RankKeys, sort_names
from scoring.columns.points.sums import SumStages, clamped_column_name, sum_column_names
from scoring.columns.points.weighing import WeighingStages, find_points_bound
from scoring.compiled_rulebook import LoadedRulebook
from scoring.second_rules.missing_answers import FIRST_QUESTIONS
from scoring.weighing import to_hundredths


class ReachedCriterion(NamedTuple):
    """A criterion that a question may reach: whether it moves it, and whether it lists it."""

    position: int
    is_moved: pl.Expr
    is_reached: pl.Expr


class MissingAnswerExpressions:
    """The missing answers of one rulebook as expressions."""

    def __init__(self, loaded: LoadedRulebook, sums: SumStages) -> None:
        self._book = loaded.rulebook
        self._sums = sums
        self._reads = map_question_reads(loaded.rulebook)
        self._must_answer = loaded.rulebook.rulebook.must_answer
        self._questions = sorted(loaded.rulebook.question, key=lambda question: not question.core)
        self._candidates = [
            question
            for question in self._questions
            if not question.optional and question.id not in self._must_answer
        ]
        self._positions = {question.id: index for index, question in enumerate(self._questions)}
        self._keys = RankKeys(len(self._questions), find_points_bound(loaded.rulebook))

    def build_stages(self) -> list[list[pl.Expr]]:
        """Return the stages that end in the swing of each question, null if it is not listed."""
        criteria = [
            expression
            for index, criterion in enumerate(self._book.criterion)
            for expression in self._open_criterion(index, criterion)
        ]
        domains = [
            expression
            for index in range(len(self._book.domain))
            for expression in self._open_domain(index)
        ]
        swings = [
            self._measure_swing(question).alias(_swing_column_name(question.id))
            for question in self._candidates
        ]
        return [[*criteria, *domains], swings]

    def list_missing_answers(self) -> pl.Expr:
        """Return the questions that must be answered, then the others by swing."""
        keys = [*self._must_keys(), *self._swing_keys()]
        return self._list_questions(keys)

    def list_first_questions(self, changes_band: pl.Expr) -> pl.Expr:
        """Return the first three questions; only required ones if no answer can change the band."""
        first_of_all, first_required = (
            self._list_questions(keys).list.head(FIRST_QUESTIONS)
            for keys in ([*self._must_keys(), *self._swing_keys()], self._must_keys())
        )
        return pl.when(changes_band).then(first_of_all).otherwise(first_required)

    def _list_questions(self, keys: list[pl.Expr]) -> pl.Expr:
        names = [question.id for question in self._questions]
        return sort_names(keys, names, self._keys.kind)

    def _must_keys(self) -> list[pl.Expr]:
        """Return sort keys before all swings, in the order in which the rulebook names them."""
        questions = self._book.questions_by_id
        return [
            pl.when(is_open(questions[name])).then(
                self._keys.put_first(self._positions[name], place)
            )
            for place, name in enumerate(self._must_answer)
        ]

    def _swing_keys(self) -> list[pl.Expr]:
        return [
            self._keys.rank_name(
                self._positions[question.id], pl.col(_swing_column_name(question.id))
            )
            for question in self._candidates
        ]

    def _open_criterion(self, index: int, criterion: Criterion) -> Iterable[pl.Expr]:
        """Yield whether a criterion has a range, and which of its discounts could narrow it."""
        least, most = (
            pl.col(WeighingStages.points_column_name(index, side)) for side in ("least", "most")
        )
        yield (least != most).alias(_ranged_column_name(index))
        factors = [to_hundredths(discount.factor) for discount in criterion.discount]
        for n, factor in enumerate(factors):
            is_open_discount = pl.col(f"discount.{index}.{n}").is_null()
            for other, other_factor in enumerate(factors):
                if other_factor <= factor:
                    holds = pl.col(f"discount.{index}.{other}").fill_null(value=False)
                    is_open_discount &= ~holds
            yield is_open_discount.alias(_open_discount_column_name(index, n))

    def _open_domain(self, domain: int) -> Iterable[pl.Expr]:
        """Yield the sum of a domain before its clamp, and whether what it counts can change."""
        members = [
            pl.col(WeighingStages.points_column_name(index))
            for index, criterion in enumerate(self._book.criterion)
            if criterion.domain == self._book.domain[domain].id
        ]
        yield reduce(add, members).alias(_sum_column_name(domain))
        least, most = (
            pl.col(sum_column_names(self._book, side).domain_points[domain])
            for side in ("least", "most")
        )
        yield (least != most).alias(_movable_column_name(domain))

    def _measure_swing(self, question: Question) -> pl.Expr:
        criteria = self._find_criteria(question)
        if not criteria:
            return pl.lit(None, pl.Int32)
        is_listed = reduce(
            or_,
            [
                criterion.is_reached
                & pl.col(_movable_column_name(self._domain_of(criterion.position)))
                for criterion in criteria
            ],
        )
        is_listed &= is_open(question)
        if question.ask_when is not None:
            is_listed &= ~is_undecided(question.id)
        swing = self._total_at(criteria, "most") - self._total_at(criteria, "least")
        return pl.when(is_listed).then(swing.cast(pl.Int32))

    def _find_criteria(self, question: Question) -> list[ReachedCriterion]:
        readers = [name for name, reads in self._reads.asks.items() if question.id in reads]
        criteria = []
        for index in range(len(self._book.criterion)):
            by_level = _is_read(question.id, readers, self._reads.levels[index])
            by_discounts = [
                pl.col(_open_discount_column_name(index, n)) & is_read
                for n, reads in enumerate(self._reads.discounts[index])
                if (is_read := _is_read(question.id, readers, reads)) is not None
            ]
            if by_level is None and not by_discounts:
                continue
            is_unsettled = pl.col(WeighingStages.settled_column_name(index)).is_null()
            is_ranged = pl.col(_ranged_column_name(index))
            is_by_level = is_unsettled & (pl.lit(value=False) if by_level is None else by_level)
            is_by_discount = reduce(or_, by_discounts, pl.lit(value=False))
            criteria.append(
                ReachedCriterion(
                    index,
                    is_ranged & (is_by_level | (~is_unsettled & is_by_discount)),
                    is_ranged & (is_by_level | is_by_discount),
                )
            )
        return criteria

    def _total_at(self, criteria: list[ReachedCriterion], side: str) -> pl.Expr:
        """Return the part of the banded total that can move, with its criteria at this side."""
        count = len(self._book.domain)
        moved_domains = {self._domain_of(criterion.position) for criterion in criteria}
        clamped = [
            self._clamp_moved(criteria, domain, side)
            if domain in moved_domains
            else pl.col(clamped_column_name("now", domain))
            for domain in range(count)
        ]
        indexes = self._sums.domain_indexes
        banded = next(total for total in self._book.total if total.banded)
        domain_points = [
            self._sums.apply_gates(clamped, domain)
            for domain in (indexes[name] for name in banded.domains)
            if not moved_domains.isdisjoint(
                {domain, *(indexes[n] for g in self._sums.list_gates(domain) for n in g.needs)}
            )
        ]
        return reduce(add, domain_points, pl.lit(0, pl.Int32))

    def _clamp_moved(self, criteria: list[ReachedCriterion], domain: int, side: str) -> pl.Expr:
        points = pl.col(_sum_column_name(domain))
        for criterion in criteria:
            if self._domain_of(criterion.position) == domain:
                now, at_side = (
                    pl.col(WeighingStages.points_column_name(criterion.position, name))
                    for name in ("now", side)
                )
                points += pl.when(criterion.is_moved).then(at_side - now).otherwise(0)
        return self._sums.clamp_domain(points, domain)

    def _domain_of(self, criterion: int) -> int:
        return self._sums.domain_indexes[self._book.criterion[criterion].domain]


def _is_read(question: str, readers: list[str], reads: frozenset[str]) -> pl.Expr | None:
    """Return whether the question, or an undecided reader of it, is read; None if it never is."""
    if question in reads:
        return pl.lit(value=True)
    undecided = [is_undecided(name) for name in readers if name in reads]
    return reduce(or_, undecided) if undecided else None


def _swing_column_name(question: str) -> str:
    return f"swing.{question}"


def _ranged_column_name(criterion: int) -> str:
    return f"ranged.{criterion}"


def _open_discount_column_name(criterion: int, discount: int) -> str:
    return f"open_discount.{criterion}.{discount}"


def _sum_column_name(domain: int) -> str:
    return f"sum.now.{domain}"


def _movable_column_name(domain: int) -> str:
    return f"movable.{domain}"
