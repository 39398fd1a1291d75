"""Profiles: unconfirmed facts are marked, and the options of a destination are checked."""

import json

import pytest
from support import builders
from support.builders import do, tampering_connection

from api.deliveries.preview import check_destination, compose_for_preview, require_accepted
from api.deliveries.profiles import apply_options, load_profiles
from api.deliveries.screening_snapshot import load_screening_snapshot
from api.deliveries.sender_threads import send_due_deliveries
from api.outbound.allowlist import AllowedHost, HostPort
from api.problems import Problem
from api.store.deliveries.destinations import DestinationSecrets

ALLOWED_HOSTS = (
    AllowedHost(HostPort("ehr.example", 443), False),
    AllowedHost(HostPort("10.0.0.9", 2575), True),
)


def test_every_confirmed_fact_names_its_source_and_no_other_does():
    profiles = load_profiles().values()
    assert len(profiles) >= 6
    assert all(profile.fact for profile in profiles)
    facts = [fact for profile in profiles for fact in profile.fact]
    assert [fact.says for fact in facts if fact.confirmed is not bool(fact.source)] == []


def test_no_fact_about_an_untested_ehr_is_confirmed():
    assert not any(fact.confirmed for fact in load_profiles()["epic-note"].fact)
    for name in ("athena-practice", "oracle-health"):
        assert load_profiles()[name].unconfirmed


def test_a_receiver_that_accepts_no_pdf_can_only_get_its_url():
    with pytest.raises(Problem, match="invalid_request"):
        apply_options("athena-practice", {"document": {"form": "pdf"}})
    profile = apply_options("athena-practice", {"document": {"form": "pdf", "how": "url"}})
    assert (profile.document.form, profile.document.how) == ("pdf", "url")
    assert apply_options("athena-practice", {"document": {"form": "xml"}}).document.form == "xml"
    with pytest.raises(Problem, match="invalid_request"):
        apply_options("oracle-health", {"document": {"how": "url"}})


def test_options_override_the_profile_of_their_destination_only():
    profile = apply_options(
        "generic-v2", {"v2": {"message": "MDM", "encapsulated": ["", "TEXT", "PDF", ""]}}
    )
    assert profile.v2.message == "MDM"
    assert profile.v2.document_type == load_profiles()["generic-v2"].v2.document_type
    assert load_profiles()["generic-v2"].v2.message == "ORU"


def test_without_tls_a_destination_must_be_private():
    check_destination(
        "generic-v2", DestinationSecrets(address="mllp://10.0.0.9:2575"), ALLOWED_HOSTS
    )
    check_destination(
        "generic-fhir", DestinationSecrets(address="https://ehr.example/r4"), ALLOWED_HOSTS
    )
    for name, address in (
        ("generic-v2", "mllp://ehr.example:443"),
        ("generic-fhir", "http://ehr.example:443/r4"),
        ("generic-fhir", "https://other.example/r4"),
    ):
        with pytest.raises(Problem, match="conflict"):
            check_destination(name, DestinationSecrets(address=address), ALLOWED_HOSTS)


def test_a_report_larger_than_the_receiver_accepts_is_a_misfit(compose_context, store, clinic):
    screening = builders.add(store, clinic)
    snapshot = do(store, clinic, load_screening_snapshot, screening.id)

    def compose(max_bytes: int):
        options = {"document": {"form": "txt", "most_bytes": max_bytes}}
        profile = apply_options("generic-fhir", options)
        return compose_for_preview(compose_context, snapshot, profile)

    report_bytes = len(compose(10_000_000).report.content)
    require_accepted(compose(report_bytes))
    payload = compose(report_bytes - 1)
    assert [misfit.code for misfit in payload.misfits] == ["too_large"]
    with pytest.raises(Problem, match="incompatible_with_destination"):
        require_accepted(payload)


PATIENTS = {  # patient and visit: the places that the receiver of each profile lacks
    ("MRN-1", None, "V-1"): {"epic-note": ["subject/reference", "context/encounter/0/reference"],
                             "oracle-health": ["subject/reference"]},
    ("MRN-1", "urn:oid:1.2.3", None): {
        "epic-note": ["subject/reference", "context/encounter/0/reference"],
        "oracle-health": ["subject/reference"]},
    ("Patient/eAbc", None, None): {"epic-note": ["context/encounter/0/reference"],
                                   "oracle-health": []},
    ("Patient/eAbc", None, "Encounter/eXyz"): {"epic-note": [], "oracle-health": []},
    ("https://ehr.example/r4/Patient/eAbc", None, "Encounter/eXyz"): {
        "epic-note": [], "oracle-health": []},
    ("Group/eAbc", None, "Encounter/eXyz"): {"epic-note": ["subject/reference"],
                                             "oracle-health": ["subject/reference"]},
}  # fmt: skip


@pytest.mark.parametrize("profile_name", ["epic-note", "oracle-health", "generic-fhir"])
@pytest.mark.parametrize("patient", PATIENTS)
def test_what_a_receiver_needs_is_a_misfit_by_its_place(
    compose_context, store, clinic, profile_name, patient
):
    reference, system, encounter = patient
    screening = builders.add(store, clinic, reference, system=system, encounter=encounter)
    snapshot = do(store, clinic, load_screening_snapshot, screening.id)
    profile = apply_options(profile_name, {"document": {"form": "txt"}})
    payload = compose_for_preview(compose_context, snapshot, profile)
    expected = PATIENTS[patient].get(profile_name, [])
    assert [misfit.place for misfit in payload.misfits] == expected
    document = json.loads(payload.content)["entry"][-1]["resource"]
    assert document["resourceType"] == "DocumentReference"
    subject = document["subject"]
    is_literal = "Patient/" in reference
    assert subject.get("reference") == (reference if is_literal else None)
    assert ("identifier" in subject) is not is_literal
    if profile_name == "oracle-health":
        assert "author" not in document
    if profile_name != "generic-fhir":  # the response is not sent, so it cannot be resolved
        assert set(document["context"]["related"][0]) == {"type", "identifier"}


def test_a_delivery_of_a_profile_that_was_removed_is_parked(send, sender, find_delivery, store):
    delivery, _, _ = send(HostPort("127.0.0.1", 1))
    with tampering_connection(store) as connection:
        connection.exec_driver_sql("UPDATE destination SET profile = 'gone'")
    assert send_due_deliveries(sender, 4) == 0
    parked = find_delivery(delivery)
    assert (parked.state, parked.reason) == ("parked", "incompatible_with_destination")
    assert send_due_deliveries(sender, 4) == 0
