"""Rules for messages: orders and appointments make and end links, results become screenings."""

import json

import pytest
from support.builders import do

from api.hl7v2.acknowledgement import parse_acknowledgement
from api.inbound.messages import AdtContext, apply_content
from api.inbound.rule_actions import RuleContext
from api.store.audit import chain
from api.store.database.tables import NotificationRow
from api.store.deliveries import message_rules
from api.store.forms import links, open_links
from api.store.operations.denied_requests import DeniedRequestLog
from scoring.catalogue import load_catalogue

SYSTEM = "urn:oid:1.2.3"
PATH = "/v1/organisation/message-rules"
PID = "PID|1||N-1^^^HOSP1^MR||Test^Pat||19820501||||||^PRN^CP^^49^170^123||de"
EMAIL = "PID|1||N-1^^^HOSP1^MR||Test^Pat||19820501||||||^NET^Internet^pat@example.org"
ORDER = "ORC|NW|4711\rOBR|1|4711||PAIN^Pain screening"
MAPPING = {
    "source": "kiosk",
    "rulebook": "phq4@1.0.0",
    "answered_by": "patient",
    "question": [
        {"id": "phq4_nervous", "column": "69725-0"},
        {"id": "phq4_worrying", "column": "68509-9", "values": {"LA6569-3": 1}},
        {"id": "phq4_interest", "column": "44250-9"},
        {"id": "phq4_down", "column": "44255-8"},
    ],
}
CANCELLED = {"ORC-1": ["CA", "DC"]}
RULES = [
    {"message": "ORM^O01", "when": CANCELLED, "action": "end_link"},
    {
        "message": "ORM^O01",
        "when": {"ORC-1": ["NW"], "OBR-4": ["PAIN"]},
        "action": "make_link",
        "instrument": "phq4",
        "send_to_patient": True,
    },
    {"message": "SIU^S12", "action": "make_link", "instrument": "phq4"},
    {"message": "SIU^S15", "action": "end_link", "instrument": "phq4"},
    {"message": "ADT^A31", "action": "update_patient"},
    {"message": "ORU^R01", "action": "store_answers", "answers": MAPPING},
]
RULES[0]["instrument"] = "phq4"
VALUES = [("69725-0", "NM", "2"), ("68509-9", "CWE", "LA6569-3^Several days^LN"),
          ("44250-9", "SN", "^0"), ("44255-8", "NM", "1")]  # fmt: skip


def write(message_type: str, control_id: str, *segments: str) -> bytes:
    header = f"MSH|^~\\&|KIS|HOSP1|NOCISCREEN||20261120100000||{message_type}|{control_id}|P|2.5.1"
    return "\r".join([header, *segments, ""]).encode()


def write_results(*values: tuple[str, str, str], state: str = "F") -> list[str]:
    rows = [
        f"OBX|{number}|{kind}|{code}^x^LN||{value}||||||{state}"
        for number, (code, kind, value) in enumerate(values, 1)
    ]
    return [PID, "OBR|1|||PHQ4|||20261119", *rows]


@pytest.fixture
def client(kept_client):
    return kept_client


@pytest.fixture
def store(kept_service):
    return kept_service.services.store


@pytest.fixture
def clinic(kept_clinic):
    return kept_clinic


@pytest.fixture
def receive(client, store, clinic):
    """Receives a message by the rules; returns the code and the text of its acknowledgement."""
    assert client.put(PATH, json={"rules": RULES}).status_code == 200
    rules = RuleContext(load_catalogue(), "https://noci.example", ("email",))
    log = DeniedRequestLog(store)
    actor = clinic.actor._replace(id="mllp:kis")
    context = AdtContext(store, actor, {"HOSP1": SYSTEM}, log, rules)

    def apply(content: bytes) -> tuple[str, str]:
        reply = apply_content(context, content)
        log.flush()
        return parse_acknowledgement(reply).code, reply.decode()

    return apply


@pytest.fixture
def list_links(store, clinic):
    return lambda: do(store, clinic, links.list_links, 50).links


def test_an_order_makes_one_link_and_its_cancellation_ends_it(
    receive, list_links, store, clinic, capsys
):
    order = write("ORM^O01", "1", PID, "PV1|1" + "|" * 18 + "V-7", ORDER)
    for content in (order, order, order.replace(b"|1|P", b"|2|P")):
        assert receive(content)[0] == "AA"
    (link,) = list_links()
    assert (link.rulebook, link.language, link.state) == ("phq4@1.0.0", "de", "new")
    patient = link.patient
    assert (patient.reference, patient.system, patient.name) == ("N-1", SYSTEM, "Pat Test")
    assert (str(patient.birth_date), patient.encounter) == ("1982-05-01", "V-7")
    assert do(store, clinic, lambda work: work.count(NotificationRow)) == 0
    assert receive(write("ORM^O01", "3", PID, ORDER.replace("NW", "CA")))[0] == "AA"
    assert [it.state for it in list_links()] == ["revoked"]
    log_text = capsys.readouterr().out
    for outcome in ("link_made", "repeated", "link_exists", "link_ended"):
        assert f"outcome={outcome}" in log_text or f'"{outcome}"' in log_text
    assert "N-1" not in log_text
    with store.read_all_organisations() as session:
        rows = [row for row in chain.read_entries(session, clinic.organisation)
                if row.actor == "mllp:kis"]  # fmt: skip
    assert {(row.action, row.kind, row.target) for row in rows} >= {
        ("create", "link", link.id), ("revoke", "link", link.id),
    }  # fmt: skip


