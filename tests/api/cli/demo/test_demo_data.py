"""The sandbox of `nociscreen demo data`: complete, repeatable and kept away from patients."""

from datetime import date, timedelta

import pytest
from support.builders import build_store_settings
from support.commands import run_command, run_failing_command, run_json_command

from api.cli.demo.people import invent_people
from scoring.answer_model import find_answer_model
from scoring.catalogue import load_catalogue
from scoring.engine import assess

LAST_DAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def loaded():
    return load_catalogue().find_active("nociplastic")


def test_fifty_people_have_every_tier_status_picture_and_language_within_two_years(loaded):
    people = list(invent_people(50, LAST_DAY))
    model = find_answer_model(loaded)
    assessments = [
        assess(
            loaded, model.model_validate(person.visits[-1].answers).model_dump(exclude_none=True)
        )
        for person in people
    ]
    book = loaded.rulebook
    assert {it.safety.tier for it in assessments} == {"none", *(tier.id for tier in book.tier)}
    pictures = {it.picture.id for it in assessments if it.picture} - {None}
    assert pictures == {it.id for it in book.picture}
    assert {it.status for it in assessments} == {
        *("scored", "withheld_red_flag", "insufficient_information", "out_of_scope"),
    }
    assert {person.language for person in people} == {"en", "de", "es"}
    days = [visit.at.date() for person in people for visit in person.visits]
    assert LAST_DAY - timedelta(days=730) <= min(days) <= max(days) < LAST_DAY
    assert min(len(person.visits) for person in people) == 2
    assert len({person.patient.reference for person in people}) == 50


def test_the_same_day_gives_the_same_people():
    assert list(invent_people(9, LAST_DAY)) == list(invent_people(9, LAST_DAY))
    assert list(invent_people(9, LAST_DAY)) == list(invent_people(50, LAST_DAY))[:9]


def test_a_sandbox_is_a_test_organisation_with_drafts_and_due_links_apart_from_patients(tmp_path):
    settings = build_store_settings(tmp_path)
    words = ("demo", "data", "--people", "8", "--until", str(LAST_DAY))
    sandbox = run_json_command(settings, *words)
    name = sandbox["organisation"]
    [organisation] = run_json_command(settings, "admin", "organisation", "list")
    assert (organisation["id"], organisation["test"]) == (name, True)
    page = run_json_command(settings, "link", "list", "--organisation", name)
    answered_links = [link for link in page["links"] if link["state"] == "submitted"]
    unsent = [link for link in page["links"] if link["state"] != "submitted"]
    assert (sandbox["people"], sandbox["screenings"]) == (8, len(answered_links))
    assert sorted(link["started_at"] is None for link in unsent) == [False, True]
    assert [link for link in answered_links if link["ask_again_on"] is None] == []
    assert run_command(settings, "audit", "verify").returncode == 0
    run_command(settings, "admin", "organisation", "change", name, "--no-test")
    assert "--beside-patients" in run_failing_command(settings, *words)
    assert run_json_command(settings, *words, "--beside-patients")["screenings"] > 0


@pytest.mark.parametrize(
    ("day", "message"), [("x", "must be a day"), ("2999-01-01", "not be later than today")]
)
def test_an_unfit_day_is_refused_before_anything_is_stored(tmp_path, day, message):
    settings = build_store_settings(tmp_path)
    assert message in run_failing_command(settings, "demo", "data", "--until", day)
    assert not settings.database_file.exists()
