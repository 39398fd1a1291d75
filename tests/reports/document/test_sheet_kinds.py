"""Every kind of patient's sheet holds what its case needs, and nothing others must not read."""

import re

import pytest
from support.reports.report_examples import build_example_document, list_texts
from support.reports.second_report_examples import (
    SHEET_CASES,
    WORKED_CASES,
    assess_case,
    build_case_document,
    build_case_view,
    load_cases,
)
from support.scoring.vignettes import LOADED, SECOND

from reports.document.patient_sheet import ACTION_KINDS
from reports.formats import build_document
from reports.phrases import list_languages, load_phrases
from schemas.organisations.form_settings import EmergencyNumber
from scoring.translations import translate_rulebook

CASES = (*WORKED_CASES, *SHEET_CASES)
RULEBOOK = SECOND.rulebook
FLAGS_THAT_CAN_TURN_URGENT = [
    flag
    for flag in RULEBOOK.flag
    if flag.tier == "T2"
    and not flag.about_person
    and re.search("same day|emergency now", flag.action)
]
HEAD_PAIN = "pain of the face alone at 55"
NUMBERS = (
    EmergencyNumber(label="Ambulance", number="112"),
    EmergencyNumber(label="Crisis line", number="142", crisis=True),
)
KINDS = {"emergency", "crisis", "soon", "out_of_scope", "plain", "unfinished", "evidence"}
SELF_HARM = "head and jaw at 68, a bladder change, a suicidal plan"
POLYMYALGIA = "what is certain counts; GAD-7 alone and PHQ-2 alone settle"
THERAPY = ("sheet_resources", "sheet_cycle", "sheet_evidence", "sheet_real_2")
COMFORT = ("sheet_real_1", "sheet_real", "sheet_talk", "sheet_means")


def read_sheet(name: str, language: str = "en", **fields) -> list[str]:
    fields = {"help_numbers": NUMBERS, "answered_by": "patient"} | fields
    return list_texts(build_case_document(name, kind="patient", language=language, **fields).blocks)


def find_phrases(texts: list[str], language: str = "en") -> set[str]:
    words = load_phrases(language).words
    return {name for name, text in words.items() if text in texts}


def list_said_phrases(phrases: set[str]) -> set[str]:
    """Return the phrases of sheets, but for what flags are called."""
    return {
        phrase
        for phrase in phrases
        if phrase.startswith("sheet_") and not phrase.startswith("sheet_flag_")
    }


def test_the_cases_have_every_kind():
    assert {build_case_view(name).sheet.kind for name in CASES} == KINDS


@pytest.mark.parametrize("name", CASES)
def test_its_kind_is_that_of_the_assessment(name):
    assert build_case_view(name).sheet.kind == assess_case(name).assessment.sheet.kind


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", CASES)
def test_it_tells_no_suspect_tier_score_or_private_answer(name, language):
    view = build_case_view(name, language)
    text = " / ".join(read_sheet(name, language))
    assert text
    hidden_texts = [
        *(flag.suspect for flag in view.flags),
        *(flag.label for flag in view.flags if flag.about_person),
        *(alternative.label for alternative in view.alternatives),
    ]
    assert [label for label in hidden_texts if label in text] == []
    assert not re.search(r"\bT[0-3]\b", text)
    assert not re.search(r"[+\N{MINUS SIGN}]\d", text)


