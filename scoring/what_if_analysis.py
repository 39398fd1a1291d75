"""Ranks missing answers by their effect and recalculates the total without single criteria."""

from collections import Counter
from collections.abc import Sequence

from schemas.assessment import MissingAnswer, WhatIf
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.scale import select_band
from scoring.weighing import CriterionPoints, Sums, to_points


def list_missing_answers(
    loaded: LoadedRulebook, weights: Sequence[CriterionPoints], facts: Facts
) -> tuple[MissingAnswer, ...]:
    """Return the missing answers: required ones first, then by swing.

    The swing is the width of the range of the open criteria that read the question.
    """
    swings: Counter[str] = Counter()
    for weight, names in zip(weights, loaded.criterion_questions, strict=True):
        if weight.is_open:
            swings.update(dict.fromkeys(names, weight.most - weight.least))
    required = loaded.rulebook.rulebook.must_answer
    unanswered = [name for name in loaded.expected_questions if facts.get(name) is None]
    missing_required = [name for name in unanswered if name in required]
    optional_questions = [name for name in unanswered if name not in required and swings[name] > 0]
    optional_questions.sort(key=lambda name: -swings[name])
    return tuple(
        MissingAnswer(question=name, swing=to_points(swings[name]))
        for name in [*missing_required, *optional_questions]
    )


def calculate_what_ifs(
    loaded: LoadedRulebook,
    weights: Sequence[CriterionPoints],
    sums: Sums,
    facts: Facts,
    band: str | None,
) -> tuple[WhatIf, ...]:
    """Return the banded total and its band without each criterion that gives points, in turn."""
    banded = loaded.banded_total_index
    if banded is None:
        return ()
    what_ifs = []
    for index, (criterion, weight) in enumerate(
        zip(loaded.rulebook.criterion, weights, strict=True)
    ):
        if weight.points:
            sums_without = loaded.adder.remove_criterion(sums, index, weight.points)
            new_band = None if band is None else select_band(loaded, sums_without, banded, facts).id
            what_ifs.append(
                WhatIf(
                    criterion=criterion.id,
                    points=to_points(sums_without.totals[banded]),
                    band=new_band,
                    changes_band=None if band is None else new_band != band,
                )
            )
    return tuple(what_ifs)
