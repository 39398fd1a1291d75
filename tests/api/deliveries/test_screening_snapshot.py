"""What a receiver is sent about: the letterhead and the trend that a report read here has too."""

from support.builders import add, do

from api.deliveries.preview import compose_for_preview
from api.deliveries.profiles import apply_options
from api.deliveries.screening_snapshot import load_screening_snapshot
from api.store.accounts import letterheads


def test_a_subject_has_its_organisations_letterhead_and_the_patients_earlier_screenings(
    store, clinic
):
    add(store, clinic, "SOMEBODY-ELSE")
    earlier, later = add(store, clinic), add(store, clinic)
    do(store, clinic, letterheads.update_letterhead, {"address": ["1 Harbour Street"]})
    about = do(store, clinic, load_screening_snapshot, later.id)
    assert about.print_settings.letterhead.address == ("1 Harbour Street",)
    assert [each.created_at for each in about.report_source.earlier] == [earlier.created_at]
    assert (about.first_id, about.version_number) == (later.id, 1)


def test_a_delivered_report_stands_under_the_letterhead(store, clinic, house):
    kept = add(store, clinic)
    do(store, clinic, letterheads.update_letterhead, {"address": ["1 Harbour Street"]})
    about = do(store, clinic, load_screening_snapshot, kept.id)
    profile = apply_options("generic-v2", {"document": {"form": "txt"}})
    report = compose_for_preview(house, about, "result", profile).report
    assert report is not None
    assert b"1 Harbour Street" in report.content
