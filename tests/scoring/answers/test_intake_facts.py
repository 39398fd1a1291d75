"""What answers say: neutral where a question does not apply, and values worked out last."""

from decimal import Decimal

import pytest
from support.scoring.small_second_rulebook import load_small_second, read_second_table

from schemas.rulebooks.rulebook import Rulebook
from scoring.answers.intake_facts import UnknownQuestionError
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess

SMALL = load_small_second()


def test_a_question_that_does_not_apply_is_read_as_its_neutral():
    intake = SMALL.read_answers({"rain": False})
    assert intake.facts["drizzle"] is False
    assert intake.not_asked == ("drizzle",)
    assert "drizzle" not in intake.answers
    assert not intake.is_open("drizzle")


@pytest.mark.parametrize("rain", [True, None])
def test_a_question_that_applies_or_may_apply_stays_open(rain):
    intake = SMALL.read_answers({"rain": rain})
    assert "drizzle" not in intake.facts
    assert "drizzle" not in intake.not_asked
    assert intake.is_open("drizzle")
    assert ("drizzle" in intake.undecided) is (rain is None)


def test_an_answer_that_was_sent_counts_though_its_question_does_not_apply():
    intake = SMALL.read_answers({"rain": False, "drizzle": True})
    assert intake.facts["drizzle"] is True
    assert intake.not_asked == ()


def test_a_question_without_neutral_stays_unanswered_and_nothing_waits_for_it():
    intake = SMALL.read_answers({"shelter": "roof"})
    assert "shelter_depth" not in intake.facts
    assert intake.not_asked == ("shelter_depth",)
    assert not intake.is_open("shelter_depth")


def test_a_condition_that_reads_a_derived_value_is_decided_before_neutrals_are_set():
    assert SMALL.read_answers({"winds": ()}).facts["gusts"] == ()
    assert SMALL.read_answers({"winds": ("west",)}).facts.get("gusts") is None


def test_derived_values_read_neutral_answers():
    assert SMALL.read_answers({"rain": False}).facts["rains_hard"] is False
    assert SMALL.read_answers({"rain": True}).facts["rains_hard"] is None


def test_questions_that_do_not_apply_are_listed_in_questionnaire_order():
    intake = SMALL.read_answers({"winds": (), "rain": False, "age": 80, "shelter": "none"})
    assert intake.not_asked == ("indoors", "drizzle", "gusts", "shelter_depth")


def test_values_that_read_results_are_worked_out_from_them():
    intake = SMALL.read_answers({})
    assert "is_open_case" not in intake.facts
    results = {"result.status": "scored", "result.band": "some"}
    assert SMALL.reader.add_late_values(intake.facts, results)["is_open_case"] is True
    frost = SMALL.read_answers({"frost": False}).facts
    assert SMALL.reader.add_late_values(frost, results)["is_open_case"] is False


def test_options_stand_in_questionnaire_order():
    intake = SMALL.read_answers({"winds": ["west", "north"]})
    assert intake.answers == {"winds": ("north", "west")}
    assert intake.facts["winds"] == ("north", "west")


def test_answers_are_attested_only_where_it_is_said():
    answers = {"age": 40, "storms": (), "shelter": "roof"}
    assert not SMALL.read_answers(answers).attested
    assert not SMALL.reader.read_answers(answers).attested
    assert SMALL.read_answers(answers, attested=True).attested
    assert "Not attested." in assess(SMALL, answers).limitations
    assert "Not attested." not in assess(SMALL, answers, attested=True).limitations


def test_an_unknown_question_is_refused():
    with pytest.raises(
        UnknownQuestionError, match=r"^weather@2\.0\.0 has no question with this id$"
    ):
        SMALL.read_answers({"snow": True})


@pytest.mark.parametrize(("kind", "neutral"), [("integer", 0), ("decimal", 0)])
def test_a_number_is_neutral_at_zero(kind, neutral):
    table = read_second_table()
    question = next(it for it in table["question"] if it["id"] == "shelter_depth")
    question |= {"kind": kind, "neutral": neutral, "minimum": 0, "maximum": Decimal(9)}
    loaded = LoadedRulebook(Rulebook.model_validate(table), "0" * 64)
    assert loaded.read_answers({"shelter": "roof"}).facts["shelter_depth"] == 0
