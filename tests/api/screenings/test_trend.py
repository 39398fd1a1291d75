"""The trend on the report of a stored screening: which earlier screenings it includes."""

import re

import pytest
from support.builders import request
from support.callers import audited
from support.path_resources import create_resource

SCREENINGS_PATH = "/v1/screenings"


def keep(client, day: str, reference: str = "MRN-1", example: str = "widespread_pain", **patient):
    body = request(reference, example, **patient) | {"answered_on": day}
    return create_resource(client, SCREENINGS_PATH, body)


def trend(client, screening: dict) -> list[str]:
    """The days of the trend as the report lists them; none where there is no trend."""
    text = client.get(f"{SCREENINGS_PATH}/{screening['id']}/report.txt").text
    section = re.search(r"\nSINCE EARLIER SCREENINGS\n(.*?)\n\n[A-Z ]+\n", text, re.DOTALL)
    days = re.findall(r"\d+ \w+ 20\d\d", " ".join(section[1].split())) if section else []
    return list(dict.fromkeys(days))


@pytest.fixture
def now(kept_client):
    """What keeps the screening whose report is looked at."""
    return lambda **fields: keep(kept_client, "2026-06-01", **fields)


def test_the_first_screening_of_a_patient_has_no_trend(kept_client, now):
    assert trend(kept_client, now()) == []


def test_earlier_ones_stand_on_it_in_their_order_and_later_ones_do_not(kept_client, now):
    keep(kept_client, "2026-03-01")
    keep(kept_client, "2026-01-01")
    keep(kept_client, "2026-07-01")
    screening = now()
    keep(kept_client, "2026-04-01")
    assert trend(kept_client, screening) == ["1 January 2026", "1 March 2026", "1 June 2026"]


def test_another_patient_number_system_and_instrument_do_not(kept_client, now):
    keep(kept_client, "2026-01-01", "MRN-2")
    keep(kept_client, "2026-01-02", system="urn:oid:1.2.3")
    keep(kept_client, "2026-01-03", example="phq4")
    assert trend(kept_client, now()) == []


def test_those_of_another_organisation_do_not(kept_client, other_client, now):
    keep(other_client, "2026-01-01")
    assert trend(kept_client, now()) == []


def test_what_was_entered_in_error_or_withheld_does_not(kept_client, now):
    wrong = keep(kept_client, "2026-01-01")
    create_resource(
        kept_client, f"{SCREENINGS_PATH}/{wrong['id']}/entered-in-error", {"reason": "wrong"}
    )
    withheld = keep(kept_client, "2026-02-01", example="red_flag")
    assert withheld["assessment"]["totals"] is None
    assert trend(kept_client, now()) == []


def test_a_corrected_screening_is_not_its_own_earlier_one(kept_client, now):
    old = keep(kept_client, "2026-01-01")
    again = request("MRN-1") | {"answered_on": "2026-01-01"}
    create_resource(kept_client, f"{SCREENINGS_PATH}/{old['id']}/amendments", again)
    first = now()
    body = request("MRN-1") | {"answered_on": "2026-06-02"}
    amended = create_resource(kept_client, f"{SCREENINGS_PATH}/{first['id']}/amendments", body)
    assert trend(kept_client, amended) == ["1 January 2026", "2 June 2026"]
    assert trend(kept_client, first) == ["1 January 2026", "1 June 2026"]


def test_it_is_bounded_to_the_newest_and_the_reading_is_counted(
    kept_service, kept_clinic, kept_client, now
):
    for day in range(1, 9):
        keep(kept_client, f"2026-01-{day:02}")
    screening = now()
    trend_lines = trend(kept_client, screening)
    assert trend_lines == [f"{day} January 2026" for day in range(3, 9)] + ["1 June 2026"]
    read, issue_entry = audited(kept_service, kept_clinic)[-2:]
    assert (read.action, read.target, read.count) == ("read", screening["id"], 7)
    assert (issue_entry.action, issue_entry.target) == ("report", screening["id"])
