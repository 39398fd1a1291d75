"""Documents in another language: translated only if the stored answers give the stored result."""

import pytest
from support.reports.report_examples import assess_example, build_heading

from api.documents.document_builder import AssessedAnswers, render_document
from api.documents.request import DocumentRequest
from api.problems import Problem


class NoRenderer:
    """Stands for the pool of renderers; text needs none."""

    def render(self, document):
        raise AssertionError(document.title)


def render_text(assessed_answers: AssessedAnswers, language: str | None, default: str = "en"):
    heading = build_heading(letterhead={"language": default})
    request = DocumentRequest("txt", "clinician", language)
    return render_document(assessed_answers, heading, NoRenderer(), request).content.decode()


def build_outdated_answers() -> AssessedAnswers:
    """Return answers whose stored assessment has points that scoring no longer gives."""
    loaded, answers, assessment = assess_example("phq4")
    return AssessedAnswers(loaded, answers, assessment.model_copy(update={"missing": None}))


def test_the_requested_language_comes_before_that_of_the_letterhead():
    assessed_answers = AssessedAnswers(*assess_example("phq4"))
    german, spanish = render_text(assessed_answers, "de"), render_text(assessed_answers, None, "es")
    assert "Punkte" in german
    assert "puntos" in spanish
    assert render_text(assessed_answers, "de", "es") == german
    assert render_text(assessed_answers, None) == render_text(assessed_answers, "en", "de")


def test_an_outdated_result_is_refused_in_a_requested_language():
    with pytest.raises(Problem) as raised_problem:
        render_text(build_outdated_answers(), "de")
    assert raised_problem.value.code == "not_acceptable"


def test_an_outdated_result_is_printed_in_english_where_no_language_is_requested():
    text = render_text(build_outdated_answers(), None, "de")
    assert text == render_text(build_outdated_answers(), "en")
    assert "points" in text