def test_an_address_in_the_message_gets_the_link_by_the_outbox(receive, list_links, store, clinic):
    assert receive(write("ORM^O01", "1", EMAIL, ORDER))[0] == "AA"

    def find_kinds(work):
        query = work.select(NotificationRow)
        return {(row.kind, row.medium, row.link_id) for row in work.list_rows(query)}

    (link,) = list_links()
    assert do(store, clinic, find_kinds) == {
        ("invitation", "email", link.id), ("reminder", "email", link.id),
    }  # fmt: skip


def test_each_order_of_a_message_is_taken_by_itself(receive, list_links):
    other = "ORC|NW|4712\rOBR|1|4712||BLOOD"
    again = "ORC|CA|4710\rOBR|1|4710||PAIN"
    assert receive(write("ORM^O01", "1", PID, other, again, ORDER))[0] == "AA"
    assert len(list_links()) == 1


def test_an_appointment_makes_a_link_and_its_cancellation_ends_that_one_alone(receive, list_links):
    for number in ("A-1", "A-2"):
        assert receive(write("SIU^S12", number, f"SCH|{number}", PID))[0] == "AA"
    assert receive(write("SIU^S15", "3", "SCH|A-1", PID))[0] == "AA"
    assert sorted(it.state for it in list_links()) == ["new", "revoked"]


def test_an_update_changes_open_links_alone(receive, list_links):
    for number in ("A-1", "A-2"):
        receive(write("SIU^S12", number, f"SCH|{number}", PID))
    receive(write("SIU^S15", "3", "SCH|A-1", PID))
    renamed = PID.replace("Test^Pat", "Neu^Pat").replace("19820501", "")
    assert receive(write("ADT^A31", "4", renamed))[0] == "AA"
    names = {it.state: (it.patient.name, str(it.patient.birth_date)) for it in list_links()}
    assert names == {"new": ("Pat Neu", "1982-05-01"), "revoked": ("Pat Test", "1982-05-01")}


def test_results_are_scored_and_stored_once(receive, client):
    content = write("ORU^R01", "1", *write_results(*VALUES))
    assert [receive(content)[0] for _ in range(2)] == ["AA", "AA"]
    (row,) = client.get("/v1/screenings").json()["screenings"]
    screening = client.get(f"/v1/screenings/{row['id']}").json()
    assert screening["patient"]["reference"] == "N-1"
    assert screening["context"]["answered_on"] == "2026-11-19"
    assert screening["answers"] == {
        "phq4_nervous": 2, "phq4_worrying": 1, "phq4_interest": 0, "phq4_down": 1,
    }  # fmt: skip
    assert screening["assessment"]["status"] == "scored"


class TestTheDayInAResult:
    @pytest.fixture
    def receive_dated(self, receive, client):
        """Receives results by a rule whose mapping names the result with the day."""
        mapping = MAPPING | {"answered_on": {"column": "29553-5", "format": "%Y%m%d"}}
        rule = {"message": "ORU^R01", "action": "store_answers", "answers": mapping}
        assert client.put(PATH, json={"rules": [rule]}).status_code == 200
        return lambda *days: receive(
            write("ORU^R01", "1", *write_results(*VALUES, *(("29553-5", "DT", d) for d in days)))
        )

    @pytest.mark.parametrize(
        ("days", "answered_on"), [(("20261107",), "2026-11-07"), ((), None), (("",), None)]
    )
    def test_stands_before_that_of_the_observation(self, receive_dated, client, days, answered_on):
        assert receive_dated(*days)[0] == "AA"
        (row,) = client.get("/v1/screenings").json()["screenings"]
        screening = client.get(f"/v1/screenings/{row['id']}").json()
        assert screening["context"]["answered_on"] == answered_on

    @pytest.mark.parametrize("days", [("7 November",), ("20261107", "20261108"), ("29990101",)])
    def test_is_refused_if_it_is_no_day(self, receive_dated, client, days):
        code, reply = receive_dated(*days)
        assert (code, "OBX-5 of 29553-5" in reply) == ("AR", True)
        assert client.get("/v1/screenings").json()["screenings"] == []


