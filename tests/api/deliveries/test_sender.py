"""The sender: its schedule of retries, and what it sends after a merge."""

import hl7
import pytest
from support.builders import add, do
from support.interop.mllp_receivers import running_hl7_server

from api.deliveries.sender import compute_retry_delay
from api.deliveries.sender_threads import send_due_deliveries
from api.store.deliveries import outbox
from api.store.patients import merges
from api.store.patients.patient_lookup import PatientSelector


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 5), (2, 10), (10, 2560), (11, 3600), (30, 3600)]
)
def test_the_delay_doubles_up_to_an_hour(attempts, seconds):
    assert compute_retry_delay(attempts) == seconds


def test_a_merge_sends_waiting_deliveries_under_the_surviving_number(
    store, clinic, send, sender, find_delivery
):
    screening = add(store, clinic, "OLD-1", system="urn:oid:1.2.3")
    retired, survivor = (PatientSelector(it, "urn:oid:1.2.3") for it in ("OLD-1", "NEW-1"))
    with running_hl7_server() as (host_port, messages):
        delivery, _, _ = send(host_port, screening=screening)
        do(store, clinic, merges.merge_patients, retired, survivor)
        send_due_deliveries(sender, 4)
    assert find_delivery(delivery).state == "delivered"
    assert str(hl7.parse(messages[0])["PID"][0][3]).startswith("NEW-1^")
    assert outbox.build_control_id(delivery) in messages[0]
