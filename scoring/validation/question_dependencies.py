"""Finds the questions that conditions depend on, directly or through derived values."""

from collections.abc import Iterable, Iterator, Mapping

from schemas.conditions import Condition, iterate_statements
from schemas.rulebook import Criterion, Derived, Rulebook

DerivedById = Mapping[str, Derived]


def find_condition_questions(
    conditions: Iterable[Condition | None], sources: DerivedById
) -> list[str]:
    """Return the questions these conditions depend on, without duplicates, in order of use."""
    subjects = (
        statement.subject for condition in conditions for statement in iterate_statements(condition)
    )
    return _resolve_derived(subjects, sources)


def find_level_questions(criterion: Criterion, sources: DerivedById) -> list[str]:
    """Return the questions that the levels of a criterion depend on."""
    return find_condition_questions([level.when for level in criterion.level], sources)


def find_discount_questions(criterion: Criterion, sources: DerivedById) -> list[str]:
    """Return the questions that the discounts of a criterion depend on."""
    return find_condition_questions([discount.when for discount in criterion.discount], sources)


def find_derived_questions(derived: Derived, sources: DerivedById) -> list[str]:
    """Return the questions that a derived value is calculated from."""
    operands = [derived.question] if derived.question else [*derived.sum_of, *derived.mean_of]
    return _resolve_derived(
        [*operands, *(statement.subject for statement in iterate_statements(derived.when))], sources
    )


def iterate_conditions(book: Rulebook) -> Iterator[tuple[str, Condition]]:
    """Yield every condition of the rulebook with the name of its block."""
    for block, condition in _conditions(book):
        if condition is not None:
            yield block, condition


def _conditions(book: Rulebook) -> Iterator[tuple[str, Condition | None]]:
    yield from ((f"derived {derived.id}", derived.when) for derived in book.derived)
    for criterion in book.criterion:
        name = f"criterion {criterion.id}"
        yield from ((f"{name} > level {level.id}", level.when) for level in criterion.level)
        yield from ((f"{name} > discount", discount.when) for discount in criterion.discount)
    yield from ((f"band {band.id}", band.needs.when) for band in book.band if band.needs)
    for ledger in book.ledger:
        yield from ((f"ledger {ledger.id}", part.when) for part in ledger.part)
    yield from ((f"flag {flag.id}", flag.when) for flag in book.flag)
    yield from ((f"scope {rule.id}", rule.when) for rule in book.scope)
    for grading in book.grading:
        name = f"grading {grading.id}"
        for grade in grading.grade:
            yield f"{name} > grade {grade.id}", grade.when
            yield f"{name} > grade {grade.id}", grade.unless
        for line in grading.criterion:
            yield f"{name} > criterion {line.id}", line.met
            yield f"{name} > criterion {line.id}", line.not_met
    for pattern in book.pattern:
        yield f"pattern {pattern.number}", pattern.seen
        yield f"pattern {pattern.number}", pattern.not_seen
    yield from ((f"next_step {step.id}", step.when) for step in book.next_step)
    yield from (
        (f"limitation {n}", limitation.when) for n, limitation in enumerate(book.limitation, 1)
    )


def _resolve_derived(subjects: Iterable[str], sources: DerivedById) -> list[str]:
    questions: dict[str, None] = {}
    for subject in subjects:
        resolved = (
            find_derived_questions(sources[subject], sources) if subject in sources else [subject]
        )
        questions.update(dict.fromkeys(resolved))
    return list(questions)
