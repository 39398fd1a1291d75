"""Forms: made of any rulebook; what is marked is what is read, for patients and for clinicians."""

import pytest

from api.forms.answer_parser import kept_marks, read
from api.forms.form_model import NONE, SKIPPED, UNKNOWN, Wish, form_of
from api.forms.intake_progress import course_of, kept
from api.forms.layout import LAYOUTS, layout_of
from api.forms.red_flag_advice import ORDER, advice, alarm
from api.web.page_texts import languages, wording
from schemas.links import Draft
from scoring.answer_model import answer_model
from scoring.catalogue import catalogue

RULEBOOKS = catalogue().scored()
NOCIPLASTIC = catalogue().active("nociplastic")
BOTH = [Wish("patient", "en", adversity=True), Wish("clinician", "de", adversity=True)]


def named(loaded) -> str:
    return loaded.name


@pytest.mark.parametrize("loaded", RULEBOOKS, ids=named)
def test_a_clinician_is_asked_everything_once_with_ones_own_apart(loaded):
    form = form_of(loaded, Wish("clinician"))
    assert sorted(each.id for each in form.asked) == sorted(loaded.questions)
    apart = {each.id for step in form.steps if step.for_clinician for each in step.asked}
    assert apart >= {each.id for each in loaded.rulebook.question if each.who == "clinician"}
    assert not any(each.needed for each in form.asked)


@pytest.mark.parametrize("loaded", RULEBOOKS, ids=named)
def test_a_patient_is_never_asked_what_only_a_clinician_can_know(loaded):
    for adversity in (None, True, False):
        form = form_of(loaded, Wish("patient", adversity=adversity))
        assert not [each for each in form.asked if loaded.questions[each.id].who == "clinician"]


@pytest.mark.parametrize("wish", BOTH, ids=lambda wish: wish.who)
@pytest.mark.parametrize("loaded", RULEBOOKS, ids=named)
def test_whatever_can_be_marked_is_read_as_it_is_kept_and_scored(loaded, wish):
    model = answer_model(loaded.rulebook)
    for step in form_of(loaded, wish).steps:
        for asked in step.asked:
            for value in [each.value for each in asked.choices] or [str(asked.most)]:
                reading = read(step, {asked.name: [value]})
                assert asked.name not in reading.faults
                answer = reading.answers[asked.id]
                model.model_validate({asked.id: answer})
                marks = kept_marks(step, reading.answers, {})
                again = marks.marked.get(asked.name) or {marks.written.get(asked.name)}
                assert again == {value} or asked.unspoken


def test_none_of_several_is_an_answer_and_nothing_is_none():
    step = form_of(NOCIPLASTIC, Wish("patient")).steps[1]
    assert read(step, {"q52": [NONE]}).answers == {"rf_spine_and_nerves": []}
    nothing = read(step, {})
    assert nothing.answers == {}
    assert nothing.faults["q52"] == "fault_needed"
    assert "q57" not in nothing.faults


def test_not_being_sure_of_a_red_flag_is_said_and_leaves_it_unanswered():
    form = form_of(NOCIPLASTIC, Wish("patient"))
    unsure = {each.id for each in form.asked if each.unsure}
    must = set(NOCIPLASTIC.rulebook.rulebook.must_answer)
    assert unsure == must - {"age_years", "pain_duration_months", "rf_personal_safety"}
    step = form.steps[1]
    reading = read(step, {"q52": [UNKNOWN], "q53": [SKIPPED]})
    assert reading.left == {"rf_spine_and_nerves": "unknown"}
    assert (reading.answers, reading.faults["q53"]) == ({}, "fault_needed")
    draft = kept(course_of(NOCIPLASTIC, Draft(), "en", adversity=True), step, reading)
    lacks = course_of(NOCIPLASTIC, draft, "en", adversity=True).lacks
    assert [each.name for each in step.asked if lacks(each)] == ["q53", "q54", "q55", "q56"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("0", None), ("120", None), ("121", "fault_range"), ("-1", "fault_range"),
     ("4.5", "fault_whole"), ("abc", "fault_number"), ("NaN", "fault_number"),
     ("1e400", "fault_range"), ("9" * 13, "fault_number"), ("\u0664\u0664", None)],
)  # fmt: skip
def test_a_number_is_read_within_its_bounds(text, fault):
    step = form_of(NOCIPLASTIC, Wish("patient")).steps[0]
    assert read(step, {"q0": [text]}).faults.get("q0") == fault


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("who", ["patient", "clinician"])
def test_the_help_beside_a_question_promises_what_is_kept(who, language):
    form = form_of(NOCIPLASTIC, Wish(who, language, adversity=True))
    helps = {each.id: each.help for each in form.asked}
    own = layout_of("nociplastic").help
    for name in ("ace_count", "rf_personal_safety"):
        assert helps[name] == own[name][language]
    untrue = ("nothing in the result", "hängt nichts davon ab", "nada del resultado",
              "someone will read it", "jemand wird es lesen", "alguien lo leerá")  # fmt: skip
    assert not [each for each in helps.values() if each and any(word in each for word in untrue)]


