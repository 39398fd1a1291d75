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
    patient.answer(1, age_years=70, pain_duration_months=18, cancer_ever=False)
    patient.answer(2, **{name: [] for name in GROUPS})
    return patient


class TestTheOrder:
    def test_must_answers_and_core_questions_come_first_and_the_rest_behind_more_questions(self):
        first_step = FORM.steps[0]
        assert [it.id for it in first_step.first_questions] == [
            "age_years", "pain_duration_months", "cancer_ever", "pregnant",
            "surgery_within_3_months",
        ]  # fmt: skip
        assert [it.id for it in first_step.more_questions] == ["could_be_pregnant"]

    def test_topics_without_a_core_question_come_last(self):
        core = {question.id for question in BOOK.rulebook.question if question.core}
        has_core = [any(it.id in core for it in step.questions) for step in FORM.steps]
        assert has_core == sorted(has_core, reverse=True)
        assert not has_core[-1]

    def test_rest_stands_with_load(self):
        step = FORM.steps[step_of("load_provokes") - 1]
        names = [it.id for it in step.first_questions]
        assert names[:2] == ["load_provokes", "rest_settles"]

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
        assert is_asked(Intake(service).read(1), "pregnant")

    def test_is_not_asked_where_it_does_not(self, intake):
        assert not is_asked(intake.read(1), "pregnant")
        assert not is_asked(intake.read(1), "could_be_pregnant")

    def test_is_shown_where_it_was_answered_all_the_same(self, service):
        patient = Intake(service)
        patient.answer(1, age_years=70, pain_duration_months=18, cancer_ever=False, pregnant=True)
        page = patient.read(1)
        assert is_asked(page, "pregnant")
        assert "an age of 56 or more" in page

    def test_a_step_without_any_is_passed_over_both_ways(self, intake):
        intake.answer(step_of("pain_sites"), pain_sites=["neck"])
        number = step_of("sss_fatigue")
        intake.read(number)
        assert not intake.url.endswith(f"/{number}")
        intake.answer(number - 1)
        assert intake.url.endswith(f"/{number + 1}")
        intake.send(number + 1, {"intent": "back"})
        assert intake.url.endswith(f"/{number - 1}")

    def test_and_is_asked_where_the_pain_is_in_many_places(self, intake):
        sites = ["neck", "lower_back", "shoulder_left", "shoulder_right", "hip_left", "hip_right"]
        intake.answer(step_of("pain_sites"), pain_sites=sites)
        intake.answer(step_of("sss_fatigue") - 1)
        assert intake.url.endswith(f"/{step_of('sss_fatigue')}")

    def test_the_review_leaves_out_what_does_not_concern(self, intake):
        page = intake.read("review")
        assert QUESTIONS["pregnant"].text not in page
        assert QUESTIONS["fatigue"].text in page

    def test_a_question_that_cannot_concern_offers_to_say_so_and_sends_no(self, service):
        patient = Intake(service)
        page = patient.read(1)
        assert page.count("This does not concern me") == 2
        fields = {"intent": "next", QUESTIONS["pregnant"].name: "not_concerned"}
        fields |= {QUESTIONS["age_years"].name: "40", QUESTIONS["cancer_ever"].name: "no"}
        fields |= {QUESTIONS["pain_duration_months"].name: "18"}
        patient.send(1, fields)
        assert re.search(r'value="no" checked', patient.read(1))

    def test_a_question_that_does_not_offer_it_refuses_the_word(self, service):
        patient = Intake(service)
        fields = {"intent": "next", QUESTIONS["surgery_within_3_months"].name: "not_concerned"}
        assert "Please choose one of the options." in patient.send(1, fields)


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
        assert "Please enter years and months as numbers" in page
        assert re.search(rf'name="{name}-years"[^>]*value="{years}"', page)

    def test_must_be_answered(self, service):
        page = Intake(service).send(1, {"intent": "next"})
        assert page.count("Please answer this question.") == 3

    def test_is_sent_in_months_and_reviewed_in_both(self, intake):
        assert "Years: 1, Months: 6" in intake.read("review")


class TestContradictions:
    def test_are_shown_as_soon_as_they_arise(self, intake):
        number = step_of("pain_sites")
        sites = ["neck", "lower_back", "hip_left"]
        page = intake.answer(number, pain_sites=sites, pain_extent="spot")
        assert "Some answers do not seem to fit together" in page
        assert "yet the pain was called one small spot" in page
        assert "yet the pain was called one small spot" in intake.read("review")

    def test_are_gone_once_they_are_settled(self, intake):
        number = step_of("pain_sites")
        intake.answer(number, pain_sites=["neck", "lower_back", "hip_left"], pain_extent="spot")
        page = intake.answer(number, pain_sites=["neck"], pain_extent="spot")
        assert "Some answers do not seem to fit together" not in page

    def test_are_in_the_language_of_the_form(self, service):
        patient = Intake(service, "de")
        patient.answer(1, age_years=70, pain_duration_months=18, cancer_ever=False, pregnant=True)
        assert "Manche Antworten scheinen nicht zusammenzupassen" in patient.read(1)


def test_a_patient_who_would_rather_tell_someone_reads_how(service):
    patient = Intake(service)
    patient.answer(1, age_years=40, pain_duration_months=18, cancer_ever=False)
    groups = {name: [] for name in GROUPS} | {"rf_personal_safety": ["rather_in_person"]}
    page = patient.answer(2, **groups)
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
