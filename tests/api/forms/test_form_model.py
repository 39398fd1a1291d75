"""Forms are built from any rulebook, and what is selected is what is parsed, for every audience."""

import pytest

from api.forms.answer_parser import fill_from_answers, parse_step
from api.forms.form_model import NONE, SKIPPED, UNKNOWN, FormOptions, build_form
from api.forms.intake_progress import apply_step, build_progress
from api.forms.layout import LAYOUT_FOLDER, load_layout
from api.forms.red_flag_advice import ADVICE_ORDER, build_advice, find_red_flags
from api.web.page_texts import list_languages, load_page_texts
from schemas.patients.links import Draft
from scoring.answer_model import find_answer_model
from scoring.catalogue import load_catalogue

RULEBOOKS = load_catalogue().list_active()
NOCIPLASTIC = load_catalogue().find_version("nociplastic@1.0.0")
SECOND = load_catalogue().find_version("nociplastic@2.0.0")
BOTH = [
    FormOptions("patient", "en", adversity_consent=True),
    FormOptions("clinician", "de", adversity_consent=True),
]


def read_name(loaded) -> str:
    return loaded.name


@pytest.mark.parametrize("loaded", RULEBOOKS, ids=read_name)
def test_a_clinician_is_asked_every_question_once_with_clinician_only_questions_apart(loaded):
    form = build_form(loaded, FormOptions("clinician"))
    assert sorted(question.id for question in form.questions) == sorted(loaded.questions)
    apart = [step for step in form.steps if step.for_clinician]
    clinician_only = {q.id for q in loaded.rulebook.question if q.who == "clinician"}
    assert {question.id for step in apart for question in step.questions} >= clinician_only
    assert not any(question.required for question in form.questions)


@pytest.mark.parametrize("loaded", RULEBOOKS, ids=read_name)
def test_a_patient_is_never_asked_what_only_a_clinician_can_know(loaded):
    for adversity in (None, True, False):
        form = build_form(loaded, FormOptions("patient", adversity_consent=adversity))
        audiences = {loaded.questions[question.id].who for question in form.questions}
        assert audiences
        assert "clinician" not in audiences


@pytest.mark.parametrize("options", BOTH, ids=lambda options: options.audience)
@pytest.mark.parametrize("loaded", RULEBOOKS, ids=read_name)
def test_every_option_is_parsed_into_the_answer_that_is_stored_and_scored(loaded, options):
    model = find_answer_model(loaded)
    selections = [
        (step, question, value)
        for step in build_form(loaded, options).steps
        for question in step.questions
        for value in [choice.value for choice in question.choices] or [str(question.maximum)]
    ]
    assert selections
    parsed_steps = [
        parse_step(step, {question.name: [value]}) for step, question, value in selections
    ]
    for (_, question, _), parsed_step in zip(selections, parsed_steps, strict=True):
        assert question.name not in parsed_step.faults
        model.model_validate({question.id: parsed_step.answers[question.id]})
    assert [
        read_state(fill_from_answers(step, parsed_step.answers, {}), question.name)
        for (step, question, _), parsed_step in zip(selections, parsed_steps, strict=True)
    ] == [name_expected_state(question, value) for _, question, value in selections]


def name_expected_state(question, value: str) -> set[str | None]:
    """The most months are whole years, so that none stand in the field for months."""
    if question.confidential or question.never_prefilled:
        return {None}
    return {"0"} if question.control == "duration" else {value}


def read_state(control_state, name: str) -> set[str | None]:
    """What a control of this name shows: the options that are selected, or the text."""
    return control_state.selected_options.get(name) or {control_state.entered_text.get(name)}


def test_none_of_these_is_an_answer_and_a_blank_field_is_not():
    step = build_form(NOCIPLASTIC, FormOptions("patient")).steps[1]
    assert parse_step(step, {"q52": [NONE]}).answers == {"rf_spine_and_nerves": []}
    blank_step = parse_step(step, {})
    assert blank_step.answers == {}
    assert blank_step.faults["q52"] == "fault_needed"
    assert "q57" not in blank_step.faults


