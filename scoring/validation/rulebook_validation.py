"""Validates a rulebook across its blocks and lists its faults."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

from schemas.rulebooks.conditions import Condition, Includes, iterate_statements
from schemas.rulebooks.rulebook import Rulebook
from scoring.answers.question_dependencies import (
    find_condition_questions,
    find_derived_questions,
    iterate_conditions,
)
from scoring.explanation import PLACEHOLDER
from scoring.validation.condition_checks import (
    check_conditions,
    check_derived_order,
    check_word_places,
)
from scoring.validation.generation_checks import check_conditional_questions, check_generation
from scoring.validation.neutral_trials import check_neutral_answers
from scoring.validation.reachability import check_reachability
from scoring.validation.reference_checks import (
    Faults,
    check_duplicate_ids,
    check_option_references,
    check_references,
    iterate_citations,
)
from scoring.weighing import find_band_start, to_hundredths


def find_rulebook_faults(rulebook: Rulebook, *, with_trials: bool = True) -> list[str]:
    """Return a message for each fault, which names its block; an empty list if there is none.

    Later checks rely on valid references, so faults in references are returned alone. Trials of
    drawn answers come last; they take seconds.
    """
    for checks in (_REFERENCE_CHECKS, _CONTENT_CHECKS, _TRIALS if with_trials else ()):
        faults = [fault for check in checks for fault in check(rulebook)]
        if faults:
            return faults
    return []


def _check_questions(book: Rulebook) -> Faults:
    sources = {derived.id: derived for derived in book.derived}
    conditions = [condition for _, condition in iterate_conditions(book)]
    used_questions = set(find_condition_questions(conditions, sources))
    for derived in book.derived:
        if derived.shown:
            used_questions.update(find_derived_questions(derived, sources))
    for finding in book.finding:
        used_questions.update(filter(None, [finding.question, finding.age_question]))
    header = book.rulebook
    used_questions.update(header.confidential_questions, filter(None, [header.assessed_question]))
    for question in book.question:
        if question.id not in used_questions and not question.shown:
            yield f"question {question.id}: no block uses or shows it"
    used_derived = {
        statement.derived for condition in conditions for statement in iterate_statements(condition)
    }
    for derived in book.derived:
        if derived.id not in used_derived and not derived.shown:
            yield f"derived {derived.id}: no block uses or shows it"


def _check_citations(book: Rulebook) -> Faults:
    cited_ids = {name for name, _ in iterate_citations(book)}
    for citation in book.citation:
        if citation.id not in cited_ids:
            yield f"citation {citation.id}: no block cites it"


def _check_discounts(book: Rulebook) -> Faults:
    for criterion in book.criterion:
        for level in criterion.level:
            for discount in criterion.discount:
                if (
                    level.points > 0
                    and to_hundredths(level.points) * to_hundredths(discount.factor) % 100
                ):
                    yield (
                        f"criterion {criterion.id} > level {level.id}: "
                        f"{level.points} x {discount.factor} is not exact to two decimals"
                    )


def _check_bands(book: Rulebook) -> Faults:
    banded = [total for total in book.total if total.banded]
    if len(banded) > 1 or bool(banded) != bool(book.band):
        yield "band: bands and exactly one banded total require each other"
    if not banded or not book.band:
        return
    lowest, *upper_bands = book.band
    if find_band_start(lowest) is not None:
        yield f"band {lowest.id}: the lowest band must have no start"
    yield from (
        f"band {band.id}: every band but the lowest needs a start"
        for band in upper_bands
        if find_band_start(band) is None
    )
    domains = [domain for domain in book.domain if domain.id in banded[0].domains]
    least = to_hundredths(sum((domain.floor for domain in domains), start=Decimal(0)))
    most = to_hundredths(sum((domain.ceiling for domain in domains), start=Decimal(0)))
    starts = [least, *(find_band_start(band) or 0 for band in upper_bands), most + 1]
    for band, (start, end) in zip(book.band, pairwise(starts), strict=True):
        if max(start, least) >= end:
            yield f"band {band.id}: no points reach it"


def _check_domains(book: Rulebook) -> Faults:
    for domain in book.domain:
        if domain.floor > domain.ceiling:
            yield f"domain {domain.id}: the floor is above the ceiling"
        if not any(criterion.domain == domain.id for criterion in book.criterion):
            yield f"domain {domain.id}: no criterion belongs to it"
        if not any(domain.id in total.domains for total in book.total):
            yield f"domain {domain.id}: no total adds it"


def _check_gradings(book: Rulebook) -> Faults:
    """Check that only the last grade always applies; the first that applies is used."""
    for grading in book.grading:
        *earlier, last = grading.grade
        if last.when is not None or last.unless is not None:
            yield f"grading {grading.id}: the last grade must always apply"
        for grade in earlier:
            if grade.when is None and grade.unless is None:
                yield f"grading {grading.id} > grade {grade.id}: grades after it are never reached"


def _check_pictures(book: Rulebook) -> Faults:
    """Check that only the last picture demands nothing; the first that matches is used."""
    if bool(book.ledger) != bool(book.picture):
        yield "picture: ledgers and pictures require each other"
    for picture in book.picture[:-1]:
        if picture.demands_nothing:
            yield f"picture {picture.id}: the pictures after it are never reached"
    for picture in book.picture[-1:]:
        if not picture.demands_nothing:
            yield f"picture {picture.id}: the last picture must have no condition"


def _check_findings(book: Rulebook) -> Faults:
    options = {
        question.id: {option.id for option in question.options} for question in book.question
    }
    for finding in book.finding:
        if finding.id not in options[finding.question]:
            yield f"finding {finding.id}: {finding.question} has no such option"


def _check_templates(book: Rulebook) -> Faults:
    answers = {question.id for question in book.question}
    answers |= {derived.id for derived in book.derived}
    for criterion in book.criterion:
        for level in criterion.level:
            for name in PLACEHOLDER.findall(level.finding):
                if name not in answers:
                    yield (
                        f"criterion {criterion.id} > level {level.id}: {{{name}}} is not a "
                        "question or derived value"
                    )
        for discount in criterion.discount:
            if set(PLACEHOLDER.findall(discount.because)) - {"which"}:
                yield f"criterion {criterion.id} > discount: only {{which}} can be filled in"
            if "{which}" in discount.because and not _contains_includes(discount.when):
                yield f"criterion {criterion.id} > discount: {{which}} needs 'includes'"
    placeholders_by_name = _PLACEHOLDERS | {
        "unanswered": _UNANSWERED | ({"points"} if book.rulebook.counts_certain_points else set())
    }
    for name, placeholders in placeholders_by_name.items():
        template = getattr(book.wording, name)
        if template is not None and set(PLACEHOLDER.findall(template)) != placeholders:
            placeholder_list = ", ".join(
                f"{{{placeholder}}}" for placeholder in sorted(placeholders)
            )
            yield f"wording > {name}: it must use {placeholder_list}"


_UNANSWERED = {"questions", "least", "most"}
_PLACEHOLDERS = {
    "answered": {"finding", "points"},
    "discounted": {"finding", "full_points", "factor", "points", "because"},
    "points": {"number"},
    "point": {"number"},
    "unverified_sources": {"sources"},
    "out_of_scope": {"reasons"},
    "scored": {"band", "meaning"},
    "as_answered_so_far": {"band", "least", "most"},
    "band_would_be": {"band", "questions"},
    "between_bands": {"least", "most"},
}


def _contains_includes(condition: Condition) -> bool:
    return any(isinstance(statement, Includes) for statement in iterate_statements(condition))


Check = Callable[[Rulebook], Faults]
_REFERENCE_CHECKS: tuple[Check, ...] = (
    check_duplicate_ids,
    check_references,
    check_option_references,
    check_conditions,
    check_derived_order,
    check_word_places,
)
_CONTENT_CHECKS: tuple[Check, ...] = (
    check_generation,
    check_conditional_questions,
    _check_questions,
    _check_citations,
    check_reachability,
    _check_discounts,
    _check_bands,
    _check_domains,
    _check_gradings,
    _check_pictures,
    _check_findings,
    _check_templates,
)
_TRIALS: tuple[Check, ...] = (check_neutral_answers,)
