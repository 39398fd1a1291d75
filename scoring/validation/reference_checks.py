"""Checks the references between the blocks of a rulebook and yields each fault as a message."""

from collections import Counter
from collections.abc import Iterator

from schemas.rulebooks.rulebook import Derived, Question, Rulebook

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
            "caution",
            "citation",
        ]
    }
    for kind, name, block in _references(book):
        if name not in known_ids[kind]:
            yield f"{block}: unknown {kind} {name}"


def iterate_citations(book: Rulebook) -> Iterator[tuple[str, str]]:
    """Yield every citation id in use, with the block that cites it."""
    for kind in ["criterion", "flag", "grading", "finding", "alternative", "next_step"]:
        for block in getattr(book, kind):
            yield from ((name, f"{kind} {block.id}") for name in block.citations)
    for finding in book.finding:
        for row in finding.at_age:
            yield from ((name, f"finding {finding.id} > age {row.age}") for name in row.citations)


_BLOCK_KINDS = (
    *("citation", "topic", "domain", "criterion", "total", "band", "ledger", "picture", "tier"),
    *("flag", "scope", "grading", "finding", "no_band_reason", "alternative", "contradiction"),
    *("caution", "next_step"),
)


def _ids(book: Rulebook, kind: str) -> list[str]:
    return [block.id for block in getattr(book, kind)]


def _references(book: Rulebook) -> Iterator[tuple[str, str, str]]:
    """Yield every reference: the kind and the id referred to, and the block that refers to it."""
    header = book.rulebook
    named_questions = (
        *(*header.must_answer, *header.safety_questions, *header.scope_questions),
        *(*header.confidential_questions, *filter(None, [header.assessed_question])),
    )
    yield from (("question", name, "rulebook") for name in named_questions)
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
        yield from (("caution", name, f"next_step {step.id}") for name in step.cautions)
    for number, acceptable in enumerate(book.acceptable_range, 1):
        block = f"acceptable_range {number}"
        yield from (("band", name, block) for name in acceptable.ends)
        yield from (("question", name, block) for name in acceptable.answered)
    for reason in book.no_band_reason:
        yield from (("question", name, f"no_band_reason {reason.id}") for name in reason.unanswered)
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


def check_option_references(book: Rulebook) -> Faults:
    """Yield a fault for each option, group or question that does not exist but is referred to."""
    for question in book.question:
        options = {option.id for option in question.options}
        for group, members in question.groups.items():
            for name in members:
                if name not in options:
                    yield f"question {question.id} > group {group}: unknown option {name}"
    for derived in book.derived:
        yield from _derived_faults(derived, book.questions_by_id)
    yield from _assessed_faults(book)


def _derived_faults(derived: Derived, questions: dict[str, Question]) -> Faults:
    operands = [(name, ("integer", "boolean")) for name in (*derived.sum_of, *derived.mean_of)]
    if derived.whole_years:
        operands += [(name, ("integer", "decimal")) for name in derived.whole_years.operands]
    for name, kinds in operands:
        if name not in questions or questions[name].kind not in kinds:
            yield f"derived {derived.id}: {name} is not an {' or '.join(kinds)} question"
    if derived.question:
        groups = questions[derived.question].groups if derived.question in questions else {}
        names = (*derived.groups_in, *filter(None, [derived.options_in]))
        yield from (
            f"derived {derived.id}: unknown group {name}" for name in names if name not in groups
        )


def _assessed_faults(book: Rulebook) -> Faults:
    assessed = book.questions_by_id.get(book.rulebook.assessed_question or "")
    options = {option.id for option in assessed.options} if assessed else set()
    for flag in book.flag:
        for name in flag.assessed_by:
            if name not in options:
                yield f"flag {flag.id}: the assessed question has no option {name}"
