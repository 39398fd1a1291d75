"""The rule for texts: every entrance refuses what it forbids, and no stored text is lost to it."""

import json
import re
from itertools import product
from typing import NamedTuple
from urllib.parse import quote

import polars as pl
import pytest
from starlette.testclient import TestClient
from support import builders
from support.browser.form_patients import create_link
from support.browser.practitioners import (
    PASSWORD,
    PractitionerLogin,
    add_practitioner_login,
    open_signed_in_browser,
    read_csrf_token,
)
from support.builders import Clinic, do
from support.callers import audited, calling, replace_service
from support.commands import run_failing_command
from support.form_controls import name_control
from typer.testing import CliRunner

from api.batch_scoring.input_files import ReadOptions, add_file_options
from api.batch_scoring.mapping.mapping_file import load_mapping
from api.cli import main
from api.hl7v2.acknowledgement import parse_acknowledgement
from api.http.rate_limit import RateLimiter
from api.importing.import_reader import ImportReader
from api.inbound.messages import AdtContext, apply_message
from api.outbound.allowlist import HostPort
from api.security.scopes import SCOPES
from api.store.accounts import letterheads, organisations, practitioners
from api.store.deliveries import allowed_hosts
from api.store.forms import drafts
from api.store.operations import key_rotation
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.patients import data_subject_rights, merges
from api.store.patients.patient_lookup import PatientSelector
from schemas.text import accept_stored_text, is_readable
from scoring.catalogue import load_catalogue

FORBIDDEN = [
    *("\x00", "\x08", "\x0b", "\x0c", "\x1b", "\x1c", "\x7f", "\x85", "\x9f"),
    *("\u202a", "\u202e", "\u2066", "\u2069", "\ufdd0", "\uffff", "\U0001fffe", "\U0010ffff"),
]
ASIDE = {("create", "kept_form"), ("create", "session")}  # a refused form waits to be shown again
SURROGATE = "\ud800"
SAMPLE = ("\x0b", "\u202e", "\U0001fffe", SURROGATE)
ACCEPTED = "x\u200b\u200dy e\u0301 \ufeff\u200f"  # zero width, combining, a mark of direction
PRACTICE = "/desk/practice"
PRACTICE_FIELDS = {"name": "P", "own_name": "Dr A", "time_zone": "UTC", "language": "en",
                   "patient_languages": "en"}  # fmt: skip
PROGRAM = {"name": "EHR", "scopes": "score"}
PERSON = {"reference": "MRN-0042"}
PROFILE = {"profile": "generic-webhook", "address": "https://hook.example/in"}


class Entrances(NamedTuple):
    """The callers of one clinic, and a screening with a red flag."""

    clinic: Clinic
    client: TestClient
    desk: TestClient
    login: PractitionerLogin
    screening: str


@pytest.fixture
def own_clinic(service) -> Clinic:
    return builders.clinic(service.services.store)


@pytest.fixture(scope="module")
def callers(service) -> Entrances:
    store = service.services.store
    replace_service(service, rate_limiter=RateLimiter())
    clinic = builders.clinic(store)
    do(store, clinic, allowed_hosts.add_allowed_host, HostPort("hook.example", 443), private=False)
    login = add_practitioner_login(store, clinic, SCOPES)
    desk = open_signed_in_browser(service, login)
    return Entrances(clinic, calling(service, clinic), desk, login, "")


@pytest.fixture
def entrances(service, callers) -> Entrances:
    store = service.services.store
    screening = builders.add(store, callers.clinic, example="red_flag").id
    return callers._replace(screening=screening)


def post_json(path: str, body: dict, method: str = "POST"):
    """An entrance of the API: the body has the text where it says `TEXT`."""

    def send(entrances: Entrances, text: str):
        path_to = path.format(screening=entrances.screening)
        media_type = "application/fhir+json" if path.startswith("/fhir") else "application/json"
        content = json.dumps(body).replace("TEXT", json.dumps(text)[1:-1])
        return entrances.client.request(
            method, path_to, content=content, headers={"Content-Type": media_type}
        )

    return send


def post_form(path: str, page: str = "", **fields: str):
    """An entrance of the desk: the fields have the text where they say `TEXT`."""

    def send(entrances: Entrances, text: str):
        form_path, form_page = (
            part.format(screening=entrances.screening, practitioner=entrances.login.id)
            for part in (path, page or path)
        )
        token = read_csrf_token(entrances.desk.get(form_page).text)
        form_fields = {"token": token, "current_password": PASSWORD, **fields}
        pairs = [
            f"{name}={quote(value.replace('TEXT', text), errors='surrogatepass')}"
            for name, value in form_fields.items()
        ]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return entrances.desk.post(form_path, content="&".join(pairs), headers=headers)

    return send


