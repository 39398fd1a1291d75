"""Checks what conditions say: known subjects, words of the right kind, and words in their place."""

from typing import NamedTuple, get_args

from schemas.assessments.assessment import Status
from schemas.rulebooks.conditions import (
    HasAnswer,
    Includes,
    Is,
    OneOf,
    Statement,
    iterate_statements,
)
from schemas.rulebooks.rulebook import Derived, Question, Rulebook
from scoring.answers.question_dependencies import find_late_values, iterate_conditions
from scoring.common_rules.safety import NO_TIER
from scoring.validation.reference_checks import Faults


def check_conditions(book: Rulebook) -> Faults:
    """Yield a fault for each condition with an unknown subject or a word of the wrong kind."""
    subjects = _list_subjects(book)
    for block, condition in iterate_conditions(book):
        for statement in iterate_statements(condition):
            subject = subjects.get(_subject_key(statement))
            if subject is not None:
                faults = _statement_faults(statement, subject)
                yield from (f"{block}: {fault}" for fault in faults)
            elif statement.question is not None:
                yield f"{block}: uses question {statement.question}, which does not exist"
            elif statement.derived is not None:
                yield f"{block}: unknown derived value {statement.derived}"
            else:
                yield f"{block}: unknown result {statement.result}"


def check_word_places(book: Rulebook) -> Faults:
    """Yield a fault for each `answered` or `result` where it must not be read.

    What is given first would depend on what follows from it.
    """
    late_values = find_late_values(book)
    for block, condition in iterate_conditions(book):
        if block.startswith((*_END_BLOCKS, "derived ")):
            continue
        for statement in iterate_statements(condition):
            if statement.result is not None:
                yield f"{block}: must not read a result"
            elif statement.subject in late_values:
                yield f"{block}: must not read {statement.subject}, which is worked out last"
            elif isinstance(statement, HasAnswer) and not block.endswith(" > unless"):
                yield f"{block}: must not use 'answered'"


def check_derived_order(book: Rulebook) -> Faults:
    """Yield a fault for each derived value that reads a later one."""
    later_ids = {derived.id for derived in book.derived}
    for derived in book.derived:
        for statement in iterate_statements(derived.when):
            if statement.subject in later_ids:
                yield f"derived {derived.id}: reads {statement.subject}, which comes after it"
        later_ids.discard(derived.id)


class _Subject(NamedTuple):
    """What a statement can be about: its kind as of a question, and the names it accepts."""

    name: str
    kind: str
    names: frozenset[str] = frozenset()
    is_question: bool = False


_END_BLOCKS = ("next_step ", "caution ", "limitation ", "sheet ", "rulebook > crisis_lines_when")
"""The blocks that are read when everything else is known."""


def _subject_key(statement: Statement) -> tuple[str, str]:
    if statement.question is not None:
        return "question", statement.question
    return (
        ("derived", statement.derived) if statement.derived else ("result", statement.result or "")
    )


def _list_subjects(book: Rulebook) -> dict[tuple[str, str], _Subject]:
    subjects = [
        (("question", question.id), _describe_question(question)) for question in book.question
    ]
    subjects += [(("derived", derived.id), _describe_derived(derived)) for derived in book.derived]
    subjects += [(("result", subject.name), subject) for subject in _list_results(book)]
    return dict(subjects)


def _describe_question(question: Question) -> _Subject:
    names = frozenset({option.id for option in question.options} | set(question.groups))
    return _Subject(question.id, question.kind, names, is_question=True)


def _describe_derived(derived: Derived) -> _Subject:
    return _Subject(derived.id, "boolean" if derived.when is not None else "integer")


def _list_results(book: Rulebook) -> list[_Subject]:
    tiers = frozenset({*(tier.id for tier in book.tier), NO_TIER})
    choices = {
        "status": frozenset(get_args(Status)),
        "band": frozenset(band.id for band in book.band),
        "tier": tiers,
        "body_tier": tiers,
        "picture": frozenset(picture.id for picture in book.picture),
        **{grading.id: frozenset(grade.id for grade in grading.grade) for grading in book.grading},
    }
    numbers = ("alternatives", "contradictions", *(total.id for total in book.total))
    return [
        *(_Subject(name, "choice", names) for name, names in choices.items()),
        *(_Subject(name, "integer") for name in numbers),
        _Subject("all_asked", "boolean"),
    ]


def _statement_faults(statement: Statement, subject: _Subject) -> Faults:
    if isinstance(statement, HasAnswer):
        return
    kinds = _KINDS[type(statement).__name__]
    name, kind = subject.name, subject.kind
    if kind not in kinds:
        noun = "question" if subject.is_question else "value"
        expected = f"{_add_article(' or '.join(kinds))} {noun}"
        yield f"this condition needs {expected}, but {name} is {_add_article(kind)}"
        return
    if isinstance(statement, Is) and isinstance(statement.is_, bool) != (kind == "boolean"):
        yield f"'is' of {name} must be {'true or false' if kind == 'boolean' else 'an option'}"
        return
    for option in _option_names(statement):
        if option not in subject.names:
            yield f"{name} has no option {option}"


def _add_article(noun: str) -> str:
    return f"an {noun}" if noun.startswith("i") else f"a {noun}"


_KINDS = {
    "Is": ("boolean", "choice"),
    "OneOf": ("choice",),
    "AtLeast": ("integer", "decimal"),
    "AtMost": ("integer", "decimal"),
    "Includes": ("multi",),
    "CountsAtLeast": ("multi",),
}


def _option_names(statement: Statement) -> tuple[str, ...]:
    match statement:
        case Is(is_=str(option)):
            return (option,)
        case OneOf(one_of=options) | Includes(includes=options):
            return options
    return ()
