"""Finds levels and conditions that no answers can make true, by trying the answers that matter.

Only answers that a condition tells apart are tried. Derived values and results are tried
independently, within their own limits, so what is named here is truly out of reach.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from schemas.rulebooks.conditions import Condition, HasAnswer, Statement, iterate_statements
from schemas.rulebooks.guidance import Alternative
from schemas.rulebooks.rulebook import Criterion, Rulebook
from scoring.answers.question_dependencies import iterate_conditions
from scoring.conditions import Facts, compile_condition
from scoring.validation.candidate_values import list_candidates
from scoring.validation.reference_checks import Faults


def check_reachability(book: Rulebook) -> Faults:
    """Yield a fault for each level, condition, flag, step and alternative that nothing reaches."""
    for criterion in book.criterion:
        for name in _find_unreachable_levels(criterion, book):
            yield f"criterion {criterion.id} > level {name}: no answers reach it"
    for block, condition in iterate_conditions(book):
        if " > level " not in block and not _can_be_true(condition, book):
            yield f"{block}: no answers make its condition true"
    yield from _check_exceptions(book)


def _check_exceptions(book: Rulebook) -> Faults:
    for flag in book.flag:
        if flag.unless and not _can_be_true(flag.when, book, unless=flag.unless):
            yield f"flag {flag.id}: no answers raise it"
    for step in book.next_step:
        if step.when and step.not_when and not _can_be_true(step.when, book, unless=step.not_when):
            yield f"next_step {step.id}: no answers call for it"
    for alternative in book.alternative:
        if not _can_be_listed(alternative, book):
            yield f"alternative {alternative.id}: no answers list it"


def _find_unreachable_levels(criterion: Criterion, book: Rulebook) -> list[str]:
    """Return the levels that no answers reach: an earlier level always applies, or theirs never."""
    questions = book.questions_by_id
    conditions = [level.when for level in criterion.level]
    tests = [compile_condition(condition, questions) for condition in conditions]
    reachable_levels = {
        next((index for index, holds in enumerate(tests) if holds(facts)), None)
        for facts in _generate_facts(conditions, book)
    }
    return [
        level.id for index, level in enumerate(criterion.level) if index not in reachable_levels
    ]


def _can_be_true(condition: Condition, book: Rulebook, *, unless: Condition | None = None) -> bool:
    """Return whether some answers make the condition true while `unless` is not."""
    holds = compile_condition(condition, book.questions_by_id)
    return any(map(holds, _generate_admitted_facts([condition], unless, book)))


def _can_be_listed(alternative: Alternative, book: Rulebook) -> bool:
    """Return whether some answers make the signs of an alternative strong enough."""
    conditions = [sign.when for sign in alternative.sign]
    tests = [compile_condition(condition, book.questions_by_id) for condition in conditions]
    strengths = [sign.strength for sign in alternative.sign]
    least = book.rulebook.alternatives_from
    return any(
        sum(strength for holds, strength in zip(tests, strengths, strict=True) if holds(facts))
        >= least
        for facts in _generate_admitted_facts(conditions, alternative.unless, book)
    )


def _generate_admitted_facts(
    conditions: Sequence[Condition], unless: Condition | None, book: Rulebook
) -> Iterator[Facts]:
    """Yield the facts that matter to the conditions and do not make `unless` true."""
    if unless is None:
        yield from _generate_facts(conditions, book)
        return
    excludes = compile_condition(unless, book.questions_by_id)
    open_subjects = {statement.subject for statement in iterate_statements(unless)}
    for facts in _generate_facts([*conditions, unless], book, open_subjects):
        if not excludes(facts):
            yield facts


def _generate_facts(
    conditions: Sequence[Condition], book: Rulebook, open_subjects: Sequence[str] | set[str] = ()
) -> Iterator[Facts]:
    """Yield facts that the conditions tell apart; those of `open_subjects` may be unknown."""
    statements: dict[str, list[Statement]] = {}
    for condition in conditions:
        for statement in iterate_statements(condition):
            statements.setdefault(statement.subject, []).append(statement)
    values = []
    for subject, claims in statements.items():
        may_be_open = subject in open_subjects or any(isinstance(it, HasAnswer) for it in claims)
        values.append([*list_candidates(subject, claims, book), *([None] if may_be_open else [])])
    for combination in product(*values):
        yield dict(zip(statements, combination, strict=True))
