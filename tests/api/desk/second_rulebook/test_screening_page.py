"""The page of a screening: it begins with the decision, and the clinician's part is on it."""

import re
from html import unescape
from typing import ClassVar

import pytest
from support import builders
from support.browser.form_patients import create_link
from support.browser.page_cases import FLAGS_BY_TIER, build_flagged, build_patient_only
from support.browser.practitioners import open_browser, read_csrf_token, submit_form
from support.builders import do
from support.callers import audited
from support.path_resources import create_resource

from api.store.forms import drafts, links
from api.store.patients import draft_acknowledgements
from api.store.screenings import screenings
from schemas.patients.links import Draft
from scoring.catalogue import load_catalogue

HERE = "/v1/screenings"
FIRST = load_catalogue().find_version("nociplastic@1.0.0").rulebook


def control(name: str) -> str:
    """The name of the control of a question of the first version."""
    return f"q{[question.id for question in FIRST.question].index(name)}"


@pytest.fixture
def store(second_service):
    return second_service.services.store


@pytest.fixture
def flagged(client):
    """The path of a screening with three red flags."""
    return f"/desk/screenings/{create_resource(client, HERE, build_flagged())['id']}"


@pytest.fixture
def patient_only(client):
    """The path of a screening that only the patient answered."""
    return f"/desk/screenings/{create_resource(client, HERE, build_patient_only())['id']}"


def read(desk, path: str) -> str:
    response = desk.get(path)
    assert response.status_code == 200, response.text
    return unescape(response.text)


def acknowledge(desk, path: str, flag: str, **fields: str):
    return submit_form(desk, path, f"{path}/acknowledgements", flag=flag, **fields)


def find_section(text: str, name: str) -> str:
    return text.partition(f'id="{name}"')[2].partition("</section>")[0]


def list_filled_fields(text: str) -> dict[str, list[str]]:
    """Return the fields of the clinician's part as the page shows them."""
    form = text.partition('id="part"')[2].partition("</form>")[0]
    fields: dict[str, list[str]] = {}
    for control in re.findall(r"<input [^>]*>", form):
        name, value = (re.search(rf' {key}="([^"]*)"', control) for key in ("name", "value"))
        is_text = 'type="text"' in control or 'type="hidden"' in control
        if name and value and value[1] and (is_text or " checked" in control):
            fields.setdefault(name[1], []).append(value[1])
    return fields


class TestRedFlags:
    def test_stand_first_by_tier_each_with_its_own_form(self, desk, flagged):
        text = read(desk, flagged)
        section = find_section(text, "red-flags")
        assert re.findall(r'name="flag" value="(\w+)"', section) == FLAGS_BY_TIER
        assert re.findall(r'class="flag flag-(t\d)', section) == ["t0", "t1", "t3"]
        assert text.index('id="red-flags"') < text.index('id="result"')
        assert section.index("Emergency assessment now") < section.index('id="done-1"')

    def test_are_acknowledged_one_by_one_and_once(
        self, second_service, store, clinic, desk, flagged
    ):
        screening_id = flagged[-36:]
        for place, flag in enumerate(FLAGS_BY_TIER):
            is_listed = flagged in desk.get("/desk").text.partition("<h1>")[0]
            assert is_listed
            response = acknowledge(desk, flagged, flag, done=f"act {place}", reached=f"Dr {place}")
            assert response.status_code == 303
            row = audited(second_service, clinic)[-1]
            assert (row.action, row.kind, row.target) == ("acknowledge", "screening", screening_id)
        assert flagged not in desk.get("/desk").text.partition("<h1>")[0]
        section = find_section(read(desk, flagged), "red-flags")
        assert "act 0" in section
        assert "Dr 2" in section
        assert 'name="flag"' not in section
        assert acknowledge(desk, flagged, FLAGS_BY_TIER[0], done="again").status_code == 409
        screening = do(store, clinic, screenings.find_screening, screening_id)
        entries = [(it.flag, it.reached) for it in screening.acknowledgements]
        assert entries == [(flag, f"Dr {place}") for place, flag in enumerate(FLAGS_BY_TIER)]
        report = desk.get(f"{flagged}/report.txt").text
        assert report.count("Dr 0: act 0") == 1

    def test_stay_acknowledged_in_a_correction_that_has_them_too(
        self, store, clinic, desk, flagged
    ):
        acknowledge(desk, flagged, FLAGS_BY_TIER[0], done="sent to hospital")
        page = desk.get(f"{flagged}/answers").text
        original = do(store, clinic, screenings.find_screening, flagged[-36:])
        options = next(it.options for it in FIRST.question if it.id == "rf_spine_and_nerves")
        place = [option.id for option in options].index("saddle_numbness")
        fields = {
            "token": read_csrf_token(page),
            control("age_years"): "45",
            control("rf_spine_and_nerves"): f"o{place}",
            control("rf_personal_safety"): "none",
        }
        response = desk.post(f"{flagged}/answers", data=fields)
        assert response.status_code == 303, response.text
        amended = do(store, clinic, screenings.find_screening, response.headers["location"][-36:])
        assert amended.id != original.id
        assert [(it.flag, it.done) for it in amended.acknowledgements] == [
            ("saddle_numbness", "sent to hospital")
        ]
        assert amended.is_acknowledged

    def test_keep_what_was_entered_with_a_fault_at_a_page_of_its_own(self, desk, flagged):
        page = desk.get(flagged).text
        fields = {"token": read_csrf_token(page), "flag": FLAGS_BY_TIER[1], "reached": "x" * 201}
        response = desk.post(f"{flagged}/acknowledgements", data=fields)
        assert response.status_code == 303
        text = desk.get(response.headers["location"]).text
        links_to = re.findall(r'<li><a href="#([\w-]+)">', text)
        assert links_to == ["reached-2", "done-2"]
        assert all(f'id="{name}"' in text for name in links_to)
        assert "x" * 201 in text
        assert "x" * 201 not in desk.get(flagged).text


