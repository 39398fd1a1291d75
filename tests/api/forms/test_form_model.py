"""Forms: made of any rulebook; what is marked is what is read, for patients and for clinicians."""

import pytest

from api.forms.answer_parser import fill_from_answers, parse_step
from api.forms.form_model import NONE, SKIPPED, UNKNOWN, FormOptions, build_form
from api.forms.intake_progress import apply_step, build_progress
from api.forms.layout import LAYOUT_FOLDER, load_layout
from api.forms.red_flag_advice import ADVICE_ORDER, build_advice, find_red_flags
from api.web.page_texts import list_languages, load_page_texts
from schemas.links import Draft
from scoring.answer_model import build_answer_model
from scoring.catalogue import load_catalogue

RULEBOOKS = load_catalogue().list_active()
NOCIPLASTIC = load_catalogue().find_active("nociplastic")
BOTH = [
    FormOptions("patient", "en", adversity_consent=True),
    FormOptions("clinician", "de", adversity_consent=True),
]


def named(loaded) -> str:
    return loaded.name


@pytest.mark.parametrize("loaded", RULEBOOKS, ids=named)
def test_a_clinician_is_asked_everything_once_with_ones_own_apart(loaded):
    form = build_form(loaded, FormOptions("clinician"))
    assert sorted(each.id for each in form.questions) == sorted(loaded.questions)
    apart = {each.id for step in form.steps if step.for_clinician for each in step.questions}
    assert apart >= {each.id for each in loaded.rulebook.question if each.who == "clinician"}
    assert not any(each.required for each in form.questions)


@pytest.mark.parametrize("loaded", RULEBOOKS, ids=named)
def test_a_patient_is_never_asked_what_only_a_clinician_can_know(loaded):
    for adversity in (None, True, False):
        form = build_form(loaded, FormOptions("patient", adversity_consent=adversity))
        assert not [each for each in form.questions if loaded.questions[each.id].who == "clinician"]


@pytest.mark.parametrize("wish", BOTH, ids=lambda wish: wish.who)
@pytest.mark.parametrize("loaded", RULEBOOKS, ids=named)
def test_whatever_can_be_marked_is_read_as_it_is_kept_and_scored(loaded, wish):
    model = build_answer_model(loaded.rulebook)
    for step in build_form(loaded, wish).steps:
        for asked in step.questions:
            for value in [each.value for each in asked.choices] or [str(asked.maximum)]:
                reading = parse_step(step, {asked.name: [value]})
                assert asked.name not in reading.faults
                answer = reading.answers[asked.id]
                model.model_validate({asked.id: answer})
                marks = fill_from_answers(step, reading.answers, {})
                again = marks.selected_options.get(asked.name) or {
                    marks.entered_text.get(asked.name)
                }
                assert again == {value} or asked.confidential


def test_none_of_several_is_an_answer_and_nothing_is_none():
    step = build_form(NOCIPLASTIC, FormOptions("patient")).steps[1]
    assert parse_step(step, {"q52": [NONE]}).answers == {"rf_spine_and_nerves": []}
    nothing = parse_step(step, {})
    assert nothing.answers == {}
    assert nothing.faults["q52"] == "fault_needed"
    assert "q57" not in nothing.faults


def test_not_being_sure_of_a_red_flag_is_said_and_leaves_it_unanswered():
    form = build_form(NOCIPLASTIC, FormOptions("patient"))
    unsure = {each.id for each in form.questions if each.may_be_unsure}
    must = set(NOCIPLASTIC.rulebook.rulebook.must_answer)
    assert unsure == must - {"age_years", "pain_duration_months", "rf_personal_safety"}
    step = form.steps[1]
    reading = parse_step(step, {"q52": [UNKNOWN], "q53": [SKIPPED]})
    assert reading.open_questions == {"rf_spine_and_nerves": "unknown"}
    assert (reading.answers, reading.faults["q53"]) == ({}, "fault_needed")
    draft = apply_step(build_progress(NOCIPLASTIC, Draft(), "en", adversity=True), step, reading)
    lacks = build_progress(NOCIPLASTIC, draft, "en", adversity=True).is_missing
    assert [each.name for each in step.questions if lacks(each)] == ["q53", "q54", "q55", "q56"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("0", None), ("120", None), ("121", "fault_range"), ("-1", "fault_range"),
     ("4.5", "fault_whole"), ("abc", "fault_number"), ("NaN", "fault_number"),
     ("1e400", "fault_range"), ("9" * 13, "fault_number"), ("\u0664\u0664", None)],
)  # fmt: skip
def test_a_number_is_read_within_its_bounds(text, fault):
    step = build_form(NOCIPLASTIC, FormOptions("patient")).steps[0]
    assert parse_step(step, {"q0": [text]}).faults.get("q0") == fault


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("who", ["patient", "clinician"])
def test_the_help_beside_a_question_promises_what_is_kept(who, language):
    form = build_form(NOCIPLASTIC, FormOptions(who, language, adversity_consent=True))
    helps = {each.id: each.help for each in form.questions}
    own = load_layout("nociplastic").help
    for name in ("ace_count", "rf_personal_safety"):
        assert helps[name] == own[name][language]
    untrue = ("nothing in the result", "hängt nichts davon ab", "nada del resultado",
              "someone will read it", "jemand wird es lesen", "alguien lo leerá")  # fmt: skip
    assert not [each for each in helps.values() if each and any(word in each for word in untrue)]