class TestAdvice:
    @pytest.mark.parametrize("flag", NOCIPLASTIC.rulebook.flag, ids=lambda flag: flag.id)
    def test_there_are_words_for_every_red_flag_that_must_be_acted_on(self, flag):
        form = form_of(NOCIPLASTIC, Wish("patient"))
        told = advice(NOCIPLASTIC, form, {}, [flag.id])
        assert told or flag.tier == "T3"
        if told and not flag.about_person:
            assert told[0].urgent == (flag.tier in ("T0", "T1"))

    def test_comes_with_the_most_urgent_first_and_each_once(self):
        answers = {"rf_general": ["fever_or_rigors", "unexplained_weight_loss"],
                   "rf_head_and_face": ["thunderclap_headache", "painful_red_eye"]}  # fmt: skip
        raised = alarm(NOCIPLASTIC, answers)
        form = form_of(NOCIPLASTIC, Wish("patient"))
        told = advice(NOCIPLASTIC, form, answers, raised.flags)
        assert raised.tier == "T0"
        assert [each.phrase for each in told] == ["now", "today", "soon"]
        assert len(told[0].marked) == 2

    def test_is_read_again_when_its_flag_went_and_came_again(self):
        seen = Draft(answers={"rf_general": ["fever_or_rigors"]}, seen=("fever_or_rigors",))
        course = course_of(NOCIPLASTIC, seen, "en", adversity=True)
        assert course.unread == ()
        step = course.form.steps[1]
        gone = kept(course, step, read(step, {"q56": [NONE]}))
        assert gone.seen == ()
        course = course_of(NOCIPLASTIC, gone, "en", adversity=True)
        again = kept(course, step, read(step, {"q56": ["o0"]}))
        assert course_of(NOCIPLASTIC, again, "en", adversity=True).unread == ("fever_or_rigors",)


class TestLayouts:
    @pytest.mark.parametrize("file", sorted(LAYOUTS.glob("*.toml")), ids=lambda file: file.stem)
    def test_name_what_their_rulebook_has(self, file):
        loaded, layout = catalogue().active(file.stem), layout_of(file.stem)
        book = loaded.rulebook
        questions = {*layout.for_clinician, *layout.adversity, *layout.may_be_left,
                     *layout.may_be_unsure, *layout.unspoken,
                     *([layout.body_map] if layout.body_map else [])}  # fmt: skip
        assert questions <= loaded.questions.keys()
        assert {*layout.first, *layout.intro, *layout.heading} <= {each.id for each in book.topic}
        assert layout.advice.keys() <= {each.id for each in book.flag}
        assert layout.advice_by_tier.keys() <= {each.id for each in book.tier}
        assert {*layout.advice.values(), *layout.advice_by_tier.values()} <= set(ORDER)
        assert layout.help.keys() <= loaded.questions.keys()
        worded = layout.intro, layout.heading, layout.help
        for by_language in (each for held in worded for each in held.values()):
            assert by_language.keys() == set(languages())


def test_every_language_has_the_same_words_with_the_same_places():
    english = wording("en").words
    for language in languages():
        words = wording(language).words
        assert list(words) == list(english)
        for name, text in words.items():
            assert sorted(_places(text)) == sorted(_places(english[name])), name


def _places(text: str) -> list[str]:
    from string import Formatter

    return [name for _, name, _, _ in Formatter().parse(text) if name]
