"""What is still open: which answers would tell most, and what if one criterion gave nothing."""

from collections import Counter
from collections.abc import Sequence

from schemas.assessment import MissingAnswer, WhatIf
from scoring.conditions import Facts
from scoring.loaded import LoadedRulebook
from scoring.scale import band_given
from scoring.weighing import Weight, exact


def missing(
    loaded: LoadedRulebook, weights: Sequence[Weight], facts: Facts
) -> tuple[MissingAnswer, ...]:
    """Must-answers first, then by swing: the points that a question's open criteria could move."""
    swings: Counter[str] = Counter()
    for weight, names in zip(weights, loaded.touched_by, strict=True):
        if weight.open:
            swings.update(dict.fromkeys(names, weight.most - weight.least))
    required = loaded.rulebook.rulebook.must_answer
    unanswered = loaded.asked(
        lambda question: not question.optional and facts.get(question.id) is None
    )
    first = [name for name in unanswered if name in required]
    then = [name for name in unanswered if name not in required and swings[name] > 0]
    then.sort(key=lambda name: -swings[name])
    return tuple(
        MissingAnswer(question=name, swing=exact(swings[name])) for name in [*first, *then]
    )


def what_if(
    loaded: LoadedRulebook, weights: Sequence[Weight], facts: Facts, total: int, band: str | None
) -> tuple[WhatIf, ...]:
    """For each criterion that gives points: the banded total and its band if it gave none."""
    points = [weight.points for weight in weights]
    ids = [criterion.id for criterion in loaded.rulebook.criterion]
    removed = []
    for place, given in enumerate(points):
        if given:
            sums = loaded.add_up([*points[:place], 0, *points[place + 1 :]])
            left = sums.totals[total]
            new_band = None if band is None else band_given(loaded, sums, left, facts).id
            changes = None if band is None else new_band != band
            removed.append(
                WhatIf(
                    criterion=ids[place], points=exact(left), band=new_band, changes_band=changes
                )
            )
    return tuple(removed)