class TestAdvice:
    @pytest.mark.parametrize("flag", NOCIPLASTIC.rulebook.flag, ids=lambda flag: flag.id)
    def test_there_are_words_for_every_red_flag_that_must_be_acted_on(self, flag):
        form = build_form(NOCIPLASTIC, FormOptions("patient"))
        told = build_advice(NOCIPLASTIC, form, {}, [flag.id])
        assert told or flag.tier == "T3"
        if told and not flag.about_person:
            assert told[0].urgent == (flag.tier in ("T0", "T1"))

    def test_comes_with_the_most_urgent_first_and_each_once(self):
        answers = {"rf_general": ["fever_or_rigors", "unexplained_weight_loss"],
                   "rf_head_and_face": ["thunderclap_headache", "painful_red_eye"]}  # fmt: skip
        raised = find_red_flags(NOCIPLASTIC, answers)
        form = build_form(NOCIPLASTIC, FormOptions("patient"))
        told = build_advice(NOCIPLASTIC, form, answers, raised.flags)
        assert raised.tier == "T0"
        assert [each.phrase for each in told] == ["now", "today", "soon"]
        assert len(told[0].selected_options) == 2

    def test_is_read_again_when_its_flag_went_and_came_again(self):
        seen = Draft(answers={"rf_general": ["fever_or_rigors"]}, seen=("fever_or_rigors",))
        course = build_progress(NOCIPLASTIC, seen, "en", adversity=True)
        assert course.unacknowledged_flags == ()
        step = course.form.steps[1]
        gone = apply_step(course, step, parse_step(step, {"q56": [NONE]}))
        assert gone.seen == ()
        course = build_progress(NOCIPLASTIC, gone, "en", adversity=True)
        again = apply_step(course, step, parse_step(step, {"q56": ["o0"]}))
        assert build_progress(NOCIPLASTIC, again, "en", adversity=True).unacknowledged_flags == (
            "fever_or_rigors",
        )


class TestLayouts:
    @pytest.mark.parametrize(
        "file", sorted(LAYOUT_FOLDER.glob("*.toml")), ids=lambda file: file.stem
    )
    def test_name_what_their_rulebook_has(self, file):
        loaded, layout = load_catalogue().find_active(file.stem), load_layout(file.stem)
        book = loaded.rulebook
        questions = {*layout.for_clinician, *layout.adversity, *layout.may_be_left,
                     *layout.may_be_unsure, *layout.unspoken,
                     *([layout.body_map] if layout.body_map else [])}  # fmt: skip
        assert questions <= loaded.questions.keys()
        assert {*layout.first, *layout.intro, *layout.heading} <= {each.id for each in book.topic}
        assert layout.advice.keys() <= {each.id for each in book.flag}
        assert layout.advice_by_tier.keys() <= {each.id for each in book.tier}
        assert {*layout.advice.values(), *layout.advice_by_tier.values()} <= set(ADVICE_ORDER)
        assert layout.help.keys() <= loaded.questions.keys()
        worded = layout.intro, layout.heading, layout.help
        for by_language in (each for held in worded for each in held.values()):
            assert by_language.keys() == set(list_languages())


def test_every_language_has_the_same_words_with_the_same_places():
    english = load_page_texts("en").words
    for language in list_languages():
        words = load_page_texts(language).words
        assert list(words) == list(english)
        for name, text in words.items():
            assert sorted(_places(text)) == sorted(_places(english[name])), name


def _places(text: str) -> list[str]:
    from string import Formatter

    return [name for _, name, _, _ in Formatter().parse(text) if name]
