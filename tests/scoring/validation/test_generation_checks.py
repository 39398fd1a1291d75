"""What the check of a rulebook refuses of the second generation, each by its block."""

import pytest
from pydantic import ValidationError
from support.scoring.second_rulebook import load_second
from support.scoring.small_rulebook import SMALL
from support.scoring.small_second_rulebook import read_second_table

from schemas.rulebooks.rulebook import Rulebook
from scoring.validation.rulebook_validation import find_rulebook_faults

NORTH = {"question": "winds", "includes": ["north"]}
SCORED = {"result": "status", "is": "scored"}
FROST_OPEN = {"not": {"question": "frost", "answered": True}}


@pytest.fixture
def book() -> dict:
    return read_second_table()


def block(book: dict, kind: str, name: str) -> dict:
    return next(table for table in book[kind] if table["id"] == name)


def faults(book: dict) -> list[str]:
    return find_rulebook_faults(Rulebook.model_validate(book))


def test_both_rulebooks_of_the_generation_have_no_fault(book):
    assert faults(book) == []
    assert find_rulebook_faults(load_second().rulebook) == []


def test_a_conditional_question_that_reads_another_is_refused(book):
    block(book, "question", "gusts")["ask_when"] = {"derived": "rains_hard", "is": True}
    assert "question gusts: 'ask_when' reads drizzle, which has one itself" in faults(book)


@pytest.mark.parametrize("name", ["age", "storms"])
def test_a_question_that_must_be_answered_cannot_be_conditional(book, name):
    block(book, "question", name)["ask_when"] = {"question": "rain", "is": True}
    assert f"question {name}: must be answered, so it cannot have 'ask_when'" in faults(book)


@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        ("shelter", False),
        ("shelter", []),
        ("drizzle", 0),
        ("drizzle", True),
        ("gusts", False),
        ("gusts", ["long"]),
        ("shelter_depth", False),
        ("shelter_depth", 1),
        ("fog", False),
    ],
)
def test_a_neutral_is_the_no_of_a_conditional_question_and_a_choice_has_none(book, name, neutral):
    question = block(book, "question", name)
    question["neutral"] = neutral
    if name == "shelter":
        question["ask_when"] = NORTH
    with pytest.raises(ValidationError, match="neutral"):
        faults(book)


@pytest.mark.parametrize(
    ("limits", "is_refused"), [((1, 9), True), ((0, 9), False), ((-9, 0), False), ((-9, -1), True)]
)
def test_a_neutral_out_of_range_is_refused(book, limits, is_refused):
    minimum, maximum = limits
    changes = {"neutral": 0, "minimum": minimum, "maximum": maximum}
    block(book, "question", "shelter_depth").update(changes)
    fault = "question shelter_depth: the neutral answer 0 is out of its range"
    actual_faults = find_rulebook_faults(Rulebook.model_validate(book), with_trials=False)
    assert actual_faults == [fault] * is_refused


def test_a_neutral_that_changes_points_is_refused(book):
    block(book, "question", "drizzle")["ask_when"] = {"question": "fog", "is": True}
    assert faults(book) == ["question drizzle: its neutral moves points of criterion W1"]


def test_neutrals_are_not_tried_where_no_trials_are_wanted(book):
    block(book, "question", "drizzle")["ask_when"] = {"question": "fog", "is": True}
    assert find_rulebook_faults(Rulebook.model_validate(book), with_trials=False) == []


def test_a_question_of_what_was_looked_at_needs_no_other_use(book):
    book["limitation"] = book["limitation"][:1]
    assert find_rulebook_faults(Rulebook.model_validate(book), with_trials=False) == []


def test_a_neutral_that_hides_a_discount_changes_no_points(book):
    block(book, "question", "gusts")["ask_when"] = {"question": "rain", "is": True}
    assert faults(book) == []


