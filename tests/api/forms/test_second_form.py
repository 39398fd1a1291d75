"""The form of nociplastic 2.0.0 in a browser without script: what it asks, hides and points out."""

import re
from html import unescape

import pytest
from support import builders
from support.callers import bearing, calling, replace_service
from support.path_resources import create_resource
from support.two_versions import FIRST, SECOND, load_two_versions

from api.forms.form_model import FormOptions, build_form
from api.http.rate_limit import RateLimiter
from scoring.answers.question_dependencies import find_condition_questions
from scoring.conditions import find_matching_options

BOOK = load_two_versions().find_version(SECOND)
FORM = build_form(BOOK, FormOptions("patient", "en", asks_adversity=False))
QUESTIONS = {question.id: question for question in FORM.questions}
GROUPS = [name for name in QUESTIONS if name.startswith("rf_")]


@pytest.fixture
def service(second_service):
    replace_service(second_service, rate_limiter=RateLimiter(lambda: 0.0))
    return second_service


class Intake:
    """A patient who answers the questions of a new link, step by step."""

    def __init__(self, service, language: str = "en") -> None:
        clinic = builders.clinic(service.services.store)
        self.client = calling(service, clinic)
        settings = {"adversity_questions": False}
        assert self.client.put("/v1/organisation/forms", json=settings).status_code == 200
        body = {"patient": {"reference": "MRN-1"}, "language": language}
        link = create_resource(self.client, "/v1/links", body)
        self.rulebook = link["rulebook"]
        self.path = re.sub(r"^https?://[^/]+", "", link["url"])
        self.browser = bearing(service)
        self.send("", {"agree": "yes", "language": language})

    def read(self, page: object = "") -> str:
        response = self.browser.get(f"{self.path}/{page}".rstrip("/"))
        assert response.status_code == 200, response.text
        self.url = response.url.path
        return unescape(response.text)

    def send(self, page: object, fields: dict) -> str:
        token = re.search(r'name="token" value="([^"]+)"', self.read(page))[1]
        response = self.browser.post(
            f"{self.path}/{page}".rstrip("/"), data=fields | {"token": token}
        )
        self.url = response.url.path
        return unescape(response.text)

    def answer(self, number: int, **answers: object) -> str:
        fields = {"intent": "next"}
        for name, value in answers.items():
            question = QUESTIONS[name]
            fields[question.name] = choose(question, value)
        return self.send(number, fields)

    def answer_questions(self, **answers: object) -> str:
        """Answer page by page; return the last page."""
        page = ""
        for number in sorted({step_of(name) for name in answers}):
            on_page = {name: value for name, value in answers.items() if step_of(name) == number}
            page = self.answer(number, **on_page)
        return page


def choose(question, answer: object) -> object:
    if question.control in ("number", "duration"):
        return str(answer)
    if answer == []:
        return "none"
    answer_list = answer if isinstance(answer, list) else [answer]
    return [choice.value for choice in question.choices if choice.answer in answer_list]


def step_of(question: str) -> int:
    return next(
        number
        for number, step in enumerate(FORM.steps, 1)
        if question in [it.id for it in step.questions]
    )


def is_asked(page: str, question: str) -> bool:
    return f'name="{QUESTIONS[question].name}"' in page


@pytest.fixture
def intake(service) -> Intake:
    patient = Intake(service)
    first = {"age_years": 70, "pain_duration_months": 18, "cancer_ever": False}
    patient.answer_questions(**first, **{name: [] for name in GROUPS})
    return patient