def test_not_being_sure_of_a_red_flag_is_accepted_and_leaves_it_unanswered():
    form = build_form(NOCIPLASTIC, FormOptions("patient"))
    unsure = {question.id for question in form.questions if question.may_be_unsure}
    must = set(NOCIPLASTIC.rulebook.rulebook.must_answer)
    assert unsure == must - {"age_years", "pain_duration_months", "rf_personal_safety"}
    step = form.steps[1]
    parsed_step = parse_step(step, {"q52": [UNKNOWN], "q53": [SKIPPED]})
    assert parsed_step.open_questions == {"rf_spine_and_nerves": "unknown"}
    assert (parsed_step.answers, parsed_step.faults["q53"]) == ({}, "fault_needed")
    progress = build_progress(NOCIPLASTIC, Draft(), "en", adversity=True)
    draft = apply_step(progress, step, parsed_step)
    is_missing = build_progress(NOCIPLASTIC, draft, "en", adversity=True).is_missing
    missing = [question.name for question in step.questions if is_missing(question)]
    assert missing == ["q53", "q54", "q55", "q56"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("0", None), ("120", None), ("121", "fault_range"), ("-1", "fault_range"),
     ("4.5", "fault_whole"), ("abc", "fault_number"), ("NaN", "fault_number"),
     ("1e400", "fault_number"), ("4_4", "fault_number"), ("+44", "fault_number"),
     ("44.0", None), ("44.000", "fault_number"), ("9" * 13, "fault_number"),
     ("\u0664\u0664", None)],
)  # fmt: skip
def test_a_number_is_accepted_within_its_bounds_only(text, fault):
    step = build_form(NOCIPLASTIC, FormOptions("patient")).steps[0]
    assert parse_step(step, {"q0": [text]}).faults.get("q0") == fault


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("audience", ["patient", "clinician"])
def test_the_help_of_a_question_promises_only_what_the_service_does(audience, language):
    form = build_form(NOCIPLASTIC, FormOptions(audience, language, adversity_consent=True))
    helps = {question.id: question.help for question in form.questions}
    replacements = load_layout("nociplastic").help
    for name in ("ace_count", "rf_personal_safety"):
        assert helps[name] == replacements[name][language]
    untrue = ("nothing in the result", "hängt nichts davon ab", "nada del resultado",
              "someone will read it", "jemand wird es lesen", "alguien lo leerá")  # fmt: skip
    assert not [text for text in helps.values() if text and any(word in text for word in untrue)]


