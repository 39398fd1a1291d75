"""Review: what the blocks of a rulebook must hold together. A rulebook in; what is wrong out."""

from collections.abc import Callable
from itertools import pairwise

from schemas.conditions import Condition, Includes, statements
from schemas.rulebook import Rulebook
from scoring.explanation import PLACE
from scoring.validation.question_dependencies import (
    blocks_with_conditions,
    questions_counted,
    questions_read,
)
from scoring.validation.reachability import never_true, unreached_levels
from scoring.validation.reference_checks import (
    Faults,
    cited,
    doubled_ids,
    misfit_conditions,
    unknown_names,
    unknown_options,
)
from scoring.weighing import band_start, hundredths


def review(rulebook: Rulebook) -> list[str]:
    """Every fault found, each naming its block; empty where there is none.

    The later checks trust the earlier ones, so a rulebook with unknown ids is told of those first.
    """
    for checks in (_REFERENCES, _MEANING):
        found = [fault for check in checks for fault in check(rulebook)]
        if found:
            return found
    return []


def _questions_unread(book: Rulebook) -> Faults:
    sources = {each.id: each for each in book.derived}
    read = set(
        questions_read([condition for _, condition in blocks_with_conditions(book)], sources)
    )
    for each in book.derived:
        if each.shown:
            read.update(questions_counted(each, sources))
    for finding in book.finding:
        read.update(filter(None, [finding.question, finding.age_question]))
    for question in book.question:
        if question.id not in read and not question.shown:
            yield f"question {question.id}: it is asked but never read or shown"
    used = {
        each.derived
        for _, condition in blocks_with_conditions(book)
        for each in statements(condition)
    }
    for each in book.derived:
        if each.id not in used and not each.shown:
            yield f"derived {each.id}: it is counted but never read or shown"


def _citations_unused(book: Rulebook) -> Faults:
    used = {name for name, _ in cited(book)}
    for each in book.citation:
        if each.id not in used:
            yield f"citation {each.id}: it is never cited"


def _levels(book: Rulebook) -> Faults:
    for criterion in book.criterion:
        for name in unreached_levels(criterion, book):
            yield f"criterion {criterion.id} > level {name}: no answers reach it"
    for block, condition in blocks_with_conditions(book):
        if " > level " not in block and never_true(condition, book):
            yield f"{block}: no answers make its condition true"


def _exact_discounts(book: Rulebook) -> Faults:
    for criterion in book.criterion:
        for level in criterion.level:
            for discount in criterion.discount:
                if (
                    level.points > 0
                    and hundredths(level.points) * hundredths(discount.factor) % 100
                ):
                    yield (
                        f"criterion {criterion.id} > level {level.id}: "
                        f"{level.points} x {discount.factor} is not exact to two decimals"
                    )


def _bands(book: Rulebook) -> Faults:
    banded = [total for total in book.total if total.banded]
    if len(banded) > 1 or bool(banded) != bool(book.band):
        yield "band: bands need exactly one banded total, and the reverse"
    if not banded or not book.band:
        return
    lowest, *others = book.band
    if band_start(lowest) is not None:
        yield f"band {lowest.id}: the lowest band starts nowhere"
    yield from (
        f"band {each.id}: only the lowest starts nowhere"
        for each in others
        if band_start(each) is None
    )
    added = [domain for domain in book.domain if domain.id in banded[0].domains]
    least = hundredths(sum((domain.floor for domain in added), start=added[0].floor * 0))
    most = hundredths(sum((domain.ceiling for domain in added), start=added[0].floor * 0))
    starts = [least, *(band_start(each) or 0 for each in others), most + 1]
    for band, (start, end) in zip(book.band, pairwise(starts), strict=True):
        if max(start, least) >= end:
            yield f"band {band.id}: no points reach it"


def _domains(book: Rulebook) -> Faults:
    for domain in book.domain:
        if domain.floor > domain.ceiling:
            yield f"domain {domain.id}: the floor is above the ceiling"
        if not any(criterion.domain == domain.id for criterion in book.criterion):
            yield f"domain {domain.id}: no criterion belongs to it"
        if not any(domain.id in total.domains for total in book.total):
            yield f"domain {domain.id}: no total adds it"


def _gradings(book: Rulebook) -> Faults:
    """Grades are read in order, so the last holds always, and only the last."""
    for grading in book.grading:
        *earlier, last = grading.grade
        if last.when is not None or last.unless is not None:
            yield f"grading {grading.id}: the last grade must hold always"
        for grade in earlier:
            if grade.when is None and grade.unless is None:
                yield f"grading {grading.id} > grade {grade.id}: grades after it are never reached"


def _pictures(book: Rulebook) -> Faults:
    """Pictures are read in order, so the last demands nothing, and only the last."""
    if bool(book.ledger) != bool(book.picture):
        yield "picture: ledgers need pictures, and the reverse"
    for picture in book.picture[:-1]:
        if picture.demands_nothing:
            yield f"picture {picture.id}: the pictures after it are never reached"
    for picture in book.picture[-1:]:
        if not picture.demands_nothing:
            yield f"picture {picture.id}: the last picture must demand nothing"


def _findings(book: Rulebook) -> Faults:
    options = {each.id: {option.id for option in each.options} for each in book.question}
    for finding in book.finding:
        if finding.id not in options[finding.question]:
            yield f"finding {finding.id}: {finding.question} has no such option"


def _templates(book: Rulebook) -> Faults:
    answers = {*(each.id for each in book.question), *(each.id for each in book.derived)}
    for criterion in book.criterion:
        for level in criterion.level:
            for place in PLACE.findall(level.finding):
                if place not in answers:
                    yield f"criterion {criterion.id} > level {level.id}: {{{place}}} is no question"
        for discount in criterion.discount:
            if set(PLACE.findall(discount.because)) - {"which"}:
                yield f"criterion {criterion.id} > discount: only {{which}} can be filled in"
            if "{which}" in discount.because and not _names_options(discount.when):
                yield f"criterion {criterion.id} > discount: {{which}} needs 'includes'"
    for name, places in _PLACES.items():
        template = getattr(book.wording, name)
        if set(PLACE.findall(template)) != places:
            wanted = ", ".join(f"{{{each}}}" for each in sorted(places))
            yield f"wording > {name}: it must use {wanted}"


_PLACES = {
    "answered": {"finding", "points"},
    "discounted": {"finding", "full_points", "factor", "points", "because"},
    "unanswered": {"questions", "least", "most"},
    "points": {"number"},
    "point": {"number"},
    "unverified_sources": {"sources"},
    "out_of_scope": {"reasons"},
    "scored": {"band", "meaning"},
}


def _names_options(condition: Condition) -> bool:
    return any(isinstance(each, Includes) for each in statements(condition))


Check = Callable[[Rulebook], Faults]
_REFERENCES: tuple[Check, ...] = (doubled_ids, unknown_names, unknown_options, misfit_conditions)
_MEANING: tuple[Check, ...] = (
    _questions_unread,
    _citations_unused,
    _levels,
    _exact_discounts,
    _bands,
    _domains,
    _gradings,
    _pictures,
    _findings,
    _templates,
)