class TestTheOrder:
    def test_is_must_answers_and_red_flags_then_the_core_then_an_offer_then_the_rest(self):
        must = list(BOOK.rulebook.rulebook.must_answer)
        core = {it.id for it in BOOK.rulebook.question if it.core} | {"rest_settles"}
        offer = next(n for n, step in enumerate(FORM.steps) if step.offers_end)
        first = [it.id for step in FORM.steps[:offer] for it in step.questions]
        rest = [it.id for step in FORM.steps[offer:] for it in step.questions]
        assert set(first) == core & QUESTIONS.keys()
        assert core.isdisjoint(rest)
        last_must = max(step_of(name) for name in must if name in QUESTIONS)
        early = [it.id for step in FORM.steps[:last_must] for it in step.questions]
        assert set(early) == {*must, "surgery_within_3_months"}

    def test_asks_what_a_question_depends_on_before_it(self):
        dependent = [it for it in BOOK.rulebook.question if it.ask_when and it.id in QUESTIONS]
        sources = {it.id: it for it in BOOK.rulebook.derived}
        order = [
            (step_of(read), step_of(question.id))
            for question in dependent
            for read in find_condition_questions([question.ask_when], sources)
        ]
        assert order
        assert all(first < second for first, second in order)

    def test_folds_no_option_that_a_red_flag_reads(self):
        folded_options = {
            (question.id, question.choices[position].answer)
            for question in FORM.questions
            for group in question.groups
            if group.is_folded
            for position in group.positions
        }
        facts = {it.id: tuple(option.id for option in it.options) for it in BOOK.rulebook.question}
        read = {
            pair
            for condition in [
                *(flag.when for flag in BOOK.rulebook.flag),
                *(it.when for it in BOOK.rulebook.derived if it.when),
            ]
            for pair in find_matching_options(condition, facts, BOOK.questions)
        }
        by_flag = {
            name
            for flag in BOOK.rulebook.flag
            for name in find_condition_questions([flag.when], BOOK.derived_by_id)
        }
        assert folded_options
        assert not {pair for pair in folded_options & read if pair[0] in by_flag}

    @pytest.mark.parametrize("question", ["pain_sites", "diagnoses"])
    def test_every_option_of_a_grouped_list_is_in_one_group(self, question):
        positions = [n for group in QUESTIONS[question].groups for n in group.positions]
        assert sorted(positions) == list(range(len(QUESTIONS[question].choices)))

    def test_no_two_questions_have_the_same_text(self):
        texts = [question.text for question in FORM.questions]
        assert len(texts) == len(set(texts))

    def test_the_form_of_the_first_version_is_not_divided(self):
        first = build_form(load_two_versions().find_version(FIRST), FormOptions())
        assert {bool(step.more_questions) for step in first.steps} == {False}

    @pytest.mark.parametrize("audience", ["patient", "clinician"])
    def test_every_question_that_the_audience_can_answer_is_there_once(self, audience):
        form = build_form(BOOK, FormOptions(audience))
        names = [it.id for it in form.questions]
        assert len(names) == len(set(names))
        clinicians = {it.id for it in BOOK.rulebook.question if it.who == "clinician"}
        assert clinicians.isdisjoint(names) == (audience == "patient")


class TestWhatConcerns:
    def test_is_asked_while_it_is_not_known(self, service):
        assert is_asked(Intake(service).read(step_of("pregnant")), "pregnant")

    def test_is_not_asked_where_it_does_not(self, intake):
        assert not is_asked(intake.read(step_of("pregnant")), "pregnant")
        assert not is_asked(intake.read(step_of("could_be_pregnant")), "could_be_pregnant")

    def test_is_shown_where_it_was_answered_all_the_same(self, service):
        patient = Intake(service)
        patient.answer_questions(pregnant=True, cancer_ever=False)
        patient.answer_questions(age_years=70, pain_duration_months=18)
        page = patient.read(step_of("pregnant"))
        assert is_asked(page, "pregnant")
        assert "an age of 56 or more" in page

    def test_a_step_without_any_is_passed_over_both_ways(self, intake):
        intake.answer(step_of("pain_sites"), pain_sites=["neck"])
        numbers = [step_of(name) for name in ("sss_fatigue", "sss_cognition", "sss_headache")]
        intake.read(numbers[0])
        assert not intake.url.endswith(f"/{numbers[0]}")
        intake.answer(numbers[0] - 1)
        assert intake.url.endswith(f"/{numbers[-1] + 1}")
        intake.send(numbers[-1] + 1, {"intent": "back"})
        assert intake.url.endswith(f"/{numbers[0] - 1}")

    def test_and_is_asked_where_the_pain_is_in_many_places(self, intake):
        sites = ["neck", "lower_back", "shoulder_left", "shoulder_right", "hip_left", "hip_right"]
        intake.answer(step_of("pain_sites"), pain_sites=sites)
        intake.answer(step_of("sss_fatigue") - 1)
        assert intake.url.endswith(f"/{step_of('sss_fatigue')}")

    def test_the_review_leaves_out_what_does_not_apply(self, intake):
        page = intake.read("review")
        assert QUESTIONS["pregnant"].text not in page
        assert QUESTIONS["fatigue"].text in page

    def test_a_question_that_may_not_apply_offers_to_say_so_and_sends_no(self, service):
        patient = Intake(service)
        number = step_of("pregnant")
        assert patient.read(number).count("This does not apply to me") == 1
        fields = {"intent": "next", QUESTIONS["pregnant"].name: "not_concerned"}
        patient.send(number, fields)
        name = QUESTIONS["pregnant"].name
        assert re.search(rf'name="{name}"[^>]*value="no" checked', patient.read(number))

    def test_a_question_that_does_not_offer_it_refuses_the_word(self, service):
        patient = Intake(service)
        fields = {"intent": "next", QUESTIONS["surgery_within_3_months"].name: "not_concerned"}
        page = patient.send(step_of("surgery_within_3_months"), fields)
        assert "Please choose one of the options." in page