def test_a_question_that_is_hardly_ever_hidden_cannot_be_tried(book):
    block(book, "question", "drizzle")["ask_when"] = {"any": [NORTH, {"not": NORTH}]}
    assert faults(book) == ["question drizzle: 'ask_when' is false too rarely to try its neutral"]


@pytest.mark.parametrize(
    ("kind", "name", "key", "place"),
    [
        ("flag", "cold", "when", "flag cold"),
        ("contradiction", "calm_gusts", "when", "contradiction calm_gusts"),
        ("scope", "young", "when", "scope young"),
        ("question", "drizzle", "ask_when", "question drizzle"),
    ],
)
def test_answered_and_results_are_refused_where_something_depends_on_them(
    book, kind, name, key, place
):
    block(book, kind, name)[key] = FROST_OPEN
    assert f"{place}: must not use 'answered'" in faults(book)
    block(book, kind, name)[key] = SCORED
    assert f"{place}: must not read a result" in faults(book)
    block(book, kind, name)[key] = {"derived": "is_open_case", "is": True}
    assert f"{place}: must not read is_open_case, which is worked out last" in faults(book)


def test_a_level_a_sign_and_an_exception_read_no_result(book):
    book["criterion"][1]["level"][0]["when"] = SCORED
    book["alternative"][0]["sign"][0]["when"] = SCORED
    block(book, "flag", "hail")["unless"] = SCORED
    assert {
        "criterion W2 > level true: must not read a result",
        "alternative leak > sign 1: must not read a result",
        "flag hail > unless: must not read a result",
    } <= set(faults(book))


def test_an_exception_may_ask_whether_something_is_answered(book):
    block(book, "flag", "hail")["unless"] = {"question": "frost", "answered": True}
    block(book, "alternative", "draught")["unless"] = {"question": "frost", "answered": True}
    assert faults(book) == []


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ({"result": "mood", "is": "good"}, "unknown result mood"),
        ({"result": "status", "is": "fine"}, "status has no option fine"),
        ({"result": "band", "one_of": ["some", "huge"]}, "band has no option huge"),
        ({"result": "tier", "is": "T9"}, "tier has no option T9"),
        ({"result": "beaufort", "is": "stormy"}, "beaufort has no option stormy"),
        ({"result": "all_asked", "is": "scored"}, "'is' of all_asked must be true or false"),
        (
            {"result": "sum", "is": True},
            "this condition needs a boolean or choice value, but sum is an integer",
        ),
        (
            {"derived": "is_windy", "at_least": 1},
            "this condition needs an integer or decimal value, but is_windy is a boolean",
        ),
    ],
)
def test_a_result_is_read_by_the_words_and_names_that_it_has(book, condition, fault):
    block(book, "next_step", "again")["when"] = condition
    assert f"next_step again: {fault}" in faults(book)


def test_a_derived_value_reads_none_that_stands_after_it(book):
    block(book, "derived", "is_windy")["when"] = {"derived": "rains_hard", "is": True}
    assert "derived is_windy: reads rains_hard, which comes after it" in faults(book)


@pytest.mark.parametrize(
    ("kind", "name", "changes", "fault"),
    [
        ("flag", "thunder", {"assessed_by": ["x"]}, "the assessed question has no option x"),
        ("next_step", "walk", {"cautions": ["x"]}, "unknown caution x"),
        ("no_band_reason", "age_unanswered", {"unanswered": ["x"]}, "unknown question x"),
        ("alternative", "leak", {"citations": ["x"]}, "unknown citation x"),
        (
            "derived",
            "onset_age",
            {"whole_years": {"years": "rain", "less_months": "months"}},
            "rain is not an integer or decimal question",
        ),
    ],
)
def test_a_name_that_is_not_there_is_named(book, kind, name, changes, fault):
    block(book, kind, name).update(changes)
    assert f"{kind} {name}: {fault}" in faults(book)