class TestTheResult:
    def test_without_a_band_has_no_dot_and_a_range(self, desk, patient_only):
        section = find_section(read(desk, patient_only), "result")
        assert "Between " in section
        assert 'class="range"' in section
        assert 'class="point"' not in section

    def test_with_a_band_has_a_dot(self, client, desk):
        screening = create_resource(client, HERE, builders.request("MRN-1"))
        section = find_section(read(desk, f"/desk/screenings/{screening['id']}"), "result")
        assert section.count('class="point"') == 1

    def test_is_followed_by_the_five_strongest_reasons(self, desk, patient_only):
        text = read(desk, patient_only)
        section = find_section(text, "desk_strongest_for")
        points = [float(it) for it in re.findall(r'class="points">\+([\d.]+)<', section)]
        assert len(points) == 5
        assert points == sorted(points, reverse=True)
        assert text.index('id="result"') < text.index('id="desk_strongest_for"')


class TestTheClinicianPart:
    def test_asks_first_what_moves_the_result_most(self, desk, patient_only):
        section = find_section(read(desk, patient_only), "ask-first")
        explanation = FIRST.questions_by_id["physical_explanation"]
        assert re.findall(r"<legend>(.+?)</legend>", section)[0] == explanation.text

    def test_saved_without_a_change_gives_the_same_screening(
        self, store, clinic, client, desk, patient_only
    ):
        full = f"/desk/screenings/{create_resource(client, HERE, builders.request('MRN-2'))['id']}"
        for path in (patient_only, full):
            fields = list_filled_fields(desk.get(path).text)
            response = desk.post(f"{path}/part", data=fields)
            assert response.headers["location"] == path
            screening = do(store, clinic, screenings.find_screening, path[-36:])
            assert screening.state == "final"

    def test_saved_with_an_answer_is_a_linked_correction_with_all_other_answers(
        self, store, clinic, desk, patient_only
    ):
        before = do(store, clinic, screenings.find_screening, patient_only[-36:])
        fields = list_filled_fields(desk.get(patient_only).text)
        fields[control("physical_explanation")] = ["o0"]
        location = desk.post(f"{patient_only}/part", data=fields).headers["location"]
        after = do(store, clinic, screenings.find_screening, location[-36:])
        assert after.replaces == before.id
        first_option = FIRST.questions_by_id["physical_explanation"].options[0].id
        assert after.answers == before.answers | {"physical_explanation": first_option}
        assert after.context.note == before.context.note

    def test_with_a_fault_saves_nothing_and_shows_the_answer_again(
        self, store, clinic, desk, patient_only
    ):
        fields = list_filled_fields(desk.get(patient_only).text)
        name = control("physical_explanation")
        response = desk.post(f"{patient_only}/part", data=fields | {name: ["o99"]})
        text = desk.get(response.headers["location"]).text
        assert re.findall(r'<li><a href="#([\w-]+)">', text) == [name]
        assert do(store, clinic, screenings.find_screening, patient_only[-36:]).state == "final"