DISEASE_WORDS = {
    "en": (
        *("polymyalgia", "arteritis", "cauda equina", "myeloma", "metasta", "malignan", "cancer"),
        *("lymphoma", "leuk", "arthritis", "neuropath", "radiculopath", "stenosis", "myelopath"),
        *("anaemia", "complex regional", "fracture", "spinal cord", "reflex", "inflammatory"),
        *("nerve word", "statin", "angina", "arterial disease", "thrombosis", "shingles", "zoster"),
    ),
    "de": (
        *("polymyalgi", "arteriitis", "cauda", "kauda", "myelom", "metastas", "bösartig", "krebs"),
        *("lymphom", "leuk", "arthritis", "neuropath", "radikul", "stenose", "myelopath"),
        *("anämie", "komplexes regionales", "fraktur", "rückenmark", "reflex", "entzündliche"),
        *("nervenschmerz", "statin", "angina", "verschlusskrankheit", "thrombose", "gürtelrose"),
    ),
    "es": (
        *("polimialgia", "arteritis", "cauda", "cola de caballo", "mieloma", "metást", "malign"),
        *("cáncer", "linfoma", "leuc", "artritis", "neuropat", "radicul", "estenosis", "mielopat"),
        *("anemia", "regional complejo", "fractura", "medular", "reflejo", "inflamatoria"),
        *("dolor nervioso", "estatina", "angina", "enfermedad arterial", "trombosis", "zóster"),
    ),
}
"""Diseases and jargon that no sheet names, unless the person answered with the very word."""
CANCER_KNOWN = "past_cancer_with_spinal_pain"
"""For the same day the emergency department must hear of a cancer that the person answered."""


def list_answered_texts(name: str, language: str) -> str:
    """Return the labels of marked options, and of questions answered with yes, in lower case."""
    example = assess_case(name)
    rulebook = translate_rulebook(example.loaded, language)
    texts = []
    for question in rulebook.question:
        answer = example.answers.get(question.id)
        option_ids = answer if isinstance(answer, list | tuple) else [answer]
        texts += [option.label for option in question.options if option.id in option_ids]
        texts += [question.text] if answer is True else []
    return " / ".join(texts).lower()


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", CASES)
def test_it_names_no_disease_that_was_not_answered(name, language):
    text = " / ".join(read_sheet(name, language)).lower()
    answered_texts = list_answered_texts(name, language)
    words = [word for word in DISEASE_WORDS[language] if word in text]
    assert [word for word in words if word not in answered_texts] == []


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("loaded", [LOADED, SECOND], ids=lambda loaded: loaded.name)
def test_it_has_plain_words_for_every_flag_that_is_concluded(loaded, language):
    rulebook = translate_rulebook(loaded, language)
    options = {option.id for question in rulebook.question for option in question.options}
    words = load_phrases(language).words
    labels = {
        flag.id: words.get(f"sheet_flag_nociplastic_{flag.id}", flag.label).lower()
        for flag in rulebook.flag
        if flag.id not in options and not flag.about_person
    }
    assert len(labels) >= 6
    flags_with_diseases = {
        flag for flag, label in labels.items() for word in DISEASE_WORDS[language] if word in label
    }
    assert flags_with_diseases == ({CANCER_KNOWN} & labels.keys())


@pytest.mark.parametrize("language", list_languages())
def test_the_disease_words_are_those_of_the_clinicians_report(language):
    text = " / ".join(list_texts(build_case_document(SELF_HARM, language=language).blocks)).lower()
    assert len([word for word in DISEASE_WORDS[language] if word in text]) >= 2


def test_an_unanswered_question_on_personal_safety_is_not_named_on_a_sheet():
    view = build_case_view("evidence", answers={"rf_personal_safety": None, "rf_general": None})
    texts = list_texts(build_document(view, "patient").blocks)
    labels = {question.id: question.label for question in RULEBOOK.question}
    assert labels["rf_personal_safety"] in view.unanswered_safety_questions
    assert labels["rf_general"] in texts
    assert not [text for text in texts if labels["rf_personal_safety"] in text]
    alone = build_case_view("evidence", answers={"rf_personal_safety": None})
    phrases = find_phrases(list_texts(build_document(alone, "patient").blocks))
    assert "sheet_some_not_asked" not in phrases


@pytest.mark.parametrize("language", list_languages())
def test_childhood_and_trauma_are_on_no_sheet(language):
    private = {"ace_count": 7, "ptsd": True, "phq9_item9": None}
    view = build_case_view("evidence", language, private)
    document = build_document(view, "patient")
    hidden_labels = [pattern.label for pattern in view.patterns if pattern.number == 10]
    text = " / ".join(list_texts(document.blocks))
    assert view.is_confidential
    assert len(hidden_labels) == 1
    assert hidden_labels[0] not in text
    questions = assess_case("evidence").loaded.rulebook.questions_by_id
    assert questions["ptsd"].text not in text
    assert questions["ptsd"].label not in text


