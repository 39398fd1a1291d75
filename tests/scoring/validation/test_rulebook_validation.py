"""The review: each fault that a rulebook can have is found and named by its block."""

import tomllib
from decimal import Decimal

import pytest

from schemas.rulebooks.rulebook import Rulebook
from scoring.answers.question_dependencies import iterate_conditions
from scoring.catalogue import RULEBOOKS_FOLDER
from scoring.validation.rulebook_validation import find_rulebook_faults


def shipped(instrument: str) -> dict:
    file = RULEBOOKS_FOLDER / instrument / "1.0.0.toml"
    return tomllib.loads(file.read_text(), parse_float=Decimal)


@pytest.fixture
def book() -> dict:
    return shipped("nociplastic")


def block(book: dict, kind: str, name: str) -> dict:
    return next(table for table in book[kind] if table["id"] == name)


def faults(book: dict) -> list[str]:
    return find_rulebook_faults(Rulebook.model_validate(book))


@pytest.mark.parametrize("instrument", ["nociplastic", "phq4"])
def test_the_shipped_rulebooks_have_no_fault(instrument):
    assert faults(shipped(instrument)) == []


KINDS = (
    *("citation", "topic", "question", "derived", "domain", "criterion", "total", "band", "ledger"),
    *("picture", "tier", "flag", "scope", "grading", "finding", "next_step"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_doubled_id_is_named(book, kind):
    book[kind].append(book[kind][0])
    name = book[kind][0]["id"]
    assert any(name in fault and "used twice" in fault for fault in faults(book))


def test_a_doubled_pattern_option_level_or_grade_is_named(book):
    book["pattern"][1]["number"] = 1
    question = block(book, "question", "pain_extent")
    question["options"].append(question["options"][0])
    criterion = block(book, "criterion", "A2")
    criterion["level"][1]["id"] = "regional"
    book["grading"][0]["grade"][1]["id"] = "not_applicable"
    lines = book["grading"][0]["criterion"]
    lines[1]["id"] = lines[0]["id"]
    assert sorted(faults(book)) == [
        "criterion A2 > level regional: the id is used twice",
        f"grading iasp_2021 > criterion {lines[0]['id']}: the id is used twice",
        "grading iasp_2021 > grade not_applicable: the id is used twice",
        "pattern 1: the id is used twice",
        "question pain_extent > option or group spot: the id is used twice",
    ]


def test_a_group_called_like_an_option_is_named(book):
    block(book, "question", "pain_sites")["groups"]["neck"] = ["neck"]
    assert "question pain_sites > option or group neck: the id is used twice" in faults(book)


def test_a_derived_value_called_like_a_question_is_named(book):
    book["derived"].append({"id": "fatigue", "label": "Fatigue", "sum_of": ["phq4_down"]})
    assert faults(book) == ["question or derived fatigue: the id is used twice"]


def change_and_expect(book, kind, name, changes, message):
    block(book, kind, name).update(changes)
    assert message in faults(book)


@pytest.mark.parametrize(
    ("kind", "name", "changes", "message"),
    [
        ("criterion", "A1", {"domain": "x"}, "criterion A1: unknown domain x"),
        ("criterion", "A1", {"citations": ["x"]}, "criterion A1: unknown citation x"),
        ("question", "fatigue", {"topic": "x"}, "question fatigue: unknown topic x"),
        ("flag", "saddle_numbness", {"tier": "T9"}, "flag saddle_numbness: unknown tier T9"),
        ("total", "contribution", {"domains": ["x"]}, "total contribution: unknown domain x"),
        (
            "derived",
            "regions",
            {"groups_in": ["x"]},
            "derived regions: unknown group x",
        ),
        (
            "derived",
            "gad2",
            {"sum_of": ["traits"]},
            "derived gad2: traits is not an integer or boolean question",
        ),
        (
            "derived",
            "gad2",
            {"sum_of": ["x"]},
            "derived gad2: x is not an integer or boolean question",
        ),
        (
            "derived",
            "regions",
            {"question": "x", "groups_in": ["axial"]},
            "derived regions: unknown group axial",
        ),
        *(
            ("picture", "mixed", {key: {"x": 1}}, "picture mixed: unknown ledger x")
            for key in ("at_least", "any_at_least", "below")
        ),
        *(
            ("picture", "mixed", {"exceeds": ledgers}, "picture mixed: unknown ledger x")
            for ledgers in ({"x": "nociplastic"}, {"nociplastic": "x"})
        ),
        ("finding", "disc_bulge", {"question": "x"}, "finding disc_bulge: unknown question x"),
        (
            "flag",
            "neurological_deficit",
            {"when": {"question": "x", "is": True}},
            "flag neurological_deficit: uses question x, which does not exist",
        ),
        (
            "flag",
            "neurological_deficit",
            {"when": {"derived": "x", "at_least": 1}},
            "flag neurological_deficit: unknown derived value x",
        ),
        (
            "flag",
            "neurological_deficit",
            {"when": {"question": "sensory_or_motor_loss", "includes": ["x"]}},
            (
                "flag neurological_deficit: "
                "this condition needs a multi question, but sensory_or_motor_loss is a boolean"
            ),
        ),
        (
            "flag",
            "neurological_deficit",
            {"when": {"question": "sensory_or_motor_loss", "is": "yes"}},
            "flag neurological_deficit: 'is' of sensory_or_motor_loss must be true or false",
        ),
        (
            "flag",
            "neurological_deficit",
            {"when": {"question": "pain_extent", "is": "x"}},
            "flag neurological_deficit: pain_extent has no option x",
        ),
        (
            "flag",
            "neurological_deficit",
            {"when": {"question": "pain_extent", "is": True}},
            "flag neurological_deficit: 'is' of pain_extent must be an option",
        ),
    ],
)
def test_a_name_that_is_not_there_is_named(book, kind, name, changes, message):
    change_and_expect(book, kind, name, changes, message)


def test_a_question_that_nothing_reads_is_named(book):
    extra = {"id": "idle", "topic": "about", "who": "patient", "kind": "boolean"}
    book["question"].append(extra | {"label": "Idle", "text": "Idle?"})
    assert faults(book) == ["question idle: no block uses or shows it"]


def test_a_derived_value_that_nothing_reads_is_named(book):
    book["derived"].append({"id": "idle", "label": "Idle", "sum_of": ["phq4_down"]})
    assert faults(book) == ["derived idle: no block uses or shows it"]


def test_a_citation_that_is_never_cited_is_named(book):
    book["citation"].append({"id": "idle_2020", "text": "Idle 2020."})
    assert faults(book) == ["citation idle_2020: no block cites it"]


@pytest.mark.parametrize(
    ("criterion", "level", "condition"),
    [
        ("A1", 0, {"derived": "regions", "at_least": 7}),
        ("A2", 1, {"question": "pain_extent", "is": "area"}),
        ("B6", 0, {"question": "overlapping_conditions", "counts_at_least": 9}),
        ("G1", 0, {"question": "ace_count", "at_least": 11}),
        (
            "B8",
            0,
            {
                "all": [
                    {"derived": "acr2016_met", "is": True},
                    {"derived": "acr2016_met", "is": False},
                ]
            },
        ),
    ],
)
def test_a_level_that_no_answers_reach_is_named(book, criterion, level, condition):
    level_table = block(book, "criterion", criterion)["level"][level]
    level_table["when"] = condition
    if "is" in condition.get("all", [{}])[0]:
        condition["all"] = [
            {"question": "fatigue", "is": True},
            {"question": "fatigue", "is": False},
        ]
    assert faults(book) == [
        f"criterion {criterion} > level {level_table['id']}: no answers reach it"
    ]


def test_a_level_after_one_that_always_holds_is_named(book):
    book["criterion"][0]["level"][0]["when"] = {"always": True}
    assert "criterion A1 > level none_or_one: no answers reach it" in faults(book)


def test_a_level_after_one_that_every_answer_satisfies_is_named(book):
    criterion = block(book, "criterion", "A4")
    question = {"question": "fatigue"}
    criterion["level"][0]["when"] = {"any": [question | {"is": True}, question | {"is": False}]}
    criterion["level"][1]["when"] = {"derived": "regions", "at_least": 0}
    name = criterion["level"][1]["id"]
    assert f"criterion A4 > level {name}: no answers reach it" in faults(book)


def test_a_flag_that_no_answers_raise_is_named(book):
    block(book, "flag", "inflammatory_back_pain")["when"] = {
        "question": "age_years",
        "at_least": 121,
    }
    message = "flag inflammatory_back_pain: no answers make its condition true"
    assert message in faults(book)


@pytest.mark.parametrize("points", [Decimal("0.5"), Decimal("1.5")])
def test_points_that_a_discount_makes_inexact_are_named(book, points):
    criterion = block(book, "criterion", "A4")
    criterion["discount"][0]["factor"] = Decimal("0.33")
    criterion["level"][0]["points"] = points
    assert faults(book) == [
        f"criterion A4 > level true: {points} x 0.33 is not exact to two decimals",
    ]
    criterion["level"][0]["points"] = -points
    assert faults(book) == []


def test_points_of_more_than_two_decimals_are_refused(book):
    block(book, "criterion", "A4")["level"][0]["points"] = Decimal("1.555")
    with pytest.raises(ValueError, match="at most two decimals"):
        faults(book)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"many": {"from": 11}}, "band many: no points reach it"),
        ({"strong": {"from": Decimal("24.01")}}, "band strong: no points reach it"),
        ({"points_away": {"from": -4}}, "band points_away: the lowest band must have no start"),
        ({"little": {"above": None}}, "band little: every band but the lowest needs a start"),
        ({"little": {"above": Decimal("-40.01")}}, "band points_away: no points reach it"),
    ],
)
def test_a_band_that_no_points_reach_is_named(book, changes, message):
    for name, change in changes.items():
        block(book, "band", name).update(change)
    assert message in faults(book)


