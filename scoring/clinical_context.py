"""What stands beside the score and never in it: gradings, patterns, findings, options, limits."""

from collections.abc import Iterable
from itertools import chain
from typing import Literal

from schemas.assessment import (
    FindingInContext,
    GradedCriterion,
    GradingReached,
    NextStepOffered,
    Patterns,
    PatternState,
    RaisedFlag,
    WeighedCriterion,
)
from schemas.rulebook import Finding, GradeStep, Grading, GradingCriterion, Pattern, Prevalence
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts

Citing = RaisedFlag | WeighedCriterion | GradingReached | FindingInContext | NextStepOffered


def gradings(loaded: LoadedRulebook, facts: Facts) -> dict[str, GradingReached]:
    """Each published grading by its id, with the first grade that applies."""
    return {each.id: _graded(loaded, each, facts) for each in loaded.rulebook.grading}


def patterns(loaded: LoadedRulebook, facts: Facts) -> Patterns:
    """Every line of the evidence sheet, in its own numbering."""
    states = tuple(
        PatternState(
            number=each.number,
            label=each.label,
            state=_state(loaded, each, facts),
            criteria=each.criteria,
            evidence=each.evidence,
        )
        for each in loaded.rulebook.pattern
    )
    return Patterns(seen=sum(each.state == "seen" for each in states), list=states)


def findings(loaded: LoadedRulebook, facts: Facts) -> tuple[FindingInContext, ...]:
    """Each reported finding beside how common it is without pain, and what speaks against."""
    return tuple(
        _in_context(each, facts)
        for each in loaded.rulebook.finding
        if each.id in (facts.get(each.question) or ())
    )


def next_steps(
    loaded: LoadedRulebook, facts: Facts, status: str, picture: str | None
) -> tuple[NextStepOffered, ...]:
    """The options that fit this status, picture and these answers."""
    return tuple(
        NextStepOffered(
            id=each.id, label=each.label, certainty=each.certainty, citations=each.citations
        )
        for each in loaded.rulebook.next_step
        if (not each.pictures or picture in each.pictures)
        and (not each.statuses or status in each.statuses)
        and (each.when is None or loaded.holds(each.when, facts))
    )


def limitations(
    loaded: LoadedRulebook, facts: Facts, shown: Iterable[Citing], *, attested: bool
) -> tuple[str, ...]:
    """What cannot be claimed here, ending with the sources shown that were not re-read."""
    book = loaded.rulebook
    unattested = not attested and any(facts.get(name) is not None for name in loaded.by_clinician)
    texts = [
        each.text
        for each in book.limitation
        if (each.when is None or loaded.holds(each.when, facts))
        and (unattested or not each.where_not_attested)
    ]
    cited = set(chain.from_iterable(each.citations for each in shown))
    unverified = [each.id for each in book.citation if each.unverified and each.id in cited]
    if unverified:
        sources = loaded.explainer.listed(unverified)
        texts.append(book.wording.unverified_sources.format(sources=sources))
    return tuple(texts)


def _graded(loaded: LoadedRulebook, grading: Grading, facts: Facts) -> GradingReached:
    step = next(each for each in grading.grade if _applies(loaded, each, facts))
    return GradingReached(
        grade=step.id,
        label=step.label,
        criteria=tuple(
            GradedCriterion(id=each.id, label=each.label, met=_met(loaded, each, facts))
            for each in grading.criterion
        ),
        citations=grading.citations,
    )


def _applies(loaded: LoadedRulebook, step: GradeStep, facts: Facts) -> bool:
    if step.when is not None:
        return loaded.holds(step.when, facts) is True
    return step.unless is None or loaded.holds(step.unless, facts) is not True


def _met(loaded: LoadedRulebook, criterion: GradingCriterion, facts: Facts) -> bool | None:
    met = loaded.holds(criterion.met, facts)
    if criterion.not_met is None or met is True:
        return met
    return False if loaded.holds(criterion.not_met, facts) is True else None


def _state(
    loaded: LoadedRulebook, pattern: Pattern, facts: Facts
) -> Literal["seen", "not_seen", "not_asked"]:
    seen = loaded.holds(pattern.seen, facts)
    if seen is True:
        return "seen"
    not_seen = seen is False if pattern.not_seen is None else loaded.holds(pattern.not_seen, facts)
    return "not_seen" if not_seen else "not_asked"


def _in_context(finding: Finding, facts: Facts) -> FindingInContext:
    row = _nearest(finding, facts)
    return FindingInContext(
        id=finding.id,
        label=finding.label,
        prevalence=row.share if row else finding.share,
        age=row.age if row else None,
        population=finding.population,
        text=(row and row.note) or finding.text,
        counter_evidence=finding.counter_evidence,
        never_incidental=finding.never_incidental,
        citations=(row and row.citations) or finding.citations,
    )


def _nearest(finding: Finding, facts: Facts) -> Prevalence | None:
    """The row of the nearest age, the lower one of two equally near."""
    age = facts.get(finding.age_question) if finding.age_question else None
    if age is None:
        return None
    return min(finding.at_age, key=lambda row: (abs(row.age - age), row.age))