class TestAnEmergency:
    @pytest.mark.parametrize("language", list_languages())
    def test_holds_what_to_do_and_nothing_else(self, language):
        phrases = find_phrases(read_sheet(SELF_HARM, language), language)
        assert list_said_phrases(phrases) == {
            *("sheet_what", "sheet_say", "sheet_do_now", "sheet_do_T1", "sheet_take"),
            *("sheet_take_medicines", "sheet_take_sheet", "sheet_crisis_lines"),
            "sheet_crisis_call",
        }

    def test_says_what_was_marked_and_what_to_say_with_it(self):
        texts = read_sheet(SELF_HARM)
        label = "Pain in the head, jaw or face, from the age of 50"
        assert [text for text in texts if label in text and "questionnaire" in text]
        assert [text for text in texts if text.startswith(label)]
        assert not [text for text in texts if "pee" in text]

    def test_has_the_crisis_line_where_the_assessment_asks_for_it(self):
        assert read_sheet(SELF_HARM)[-3:] == [
            *("Crisis line: 142", "\N{BULLET}", "Ambulance: 112"),
        ]
        without = read_sheet("a T1 about the person is no emergency of the body")
        assert "sheet_what" not in find_phrases(without)

    def test_of_the_first_rulebook_has_no_comfort_either(self):
        texts = list_texts(build_example_document("red_flag", "patient").blocks)
        phrases = find_phrases(texts)
        assert {"sheet_do_T0", "sheet_take_sheet"} <= phrases
        assert not phrases & {*THERAPY, *COMFORT, "sheet_help", "sheet_crisis_call"}


class TestACrisis:
    @pytest.mark.parametrize("language", list_languages())
    @pytest.mark.parametrize(
        ("name", "has_more"), [(WORKED_CASES[1], False), ("crisis before soon", True)]
    )
    def test_holds_whom_to_call_and_nothing_else(self, name, has_more, language):
        phrases = find_phrases(read_sheet(name, language), language)
        assert list_said_phrases(phrases) == {
            *("sheet_crisis_seen", "sheet_crisis_matters", "sheet_crisis_lines"),
            *("sheet_crisis_call", "sheet_crisis_person", "sheet_crisis_tell"),
            *("sheet_crisis_medicines", "sheet_crisis_reach"),
            *(("sheet_crisis_soon",) if has_more else ()),
        }

    def test_has_the_crisis_line_before_the_emergency_number(self):
        texts = read_sheet(WORKED_CASES[1])
        assert texts.index("Crisis line: 142") < texts.index("Ambulance: 112")

    def test_names_numbers_by_their_purpose_in_its_language_and_none_for_violence(self):
        numbers = (
            EmergencyNumber(number="112"),
            EmergencyNumber(number="142", crisis=True),
            EmergencyNumber(number="116 016", violence=True),
        )
        texts = read_sheet(WORKED_CASES[1], "de", help_numbers=numbers)
        assert {"Notruf: 112", "Krisentelefon: 142"} <= set(texts)
        assert "116 016" not in " ".join(texts)

    def test_is_not_told_in_the_edition_to_share(self):
        view = build_case_view(WORKED_CASES[1], edition="shareable", help_numbers=NUMBERS)
        assert view.sheet.kind == "plain"
        phrases = find_phrases(list_texts(build_document(view, "patient").blocks))
        assert not [phrase for phrase in phrases if phrase.startswith("sheet_crisis")]
        assert {"sheet_talk_first", "sheet_help"} <= phrases
        assert not phrases & set(THERAPY)