@pytest.mark.parametrize(
    "changes",
    [
        {"strong": {"from": 24}},
        {"little": {"above": -40}},
        {"little": {"above": None, "from": 0}, "some": {"from": Decimal("0.01")}},
    ],
    ids=["the highest", "the lowest", "a hundredth"],
)
def test_points_of_a_single_hundredth_still_reach_a_band(book, changes):
    for name, change in changes.items():
        block(book, "band", name).update(change)
    assert faults(book) == []


def test_a_second_banded_total_is_named(book):
    block(book, "total", "contribution")["banded"] = True
    assert faults(book) == ["band: bands and exactly one banded total require each other"]


def test_bands_without_a_banded_total_are_named(book):
    block(book, "total", "predominance")["banded"] = False
    assert "band: bands and exactly one banded total require each other" in faults(book)


def test_a_domain_out_of_order_empty_or_never_added_is_named(book):
    block(book, "domain", "onset").update(floor=3)
    book["domain"].append({"id": "idle", "label": "Idle", "floor": 0, "ceiling": 1})
    assert {
        "domain onset: the floor is above the ceiling",
        "domain idle: no criterion belongs to it",
        "domain idle: no total adds it",
    } <= set(faults(book))


def test_the_floor_of_a_domain_may_be_its_ceiling(book):
    block(book, "domain", "onset").update(floor=2)
    assert faults(book) == []