class TestAdvice:
    @pytest.mark.parametrize("flag", NOCIPLASTIC.rulebook.flag, ids=lambda flag: flag.id)
    def test_there_is_a_text_for_every_red_flag_that_must_be_acted_on(self, flag):
        layout = load_layout("nociplastic")
        form = build_form(NOCIPLASTIC, FormOptions("patient"))
        advice = build_advice(NOCIPLASTIC, form, {}, [flag.id])
        assert len(advice) == (1 if flag.tier != "T3" or flag.id in layout.advice else 0)
        assert all(
            item.urgent == (flag.tier in ("T0", "T1")) for item in advice if not flag.about_person
        )

    def test_lists_the_most_urgent_first_and_each_once(self):
        answers = {"rf_general": ["fever_or_rigors", "unexplained_weight_loss"],
                   "rf_head_and_face": ["thunderclap_headache", "painful_red_eye"]}  # fmt: skip
        red_flags = find_red_flags(NOCIPLASTIC, answers)
        form = build_form(NOCIPLASTIC, FormOptions("patient"))
        advice = build_advice(NOCIPLASTIC, form, answers, red_flags.flags)
        assert red_flags.tier == "T0"
        assert [item.phrase for item in advice] == ["now", "today", "soon"]
        assert len(advice[0].selected_options) == 2

    @pytest.mark.parametrize(
        ("answers", "selected"),
        [
            ({"cancer_ever": True}, ("Have you ever had cancer, even if long ago? Yes",)),
            ({"pregnant": True, "pain_sites": ["head"]}, ("Head", "Are you pregnant now? Yes")),
        ],
    )
    def test_names_the_questions_whose_yes_calls_for_it(self, answers, selected):
        red_flags = find_red_flags(SECOND, answers)
        form = build_form(SECOND, FormOptions("patient"))
        (advice,) = build_advice(SECOND, form, answers, red_flags.flags)
        assert advice.selected_options == selected

    def test_must_be_read_again_when_its_flag_is_withdrawn_and_raised_again(self):
        flags = ("fever_or_rigors",)
        acknowledged_draft = Draft(answers={"rf_general": list(flags)}, seen=flags)
        progress = build_progress(NOCIPLASTIC, acknowledged_draft, "en", adversity=True)
        assert progress.unacknowledged_flags == ()
        step = progress.form.steps[1]
        cleared_draft = apply_step(progress, step, parse_step(step, {"q56": [NONE]}))
        assert cleared_draft.seen == ()
        progress = build_progress(NOCIPLASTIC, cleared_draft, "en", adversity=True)
        again = apply_step(progress, step, parse_step(step, {"q56": ["o0"]}))
        assert build_progress(NOCIPLASTIC, again, "en", adversity=True).unacknowledged_flags == (
            "fever_or_rigors",
        )


class TestLayouts:
    @pytest.mark.parametrize(
        "file", sorted(LAYOUT_FOLDER.glob("*.toml")), ids=lambda file: file.stem
    )
    def test_name_only_what_their_rulebook_has(self, file):
        name = file.stem.replace("-", "@")
        loaded, layout = load_catalogue().find_active(name), load_layout(file.stem)
        book = loaded.rulebook
        on_pages = {name for page in layout.page for name in page.questions}
        grouped = {group.question for group in layout.option_group}
        questions = {*on_pages, *grouped, *layout.for_clinician, *layout.adversity,
                     *layout.may_stay_open, *layout.may_be_unsure, *layout.confidential,
                     *([layout.body_map] if layout.body_map else [])}  # fmt: skip
        assert questions <= loaded.questions.keys()
        topics = {topic.id for topic in book.topic}
        assert {*layout.first_topics, *layout.intro, *layout.heading} <= topics
        assert layout.advice.keys() <= {flag.id for flag in book.flag}
        assert layout.advice_by_tier.keys() <= {tier.id for tier in book.tier}
        assert {*layout.advice.values(), *layout.advice_by_tier.values()} <= set(ADVICE_ORDER)
        assert {*layout.help, *layout.text, *layout.label} <= loaded.questions.keys()
        assert {*layout.out_of_scope} <= {rule.id for rule in book.scope}
        for name, labels in layout.label.items():
            assert labels.keys() <= {option.id for option in loaded.questions[name].options}
        sections = layout.intro, layout.heading, layout.help, layout.text, *layout.label.values()
        translations = [texts for section in sections for texts in section.values()]
        translations += [group.label for group in layout.option_group]
        pages = [texts for page in layout.page for texts in (page.heading, page.intro)]
        translations += [texts for texts in pages if texts]
        assert translations
        assert all(texts.keys() == set(list_languages()) for texts in translations)


def test_every_language_has_the_same_keys_with_the_same_placeholders():
    english, *other_locales = (
        [
            (name, sorted(_find_placeholders(text)))
            for name, text in load_page_texts(language).words.items()
        ]
        for language in list_languages()
    )
    assert len(english) > 300
    assert len(other_locales) == 2
    assert other_locales == [english, english]


def _find_placeholders(text: str) -> list[str]:
    from string import Formatter

    return [name for _, name, _, _ in Formatter().parse(text) if name]
