"""Profiles: what is believed is marked so, what a destination says for itself is checked."""

import pytest

from api.deliveries.preview import check_destination
from api.deliveries.profiles import apply_options, load_profiles
from api.outbound.allowlist import AllowedHost, HostPort
from api.problems import Problem
from api.store.deliveries.destinations import DestinationSecrets

ALLOWED = (
    AllowedHost(HostPort("ehr.example", 443), False),
    AllowedHost(HostPort("10.0.0.9", 2575), True),
)


def test_every_confirmed_fact_names_its_source_and_no_other_does():
    for each in load_profiles().values():
        assert each.fact
        for fact in each.fact:
            assert fact.confirmed is bool(fact.source), fact.says


def test_nothing_of_an_ehr_that_was_not_tried_is_confirmed():
    assert not any(fact.confirmed for fact in load_profiles()["epic-note"].fact)
    for name in ("athena-practice", "oracle-health"):
        assert load_profiles()[name].unconfirmed


def test_a_chart_that_takes_no_pdf_is_sent_one_by_its_address_alone():
    with pytest.raises(Problem, match="wrong_shape"):
        apply_options("athena-practice", {"document": {"form": "pdf"}})
    assert apply_options("athena-practice", {"document": {"form": "pdf", "how": "url"}})
    assert apply_options("athena-practice", {"document": {"form": "xml"}}).document.form == "xml"
    with pytest.raises(Problem, match="wrong_shape"):
        apply_options("oracle-health", {"document": {"how": "url"}})


def test_options_are_laid_over_the_profile_and_no_further():
    made = apply_options(
        "generic-v2", {"v2": {"message": "MDM", "encapsulated": ["", "TEXT", "PDF", ""]}}
    )
    assert made.v2.message == "MDM"
    assert made.v2.document_type == load_profiles()["generic-v2"].v2.document_type
    assert load_profiles()["generic-v2"].v2.message == "ORU"


def test_without_tls_a_destination_lies_in_the_house():
    check_destination("generic-v2", DestinationSecrets(address="mllp://10.0.0.9:2575"), ALLOWED)
    check_destination("generic-fhir", DestinationSecrets(address="https://ehr.example/r4"), ALLOWED)
    for name, address in (
        ("generic-v2", "mllp://ehr.example:443"),
        ("generic-fhir", "http://ehr.example:443/r4"),
        ("generic-fhir", "https://other.example/r4"),
    ):
        with pytest.raises(Problem, match="conflict"):
            check_destination(name, DestinationSecrets(address=address), ALLOWED)


def test_a_report_larger_than_the_receiver_takes_is_a_misfit(house, store, clinic):
    from support import builders
    from support.builders import do

    from api.deliveries.preview import compose_for_preview, require_accepted
    from api.deliveries.screening_snapshot import load_screening_snapshot

    kept = builders.add(store, clinic)
    about = do(store, clinic, load_screening_snapshot, kept.id)
    for most, fits in ((10, False), (10_000_000, True)):
        profile = apply_options("generic-fhir", {"document": {"form": "txt", "most_bytes": most}})
        composed = compose_for_preview(house, about, "result", profile)
        assert ([each.code for each in composed.misfits] == []) is fits
        if not fits:
            with pytest.raises(Problem, match="unfit"):
                require_accepted(composed)


def test_a_profile_that_a_release_knows_no_more_parks_what_waits_for_it(send, sender, found, store):
    from support.builders import tampering

    delivery, _, _ = send(HostPort("127.0.0.1", 1))
    with tampering(store) as connection:
        connection.exec_driver_sql("UPDATE destination SET profile = 'gone'")
    assert sender.send_all() == 0
    assert (found(delivery).state, found(delivery).reason) == ("parked", "unfit")
    assert sender.send_all() == 0
