"""Checks what each generation of scoring rules requires of a rulebook, and refuses."""

from schemas.rulebooks.conditions import Always
from schemas.rulebooks.rulebook import Question, Rulebook
from scoring.answers.question_dependencies import find_condition_questions
from scoring.validation.reference_checks import Faults


def check_generation(book: Rulebook) -> Faults:
    """Yield a fault for each part that is missing, or that the rulebook's rules do not read."""
    if book.rulebook.scoring_rules == 1:
        yield from _check_first_rules(book)
    else:
        yield from _check_bands(book)
        yield from _check_next_steps(book)
        yield from _check_sheets(book)
        yield from _check_assessed_flags(book)
        for name in _NEW_WORDING:
            if getattr(book.wording, name) is None:
                yield f"wording > {name}: is missing"


def check_conditional_questions(book: Rulebook) -> Faults:
    """Yield a fault for each `ask_when` that hides what must be question or reads another such."""
    sources = {derived.id: derived for derived in book.derived}
    conditional = {question.id for question in book.question if question.ask_when is not None}
    header = book.rulebook
    required = {*header.must_answer, *header.safety_questions}
    for question in book.question:
        if question.ask_when is None:
            continue
        if question.id in required:
            yield f"question {question.id}: must be answered, so it cannot have 'ask_when'"
        for name in find_condition_questions([question.ask_when], sources):
            if name in conditional:
                yield f"question {question.id}: 'ask_when' reads {name}, which has one itself"
        if question.neutral == 0 and not _is_within_limits(question):
            yield f"question {question.id}: the neutral answer 0 is out of its range"


_NEW_BLOCKS = (
    *("acceptable_range", "no_band_reason", "alternative", "contradiction", "caution", "sheet"),
)
_NEW_WORDING = (
    *("as_answered_so_far", "band_would_be", "between_bands", "not_safe_to_rely_on"),
    *("does_not_concern", "needed_for_safety", "no_alternatives"),
)


def _check_first_rules(book: Rulebook) -> Faults:
    for kind in _NEW_BLOCKS:
        if getattr(book, kind):
            yield f"{kind}: needs scoring_rules = 2"
    for flag in book.flag:
        if flag.unless is not None or flag.assessed_by:
            yield f"flag {flag.id}: 'unless' and 'assessed_by' need scoring_rules = 2"
    for step in book.next_step:
        if step.not_when is not None or step.cautions or step.rung:
            yield f"next_step {step.id}: 'not_when', 'cautions' and 'rung' need scoring_rules = 2"
    for question in book.question:
        if question.ask_when is not None:
            yield f"question {question.id}: 'ask_when' needs scoring_rules = 2"


def _check_bands(book: Rulebook) -> Faults:
    if not any(total.banded for total in book.total):
        yield "rulebook: scoring_rules = 2 needs a banded total"
    if not any(reason.range_too_wide for reason in book.no_band_reason):
        yield "no_band_reason: one must say that the range is too wide"
    explained = {name for reason in book.no_band_reason for name in reason.unanswered}
    for name in book.rulebook.must_answer:
        if name not in explained:
            yield f"no_band_reason: none says that {name} is unanswered"


def _check_next_steps(book: Rulebook) -> Faults:
    for step in book.next_step:
        if step.pictures or step.statuses:
            yield f"next_step {step.id}: with scoring_rules = 2 write 'result' in 'when'"
        if step.when is None:
            yield f"next_step {step.id}: needs 'when'"
    used_cautions = {name for step in book.next_step for name in step.cautions}
    for caution in book.caution:
        if caution.id not in used_cautions:
            yield f"caution {caution.id}: no next_step names it"


def _check_sheets(book: Rulebook) -> Faults:
    if not book.sheet:
        yield "sheet: scoring_rules = 2 needs at least one"
        return
    *earlier, last = book.sheet
    if not isinstance(last.when, Always):
        yield f"sheet {len(book.sheet)}: the last sheet must always apply"
    for number, sheet in enumerate(earlier, 1):
        if isinstance(sheet.when, Always):
            yield f"sheet {number}: the sheets after it are never reached"


def _check_assessed_flags(book: Rulebook) -> Faults:
    most_urgent = book.tier[0].id if book.tier else None
    for flag in book.flag:
        if flag.assessed_by and (flag.about_person or flag.tier == most_urgent):
            yield (
                f"flag {flag.id}: a flag about the person or of tier {most_urgent} "
                "cannot be shown as assessed"
            )
    question = next((it for it in book.question if it.id == book.rulebook.assessed_question), None)
    used_options = {name for flag in book.flag for name in flag.assessed_by}
    for option in question.options if question else ():
        if option.id not in used_options:
            yield f"question {book.rulebook.assessed_question}: no flag names {option.id}"


def _is_within_limits(question: Question) -> bool:
    if question.minimum is None or question.maximum is None:
        return True
    return question.minimum <= 0 <= question.maximum
