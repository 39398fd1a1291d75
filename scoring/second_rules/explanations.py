"""Lists other explanations of the answers, and answers that contradict each other."""

from collections.abc import Callable
from functools import cache

from schemas.assessments.assessment_context import AlternativeExplanation, Contradiction
from schemas.rulebooks.conditions import list_subjects
from schemas.rulebooks.guidance import Alternative, ContradictionRule, Sign
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import remember_part


def list_alternatives(loaded: LoadedRulebook, facts: Facts) -> tuple[AlternativeExplanation, ...]:
    """Return the explanations that are strong enough, the strongest first, then in rulebook order.

    Only signs that are known to be true count.
    """
    explanations = [explain(facts) for explain in _compile_alternatives(loaded)]
    return tuple(sorted(filter(None, explanations), key=lambda it: -it.strength))


def list_contradictions(loaded: LoadedRulebook, facts: Facts) -> tuple[Contradiction, ...]:
    """Return the contradictions that are known to be true, in rulebook order."""
    contradictions = [contradict(facts) for contradict in _compile_contradictions(loaded)]
    return tuple(filter(None, contradictions))


@cache
def _compile_alternatives(
    loaded: LoadedRulebook,
) -> list[Callable[[Facts], AlternativeExplanation | None]]:
    return [_compile_alternative(loaded, it) for it in loaded.rulebook.alternative]


def _compile_alternative(
    loaded: LoadedRulebook, alternative: Alternative
) -> Callable[[Facts], AlternativeExplanation | None]:
    least = loaded.rulebook.rulebook.alternatives_from

    def explain(facts: Facts) -> AlternativeExplanation | None:
        signs = [sign for sign in alternative.sign if loaded.evaluate(sign.when, facts)]
        if alternative.unless and loaded.evaluate(alternative.unless, facts):
            return None
        return _explain(alternative, signs) if _add_strength(signs) >= least else None

    conditions = [sign.when for sign in alternative.sign]
    return remember_part(list_subjects(*conditions, alternative.unless), explain)


@cache
def _compile_contradictions(
    loaded: LoadedRulebook,
) -> list[Callable[[Facts], Contradiction | None]]:
    return [_compile_contradiction(loaded, rule) for rule in loaded.rulebook.contradiction]


def _compile_contradiction(
    loaded: LoadedRulebook, rule: ContradictionRule
) -> Callable[[Facts], Contradiction | None]:
    contradiction = Contradiction(id=rule.id, text=rule.text)
    return remember_part(
        list_subjects(rule.when),
        lambda facts: contradiction if loaded.evaluate(rule.when, facts) else None,
    )


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