def test_names_of_the_header_and_of_ranges_are_looked_up(book):
    book["rulebook"].update(assessed_question="x", confidential_questions=["y"])
    book["rulebook"]["scope_questions"] = ["z"]
    book["acceptable_range"][1]["ends"] = ["away", "huge"]
    book["acceptable_range"][2]["answered"] = ["w"]
    assert {
        "rulebook: unknown question x",
        "rulebook: unknown question y",
        "rulebook: unknown question z",
        "acceptable_range 2: unknown band huge",
        "acceptable_range 3: unknown question w",
    } <= set(faults(book))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [({"otherwise": "x"}, "unknown band x"), ({"domains_above_zero": ["x"]}, "unknown domain x")],
)
def test_a_name_in_the_needs_of_a_band_is_looked_up(book, changes, fault):
    block(book, "band", "strong")["needs"].update(changes)
    assert faults(book) == [f"band strong: {fault}"]


@pytest.mark.parametrize(
    "kind", ["no_band_reason", "alternative", "contradiction", "caution", "next_step"]
)
def test_a_doubled_id_is_named(book, kind):
    book[kind].append(book[kind][0])
    assert f"{kind} {book[kind][0]['id']}: the id is used twice" in faults(book)


@pytest.mark.parametrize(
    ("kind", "name", "changes", "fault"),
    [
        ("flag", "cold", {"unless": {"question": "frost", "is": True}}, "no answers raise it"),
        (
            "next_step",
            "walk",
            {"not_when": {"derived": "is_open_case", "is": True}},
            "no answers call for it",
        ),
        ("alternative", "draught", {"unless": NORTH}, "no answers list it"),
        (
            "contradiction",
            "older_than_life",
            {"when": {"derived": "onset_age", "at_most": -102}},
            "no answers make its condition true",
        ),
        (
            "next_step",
            "again",
            {"when": {"all": [SCORED, {"not": SCORED}]}},
            "no answers make its condition true",
        ),
    ],
)
def test_what_no_answers_reach_is_named(book, kind, name, changes, fault):
    block(book, kind, name).update(changes)
    assert f"{kind} {name}: {fault}" in faults(book)


def test_a_level_may_ask_for_any_option_of_a_group(book):
    mild = {"question": "winds", "includes": ["mild"]}
    first, second = block(book, "criterion", "W2")["level"]
    first["when"], second["when"] = mild, {"not": mild}
    assert find_rulebook_faults(Rulebook.model_validate(book), with_trials=False) == []
    second["when"] = {"all": [mild, {"question": "winds", "includes": ["north"]}]}
    assert find_rulebook_faults(Rulebook.model_validate(book), with_trials=False) == [
        "criterion W2 > level false: no answers reach it"
    ]


def test_an_explanation_whose_signs_are_too_weak_together_is_named(book):
    book["rulebook"]["alternatives_from"] = 4
    assert faults(book) == ["alternative leak: no answers list it"]


def test_what_only_an_open_question_reaches_is_reached(book):
    block(book, "flag", "cold").update(
        when={"question": "fog", "is": True}, unless={"any": [NORTH, {"not": NORTH}]}
    )
    assert faults(book) == []


@pytest.mark.parametrize("name", ["about_person", "T0"])
def test_a_flag_about_the_person_or_of_the_first_tier_cannot_be_assessed(book, name):
    block(book, "flag", "dread" if name == "about_person" else "gale")["assessed_by"] = [
        "roof_leak"
    ]
    assert any("cannot be shown as assessed" in fault for fault in faults(book))


def test_an_option_that_shows_no_flag_as_assessed_is_named(book):
    block(book, "flag", "thunder").pop("assessed_by")
    assert "question looked_at: no flag names roof_leak" in faults(book)


def test_sheets_end_with_one_that_always_applies(book):
    last = book["sheet"].pop()
    assert "sheet 3: the last sheet must always apply" in faults(book)
    book["sheet"][:0] = [last]
    assert "sheet 1: the sheets after it are never reached" in faults(book)
    book["sheet"] = []
    assert "sheet: scoring_rules = 2 needs at least one" in faults(book)