class TestTheDuration:
    @pytest.mark.parametrize(
        ("years", "months", "displayed"),
        [
            ("1", "6", ("1", "6")),
            ("", "18", ("1", "6")),
            ("2", "", ("2", "0")),
            ("0", "0,5", ("0", "0.5")),
            ("100", "0", ("100", "0")),
        ],
    )
    def test_is_entered_in_years_and_months(self, service, years, months, displayed):
        patient, name = Intake(service), QUESTIONS["pain_duration_months"].name
        fields = {"intent": "next", f"{name}-years": years, name: months}
        patient.send(1, fields)
        page = patient.read(1)
        assert re.search(rf'name="{name}-years"[^>]*value="{displayed[0]}"', page)
        assert re.search(rf'name="{name}"[^>]*value="{displayed[1]}"', page)

    @pytest.mark.parametrize(("years", "months"), [("x", "1"), ("1", "-2"), ("100", "1")])
    def test_is_refused_otherwise_and_shown_as_typed(self, service, years, months):
        patient, name = Intake(service), QUESTIONS["pain_duration_months"].name
        page = patient.send(1, {"intent": "next", f"{name}-years": years, name: months})
        assert "Please enter years and months in plain digits" in page
        assert re.search(rf'name="{name}-years"[^>]*value="{years}"', page)

    def test_must_be_answered(self, service):
        page = Intake(service).send(1, {"intent": "next"})
        assert page.count("Please answer this question.") == 4

    def test_is_sent_in_months_and_reviewed_in_both(self, intake):
        assert "Years: 1, Months: 6" in intake.read("review")


class TestContradictions:
    def test_are_shown_as_soon_as_they_arise(self, intake):
        sites = ["neck", "lower_back", "hip_left"]
        page = intake.answer_questions(pain_sites=sites, pain_extent="spot")
        assert "Some answers do not seem to fit together" in page
        assert "yet the pain was called one small spot" in page
        assert "yet the pain was called one small spot" in intake.read("review")

    def test_are_gone_once_they_are_settled(self, intake):
        intake.answer_questions(pain_sites=["neck", "lower_back", "hip_left"], pain_extent="spot")
        page = intake.answer_questions(pain_sites=["neck"], pain_extent="spot")
        assert "Some answers do not seem to fit together" not in page

    def test_are_in_the_language_of_the_form(self, service):
        patient = Intake(service, "de")
        patient.answer_questions(pregnant=True, cancer_ever=False)
        page = patient.answer_questions(age_years=70, pain_duration_months=18)
        assert "Manche Antworten scheinen nicht zusammenzupassen" in page


def test_a_patient_who_would_rather_tell_someone_reads_how(service):
    patient = Intake(service)
    patient.answer_questions(age_years=40, pain_duration_months=18, cancer_ever=False)
    groups = {name: [] for name in GROUPS} | {"rf_personal_safety": ["rather_in_person"]}
    page = patient.answer_questions(**groups)
    assert "You can ask to speak with your clinician alone" in page


def test_the_answers_are_stored_under_the_second_version(intake):
    assert intake.rulebook == SECOND
    intake.answer(step_of("pain_sites"), pain_sites=["neck"])
    token = re.search(r'name="token" value="([^"]+)"', intake.read("review"))[1]
    intake.browser.post(f"{intake.path}/review", data={"token": token, "intent": "send"})
    (line,) = intake.client.get("/v1/screenings").json()["screenings"]
    detail = intake.client.get(f"/v1/screenings/{line['id']}").json()
    assert detail["assessment"]["rulebook"] == SECOND
    assert detail["answers"]["pain_duration_months"] == 18
    assert "pregnant" in detail["assessment"]["not_asked"]


