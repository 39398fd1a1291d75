"""References: what one block of a rulebook says of another. A rulebook in, misfits out."""

from collections import Counter
from collections.abc import Iterator

from schemas.conditions import Includes, Is, OneOf, Statement, statements
from schemas.rulebook import Question, Rulebook
from scoring.validation.question_dependencies import blocks_with_conditions

Faults = Iterator[str]


def doubled_ids(book: Rulebook) -> Faults:
    """Ids that are used twice within one kind."""
    kinds = {kind: _ids(book, kind) for kind in _KINDS_OF_BLOCK}
    kinds["question or derived"] = [*_ids(book, "question"), *_ids(book, "derived")]
    kinds["pattern"] = [str(each.number) for each in book.pattern]
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


def unknown_names(book: Rulebook) -> Faults:
    """Blocks that name a block which is not there."""
    known = {
        kind: {each.id for each in getattr(book, kind)}
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
    for kind, name, block in _named(book):
        if name not in known[kind]:
            yield f"{block}: there is no {kind} {name}"


def cited(book: Rulebook) -> Iterator[tuple[str, str]]:
    """Every citation used, with the block that cites it."""
    for kind in ["criterion", "flag", "grading", "finding", "next_step"]:
        for each in getattr(book, kind):
            yield from ((name, f"{kind} {each.id}") for name in each.citations)
    for finding in book.finding:
        for row in finding.at_age:
            yield from ((name, f"finding {finding.id} > age {row.age}") for name in row.citations)


def misfit_conditions(book: Rulebook) -> Faults:
    """Conditions that speak of what is not asked, or in words that the answer cannot fit."""
    questions = {each.id: each for each in book.question}
    derived = {each.id for each in book.derived}
    for block, condition in blocks_with_conditions(book):
        for each in statements(condition):
            if each.derived is not None:
                if each.derived not in derived:
                    yield f"{block}: there is no derived value {each.derived}"
            elif each.subject not in questions:
                yield f"{block}: uses the question {each.subject}, which is not asked"
            else:
                yield from (
                    f"{block}: {fault}" for fault in _misfits(each, questions[each.subject])
                )


_KINDS_OF_BLOCK = (
    *("citation", "topic", "domain", "criterion", "total", "band", "ledger", "picture", "tier"),
    *("flag", "scope", "grading", "finding", "next_step"),
)


def _ids(book: Rulebook, kind: str) -> list[str]:
    return [each.id for each in getattr(book, kind)]


def _named(book: Rulebook) -> Iterator[tuple[str, str, str]]:
    """Every place where a block names another one: what kind, which id, from where."""
    required = (*book.rulebook.must_answer, *book.rulebook.safety_questions)
    yield from (("question", name, "rulebook") for name in required)
    yield from (("topic", each.topic, f"question {each.id}") for each in book.question)
    yield from (("domain", each.domain, f"criterion {each.id}") for each in book.criterion)
    yield from (("tier", each.tier, f"flag {each.id}") for each in book.flag)
    yield from _named_by_scale(book)
    for pattern in book.pattern:
        yield from (("criterion", name, f"pattern {pattern.number}") for name in pattern.criteria)
    for finding in book.finding:
        asked = (finding.question, *filter(None, [finding.age_question]))
        yield from (("question", name, f"finding {finding.id}") for name in asked)
    for step in book.next_step:
        yield from (("picture", name, f"next_step {step.id}") for name in step.pictures)
    yield from (("citation", name, block) for name, block in cited(book))


def _named_by_scale(book: Rulebook) -> Iterator[tuple[str, str, str]]:
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


def _misfits(statement: Statement, question: Question) -> Faults:
    kinds = _KINDS[type(statement).__name__]
    if question.kind not in kinds:
        wanted = " or ".join(kinds)
        yield f"asks of {question.id}, a {question.kind}, what only a {wanted} question has"
        return
    if isinstance(statement, Is) and isinstance(statement.is_, bool) != (
        question.kind == "boolean"
    ):
        yield f"'is' of {question.id} must be {_expected(question.kind)}"
        return
    known = {option.id for option in question.options} | set(question.groups)
    for name in _options_of(statement):
        if name not in known:
            yield f"{question.id} has no option {name}"


_KINDS = {
    "Is": ("boolean", "choice"),
    "OneOf": ("choice",),
    "AtLeast": ("integer", "decimal"),
    "AtMost": ("integer", "decimal"),
    "Includes": ("multi",),
    "CountsAtLeast": ("multi",),
}


def _expected(kind: str) -> str:
    return "true or false" if kind == "boolean" else "an option"


def _options_of(statement: object) -> tuple[str, ...]:
    match statement:
        case Is(is_=str(option)):
            return (option,)
        case OneOf(one_of=options) | Includes(includes=options):
            return options
    return ()


def unknown_options(book: Rulebook) -> Faults:
    """Groups and derived values that name an option, group or question which is not there."""
    questions = {each.id: each for each in book.question}
    for question in book.question:
        options = {option.id for option in question.options}
        for group, members in question.groups.items():
            for name in members:
                if name not in options:
                    yield f"question {question.id} > group {group}: there is no option {name}"
    for each in book.derived:
        for name in (*each.sum_of, *each.mean_of):
            if name not in questions or questions[name].kind not in ("integer", "boolean"):
                yield f"derived {each.id}: {name} is not a question that can be added"
        if each.question:
            groups = questions[each.question].groups if each.question in questions else {}
            wanted = (*each.groups_in, *filter(None, [each.options_in]))
            yield from (
                f"derived {each.id}: there is no group {name}"
                for name in wanted
                if name not in groups
            )