UNCERTAIN = {  # what is received: what the sender is told, and the reason in the audit
    "two patients": (write("SIU^S12", "9", "SCH|1", PID, PID), "PID:", "no_patient"),
    "a number of nobody": (
        write("SIU^S12", "9", "SCH|1", PID.replace("HOSP1", "X")), "PID-3:", "patient_not_certain"),
    "a number with a tab": (
        write("SIU^S12", "9", "SCH|1", PID.replace("N-1", "N\\X0B\\1")),
        "PID: expected a reference", "patient_not_valid"),
    "two orders in one": (
        write("ORM^O01", "9", PID, ORDER.replace("|4711", "|4711~4712")), "ORC-2:",
        "order_not_certain"),
    "an unknown code": (
        write("ORU^R01", "9", *write_results(("1-8", "NM", "2"))), "OBX 1:", "unknown_code"),
    "a preliminary result": (
        write("ORU^R01", "9", *write_results(*VALUES, state="P")), "OBX-11", "not_final"),
    "no answer of the question": (
        write("ORU^R01", "9", *write_results(("69725-0", "NM", "7"))), "/answers", "not_valid"),
    "two answers to a question": (
        write("ORU^R01", "9", *write_results(("69725-0", "NM", "1~2"))), "OBX-5", "not_an_answer"),
    "a comparator": (
        write("ORU^R01", "9", *write_results(("69725-0", "SN", ">^1"))), "OBX 1:", "comparator"),
    "no day": (
        write("ORU^R01", "9", *write_results(*VALUES)).replace(b"20261119", b"soon"), "OBR-7",
        "no_day"),
    "a correction": (
        write("ORU^R01", "9", *write_results(*VALUES)).replace(
            b"||20261119", b"||20261119" + b"|" * 18 + b"C"), "OBR-25", "correction"),
    "no results": (write("ORU^R01", "9", *write_results()), "OBX:", "no_answers"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNCERTAIN)
def test_what_is_not_certain_is_refused_by_name(receive, list_links, store, clinic, name):
    content, detail, reason = UNCERTAIN[name]
    code, reply = receive(content)
    assert code == "AR"
    assert detail in reply
    assert "N-1" not in reply
    assert list_links() == ()
    with store.read_all_organisations() as session:
        rows = list(chain.read_entries(session, clinic.organisation))
    assert [row.outcome for row in rows if row.action == "refuse"] == [reason]


def test_a_control_id_or_order_of_another_is_refused(receive, list_links):
    assert receive(write("SIU^S12", "1", "SCH|A-1", PID))[0] == "AA"
    code, reply = receive(write("SIU^S12", "1", "SCH|A-2", PID))
    assert (code, "MSH-10" in reply) == ("AR", True)
    other = PID.replace("N-1", "N-2")
    assert receive(write("SIU^S12", "2", "SCH|A-1", other))[0] == "AR"
    assert len(list_links()) == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"message": "ORM", "action": "make_link"},
        {"message": "ORM^O01", "action": "make_link", "instrument": "nothing"},
        {"message": "ORM^O01", "action": "make_link", "answers": MAPPING},
        {"message": "ORU^R01", "action": "store_answers"},
        {"message": "ORU^R01", "action": "store_answers", "answers": MAPPING | {
            "question": [{"id": "phq4_never", "column": "1"}]}},
        {"message": "ORM^O01", "action": "pass_over", "when": {"OBR-4-1": ["x"]}},
    ],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(client, rule):
    response = client.put(PATH, json={"rules": [rule]})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].startswith("/rules/0")


def test_rules_are_read_as_written_and_belong_to_one_organisation(client, other_client):
    assert client.put(PATH, json={"rules": RULES}).status_code == 200
    rules = client.get(PATH).json()["rules"]
    assert [rule["message"] for rule in rules] == [rule["message"] for rule in RULES]
    assert other_client.get(PATH).json() == {"rules": []}


def test_stored_rules_that_would_be_refused_today_are_read_applied_and_replaced(
    client, store, clinic, receive
):
    mapping = MAPPING | {
        "answered_on": {"column": "OBR-7", "format": "%Q"},
        "delimiter": "\u00a7",
        "constants": {"phq4_down": 10**10},
    }
    results = {"message": "ORU^R01", "action": "store_answers", "answers": mapping}
    assert client.put(PATH, json={"rules": [results]}).status_code == 422
    stored_rules = json.dumps({"rules": [RULES[2], results]})

    def store_rules(work):
        message_rules.replace_message_rules(work, stored_rules)
        work.audit("administer", "message_rules")

    do(store, clinic, store_rules)
    appointment = write("SIU^S12", "m-1", "SCH|77", PID)
    assert receive(appointment)[0] == "AA"
    read_rules = client.get(PATH)
    assert read_rules.status_code == 200
    assert read_rules.json()["rules"][1]["answers"]["answered_on"]["format"] == "%Q"
    tag = {"If-Match": read_rules.headers["ETag"]}
    assert client.put(PATH, json={"rules": RULES}, headers=tag).status_code == 200


def test_a_link_of_a_message_gets_a_new_address_until_it_is_opened(
    receive, list_links, store, clinic
):
    receive(write("SIU^S12", "1", "SCH|A-1", PID))
    (link,) = list_links()
    _, secret = do(store, clinic, links.replace_secret, link.id)
    assert open_links.find_open_link(store, secret).id == link.id
