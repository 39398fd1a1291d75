"""Adds clinical context to a score: gradings, patterns, findings and limitations."""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain
from typing import Literal

from schemas.assessments.assessment import RaisedFlag, WeighedCriterion
from schemas.assessments.assessment_context import (
    FindingInContext,
    GradedCriterion,
    GradingResult,
    NextStepOption,
    Patterns,
    PatternState,
)
from schemas.rulebooks.conditions import list_subjects
from schemas.rulebooks.rulebook import (
    Finding,
    GradeStep,
    Grading,
    GradingCriterion,
    Pattern,
    Prevalence,
)
from scoring.answers.intake_facts import IntakeFacts
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import remember_part

_State = Literal["seen", "not_seen", "not_asked"]
CitingPart = RaisedFlag | WeighedCriterion | GradingResult | FindingInContext | NextStepOption


def apply_gradings(loaded: LoadedRulebook, facts: Facts) -> dict[str, GradingResult]:
    """Return the result of each published grading, by its id."""
    return {name: grade(facts) for name, grade in _compile_gradings(loaded).items()}


def match_patterns(loaded: LoadedRulebook, facts: Facts) -> Patterns:
    """Return the state of every pattern of the evidence sheet, by its own numbering."""
    return _compile_patterns(loaded)(facts)


def list_findings_in_context(loaded: LoadedRulebook, facts: Facts) -> tuple[FindingInContext, ...]:
    """Return each reported finding with its prevalence without pain and the counter-evidence."""
    return _compile_findings(loaded)(facts)


def list_limitations(loaded: LoadedRulebook, intake: IntakeFacts, facts: Facts) -> tuple[str, ...]:
    """Return the limitations that apply to an intake with these facts."""
    unattested = not intake.attested and any(
        name in intake.answers for name in loaded.clinician_questions
    )
    return tuple(
        limitation.text
        for limitation in loaded.rulebook.limitation
        if (limitation.when is None or loaded.evaluate(limitation.when, facts))
        and (unattested or not limitation.where_not_attested)
    )


def list_unverified_sources(
    loaded: LoadedRulebook, citing_parts: Iterable[CitingPart]
) -> tuple[str, ...]:
    """Return the limitation that names the unverified sources of these parts, if there are any."""
    book = loaded.rulebook
    cited = set(chain.from_iterable(part.citations for part in citing_parts))
    unverified = [source.id for source in book.citation if source.unverified and source.id in cited]
    if not unverified:
        return ()
    sources = loaded.explainer.join_words(unverified)
    return (book.wording.unverified_sources.format(sources=sources),)


@cache
def _compile_gradings(loaded: LoadedRulebook) -> dict[str, Callable[[Facts], GradingResult]]:
    return {grading.id: _compile_grading(loaded, grading) for grading in loaded.rulebook.grading}


def _compile_grading(loaded: LoadedRulebook, grading: Grading) -> Callable[[Facts], GradingResult]:
    def grade(facts: Facts) -> GradingResult:
        step = next(step for step in grading.grade if _grade_applies(loaded, step, facts))
        return GradingResult(
            grade=step.id,
            label=step.label,
            criteria=tuple(
                GradedCriterion(id=line.id, label=line.label, met=_is_met(loaded, line, facts))
                for line in grading.criterion
            ),
            citations=grading.citations,
        )

    steps = [condition for step in grading.grade for condition in (step.when, step.unless)]
    lines = [condition for line in grading.criterion for condition in (line.met, line.not_met)]
    return remember_part(list_subjects(*steps, *lines), grade)


def _grade_applies(loaded: LoadedRulebook, step: GradeStep, facts: Facts) -> bool:
    if step.when is not None:
        return loaded.evaluate(step.when, facts) is True
    return step.unless is None or loaded.evaluate(step.unless, facts) is not True


def _is_met(loaded: LoadedRulebook, criterion: GradingCriterion, facts: Facts) -> bool | None:
    is_met = loaded.evaluate(criterion.met, facts)
    if criterion.not_met is None or is_met is True:
        return is_met
    return False if loaded.evaluate(criterion.not_met, facts) is True else None


@cache
def _compile_patterns(loaded: LoadedRulebook) -> Callable[[Facts], Patterns]:
    """Return a function that remembers the state of each pattern, and the sheet of these states."""
    find_states = [_compile_pattern(loaded, pattern) for pattern in loaded.rulebook.pattern]

    def build_patterns(_: Facts, *states: _State) -> Patterns:
        patterns = zip(loaded.rulebook.pattern, states, strict=True)
        return Patterns(
            seen=states.count("seen"),
            list=tuple(
                PatternState(
                    number=pattern.number,
                    label=pattern.label,
                    state=state,
                    criteria=pattern.criteria,
                    evidence=pattern.evidence,
                )
                for pattern, state in patterns
            ),
        )

    build = remember_part((), build_patterns)
    return lambda facts: build(facts, *[find_state(facts) for find_state in find_states])


def _compile_pattern(loaded: LoadedRulebook, pattern: Pattern) -> Callable[[Facts], _State]:
    return remember_part(
        list_subjects(pattern.seen, pattern.not_seen),
        lambda facts: _pattern_state(loaded, pattern, facts),
    )


def _pattern_state(loaded: LoadedRulebook, pattern: Pattern, facts: Facts) -> _State:
    is_seen = loaded.evaluate(pattern.seen, facts)
    if is_seen is True:
        return "seen"
    is_not_seen = (
        is_seen is False if pattern.not_seen is None else loaded.evaluate(pattern.not_seen, facts)
    )
    return "not_seen" if is_not_seen else "not_asked"


@cache
def _compile_findings(loaded: LoadedRulebook) -> Callable[[Facts], tuple[FindingInContext, ...]]:
    findings = loaded.rulebook.finding

    def list_reported(facts: Facts) -> tuple[FindingInContext, ...]:
        return tuple(
            _put_in_context(finding, facts)
            for finding in findings
            if finding.id in (facts.get(finding.question) or ())
        )

    names = (name for finding in findings for name in (finding.question, finding.age_question))
    return remember_part(filter(None, names), list_reported)


def _put_in_context(finding: Finding, facts: Facts) -> FindingInContext:
    row = _find_nearest_age(finding, facts)
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


def _find_nearest_age(finding: Finding, facts: Facts) -> Prevalence | None:
    """Return the row of the nearest age; if two are equally near, the younger."""
    age = facts.get(finding.age_question) if finding.age_question else None
    if age is None:
        return None
    return min(finding.at_age, key=lambda row: (abs(row.age - age), row.age))
