"""Checks the references between the blocks of a rulebook and yields each fault as a message."""

from collections import Counter
from collections.abc import Iterator

from schemas.conditions import Includes, Is, OneOf, Statement, iterate_statements
from schemas.rulebook import Question, Rulebook
from scoring.validation.question_dependencies import iterate_conditions

Faults = Iterator[str]


def check_duplicate_ids(book: Rulebook) -> Faults:
    """Yield a fault for each id that is used twice within one kind of block."""
    kinds = {kind: _ids(book, kind) for kind in _BLOCK_KINDS}
    kinds["question or derived"] = [*_ids(book, "question"), *_ids(book, "derived")]
    kinds["pattern"] = [str(pattern.number) for pattern in book.pattern]
    for question in book.question:
        kinds[f"question {question.id} > option or group"] = [
            *(option.id for option in question.options),
            *question.groups,
        ]
    for criterion in book.criterion:
        kinds[f"criterion {criterion.id} > level"] = [level.id for level in criterion.level]
    for grading in book.grading:
        kinds[f"grading {grading.id} > grade"] = [grade.id for grade in grading.grade]
        kinds[f"grading {grading.id} > criterion"] = [line.id for line in grading.criterion]
    for kind, ids in kinds.items():
        yield from (
            f"{kind} {name}: the id is used twice" for name, n in Counter(ids).items() if n > 1
        )


def check_references(book: Rulebook) -> Faults:
    """Yield a fault for each reference to a block that does not exist."""
    known_ids = {
        kind: set(_ids(book, kind))
        for kind in [
            "question",
            "topic",
            "domain",
            "total",
            "band",
            "ledger",
            "picture",
            "criterion",
            "tier",
            "citation",
        ]
    }
    for kind, name, block in _references(book):
        if name not in known_ids[kind]:
            yield f"{block}: unknown {kind} {name}"


def iterate_citations(book: Rulebook) -> Iterator[tuple[str, str]]:
    """Yield every citation id in use, with the block that cites it."""
    for kind in ["criterion", "flag", "grading", "finding", "next_step"]:
        for block in getattr(book, kind):
            yield from ((name, f"{kind} {block.id}") for name in block.citations)
    for finding in book.finding:
        for row in finding.at_age:
            yield from ((name, f"finding {finding.id} > age {row.age}") for name in row.citations)


def check_conditions(book: Rulebook) -> Faults:
    """Yield a fault for each condition with an unknown subject or the wrong kind of question."""
    questions = book.questions_by_id
    derived = set(_ids(book, "derived"))
    for block, condition in iterate_conditions(book):
        for statement in iterate_statements(condition):
            subject = statement.subject
            if statement.derived is not None:
                if subject not in derived:
                    yield f"{block}: unknown derived value {subject}"
            elif subject not in questions:
                yield f"{block}: uses question {subject}, which does not exist"
            else:
                faults = _statement_faults(statement, questions[subject])
                yield from (f"{block}: {fault}" for fault in faults)


_BLOCK_KINDS = (
    *("citation", "topic", "domain", "criterion", "total", "band", "ledger", "picture", "tier"),
    *("flag", "scope", "grading", "finding", "next_step"),
)


def _ids(book: Rulebook, kind: str) -> list[str]:
    return [block.id for block in getattr(book, kind)]


def _references(book: Rulebook) -> Iterator[tuple[str, str, str]]:
    """Yield every reference: the kind and the id referred to, and the block that refers to it."""
    required = (*book.rulebook.must_answer, *book.rulebook.safety_questions)
    yield from (("question", name, "rulebook") for name in required)
    yield from (("topic", question.topic, f"question {question.id}") for question in book.question)
    yield from (
        ("domain", criterion.domain, f"criterion {criterion.id}") for criterion in book.criterion
    )
    yield from (("tier", flag.tier, f"flag {flag.id}") for flag in book.flag)
    yield from _scale_references(book)
    for pattern in book.pattern:
        yield from (("criterion", name, f"pattern {pattern.number}") for name in pattern.criteria)
    for finding in book.finding:
        questions = (finding.question, *filter(None, [finding.age_question]))
        yield from (("question", name, f"finding {finding.id}") for name in questions)
    for step in book.next_step:
        yield from (("picture", name, f"next_step {step.id}") for name in step.pictures)
    yield from (("citation", name, block) for name, block in iterate_citations(book))


def _scale_references(book: Rulebook) -> Iterator[tuple[str, str, str]]:
    for gate in book.gate:
        yield from (("domain", name, f"gate {gate.domain}") for name in (gate.domain, *gate.needs))
    for total in book.total:
        yield from (("domain", name, f"total {total.id}") for name in total.domains)
    for band in book.band:
        needs = band.needs
        if needs:
            yield "band", needs.otherwise, f"band {band.id}"
            yield from (("domain", name, f"band {band.id}") for name in needs.domains_above_zero)
    for ledger in book.ledger:
        for part in ledger.part:
            kind = "total" if part.total else "domain"
            yield kind, part.total or part.domain or "", f"ledger {ledger.id}"
    for picture in book.picture:
        names = [*picture.at_least, *picture.any_at_least, *picture.below]
        names += [*picture.exceeds, *picture.exceeds.values()]
        yield from (("ledger", name, f"picture {picture.id}") for name in names)


def _statement_faults(statement: Statement, question: Question) -> Faults:
    kinds = _QUESTION_KINDS[type(statement).__name__]
    if question.kind not in kinds:
        kind_names = " or ".join(kinds)
        yield (
            f"this condition needs a {kind_names} question, but {question.id} is a {question.kind}"
        )
        return
    if isinstance(statement, Is) and isinstance(statement.is_, bool) != (
        question.kind == "boolean"
    ):
        yield f"'is' of {question.id} must be {_describe_expected(question.kind)}"
        return
    known_ids = {option.id for option in question.options} | set(question.groups)
    for name in _option_names(statement):
        if name not in known_ids:
            yield f"{question.id} has no option {name}"


_QUESTION_KINDS = {
    "Is": ("boolean", "choice"),
    "OneOf": ("choice",),
    "AtLeast": ("integer", "decimal"),
    "AtMost": ("integer", "decimal"),
    "Includes": ("multi",),
    "CountsAtLeast": ("multi",),
}


def _describe_expected(kind: str) -> str:
    return "true or false" if kind == "boolean" else "an option"


def _option_names(statement: object) -> tuple[str, ...]:
    match statement:
        case Is(is_=str(option)):
            return (option,)
        case OneOf(one_of=options) | Includes(includes=options):
            return options
    return ()


def check_option_references(book: Rulebook) -> Faults:
    """Yield a fault for each option, group or question that does not exist but is referred to."""
    questions = book.questions_by_id
    for question in book.question:
        options = {option.id for option in question.options}
        for group, members in question.groups.items():
            for name in members:
                if name not in options:
                    yield f"question {question.id} > group {group}: unknown option {name}"
    for derived in book.derived:
        for name in (*derived.sum_of, *derived.mean_of):
            if name not in questions or questions[name].kind not in ("integer", "boolean"):
                yield f"derived {derived.id}: {name} is not an integer or boolean question"
        if derived.question:
            groups = questions[derived.question].groups if derived.question in questions else {}
            names = (*derived.groups_in, *filter(None, [derived.options_in]))
            yield from (
                f"derived {derived.id}: unknown group {name}"
                for name in names
                if name not in groups
            )
