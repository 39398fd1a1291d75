"""What a receiver is sent about: the letterhead and the trend that a report read here has too."""

from support.builders import add, do

from api.deliveries.preview import made
from api.deliveries.profiles import own
from api.deliveries.screening_snapshot import subject
from api.store.accounts import letterheads


def test_a_subject_has_its_organisations_letterhead_and_the_patients_earlier_screenings(
    store, clinic
):
    add(store, clinic, "SOMEBODY-ELSE")
    earlier, later = add(store, clinic), add(store, clinic)
    do(store, clinic, letterheads.change, {"address": ["1 Harbour Street"]})
    about = do(store, clinic, subject, later.id)
    assert about.printed.letterhead.address == ("1 Harbour Street",)
    assert [each.created_at for each in about.told.earlier] == [earlier.created_at]
    assert (about.first, about.number) == (later.id, 1)


def test_a_delivered_report_stands_under_the_letterhead(store, clinic, house):
    kept = add(store, clinic)
    do(store, clinic, letterheads.change, {"address": ["1 Harbour Street"]})
    about = do(store, clinic, subject, kept.id)
    profile = own("generic-v2", {"document": {"form": "txt"}})
    report = made(house, about, "result", profile).report
    assert report is not None
    assert b"1 Harbour Street" in report.content
