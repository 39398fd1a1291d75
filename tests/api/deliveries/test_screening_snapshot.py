"""Snapshots: a delivered report has the letterhead and trend of a report read here."""

from support.builders import add, do

from api.deliveries.preview import compose_for_preview
from api.deliveries.profiles import apply_options
from api.deliveries.screening_snapshot import load_screening_snapshot
from api.store.accounts import letterheads


def test_a_snapshot_has_the_letterhead_and_the_patients_earlier_screenings(store, clinic):
    add(store, clinic, "OTHER-PATIENT")
    earlier, later = add(store, clinic), add(store, clinic)
    do(store, clinic, letterheads.update_letterhead, {"address": ["1 Harbour Street"]})
    snapshot = do(store, clinic, load_screening_snapshot, later.id)
    assert snapshot.print_settings.letterhead.address == ("1 Harbour Street",)
    assert [screening.created_at for screening in snapshot.report_source.earlier] == [
        earlier.created_at
    ]
    assert (snapshot.first_id, snapshot.version_number) == (later.id, 1)


def test_a_delivered_report_has_the_letterhead(store, clinic, compose_context):
    screening = add(store, clinic)
    do(store, clinic, letterheads.update_letterhead, {"address": ["1 Harbour Street"]})
    snapshot = do(store, clinic, load_screening_snapshot, screening.id)
    profile = apply_options("generic-v2", {"document": {"form": "txt"}})
    report = compose_for_preview(compose_context, snapshot, profile).report
    assert report is not None
    assert b"1 Harbour Street" in report.content