class TestSoon:
    @pytest.mark.parametrize("language", list_languages())
    def test_says_when_by_whom_and_what_makes_it_the_same_day(self, language):
        phrases = find_phrases(read_sheet(POLYMYALGIA, language), language)
        assert {
            *("sheet_soon", "sheet_do_T2", "sheet_today", "sheet_today_worse"),
            "sheet_today_nociplastic_possible_polymyalgia",
        } == list_said_phrases(phrases)

    @pytest.mark.parametrize("prefix", ["sheet_today_nociplastic_", "sheet_flag_nociplastic_"])
    def test_has_words_of_its_own_only_for_flags_that_exist(self, prefix):
        flags = {flag.id for flag in RULEBOOK.flag}
        own = {key.removeprefix(prefix) for key in load_phrases().words if key.startswith(prefix)}
        assert len(own) > 8
        assert own <= flags

    @pytest.mark.parametrize("flag", FLAGS_THAT_CAN_TURN_URGENT, ids=lambda flag: flag.id)
    def test_says_what_makes_each_flag_urgent_that_can_turn_so(self, flag):
        assert f"sheet_today_nociplastic_{flag.id}" in load_phrases().words

    def test_sends_a_change_of_sight_to_the_emergency_department_now(self):
        texts = read_sheet(HEAD_PAIN)
        key = "sheet_today_nociplastic_head_or_face_pain_from_50"
        assert load_phrases().words[key] in texts
        assert "change of sight: go to an emergency department now" in load_phrases().words[key]


def test_the_flags_that_can_turn_urgent_are_found():
    assert {"head_or_face_pain_from_50", "possible_early_arthritis"} <= {
        flag.id for flag in FLAGS_THAT_CAN_TURN_URGENT
    }


CRISIS_LINES = {
    "en": ("988 in the USA", "116 123 in the UK and Ireland"),
    "de": ("in Deutschland: 0800 111 0 111",),
    "es": ("en España: 024",),
}
EMERGENCY_NUMBERS = {
    "en": ("112 in Europe", "999 in the UK", "911 in the USA"),
    "de": ("112 in Deutschland",),
    "es": ("112 en España",),
}


@pytest.mark.parametrize("language", list_languages())
class TestWithoutNumbersOfTheOrganisation:
    def test_a_crisis_sheet_names_numbers_with_their_country(self, language):
        text = " / ".join(read_sheet(WORKED_CASES[1], language, help_numbers=()))
        numbers = (*CRISIS_LINES[language], *EMERGENCY_NUMBERS[language])
        assert [number for number in numbers if number not in text] == []

    def test_an_emergency_sheet_names_emergency_numbers(self, language):
        text = " / ".join(read_sheet("emergency before crisis", language, help_numbers=()))
        numbers = (*CRISIS_LINES[language], *EMERGENCY_NUMBERS[language])
        assert [number for number in numbers if number not in text] == []

    def test_those_of_the_organisation_stand_in_their_place(self, language):
        text = " / ".join(read_sheet(WORKED_CASES[1], language, help_numbers=NUMBERS[:1]))
        assert EMERGENCY_NUMBERS[language][0] not in text
        assert CRISIS_LINES[language][0] in text


ACTIVITY = {
    "en": ("more active", "exercise.", "movement is safe"),
    "de": ("mehr zu bewegen", "Bewegung wirkt", "Bewegung sicher"),
    "es": ("moverme más", "con ejercicio", "movimiento es seguro"),
}
NO_EFFORT_HARM = {
    "fatigue": True,
    "post_exertional_malaise": False,
    "overlapping_conditions": [],
}