class TestOutOfScope:
    @pytest.mark.parametrize(
        ("age", "years", "months", "stops"),
        [("17", "1", "0", True), ("18", "1", "0", False),
         ("40", "0", "2,99", True), ("40", "0", "3", False)],
    )  # fmt: skip
    def test_by_age_or_duration_stops_the_form_kindly(self, service, age, years, months, stops):
        patient, name = Intake(service), QUESTIONS["pain_duration_months"].name
        fields = {"intent": "next", f"{name}-years": years, name: months}
        page = patient.send(1, fields | {QUESTIONS["age_years"].name: age})
        assert patient.url.endswith("/stop") == stops
        assert ("These questions do not fit your situation" in page) == stops
        assert ("Get help now if you have chest pain" in page) == stops
        patient.read(step_of("pain_sites"))
        assert patient.url.endswith("/stop") == stops

    def test_can_be_corrected_or_sent(self, service):
        patient = Intake(service)
        patient.answer(1, age_years=17, pain_duration_months=18)
        rest = {"cancer_ever": False, "rf_general": []}
        patient.answer(1, age_years=71, pain_duration_months=18, **rest)
        assert patient.url.endswith("/2")
        patient.answer(1, age_years=17, pain_duration_months=18)
        token = re.search(r'name="token" value="([^"]+)"', patient.read("stop"))[1]
        patient.browser.post(f"{patient.path}/review", data={"token": token, "intent": "send"})
        (line,) = patient.client.get("/v1/screenings").json()["screenings"]
        detail = patient.client.get(f"/v1/screenings/{line['id']}").json()
        assert detail["assessment"]["status"] == "out_of_scope"


@pytest.mark.parametrize(
    ("age", "months", "fault"), [("20", "251", False), ("20", "252", True), ("20", "1200", True)]
)
def test_more_months_than_the_age_allows_are_a_fault(service, age, months, fault):
    patient = Intake(service)
    fields = {QUESTIONS["age_years"].name: age, QUESTIONS["pain_duration_months"].name: months}
    fields |= {QUESTIONS["cancer_ever"].name: "no", QUESTIONS["rf_general"].name: "none"}
    page = patient.send(1, fields | {"intent": "next"})
    assert ("This is longer than the age allows" in page) == fault
    assert patient.url.endswith("/1") == fault


def test_a_person_of_70_is_not_asked_about_pregnancy_or_periods(intake):
    intake.answer_questions(load_provokes=False)
    asked_names = [name for name in QUESTIONS if is_asked(intake.read(step_of(name)), name)]
    assert "pain_extent" in asked_names
    assert {"pregnant", "could_be_pregnant", "cyclical_pain", "rest_settles"}.isdisjoint(
        asked_names
    )


def test_not_sure_is_one_choice_wherever_an_answer_is_not_required(service):
    patient = Intake(service)
    for number in (step_of("pain_extent"), step_of("rf_limbs_and_joints"), step_of("peg_pain")):
        page = patient.read(number)
        questions = [it for it in FORM.steps[number - 1].questions if is_asked(page, it.id)]
        assert page.count("Not sure") == len(questions)
        assert "skip" not in page.lower().replace("skip to content", "").replace('class="skip"', "")


class TestTheOffer:
    def test_sends_to_the_review_which_leaves_out_what_was_not_asked(self, intake):
        offer = next(n for n, step in enumerate(FORM.steps, 1) if step.offers_end)
        page = intake.answer_questions(
            pain_sites=["neck"], medicines=[], nerve_lesion_in_territory=False
        )
        assert intake.url.endswith(f"/{offer}")
        minutes = re.search(r"About (\d+) more minutes would make the result clearer", page)[1]
        review = intake.send(offer, {"intent": "finish"})
        assert QUESTIONS["medicines"].text in review
        assert QUESTIONS["peg_pain"].text not in review
        assert f"About {minutes} more minutes" in review
        assert f"{intake.path}/{offer + 1}" in review
        intake.answer_questions(peg_pain=3)
        assert QUESTIONS["peg_enjoyment"].text in intake.read("review")


class TestTheReview:
    def test_leads_to_each_question_and_continue_returns_to_it(self, intake):
        name, number = QUESTIONS["pain_extent"].name, step_of("pain_extent")
        address = f"{intake.path}/{number}?return=review#{name}-field"
        assert f'href="{address}"' in intake.read("review")
        assert f'id="{name}-field"' in intake.read(f"{number}?return=review")
        page = intake.send(
            number,
            {"intent": "next", "return": "review", name: choose(QUESTIONS["pain_extent"], "spot")},
        )
        assert intake.url.endswith("/review")
        assert "One small spot" in page
