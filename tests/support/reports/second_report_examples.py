"""Views and documents of the vignettes of nociplastic 2.0.0."""

from functools import cache

from support.reports.report_examples import AssessedExample, build_translated_view
from support.scoring.vignettes import SECOND, SECOND_FOLDER, Vignette, load_vignettes

from reports.blocks import Document
from reports.formats import build_document
from reports.view.model import ReportView
from scoring.engine import assess


@cache
def load_cases() -> dict[str, Vignette]:
    """Return the vignettes by their names."""
    return {vignette.name: vignette for vignette in load_vignettes(SECOND_FOLDER, SECOND)}


WORKED_CASES = tuple(name for name, case in load_cases().items() if case.file == "worked_cases")
SHEET_CASES = tuple(name for name, case in load_cases().items() if case.file == "sheets")


def assess_case(name: str, **changes) -> AssessedExample:
    """Return a vignette with its assessment; changed answers of None are left out."""
    case = load_cases()[name]
    answers = {key: value for key, value in (case.answers | changes).items() if value is not None}
    assessment = assess(SECOND, answers, attested=case.clinician_named)
    return AssessedExample(SECOND, answers, assessment)


def build_case_view(
    name: str, language: str = "en", answers: dict | None = None, **fields
) -> ReportView:
    return build_translated_view(assess_case(name, **(answers or {})), language, **fields)


def build_case_document(name: str, kind: str = "clinician", **fields) -> Document:
    return build_document(build_case_view(name, **fields), kind)