@pytest.mark.parametrize("language", list_languages())
class TestActivity:
    @pytest.mark.parametrize(
        "answers",
        [
            {"post_exertional_malaise": True},
            {"post_exertional_malaise": None},
            {"fatigue": None, "post_exertional_malaise": None},
            {"overlapping_conditions": ["me_cfs"]},
            {"overlapping_conditions": None},
        ],
    )
    def test_is_not_advised_where_an_effort_may_make_ill(self, answers, language):
        texts = read_sheet("evidence", language, answers=NO_EFFORT_HARM | answers)
        assert "sheet_cycle" in find_phrases(texts, language)
        assert [text for text in texts if any(word in text for word in ACTIVITY[language])] == []

    @pytest.mark.parametrize("answers", [{}, {"fatigue": False, "post_exertional_malaise": None}])
    def test_is_named_where_it_is_known_not_to(self, answers, language):
        texts = " / ".join(read_sheet("evidence", language, answers=NO_EFFORT_HARM | answers))
        assert [word for word in ACTIVITY[language] if word not in texts] == []

    def test_is_not_advised_on_a_plain_sheet_either(self, language):
        answers = NO_EFFORT_HARM | {"post_exertional_malaise": True}
        name = "plain by a band that points away"
        texts = read_sheet(name, language, answers=answers)
        assert "sheet_talk" in find_phrases(texts, language)
        assert [text for text in texts if any(word in text for word in ACTIVITY[language])] == []


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("active rheumatoid arthritis, polymyalgia assessed", "sheet_plain_cause"),
        ("plain by active inflammation", "sheet_plain_inflammation"),
        ("plain by a band that points away", "sheet_plain_elsewhere"),
    ],
)
@pytest.mark.parametrize("language", list_languages())
def test_a_plain_sheet_says_what_comes_first_and_sells_no_programme(name, phrase, language):
    phrases = find_phrases(read_sheet(name, language), language)
    assert phrase in phrases
    assert {"sheet_answers", "sheet_talk", "sheet_keep", "sheet_real_1"} <= phrases
    assert not phrases & set(THERAPY)


ANSWERED_SHEETS = {
    "out of scope": {
        *("sheet_no_flag", "sheet_help", "sheet_first", "sheet_means"),
        *("sheet_status_out_of_scope", "sheet_answers", "sheet_real", "sheet_real_1", "sheet_keep"),
    },
    "unfinished": {
        *("sheet_some_not_asked", "sheet_no_flag", "sheet_help", "sheet_first", "sheet_means"),
        *("sheet_status_insufficient_information", "sheet_open"),
        *("sheet_answers", "sheet_real", "sheet_real_1", "sheet_keep"),
    },
}


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("name", ANSWERED_SHEETS)
def test_a_sheet_that_only_tells_what_was_answered_holds_nothing_else(name, language):
    answers = {"worse_with_stress": None}
    phrases = find_phrases(read_sheet(name, language, answers=answers), language)
    assert list_said_phrases(phrases) == ANSWERED_SHEETS[name]


def test_a_sheet_out_of_scope_says_why_and_what_was_answered():
    texts = read_sheet("out of scope")
    assert {"sheet_status_out_of_scope", "sheet_answers"} <= find_phrases(texts)
    assert "Surgery on the painful part within 3 months." in texts


def test_an_unfinished_sheet_lists_open_questions_that_a_patient_can_answer():
    view = build_case_view(POLYMYALGIA)
    questions = {question.text for question in assess_case(POLYMYALGIA).loaded.rulebook.question}
    clinicians = {
        question.text
        for question in assess_case(POLYMYALGIA).loaded.rulebook.question
        if question.who == "clinician"
    }
    assert view.sheet.open_questions
    assert set(view.sheet.open_questions) <= questions - clinicians
    texts = read_sheet("unfinished")
    assert {"sheet_status_insufficient_information", "sheet_some_not_asked"} <= find_phrases(texts)
    assert not find_phrases(texts) & set(THERAPY)


def test_an_evidence_sheet_names_an_open_review_first():
    texts = read_sheet("evidence beside a review")
    assert "sheet_do_T3" in find_phrases(texts)
    assert set(THERAPY) <= find_phrases(texts)
    assert texts.index(load_phrases().words["sheet_do_T3"]) < texts.index("Your pain is real")


def test_only_sheets_of_action_have_no_facts_but_identifiers_and_the_date():
    for name in CASES:
        document = build_case_document(name, kind="patient", answered_by="patient")
        facts = "".join(run.text for run in document.blocks[0].runs)
        is_action = build_case_view(name).sheet.kind in ACTION_KINDS
        assert ("Age" in facts) != is_action
        assert "24 November 2026" in facts


def test_every_sheet_vignette_is_read():
    assert len(SHEET_CASES) == sum(case.file == "sheets" for case in load_cases().values())
    assert len(SHEET_CASES) > 12
