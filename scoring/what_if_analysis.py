"""What is still open: which answers would tell most, and what if one criterion gave nothing."""

from collections import Counter
from collections.abc import Sequence

from schemas.assessment import MissingAnswer, WhatIf
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.scale import band_given
from scoring.weighing import Sums, Weight, exact


def missing(
    loaded: LoadedRulebook, weights: Sequence[Weight], facts: Facts
) -> tuple[MissingAnswer, ...]:
    """Must-answers first, then by swing: the points that a question's open criteria could move."""
    swings: Counter[str] = Counter()
    for weight, names in zip(weights, loaded.touched_by, strict=True):
        if weight.open:
            swings.update(dict.fromkeys(names, weight.most - weight.least))
    required = loaded.rulebook.rulebook.must_answer
    unanswered = [name for name in loaded.expected if facts.get(name) is None]
    first = [name for name in unanswered if name in required]
    then = [name for name in unanswered if name not in required and swings[name] > 0]
    then.sort(key=lambda name: -swings[name])
    return tuple(
        MissingAnswer(question=name, swing=exact(swings[name])) for name in [*first, *then]
    )


def what_if(
    loaded: LoadedRulebook, weights: Sequence[Weight], sums: Sums, facts: Facts, band: str | None
) -> tuple[WhatIf, ...]:
    """For each criterion that gives points: the banded total and its band if it gave none."""
    banded = loaded.banded
    if banded is None:
        return ()
    removed = []
    for place, (criterion, weight) in enumerate(
        zip(loaded.rulebook.criterion, weights, strict=True)
    ):
        if weight.points:
            left = loaded.adder.without(sums, place, weight.points)
            new_band = None if band is None else band_given(loaded, left, banded, facts).id
            removed.append(
                WhatIf(
                    criterion=criterion.id,
                    points=exact(left.totals[banded]),
                    band=new_band,
                    changes_band=None if band is None else new_band != band,
                )
            )
    return tuple(removed)
