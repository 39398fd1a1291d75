"""The answer model: strict, closed to what is not asked, and told of all its faults at once."""

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from scoring.answer_model import build_answer_model, find_answer_model, validate_answers
from scoring.answers.intake_facts import UnknownQuestionError
from scoring.catalogue import load_catalogue
from scoring.engine import assess, weigh_answers

LOADED = load_catalogue().find_version("nociplastic@1.0.0")


def accepted(**answers):
    return (
        find_answer_model(LOADED)
        .model_validate_json(json.dumps(answers))
        .model_dump(exclude_none=True)
    )


def list_faults(text):
    with pytest.raises(ValidationError) as error:
        find_answer_model(LOADED).model_validate_json(text)
    return error.value.errors()


def places(text):
    return [fault["loc"][0] for fault in list_faults(text)]


def test_nothing_is_an_intake():
    assert accepted() == {}


def test_null_is_not_answered():
    assert accepted(fatigue=None, pain_sites=None, age_years=None) == {}


def test_none_of_these_is_an_answer():
    assert accepted(pain_sites=[]) == {"pain_sites": ()}


@pytest.mark.parametrize("answer", ["yes", "true", "", 1, 0, 1.0, 0.0, [], {}, [True]])
def test_only_true_and_false_are_truth_values(answer):
    assert places(json.dumps({"fatigue": answer})) == ["fatigue"]


@pytest.mark.parametrize("answer", [-1, 121, 10**30, "40", 40.5, True, False, [40], "NaN"])
def test_a_whole_number_is_whole_and_within_its_range(answer):
    assert places(json.dumps({"age_years": answer})) == ["age_years"]


@pytest.mark.parametrize("answer", [0, 120])
def test_the_ends_of_a_range_belong_to_it(answer):
    assert accepted(age_years=answer) == {"age_years": answer}


@pytest.mark.parametrize(("answer", "fits"), [(-2, False), (-1, True), (38, True), (39, False)])
def test_a_range_may_begin_below_zero(answer, fits):
    text = json.dumps({"paindetect_total": answer})
    assert (
        accepted(paindetect_total=answer) == {"paindetect_total": answer}
        if fits
        else places(text) == ["paindetect_total"]
    )


@pytest.mark.parametrize("answer", ["0", "1200", "2.5", "2.99", "3.00", "0.01", "1e2", "1200.00"])
def test_a_decimal_has_up_to_two_places(answer):
    answers = find_answer_model(LOADED).model_validate_json(f'{{"pain_duration_months": {answer}}}')
    assert answers.pain_duration_months == Decimal(answer)


@pytest.mark.parametrize(
    "answer",
    ["-0.01", "1200.01", "2.999", "0.001", '"3"', "true", "NaN", "Infinity", "-Infinity", "1e400"],
)
def test_any_other_decimal_is_refused(answer):
    assert places(f'{{"pain_duration_months": {answer}}}') == ["pain_duration_months"]


@pytest.mark.parametrize("answer", ["", "Spot", "spot ", 1, True, ["spot"]])
def test_a_choice_is_one_of_its_options(answer):
    assert places(json.dumps({"pain_extent": answer})) == ["pain_extent"]


@pytest.mark.parametrize(
    "answer", ["neck", ["nose"], ["neck", "neck"], ["neck", None], [1], {"neck": True}, True]
)
def test_several_options_are_known_and_named_once(answer):
    assert places(json.dumps({"pain_sites": answer})) == ["pain_sites"]


def test_a_question_that_is_not_asked_is_refused_by_name():
    assert places('{"insurance": "private"}') == ["insurance"]
    assert list_faults('{"insurance": "private"}')[0]["type"] == "extra_forbidden"


def test_all_faults_are_told_at_once_each_with_its_place():
    faults = {"fatigue": "yes", "age_years": True, "pain_sites": ["neck", "nose"], "sex": "f"}
    places_found = {fault["loc"] for fault in list_faults(json.dumps({**faults, "ptsd": True}))}
    assert places_found == {("fatigue",), ("age_years",), ("pain_sites", 1), ("sex",)}


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "true"])
def test_an_intake_is_an_object(text):
    assert list_faults(text)


def test_accepted_answers_cannot_be_changed():
    answers = find_answer_model(LOADED).model_validate_json('{"fatigue": true}')
    with pytest.raises(ValidationError):
        answers.fatigue = False


def test_the_model_has_one_field_for_each_question_in_order():
    assert list(find_answer_model(LOADED).model_fields) == list(LOADED.questions)


def test_the_schema_of_the_model_is_closed():
    schema = find_answer_model(LOADED).model_json_schema()
    assert schema["additionalProperties"] is False
    assert "required" not in schema


@pytest.mark.parametrize("take", [assess, weigh_answers])
def test_the_engine_refuses_what_is_not_asked(take):
    with pytest.raises(UnknownQuestionError):
        take(LOADED, {"insurance": True})


@pytest.mark.parametrize("question", LOADED.rulebook.question, ids=lambda question: question.id)
def test_no_question_takes_an_object_or_a_stray_text(question):
    for answer in ({}, "stray"):
        assert places(json.dumps({question.id: answer}))[0] == question.id


def test_the_schema_tells_the_limits_of_a_decimal():
    number_schema, null_schema = find_answer_model(LOADED).model_json_schema()["properties"][
        "pain_duration_months"
    ]["anyOf"]
    assert number_schema == {"type": "number", "minimum": 0, "maximum": 1200, "multipleOf": 0.01}
    assert null_schema == {"type": "null"}


@pytest.mark.parametrize("question", LOADED.rulebook.question, ids=lambda question: question.id)
def test_the_schema_shows_each_question(question):
    schema = find_answer_model(LOADED).model_json_schema()["properties"][question.id]
    assert (schema["title"], schema["description"]) == (question.label, question.text)
    if question.kind == "multi":
        assert schema["anyOf"][0]["uniqueItems"] is True


def test_validated_answers_leave_out_what_is_not_answered():
    answers = {"fatigue": None, "age_years": 40}
    assert validate_answers(LOADED, answers) == {"age_years": 40}


def test_the_schema_tells_the_limits_of_any_decimal():
    question = LOADED.questions["pain_duration_months"].model_copy(
        update={"minimum": Decimal(-5), "maximum": Decimal(0)}
    )
    book = LOADED.rulebook.model_copy(update={"question": (question,)})
    (number_schema, _) = build_answer_model(book).model_json_schema()["properties"][question.id][
        "anyOf"
    ]
    assert (number_schema["minimum"], number_schema["maximum"]) == (-5, 0)
