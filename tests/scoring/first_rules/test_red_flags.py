"""Red flags of the first generation: the tier of the safety part is the most urgent one raised."""

import pytest

from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess_safety


@pytest.mark.parametrize("names", [("T0", "T1", "T2", "T3"), ("now", "later", "in_time", "any")])
def test_urgency_is_the_order_of_the_tiers_and_not_of_their_names(nociplastic, names):
    book = nociplastic.rulebook
    name_of = {tier.id: name for tier, name in zip(book.tier, names, strict=True)}
    tiers = tuple(tier.model_copy(update={"id": name_of[tier.id]}) for tier in book.tier)
    flags = tuple(flag.model_copy(update={"tier": name_of[flag.tier]}) for flag in book.flag)
    renamed = book.model_copy(update={"tier": tiers, "flag": flags})
    options = {
        question.id: tuple(option.id for option in question.options)
        for question in book.question
        if question.id.startswith("rf_")
    }
    safety = assess_safety(LoadedRulebook(renamed, nociplastic.sha256), options)
    assert len({flag.tier for flag in safety.flags}) == len(names)
    assert safety.tier == names[0]
