"""Raises red flags as Polars expressions. In a batch no clinician attests, so none is assessed."""

from collections.abc import Sequence

import polars as pl

from schemas.batches.batch import NOT_ALL_ASKED
from schemas.rulebooks.rulebook import Flag, Question
from scoring.columns.conditional_questions import is_open
from scoring.columns.conditions import ConditionCompiler
from scoring.columns.name_lists import is_any_true, list_names
from scoring.common_rules.safety import NO_TIER
from scoring.compiled_rulebook import LoadedRulebook


class FlagExpressions:
    """The red flags of one rulebook, in the order in which its rules list them."""

    def __init__(self, loaded: LoadedRulebook, meaning: ConditionCompiler) -> None:
        self._tiers = loaded.rulebook.tier
        self._meaning = meaning
        self._questions = [
            loaded.questions[name] for name in loaded.rulebook.rulebook.safety_questions
        ]
        urgency = {tier.id: index for index, tier in enumerate(self._tiers)}
        is_person_first = loaded.rulebook.rulebook.scoring_rules == 1
        self._flags = sorted(
            loaded.rulebook.flag,
            key=lambda flag: (
                (not flag.about_person, urgency[flag.tier])
                if is_person_first
                else (urgency[flag.tier], not flag.about_person)
            ),
        )

    def is_withheld(self) -> pl.Expr:
        """Return whether a flag that is not about the person withholds the score."""
        withholding = {tier.id for tier in self._tiers if tier.withholds}
        return is_any_true(
            [
                self._raise(flag)
                for flag in self._flags
                if flag.tier in withholding and not flag.about_person
            ]
        )

    def find_tier(self) -> pl.Expr:
        """Return the most urgent tier of a raised flag; without one, whether all were asked."""
        names = [*(tier.id for tier in self._tiers), NO_TIER, NOT_ALL_ASKED]
        count = len(self._tiers)
        is_asked = self.is_all_asked()
        index = (
            pl.when(is_asked).then(pl.lit(count, pl.UInt8)).otherwise(pl.lit(count + 1, pl.UInt8))
        )
        for n, name in reversed(list(enumerate(names[:count]))):
            raised_flags = [self._raise(flag) for flag in self._flags if flag.tier == name]
            index = pl.when(is_any_true(raised_flags)).then(pl.lit(n, pl.UInt8)).otherwise(index)
        return index.cat.to(pl.Enum(names))

    def is_all_asked(self) -> pl.Expr:
        """Return whether every red flag question was answered."""
        return ~is_any_true([is_open(question) for question in self._questions])

    def list_not_asked(self) -> pl.Expr:
        """Return the red flag questions that were not answered."""
        return list_open(self._questions)

    def list_flags(self) -> pl.Expr:
        """Return the flags raised, in order."""
        raised_flags = [
            pl.when(self._raise(flag)).then(pl.lit(index, pl.UInt8))
            for index, flag in enumerate(self._flags)
        ]
        return list_names(raised_flags, [flag.id for flag in self._flags])

    def _raise(self, flag: Flag) -> pl.Expr:
        holds = self._meaning.compile(flag.when)
        if flag.unless is None:
            return holds
        return holds & ~self._meaning.compile(flag.unless).fill_null(value=False)


def list_open(questions: Sequence[Question]) -> pl.Expr:
    """Return the ids of those of the questions that are unanswered and apply."""
    indexes = [
        pl.when(is_open(question)).then(pl.lit(index, pl.UInt8))
        for index, question in enumerate(questions)
    ]
    return list_names(indexes, [question.id for question in questions])