def test_a_last_grade_with_an_exception_is_named(book):
    book["grading"][1]["grade"][-1]["unless"] = {"question": "fatigue", "is": True}
    assert faults(book) == ["grading neupsig: the last grade must always apply"]


@pytest.mark.parametrize("place", range(4))
def test_a_picture_before_the_last_that_demands_nothing_is_named(book, place):
    picture = book["picture"][place]
    for demand in ("at_least", "any_at_least", "below", "exceeds"):
        picture.pop(demand, None)
    assert faults(book) == [f"picture {picture['id']}: the pictures after it are never reached"]


def test_a_grading_or_picture_without_an_end_is_named(book):
    book["grading"][1]["grade"][-1]["when"] = {"question": "fatigue", "is": True}
    book["picture"][-1]["at_least"] = {"nociplastic": 1}
    assert {
        "grading neupsig: the last grade must always apply",
        "picture undetermined: the last picture must have no condition",
    } <= set(faults(book))


def test_a_grade_or_picture_that_hides_those_after_it_is_named(book):
    book["grading"][1]["grade"][0].pop("when")
    for demand in ("at_least", "any_at_least"):
        book["picture"][0].pop(demand)
    assert {
        "grading neupsig > grade probable: grades after it are never reached",
        "picture mixed: the pictures after it are never reached",
    } <= set(faults(book))


def test_ledgers_without_pictures_are_named(book):
    book["picture"] = []
    for step in book["next_step"]:
        step.pop("pictures", None)
    assert faults(book) == ["picture: ledgers and pictures require each other"]


def test_a_finding_that_is_no_option_is_named(book):
    block(book, "finding", "disc_bulge")["id"] = "disc_bulges"
    assert faults(book) == ["finding disc_bulges: imaging_findings has no such option"]


def test_a_place_in_a_sentence_that_nothing_fills_is_named(book):
    block(book, "criterion", "A1")["level"][0]["finding"] = "Pain in {regiones}"
    block(book, "criterion", "A2")["discount"][0]["because"] = "of {what}"
    block(book, "criterion", "B1")["discount"][0]["because"] = "of {which}"
    book["wording"]["points"] = "points"
    assert set(faults(book)) == {
        "criterion A1 > level four_or_more: {regiones} is not a question or derived value",
        "criterion A2 > discount: only {which} can be filled in",
        "criterion B1 > discount: {which} needs 'includes'",
        "wording > points: it must use {number}",
    }


def test_every_condition_is_known_by_its_block(nociplastic):
    blocks = [block for block, _ in iterate_conditions(nociplastic.rulebook)]
    assert "None" not in " ".join(blocks)
    assert {"criterion A1 > discount", "grading iasp_2021 > criterion 1a"} <= set(blocks)
    conditional = [
        limitation for limitation in nociplastic.rulebook.limitation if limitation.when is not None
    ]
    first = nociplastic.rulebook.limitation.index(conditional[0]) + 1
    assert f"limitation {first}" in blocks
