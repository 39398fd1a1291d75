"""Who reads what: the questions behind a condition, with derived values opened."""

from collections.abc import Iterable, Iterator, Mapping

from schemas.conditions import Condition, statements
from schemas.rulebook import Criterion, Derived, Rulebook

Sources = Mapping[str, Derived]


def questions_read(conditions: Iterable[Condition | None], sources: Sources) -> list[str]:
    """The questions that these conditions read, derived values opened, each once, in order."""
    subjects = (each.subject for condition in conditions for each in statements(condition))
    return _opened(subjects, sources)


def questions_weighed(criterion: Criterion, sources: Sources) -> list[str]:
    """The questions that a criterion's levels read."""
    return questions_read([level.when for level in criterion.level], sources)


def questions_discounting(criterion: Criterion, sources: Sources) -> list[str]:
    """The questions that a criterion's discounts read."""
    return questions_read([discount.when for discount in criterion.discount], sources)


def questions_counted(derived: Derived, sources: Sources) -> list[str]:
    """The questions that a derived value counts."""
    asked = [derived.question] if derived.question else [*derived.sum_of, *derived.mean_of]
    return _opened([*asked, *(each.subject for each in statements(derived.when))], sources)


def blocks_with_conditions(book: Rulebook) -> Iterator[tuple[str, Condition]]:
    """Every condition of the rulebook with the name of its block."""
    for block, condition in _conditions(book):
        if condition is not None:
            yield block, condition


def _conditions(book: Rulebook) -> Iterator[tuple[str, Condition | None]]:
    yield from ((f"derived {each.id}", each.when) for each in book.derived)
    for criterion in book.criterion:
        name = f"criterion {criterion.id}"
        yield from ((f"{name} > level {level.id}", level.when) for level in criterion.level)
        yield from ((f"{name} > discount", discount.when) for discount in criterion.discount)
    yield from ((f"band {each.id}", each.needs.when) for each in book.band if each.needs)
    for ledger in book.ledger:
        yield from ((f"ledger {ledger.id}", part.when) for part in ledger.part)
    yield from ((f"flag {each.id}", each.when) for each in book.flag)
    yield from ((f"scope {each.id}", each.when) for each in book.scope)
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
    yield from ((f"next_step {each.id}", each.when) for each in book.next_step)
    yield from ((f"limitation {n}", each.when) for n, each in enumerate(book.limitation, 1))


def _opened(subjects: Iterable[str], sources: Sources) -> list[str]:
    opened: dict[str, None] = {}
    for subject in subjects:
        behind = questions_counted(sources[subject], sources) if subject in sources else [subject]
        opened.update(dict.fromkeys(behind))
    return list(opened)
