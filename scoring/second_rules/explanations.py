"""Lists other explanations of the answers, and answers that cannot hold together."""

from schemas.assessments.assessment_context import AlternativeExplanation, Contradiction
from schemas.rulebooks.guidance import Alternative, Sign
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts


def list_alternatives(loaded: LoadedRulebook, facts: Facts) -> tuple[AlternativeExplanation, ...]:
    """Return the explanations that are strong enough, the strongest first, then in rulebook order.

    Only signs that are known to be true count.
    """
    least = loaded.rulebook.rulebook.alternatives_from
    explanations = [
        _explain(alternative, signs)
        for alternative in loaded.rulebook.alternative
        if _add_strength(signs := _list_true_signs(loaded, alternative, facts)) >= least
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


def _list_true_signs(loaded: LoadedRulebook, alternative: Alternative, facts: Facts) -> list[Sign]:
    return [sign for sign in alternative.sign if loaded.evaluate(sign.when, facts)]


def _add_strength(signs: list[Sign]) -> int:
    return sum(sign.strength for sign in signs)


def _explain(alternative: Alternative, signs: list[Sign]) -> AlternativeExplanation:
    return AlternativeExplanation(
        id=alternative.id,
        label=alternative.label,
        strength=_add_strength(signs),
        signs=tuple(sign.words for sign in signs),
        settle=alternative.settle,
        citations=alternative.citations,
    )
