"""`enableWhen` never hides a question that applies, and hides the others where it can say so."""

from typing import Any

import pytest
from hypothesis import given
from support.interop.questionnaire_responses import is_shown
from support.scoring.answer_strategies import partial_answers
from support.second_release import SECOND, load_released_catalogue

from api.fhir.definitions.questionnaire import build_questionnaire
from api.fhir.elements import NONE_OF_THESE, CanonicalUrls
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from scoring.answers.intake_facts import FactReader

READER = FactReader(SECOND.rulebook)
CONDITIONAL = {question.id for question in SECOND.rulebook.question if question.ask_when}
NOTED = {
    "sss_fatigue", "sss_unrefreshed", "sss_cognition", "sss_headache", "sss_abdominal",
    "sss_depression", "spondyloarthritis_features", "joints_bend_far", "cyclical_pain",
}  # fmt: skip


def build_items(*, for_patient: bool) -> dict[str, dict]:
    """Return the items of the form by question."""
    entry = load_released_catalogue().find_entry(SECOND)
    urls = CanonicalUrls("https://nociscreen.example")
    form = build_questionnaire(QuestionnaireForm(SECOND, entry, for_patient, urls))
    return {item["linkId"]: item for group in form["item"] for item in group.get("item", ())}


ITEMS = {for_patient: build_items(for_patient=for_patient) for for_patient in (False, True)}


def has_note(item: dict) -> bool:
    return any(part["url"].endswith("/designNote") for part in item.get("extension", ()))


def build_values(answers: dict[str, Any]) -> dict[str, list[dict]]:
    """Return the answers as a response holds them; an empty choice says none of these."""
    values = {}
    for name, answer in answers.items():
        if isinstance(answer, list | tuple):
            values[name] = [{"value": option} for option in answer or [NONE_OF_THESE]]
        elif answer is not None:
            values[name] = [{"value": answer}]
    return values


def list_hidden(answers: dict[str, Any], *, for_patient: bool) -> set[str]:
    items = ITEMS[for_patient]
    values = build_values(answers)
    return {name for name, item in items.items() if not is_shown(item, values)}


@given(partial_answers(SECOND))
def test_the_hidden_questions_are_those_that_do_not_apply(answers):
    read = {name: answer for name, answer in answers.items() if name not in CONDITIONAL}
    not_asked = set(READER.read_answers(read).not_asked)
    hidden_ids = list_hidden(read, for_patient=False)
    assert hidden_ids <= not_asked
    assert not_asked - hidden_ids <= NOTED


@given(partial_answers(SECOND))
def test_a_patients_form_hides_nothing_that_applies(answers):
    items = ITEMS[True]
    read = {
        name: answer
        for name, answer in answers.items()
        if name not in CONDITIONAL and name in items
    }
    assert list_hidden(read, for_patient=True) <= set(READER.read_answers(read).not_asked)


def test_a_design_note_stands_where_the_condition_cannot_be_said_whole():
    assert {name for name, item in ITEMS[False].items() if has_note(item)} == NOTED
    silent = [name for name in NOTED if "enableWhen" not in ITEMS[False][name]]
    assert len(silent) == 7
    assert {
        name for name, item in ITEMS[False].items() if "enableWhen" in item and not has_note(item)
    } == CONDITIONAL - NOTED


@pytest.mark.parametrize(
    ("age_years", "is_asked"), [(None, True), (55, True), (56, False)], ids=["open", "55", "56"]
)
def test_pregnancy_is_asked_up_to_55_and_while_the_age_is_open(age_years, is_asked):
    assert is_shown(ITEMS[True]["pregnant"], build_values({"age_years": age_years})) is is_asked


@pytest.mark.parametrize(
    ("pain_sites", "is_asked"),
    [(None, True), ([], False), (["abdomen"], False), (["abdomen", "lower_back"], True)],
)
def test_features_of_the_back_are_asked_of_pain_in_the_back_at_any_age(pain_sites, is_asked):
    item = ITEMS[True]["spondyloarthritis_features"]
    values = build_values({"pain_sites": pain_sites, "age_years": 80})
    assert is_shown(item, values) is is_asked


def test_every_condition_reads_a_question_of_the_same_form():
    for items in ITEMS.values():
        read = {part["question"] for item in items.values() for part in item.get("enableWhen", ())}
        assert "pain_sites" in read
        assert read <= set(items)


def test_the_first_rulebook_has_no_condition(client):
    form = client.get("/fhir/Questionnaire/nociplastic/_history/1.0.0").text
    assert '"linkId"' in form
    assert "enableWhen" not in form
    assert "designNote" not in form