class TestTheAnswers:
    def test_are_readable_without_a_form_body_map_included(self, desk, patient_only):
        assert f'href="{patient_only}/answers-given"' in read(desk, patient_only)
        section = read(desk, f"{patient_only}/answers-given").partition('id="answers"')[2]
        assert section.count('class="part selected"') == 12
        answers = build_patient_only()["answers"]
        questions = [FIRST.questions_by_id[name].text for name in answers]
        assert [question for question in questions if question not in section] == []

    def test_of_a_file_name_tell_two_screenings_apart(self, desk, flagged, patient_only):
        names = {
            desk.get(f"{path}/report.txt").headers["content-disposition"]
            for path in (flagged, patient_only)
        }
        assert len(names) == 2
        assert not re.search("FLAG-0001|PAT-0001", " ".join(names))


class TestAnAlertOfUnsentAnswers:
    ANSWERS: ClassVar = {"rf_spine_and_nerves": ["saddle_numbness"], "age_years": 44}

    def test_is_closed_once_and_comes_back_for_another_flag(
        self, second_service, store, clinic, desk
    ):
        link, _ = create_link(store, clinic, reference="MRN-0777")
        do(store, clinic, drafts.save_draft, link, Draft(answers=self.ANSWERS, tier="T0"))
        assert "MRN-0777" in desk.get("/desk").text.partition("<h1>")[0]
        path = f"/desk/links/{link}/acknowledgements"
        assert submit_form(desk, "/desk", path).status_code == 422
        assert submit_form(desk, "/desk", path, done="rang her").status_code == 303
        row = audited(second_service, clinic)[-1]
        assert (row.action, row.kind, row.target) == ("acknowledge", "draft", link)
        assert "MRN-0777" not in desk.get("/desk").text.partition("<h1>")[0]
        answers = self.ANSWERS | {"rf_personal_safety": ["unsafe_at_home"]}
        do(store, clinic, drafts.save_draft, link, Draft(answers=answers, tier="T0"))
        pinned = desk.get("/desk").text.partition("<h1>")[0]
        assert "Speak with the person alone" in pinned
        assert "Emergency assessment now" not in pinned

    def test_that_was_closed_is_acknowledged_in_the_screening_too(self, store, clinic, desk):
        link, _ = create_link(store, clinic, reference="MRN-0778")
        do(store, clinic, drafts.save_draft, link, Draft(answers=self.ANSWERS, tier="T0"))
        path = f"/desk/links/{link}/acknowledgements"
        submit_form(desk, "/desk", path, done="rang her", reached="the patient")
        screening = builders.add(store, clinic, "MRN-0778", example="red_flag")
        do(store, clinic, draft_acknowledgements.carry_to_screening, link, screening)
        submitted = do(store, clinic, screenings.find_screening, screening.id)
        assert [(it.flag, it.reached) for it in submitted.acknowledgements] == [
            ("saddle_numbness", "the patient")
        ]
        assert submitted.is_acknowledged

    def test_of_another_organisation_is_not_found(self, store, desk):
        other = builders.clinic(store)
        link, _ = create_link(store, other)
        do(store, other, drafts.save_draft, link, Draft(answers=self.ANSWERS, tier="T0"))
        path = f"/desk/links/{link}/acknowledgements"
        assert submit_form(desk, "/desk", path, done="x").status_code == 404
        assert do(store, other, links.find_link, link).state == "started"


def test_the_root_leads_a_browser_to_the_desk_and_a_client_nowhere(second_service):
    browser = open_browser(second_service)
    response = browser.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (response.status_code, response.headers["location"]) == (303, "/desk")
    for accept in ("application/json", "*/*"):
        response = browser.get("/", headers={"Accept": accept})
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
