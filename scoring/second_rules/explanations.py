"""Lists other explanations of the answers, and answers that cannot hold together."""

from schemas.assessment_context import AlternativeExplanation, Contradiction
from schemas.guidance import Alternative
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts


def list_alternatives(loaded: LoadedRulebook, facts: Facts) -> tuple[AlternativeExplanation, ...]:
    """Return the explanations that are strong enough, the strongest first, then in rulebook order.

    Only signs that are known to be true count.
    """
    least = loaded.rulebook.rulebook.alternatives_from
    explanations = [
        explanation
        for alternative in loaded.rulebook.alternative
        if (explanation := _explain(loaded, alternative, facts)).strength >= least
        and not (alternative.unless and loaded.evaluate(alternative.unless, facts))
    ]
    return tuple(sorted(explanations, key=lambda explanation: -explanation.strength))


def list_contradictions(loaded: LoadedRulebook, facts: Facts) -> tuple[Contradiction, ...]:
    """Return the contradictions that are known to be true, in rulebook order."""
    return tuple(
        Contradiction(id=rule.id, text=rule.text)
        for rule in loaded.rulebook.contradiction
        if loaded.evaluate(rule.when, facts)
    )


def _explain(
    loaded: LoadedRulebook, alternative: Alternative, facts: Facts
) -> AlternativeExplanation:
    signs = [sign for sign in alternative.sign if loaded.evaluate(sign.when, facts)]
    return AlternativeExplanation(
        id=alternative.id,
        label=alternative.label,
        strength=sum(sign.strength for sign in signs),
        signs=tuple(sign.words for sign in signs),
        settle=alternative.settle,
        citations=alternative.citations,
    )
