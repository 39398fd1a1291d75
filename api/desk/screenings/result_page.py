"""Build the pages behind a result: its reasons with rationale and sources, and its answers."""

from decimal import Decimal
from typing import NamedTuple

from fastapi import Response

from api.desk.access.session_guard import PractitionerPage
from api.desk.screening_rows import DisplayFormatter
from api.documents import document_builder, issuance
from api.forms.answer_parser import describe_answer
from api.forms.form_model import FormOptions, build_form
from api.web.page_texts import load_page_texts
from reports.view.model import Reason, ReportView
from reports.view.sources import CitedSource
from schemas.rulebooks.rulebook import Rulebook
from scoring.compiled_rulebook import LoadedRulebook


class CriterionDetail(NamedTuple):
    """One criterion with its rationale and sources."""

    reason: Reason
    rationale: str
    sources: tuple[CitedSource, ...]


class CriterionGroup(NamedTuple):
    """The criteria with the same verdict; `heading` is a phrase."""

    heading: str
    criteria: tuple[CriterionDetail, ...]


SCREENINGS_PATH = "/desk/screenings"
STRONGEST = 5

_HEADINGS = {
    "for": "desk_for",
    "against": "desk_against",
    "neutral": "desk_neutral",
    "unanswered": "desk_unanswered",
}


class DisplayedScreening(NamedTuple):
    """A screening with its view in the language of its report; no rulebook if it is unknown."""

    source: document_builder.ReportSource
    view: ReportView
    language: str
    loaded: LoadedRulebook | None
    book: Rulebook | None


def load_displayed_screening(desk: PractitionerPage, screening_id: str) -> DisplayedScreening:
    """Load a screening as its pages show it. Raises NotFoundError."""
    source = issuance.load_report_source(desk.context, screening_id)
    view, language = document_builder.build_screening_view(
        desk.rulebooks, desk.load_print_settings(), source, desk.language
    )
    formatter = DisplayFormatter(desk.rulebooks, language, desk.time_zone)
    rulebook = source.screening.assessment.rulebook
    loaded, book = formatter.find_loaded(rulebook), formatter.find_rulebook(rulebook)
    return DisplayedScreening(source, view, language, loaded, book)


def render_reasons(desk: PractitionerPage, screening_id: str, shown_alternatives: int) -> Response:
    """Render the page of all reasons, and of what else the report says of the result."""
    displayed = load_displayed_screening(desk, screening_id)
    return desk.render(
        "reasons",
        screening=displayed.source.screening,
        view=displayed.view,
        report_language=displayed.language,
        groups=group_criteria(displayed),
        other_alternatives=displayed.view.alternatives[shown_alternatives:],
        find_sources=lambda marks: find_sources(displayed.view, marks),
        base=f"{SCREENINGS_PATH}/{screening_id}",
    )


def render_answers(desk: PractitionerPage, screening_id: str) -> Response:
    """Render the page of all answers as they were given."""
    displayed = load_displayed_screening(desk, screening_id)
    answer_groups, unanswered = describe_answers(displayed)
    return desk.render(
        "answers_given",
        screening=displayed.source.screening,
        view=displayed.view,
        report_language=displayed.language,
        answer_groups=answer_groups,
        unanswered=unanswered,
        base=f"{SCREENINGS_PATH}/{screening_id}",
    )


def group_criteria(displayed: DisplayedScreening) -> list[CriterionGroup]:
    """Return all criteria by verdict, the strongest first: for, against, neutral, unanswered."""
    if displayed.book is None:
        return []
    view, assessment, book = displayed.view, displayed.source.screening.assessment, displayed.book
    verdicts = {result.id: result.verdict for result in assessment.criteria or ()}
    weights = {result.id: abs(result.points or Decimal(0)) for result in assessment.criteria or ()}
    rationales = {criterion.id: criterion.rationale for criterion in book.criterion}
    by_weight = sorted(view.criteria, key=lambda reason: -weights[reason.id])
    groups = []
    for verdict, heading in _HEADINGS.items():
        criteria = tuple(
            CriterionDetail(
                reason, rationales.get(reason.id, ""), find_sources(view, reason.sources)
            )
            for reason in by_weight
            if verdicts[reason.id] == verdict
        )
        if criteria:
            groups.append(CriterionGroup(heading, criteria))
    return groups


def select_strongest(groups: list[CriterionGroup], heading: str) -> tuple[CriterionDetail, ...]:
    """Return the five strongest criteria under this heading."""
    return next((it.criteria[:STRONGEST] for it in groups if it.heading == heading), ())


def find_sources(view: ReportView, marks: str) -> tuple[CitedSource, ...]:
    """Return the sources with these comma-separated marks."""
    mark_set = {mark.strip() for mark in marks.split(",")}
    return tuple(source for source in view.sources if source.mark in mark_set)


class AnswerGroup(NamedTuple):
    """The answers to one topic, each with its question as it was asked."""

    heading: str
    answers: tuple[tuple[str, str], ...]


def describe_answers(displayed: DisplayedScreening) -> tuple[list[AnswerGroup], list[str]]:
    """Return all answers in words by topic, and the questions without an answer."""
    if displayed.loaded is None:
        return [], []
    answers = displayed.source.screening.answers
    none = load_page_texts(displayed.language).say("none")
    form = build_form(
        displayed.loaded, FormOptions("clinician", displayed.language, asks_adversity=True)
    )
    groups = [
        AnswerGroup(
            step.heading,
            tuple(
                (question.text, "; ".join(describe_answer(question, answer)) or none)
                for question in step.questions
                if (answer := answers.get(question.id)) is not None
            ),
        )
        for step in form.steps
    ]
    unanswered = [it.text for it in form.questions if answers.get(it.id) is None]
    return [group for group in groups if group.answers], unanswered
