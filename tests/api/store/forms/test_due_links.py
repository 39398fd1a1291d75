"""The due list across a stopped clock: who is due when, and what takes a patient off the list."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from support.browser.form_patients import create_link
from support.builders import do

from api.store.errors import NotFoundError
from api.store.forms import due_links, links, open_links
from api.store.patients import merges
from api.store.patients.patient_lookup import PatientSelector

ANSWERED_AT = datetime(2026, 11, 30, 9, tzinfo=UTC)
DUE_ON = date(2027, 2, 28)
"""90 days later."""


@pytest.fixture
def clock():
    with time_machine.travel(ANSWERED_AT, tick=False) as traveller:
        yield traveller


@pytest.fixture
def answered_link(clock, store, kept_clinic):
    """A link that was answered when the clock was stopped."""
    return answer(store, kept_clinic)


def answer(store, clinic, rulebook="phq4", **more) -> str:
    link, _ = create_link(store, clinic, rulebook, **more)
    do(store, clinic, open_links.mark_submitted, link)
    return link


def list_due(store, clinic, until=DUE_ON) -> list[str]:
    return [link.id for link in do(store, clinic, due_links.list_due_links, until)]


def test_a_patient_is_due_from_the_day_on(store, kept_clinic, answered_link):
    days = (DUE_ON - timedelta(days=1), DUE_ON, DUE_ON + timedelta(days=400))
    assert [list_due(store, kept_clinic, day) for day in days] == [
        [], [answered_link], [answered_link],
    ]  # fmt: skip
    (link,) = do(store, kept_clinic, due_links.list_due_links, DUE_ON)
    assert link.ask_again_on == DUE_ON


def test_an_open_link_takes_the_patient_off_until_it_expires(
    clock, store, kept_clinic, answered_link
):
    clock.shift(timedelta(days=90))
    create_link(store, kept_clinic, "phq4", days=14)
    assert list_due(store, kept_clinic) == []
    clock.shift(timedelta(days=14))
    assert list_due(store, kept_clinic) == [answered_link]


def test_a_revoked_link_does_not(store, kept_clinic, answered_link):
    link, _ = create_link(store, kept_clinic, "phq4")
    do(store, kept_clinic, links.revoke_link, link)
    assert list_due(store, kept_clinic) == [answered_link]


def test_new_answers_set_a_new_day(clock, store, kept_clinic, answered_link):
    clock.shift(timedelta(days=60))
    later_link = answer(store, kept_clinic)
    assert list_due(store, kept_clinic, DUE_ON + timedelta(days=59)) == []
    assert list_due(store, kept_clinic, DUE_ON + timedelta(days=60)) == [later_link]


@pytest.mark.parametrize("more", [{"reference": "MRN-0043"}, {"rulebook": "nociplastic"}])
def test_another_patient_or_instrument_changes_nothing(store, kept_clinic, answered_link, more):
    link = answer(store, kept_clinic, **more)
    assert set(list_due(store, kept_clinic)) == {answered_link, link}


def test_a_patient_is_taken_off_for_good_by_the_practitioner(
    store, kept_clinic, other_clinic, answered_link
):
    with pytest.raises(NotFoundError):
        do(store, other_clinic, due_links.dismiss_due_day, answered_link)
    assert list_due(store, other_clinic) == []
    do(store, kept_clinic, due_links.dismiss_due_day, answered_link)
    assert list_due(store, kept_clinic) == []


def test_the_most_overdue_come_first_and_a_merge_keeps_them_together(
    clock, store, kept_clinic, answered_link
):
    clock.shift(timedelta(days=1))
    second_link = answer(store, kept_clinic, reference="old-number")
    assert list_due(store, kept_clinic, DUE_ON + timedelta(days=1)) == [answered_link, second_link]
    numbers = PatientSelector("old-number", None), PatientSelector("MRN-0042", None)
    do(store, kept_clinic, merges.merge_patients, *numbers)
    create_link(store, kept_clinic, "phq4", days=90)
    assert list_due(store, kept_clinic, DUE_ON + timedelta(days=1)) == []