def test_what_the_generation_needs_is_asked_for(book):
    book["total"][0]["banded"] = False
    book["no_band_reason"] = book["no_band_reason"][:1]
    block(book, "next_step", "again").pop("when")
    block(book, "next_step", "act")["statuses"] = ["scored"]
    block(book, "next_step", "walk")["cautions"] = ["old"]
    book["wording"].pop("band_would_be")
    assert {
        "rulebook: scoring_rules = 2 needs a banded total",
        "no_band_reason: one must say that the range is too wide",
        "no_band_reason: none says that age is unanswered",
        "next_step again: needs 'when'",
        "next_step act: with scoring_rules = 2 write 'result' in 'when'",
        "caution fog_open: no next_step names it",
        "wording > band_would_be: is missing",
    } <= set(faults(book))


@pytest.mark.parametrize(
    ("name", "template", "placeholders"),
    [
        ("unanswered", "Open ({questions}): {least} to {most}.", "{least}, {most}, {points}, "),
        ("as_answered_so_far", "{band}.", "{band}, {least}, {most}"),
        ("band_would_be", "{band}.", "{band}, {questions}"),
        ("between_bands", "{least}.", "{least}, {most}"),
    ],
)
def test_a_sentence_that_leaves_something_out_is_named(book, name, template, placeholders):
    book["wording"][name] = template
    assert any(
        fault.startswith(f"wording > {name}: it must use {placeholders}") for fault in faults(book)
    )


def test_the_first_generation_refuses_what_it_would_not_read(book):
    book["rulebook"]["scoring_rules"] = 1
    assert {
        *(f"{kind}: needs scoring_rules = 2" for kind in ("acceptable_range", "sheet", "caution")),
        *(f"{kind}: needs scoring_rules = 2" for kind in ("alternative", "contradiction")),
        "no_band_reason: needs scoring_rules = 2",
        "flag hail: 'unless' and 'assessed_by' need scoring_rules = 2",
        "next_step walk: 'not_when', 'cautions' and 'rung' need scoring_rules = 2",
        "question drizzle: 'ask_when' needs scoring_rules = 2",
    } <= set(faults(book))


def test_a_rulebook_may_have_no_tier_no_flag_and_no_question_of_what_was_looked_at(book):
    book["rulebook"].pop("assessed_question")
    book["question"] = [table for table in book["question"] if table["id"] != "looked_at"]
    book["limitation"] = book["limitation"][:1]
    book["tier"], book["flag"], book["sheet"] = [], [], book["sheet"][1:]
    block(book, "next_step", "act")["when"] = {"result": "status", "is": "scored"}
    assert faults(book) == []


@pytest.mark.parametrize(
    "new_part", [{"not_when": NORTH}, {"cautions": ["old"]}, {"rung": 1}], ids=min
)
def test_the_first_generation_refuses_each_new_part_of_a_step(book, new_part):
    book["rulebook"]["scoring_rules"] = 1
    step = {"id": "rest", "label": "A rest.", "certainty": "Low."}
    book["next_step"] += [step, step | {"id": "swim"} | new_part]
    fault = "'not_when', 'cautions' and 'rung' need scoring_rules = 2"
    assert f"next_step swim: {fault}" in faults(book)
    assert f"next_step rest: {fault}" not in faults(book)


def test_a_rulebook_of_the_first_generation_answers_no_new_key():
    table = read_second_table(SMALL)
    text = Rulebook.model_validate(table).model_dump_json(by_alias=True)
    new_keys = ("scoring_rules", "core", "ask_when", "neutral", "unless", "assessed_by", "rung")
    new_keys += ("alternatives", "contradictions", "sheets", "cautions", "whole_years")
    assert [key for key in new_keys if f'"{key}"' in text] == []