OF = ("--organisation", "ORGANISATION")
PATIENT_DATA = f"{PRACTICE}/patient-data"
SCREENING = "/desk/screenings/{screening}"
INTAKE = builders.request()
ENTRANCES = {
    "screening, number": post_json("/v1/screenings", builders.request("TEXT")),
    "screening, system": post_json("/v1/screenings", builders.request("MRN-1", system="TEXT")),
    "screening, name": post_json("/v1/screenings", builders.request("MRN-1", name="TEXT")),
    "screening, note": post_json("/v1/screenings", INTAKE | {"note": "TEXT"}),
    "screening, clinician": post_json(
        "/v1/screenings", INTAKE | {"clinician": {"reference": "TEXT"}}
    ),
    "FHIR, number": post_json("/fhir/QuestionnaireResponse", builders.fhir_response("TEXT")),
    "acknowledgement": post_json(
        "/v1/screenings/{screening}/acknowledgements", {"practitioner": "dr", "done": "TEXT"}
    ),
    "entered in error": post_json(
        "/v1/screenings/{screening}/entered-in-error", {"reason": "TEXT"}
    ),
    "link": post_json("/v1/links", {"patient": {"reference": "TEXT"}, "rulebook": "phq4"}),
    "form settings": post_json("/v1/organisation/forms", {"privacy": {"en": "TEXT"}}, "PUT"),
    "organisation": post_json("/v1/organisation", {"name": "TEXT"}, "PATCH"),
    "address": post_json("/v1/organisation", {"letterhead": {"address": ["TEXT"]}}, "PATCH"),
    "client": post_json("/v1/clients", {"name": "TEXT", "scopes": ["score"]}),
    "practitioner": post_json(
        "/v1/practitioners", {"reference": "r", "name": "TEXT", "scopes": ["score"]}
    ),
    "destination": post_json("/v1/destinations", PROFILE | {"name": "TEXT"}),
    "hold": post_json("/v1/patients/holds", PERSON | {"reason": "TEXT"}),
    "desk, number": post_form("/desk/new?rulebook=phq4", reference="TEXT", idempotency_key="k"),
    "desk, note": post_form("/desk/new?rulebook=phq4", **PERSON, note="TEXT", idempotency_key="n"),
    "desk, action": post_form(f"{SCREENING}/acknowledgements", SCREENING, done="TEXT"),
    "desk, person reached": post_form(
        f"{SCREENING}/acknowledgements", SCREENING, done="sent on", reached="TEXT"
    ),
    "desk, error": post_form(f"{SCREENING}/entered-in-error", SCREENING, reason="TEXT"),
    "desk, link": post_form(
        "/desk/links/new", reference="TEXT", rulebook="phq4", kind="until_submitted", days="14"
    ),
    "desk, texts": post_form("/desk/forms", privacy_en="TEXT", ask_again_days="90",
                             reminder_days="3"),
    "desk, practice": post_form(PRACTICE, **PRACTICE_FIELDS | {"name": "TEXT"}),
    "desk, address": post_form(PRACTICE, **PRACTICE_FIELDS, address="TEXT"),
    "desk, emergency number": post_form(
        f"{PRACTICE}/numbers", label0="TEXT", number0="112", kind0="emergency"
    ),
    "desk, practitioner": post_form(
        f"{PRACTICE}/practitioners", name="TEXT", reference="r2", scopes="score"
    ),
    "desk, program": post_form(f"{PRACTICE}/programs", **PROGRAM | {"name": "TEXT"}),
    "desk, destination": post_form(f"{PRACTICE}/destinations", **PROFILE, name="TEXT"),
    "desk, hold": post_form(f"{PATIENT_DATA}/holds", PATIENT_DATA, **PERSON, reason="TEXT"),
    "desk, survivor": post_form(f"{PATIENT_DATA}/merge", PATIENT_DATA, **PERSON, survivor="TEXT"),
    "desk, search": post_form("/desk/find", "/desk", patient="TEXT"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRANCES)
def test_every_entrance_refuses_forbidden_characters(service, entrances, name):
    send = ENTRANCES[name]

    def list_acts() -> list[tuple[str, str]]:
        rows = audited(service, entrances.clinic)
        acts = [(row.action, row.kind) for row in rows if row.outcome == "ok"]
        return [act for act in acts if act not in ASIDE and act[0] not in {"read", "list"}]

    acts = list_acts()
    is_slow = name.startswith("desk") and name != "desk, note"
    for character in SAMPLE if is_slow else (*FORBIDDEN, SURROGATE):
        response = send(entrances, f"x{character}y")
        is_shown_again = "kept" in response.headers.get("location", "")
        assert response.status_code in {400, 422} or is_shown_again, (ascii(character), response)
    assert list_acts() == acts
    response = send(entrances, ACCEPTED)
    assert response.status_code < 400, response.text
    assert "kept" not in response.headers.get("location", "")
    assert len(list_acts()) > len(acts) or name == "desk, search"


HL7_MERGE = (
    "MSH|^~\\&|ADT1|HOSP1|NOCISCREEN||20261120100000||ADT^A40^ADT_A39|77|P|2.5.1"
    "|||||||UNICODE UTF-8\r"
    "EVN||20261120100000\rPID|1||TEXT^^^HOSP1^MR\rMRG|MRN-0042^^^HOSP1^MR\r"
)


def test_a_merge_refuses_every_forbidden_character(service, entrances):
    store = service.services.store
    context = AdtContext(store, entrances.clinic.actor, {"HOSP1": "urn:x"}, DeniedRequestLog(store))
    builders.add(store, entrances.clinic, system="urn:x")

    def merge_into(number: str) -> str:
        message = HL7_MERGE.replace("TEXT", number).encode()
        return parse_acknowledgement(apply_message(context, message)).code

    escaped = [f"\\X{ord(character):02X}\\" for character in FORBIDDEN if character < "\xff"]
    raw = [character for character in FORBIDDEN if character not in "\x0b\x1c"]  # ends of a frame
    assert {merge_into(f"x{character}y") for character in (*escaped, *raw)} == {"AR"}
    assert merge_into("x\u200by") == "AA"


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_every_row_of_a_batch_with_a_forbidden_character_is_a_problem(tmp_path, kind):
    source, out = tmp_path / f"in.{kind}", tmp_path / "out.ndjson"
    texts = [f"x{character}y" for character in FORBIDDEN if (kind, character) != ("csv", "\x00")]
    columns = ("row_id", "patient_reference")
    rows = [
        {"row_id": str(number), "age_years": "44" if kind == "csv" else 44} | {column: text}
        for number, (text, column) in enumerate(product([*texts, ACCEPTED], columns))
    ]
    frame = pl.DataFrame(rows, schema=["row_id", "patient_reference", "age_years"])
    match kind:
        case "csv":
            frame.write_csv(source, quote_style="always")
        case "parquet":
            frame.write_parquet(source)
        case _:
            source.write_text("\n".join(map(json.dumps, rows)))
    CliRunner().invoke(main, ["batch", str(source), "-o", str(out)])
    results = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    problems = [row["problems"] for row in results]
    assert all(problems[: 2 * len(texts)])
    assert problems[2 * len(texts) :] == [None, None]
    assert all(map(is_readable, out.read_text(encoding="utf-8").splitlines()))


def test_every_row_of_an_import_with_a_forbidden_character_is_a_problem(tmp_path):
    file, mapping = tmp_path / "rows.csv", tmp_path / "map.toml"
    mapping.write_text(
        'source = "t"\nrulebook = "phq4"\npatient = "id"\n'
        '[[question]]\nid = "phq4_nervous"\ncolumn = "nervous"\n'
    )
    texts = [f"x{character}y" for character in (*FORBIDDEN, "\u200b")]
    file.write_text("id,nervous\n" + "".join(f'"{text}",1\n' for text in texts), encoding="utf-8")
    import_mapping, loaded = load_mapping(mapping, load_catalogue())
    reader = ImportReader(str(file), loaded, add_file_options(ReadOptions(), import_mapping))
    columns = [[problem.column for problem in row.problems] for row in reader.read_rows()]
    assert columns == [[None], *[["id"]] * (len(FORBIDDEN) - 1), []]  # NUL spoils the whole row


@pytest.mark.parametrize(
    "words",
    [
        ("admin", "organisation", "add", "TEXT"),
        ("admin", "organisation", "change", "ORGANISATION", "--name", "TEXT"),
        ("admin", "organisation", "letterhead", "ORGANISATION", "--line", "TEXT"),
        ("admin", "practitioner", "add", "TEXT", "--reference", "r", *OF),
        ("admin", "client", "add", "TEXT", "--scope", "score", *OF),
        ("link", "new", "TEXT", *OF),
    ],
    ids=lambda words: " ".join(words[:3]),
)  # fmt: skip
def test_commands_refuse_forbidden_characters(service, entrances, words):
    for character in SAMPLE:
        words_to_say = {"TEXT": f"x{character}y", "ORGANISATION": entrances.clinic.organisation}
        error = run_failing_command(
            service.services.settings, *(words_to_say.get(word, word) for word in words)
        )
        assert all(map(is_readable, error.splitlines()))


def test_a_patient_form_keeps_no_forbidden_character(service, own_clinic):
    store, replaced = service.services.store, "\N{REPLACEMENT CHARACTER}"
    link, secret = create_link(store, own_clinic)
    caller, age = TestClient(service), name_control("age_years")
    hidden_field = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')

    def submit(path: str, **fields: str) -> None:
        page = caller.get(path).text
        caller.post(path, data=dict(hidden_field.findall(page)) | fields)

    submit(f"/intake/{secret}", agree="yes")
    submit(f"/intake/{secret}/1", **{age: "4\x0b4\u202e", "intent": "next"})
    draft = do(store, own_clinic, drafts.find_draft, link)
    assert draft.entered[age] == (f"4{replaced}4{replaced}",)


def test_what_was_stored_before_the_rule_is_listed_shown_exported_and_erased(service, own_clinic):
    store, word, number = service.services.store, "w\x0b\u202e\U0001fffe", "M\x0b42"
    login = add_practitioner_login(store, own_clinic, SCOPES)
    with accept_stored_text():
        screening, amended = builders.fill_patient_record(store, own_clinic, number, word)
        do(store, own_clinic, organisations.update_organisation, {"name": word})
        do(store, own_clinic, practitioners.update_practitioner, login.id,
           {"name": word, "email": f"{word}@x"})  # fmt: skip
        do(store, own_clinic, letterheads.update_letterhead, {"address": (word,)})
    client, desk = calling(service, own_clinic), open_signed_in_browser(service, login)
    for link in client.get("/v1/links").json()["links"]:
        do(store, own_clinic, drafts.delete_draft, link["id"])  # its answers fit no form
    for path in (
        "",
        "/report",
        "/report.html",
        "/report.txt",
        "/report.rtf",
        "/report.xml",
        "/note",
    ):
        response = client.get(f"/v1/screenings/{amended.id}{path}")
        assert response.status_code == 200, (path, response.text)
    lists = ("screenings", "organisation", "organisation/forms", "practitioners", "clients",
             "destinations", "deliveries", "links", f"screenings/{screening.id}")  # fmt: skip
    resources = (
        "QuestionnaireResponse",
        f"QuestionnaireResponse/{screening.id}",
        "DocumentReference",
    )
    for path in (*(f"/v1/{it}" for it in lists), *(f"/fhir/{it}" for it in resources)):
        response = client.get(path)
        assert response.status_code == 200, (path, response.text)
    pages = ("", "/links", "/due", f"/screenings/{amended.id}", f"/screenings/{amended.id}/patient",
             f"/screenings/{amended.id}/evidence", "/practice", "/practice/patient-data", "/forms",
             "/practice/practitioners")  # fmt: skip
    for path in pages:
        assert desk.get(f"/desk{path}").status_code == 200, path
    change = {"letterhead": {"time_zone": "Europe/Vienna"}}
    assert client.patch("/v1/organisation", json=change).status_code == 200
    numbers = ENTRANCES["desk, emergency number"]
    people = Entrances(own_clinic, client, desk, login, amended.id)
    assert "saved" in numbers(people, "Emergency").headers["location"]
    token = {"token": read_csrf_token(desk.get("/desk").text)}
    assert desk.post("/desk/export", data=token).text.count("\r\n") == 3
    key_rotation.rotate_data_key(store, own_clinic.actor)
    selector = PatientSelector(number, None)
    export = do(store, own_clinic, data_subject_rights.export_patient, selector)
    assert {it.id for it in export.screenings} == {screening.id, amended.id}
    survivor = PatientSelector("MRN-1", None)
    do(store, own_clinic, merges.merge_patients, selector, survivor)
    erasure = client.request("DELETE", "/v1/patients", json={"reference": "MRN-1"})
    assert (erasure.status_code, erasure.json()["screenings"]) == (200, 2)
