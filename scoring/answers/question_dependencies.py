"""Finds the questions that conditions depend on, directly or through derived values."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from schemas.rulebooks.conditions import Condition, HasAnswer, iterate_statements
from schemas.rulebooks.rulebook import Criterion, Derived, Rulebook

DerivedById = Mapping[str, Derived]


def find_condition_questions(
    conditions: Iterable[Condition | None], sources: DerivedById
) -> list[str]:
    """Return the questions these conditions depend on, without duplicates, in order of use."""
    subjects = (
        statement.subject
        for condition in conditions
        for statement in iterate_statements(condition)
        if statement.result is None
    )
    return _resolve_derived(subjects, sources)


def find_condition_subjects(
    conditions: Iterable[Condition | None], sources: DerivedById
) -> set[str]:
    """Return the questions and derived values that these conditions read, however deeply."""
    subjects: set[str] = set()
    unread = [*conditions]
    while unread:
        for statement in iterate_statements(unread.pop()):
            if statement.subject not in subjects:
                subjects.add(statement.subject)
                source = sources.get(statement.subject)
                if source is not None:
                    subjects.update(_list_operands(source))
                    unread.append(source.when)
    return subjects


def find_early_values(book: Rulebook) -> set[str]:
    """Return the derived values that tell whether a question applies; none reads a neutral."""
    by_id = {derived.id: derived for derived in book.derived}
    conditions = [question.ask_when for question in book.question]
    return find_condition_subjects(conditions, by_id) & by_id.keys()


def find_late_values(book: Rulebook) -> set[str]:
    """Return the derived values that read a result or whether something is answered."""
    late_ids: set[str] = set()
    for derived in book.derived:
        if any(
            statement.result is not None
            or isinstance(statement, HasAnswer)
            or statement.subject in late_ids
            for statement in iterate_statements(derived.when)
        ):
            late_ids.add(derived.id)
    return late_ids


def find_level_questions(criterion: Criterion, sources: DerivedById) -> list[str]:
    """Return the questions that the levels of a criterion depend on."""
    return find_condition_questions([level.when for level in criterion.level], sources)


def find_discount_questions(criterion: Criterion, sources: DerivedById) -> list[str]:
    """Return the questions that the discounts of a criterion depend on."""
    return find_condition_questions([discount.when for discount in criterion.discount], sources)


def find_derived_questions(derived: Derived, sources: DerivedById) -> list[str]:
    """Return the questions that a derived value is calculated from."""
    subjects = (
        statement.subject
        for statement in iterate_statements(derived.when)
        if statement.result is None
    )
    return _resolve_derived([*_list_operands(derived), *subjects], sources)


class QuestionReads(NamedTuple):
    """The questions that are read, by criteria in rulebook order and by conditional questions."""

    levels: list[frozenset[str]]
    discounts: list[list[frozenset[str]]]
    asks: dict[str, frozenset[str]]


def map_question_reads(book: Rulebook) -> QuestionReads:
    """Return what the levels, each discount and each `ask_when` of the rulebook read."""
    sources = {derived.id: derived for derived in book.derived}
    return QuestionReads(
        [frozenset(find_level_questions(criterion, sources)) for criterion in book.criterion],
        [
            [
                frozenset(find_condition_questions([discount.when], sources))
                for discount in criterion.discount
            ]
            for criterion in book.criterion
        ],
        {
            question.id: frozenset(find_condition_questions([question.ask_when], sources))
            for question in book.question
            if question.ask_when is not None
        },
    )


def iterate_conditions(book: Rulebook) -> Iterator[tuple[str, Condition]]:
    """Yield every condition of the rulebook with the name of its block."""
    for block, condition in _conditions(book):
        if condition is not None:
            yield block, condition


def _conditions(book: Rulebook) -> Iterator[tuple[str, Condition | None]]:
    yield from ((f"question {question.id}", question.ask_when) for question in book.question)
    yield from ((f"derived {derived.id}", derived.when) for derived in book.derived)
    for criterion in book.criterion:
        name = f"criterion {criterion.id}"
        yield from ((f"{name} > level {level.id}", level.when) for level in criterion.level)
        yield from ((f"{name} > discount", discount.when) for discount in criterion.discount)
    yield from ((f"band {band.id}", band.needs.when) for band in book.band if band.needs)
    for ledger in book.ledger:
        yield from ((f"ledger {ledger.id}", part.when) for part in ledger.part)
    yield from ((f"acceptable_range {n}", it.when) for n, it in enumerate(book.acceptable_range, 1))
    for flag in book.flag:
        yield f"flag {flag.id}", flag.when
        yield f"flag {flag.id} > unless", flag.unless
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
    for alternative in book.alternative:
        name = f"alternative {alternative.id}"
        yield from ((f"{name} > sign {n}", sign.when) for n, sign in enumerate(alternative.sign, 1))
        yield f"{name} > unless", alternative.unless
    yield from ((f"contradiction {it.id}", it.when) for it in book.contradiction)
    yield from ((f"caution {caution.id}", caution.when) for caution in book.caution)
    for step in book.next_step:
        yield f"next_step {step.id}", step.when
        yield f"next_step {step.id} > not_when", step.not_when
    yield from ((f"sheet {n}", sheet.when) for n, sheet in enumerate(book.sheet, 1))
    yield "rulebook > crisis_lines_when", book.rulebook.crisis_lines_when
    yield from (
        (f"limitation {n}", limitation.when) for n, limitation in enumerate(book.limitation, 1)
    )


def _list_operands(derived: Derived) -> list[str]:
    if derived.question:
        return [derived.question]
    years = derived.whole_years.operands if derived.whole_years else ()
    return [*derived.sum_of, *derived.mean_of, *years]


def _resolve_derived(subjects: Iterable[str], sources: DerivedById) -> list[str]:
    questions: dict[str, None] = {}
    for subject in subjects:
        resolved = (
            find_derived_questions(sources[subject], sources) if subject in sources else [subject]
        )
        questions.update(dict.fromkeys(resolved))
    return list(questions)
