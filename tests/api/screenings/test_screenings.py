"""Kept screenings over HTTP. Who may call, and other organisations: test_scopes, test_isolation."""

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pypdfium2
import pytest
from support import builders
from support.builders import request
from support.callers import audited, calling, last_act
from support.path_resources import create_resource

from scoring.catalogue import load_catalogue
from scoring.engine import assess

HERE = "/v1/screenings"
CANARY = "Canary-7f3a9e51"
BORN = {"reference": "MRN-0042", "birth_date": "1982-05-01"}
BORN_WRONGLY = ("/patient/birth_date", "day_range")


def keep(client, reference="MRN-0042", example="widespread_pain", **patient) -> dict:
    return create_resource(client, HERE, request(reference, example, **patient))


def list_ids(client, **filters) -> list[str]:
    response = client.get(HERE, params=filters)
    assert response.status_code == 200, response.text
    return [screening["id"] for screening in response.json()["screenings"]]


def refusal(response) -> tuple[int, list[tuple[str, str]]]:
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, [(e["pointer"], e["code"]) for e in body.get("errors", [])]


def conflict(response) -> str:
    assert (response.status_code, response.json()["type"]) == (409, "/problems/conflict")
    return response.json()["detail"]


def text(pdf: bytes) -> str:
    return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))


class TestKeeping:
    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"patient": None}, ("/patient", "not_an_object")),
            ({"patient": {}}, ("/patient/reference", "required")),
            ({"patient": {"reference": ""}}, ("/patient/reference", "too_short")),
            ({"patient": {"reference": 5}}, ("/patient/reference", "not_a_string")),
            ({"patient": {"reference": "a", "x": 1}}, ("/patient", "unknown_member")),
            ({"note": ""}, ("/note", "too_short")),
            ({"answers": {"fatigue": "yes"}}, ("/answers/fatigue", "not_a_boolean")),
            ({"answered_on": "9999-12-31"}, ("/answered_on", "day_range")),
            ({"answered_on": "1899-12-31"}, ("/answered_on", "day_range")),
            ({"patient": BORN | {"birth_date": "9999-12-31"}}, BORN_WRONGLY),
            ({"patient": BORN | {"birth_date": "1899-12-31"}}, BORN_WRONGLY),
            ({"answered_on": "1982-04-30", "patient": BORN}, BORN_WRONGLY),
        ],
    )
    def test_what_cannot_be_kept_is_refused_with_its_place(
        self, kept_service, kept_clinic, kept_client, change, fault
    ):
        response = kept_client.post(HERE, json=request() | change)
        assert refusal(response) == (422, [fault])
        assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "invalid_request")
        assert list_ids(kept_client) == []

    def test_a_day_may_be_as_late_as_it_is_anywhere_and_birth_on_it(self, kept_client):
        latest = datetime.now(timezone(timedelta(hours=14))).date()
        for born, answered_on in (("1900-01-01", "1900-01-01"), (latest, latest)):
            patient = BORN | {"birth_date": str(born)}
            create_resource(
                kept_client, HERE, request() | {"answered_on": str(answered_on), "patient": patient}
            )
        late = request() | {"answered_on": str(latest + timedelta(days=2))}
        assert kept_client.post(HERE, json=late).status_code == 422

    @pytest.mark.parametrize("query", ["?x=1", "?store=no", "?store=true&store=false", "?store="])
    def test_a_parameter_that_is_unknown_doubled_or_odd_is_refused(self, kept_client, query):
        response = kept_client.post(HERE + query, json=request())
        assert refusal(response)[0] == 422
        assert list_ids(kept_client) == []

    def test_the_answer_tells_what_was_kept_and_where(self, kept_client):
        body = request(name="Ada Example")
        response = kept_client.post(HERE, json=body)
        problem_body = response.json()
        assert (
            response.headers["location"]
            == problem_body["links"]["self"]
            == f"{HERE}/{problem_body['id']}"
        )
        assert (problem_body["state"], problem_body["replaces"]) == ("final", None)
        assert problem_body["patient"]["name"] == "Ada Example"
        expected = assess(
            load_catalogue().find_version("nociplastic@1.0.0"), body["answers"], attested=True
        )
        assert problem_body["assessment"] == expected.model_dump(mode="json", by_alias=True)

    def test_it_is_read_as_it_was_kept_with_what_was_sent(
        self, kept_clinic, kept_client, kept_service
    ):
        body = request() | {"note": "came with her son"}
        screening = create_resource(kept_client, HERE, body)
        detail = kept_client.get(screening["links"]["self"]).json()
        assert {name: detail[name] for name in screening} == screening
        assert detail["answers"] == body["answers"]
        assert detail["context"]["note"] == "came with her son"
        assert detail["origin"]["actor"] == kept_clinic.client
        acts = [(row.action, row.target) for row in audited(kept_service, kept_clinic)[-2:]]
        assert acts == [("create", screening["id"]), ("read", screening["id"])]

    def test_what_is_kept_and_audited_is_counted_without_a_name(self, kept_client):
        def read_counters() -> dict[str, float]:
            lines = kept_client.get("/metrics").text.splitlines()
            return {
                name: float(value)
                for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")
            }

        before = read_counters()
        keep(kept_client, CANARY)
        after = read_counters()
        screening = 'nociscreen_screenings_stored_total{status="scored"}'
        assert after[screening] - before.get(screening, 0) == 1
        assert after["nociscreen_audit_rows_total"] - before["nociscreen_audit_rows_total"] == 1
        body = kept_client.get("/metrics").text
        assert CANARY not in body
        assert "MRN" not in body


class TestKeepingNothing:
    def test_store_false_answers_the_same_assessment_and_no_id(self, kept_client):
        screening = keep(kept_client)
        response = kept_client.post(f"{HERE}?store=false", json=request())
        body = response.json()
        assert response.status_code == 200
        assert "location" not in response.headers
        assert (body["id"], body["created_at"], body["state"], body["links"]) == (
            None, None, "not_stored", {},
        )  # fmt: skip
        assert body["assessment"] == screening["assessment"]
        assert list_ids(kept_client) == [screening["id"]]

    def test_neither_database_nor_folder_holds_a_word_of_it(
        self, kept_service, kept_settings, kept_client
    ):
        body = builders.request(CANARY, name=CANARY) | {"note": f"note {CANARY}"}
        for path in (f"{HERE}?store=false", "/v1/score", "/v1/score/report", "/v1/score/note"):
            headers = {"Idempotency-Key": CANARY} if path.startswith(HERE) else {}
            assert kept_client.post(path, json=body, headers=headers).status_code == 200
        assert [row for row in every_row(kept_service) if CANARY.encode() in row] == []
        folder = kept_settings.database_file.parent
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert files
        assert [file.name for file in files if CANARY.encode() in file.read_bytes()] == []

    def test_the_search_for_words_finds_one_that_is_there(self, kept_service):
        builders.clinic(kept_service.services.store, CANARY)
        assert any(CANARY.encode() in row for row in every_row(kept_service))


def every_row(service) -> list[bytes]:
    """Every row of every table, opened with the key of the database, as bytes."""
    with builders.tampering_connection(service.services.store) as connection:
        if connection.dialect.name == "postgresql":
            names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        else:
            names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        tables = connection.exec_driver_sql(names).scalars().all()
        assert {"screening", "audit", "answered"} <= set(tables)
        return [
            b"|".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
            for table in tables
            for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"')  # noqa: S608
        ]


class TestReading:
    def test_what_has_not_changed_is_not_sent_again(self, kept_client):
        here = keep(kept_client, example="red_flag")["links"]["self"]
        tag = kept_client.get(here).headers["etag"]
        for if_none_match in (tag, f'"other", {tag}'):
            again = kept_client.get(here, headers={"If-None-Match": if_none_match})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert kept_client.get(here, headers={"If-None-Match": '"other"'}).status_code == 200
        create_resource(
            kept_client, f"{here}/acknowledgements", {"practitioner": "Dr G", "done": "sent"}
        )
        changed = kept_client.get(here, headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != tag

    @pytest.mark.parametrize("if_none_match", ["*", "W/{tag}"])
    def test_a_tag_is_compared_weakly_and_a_star_is_any(self, kept_client, if_none_match):
        here = keep(kept_client)["links"]["self"]
        tag = kept_client.get(here).headers["etag"]
        again = kept_client.get(here, headers={"If-None-Match": if_none_match.format(tag=tag)})
        assert again.status_code == 304

    @pytest.mark.parametrize("name", ["..%2f", "a" * 36, "6F6F6F6F-0000-4000-8000-000000000001"])
    def test_what_has_not_the_form_of_an_id_is_422_or_404(self, kept_client, name):
        assert kept_client.get(f"{HERE}/{name}").status_code in (404, 422)

    def test_an_unknown_parameter_is_refused(self, kept_client):
        here = keep(kept_client)["links"]["self"]
        assert refusal(kept_client.get(f"{here}?patient=1"))[0] == 422


class TestListing:
    @pytest.mark.parametrize(
        ("filters", "fault"),
        [
            ({"limit": 0}, "/limit"),
            ({"limit": 101}, "/limit"),
            ({"limit": "ten"}, "/limit"),
            ({"limit": "+5"}, "/limit"),
            ({"created_from": "2026-11-20"}, "/created_from"),
            ({"created_before": "yesterday"}, "/created_before"),
            ({"created_before": "0001-01-01T00:00:00+14:00"}, "/created_before"),
            ({"created_from": "9999-12-31T23:59:59-14:00"}, "/created_from"),
            ({"patient": ""}, "/patient"),
            ({"patient": "x" * 201}, "/patient"),
            ({"tier": "t0"}, "/tier"),
            ({"tier": "T9"}, "/tier"),
            ({"tier": "t" * 61}, "/tier"),
            ({"status": "finall"}, "/status"),
            ({"band": "no_such_band"}, "/band"),
            ({"rulebook": "phq"}, "/rulebook"),
            ({"rulebook": "%"}, "/rulebook"),
            ({"cursor": "made-up"}, "/cursor"),
            ({"cursor": "a.b"}, "/cursor"),
        ],
    )
    def test_a_filter_of_the_wrong_shape_is_refused(self, kept_client, filters, fault):
        for response in (
            kept_client.get(HERE, params=filters),
            kept_client.post(f"{HERE}/search", json=filters),
        ):
            status, [(pointer, _)] = refusal(response)
            assert (status, pointer) == (422, fault)

    def test_an_unknown_word_is_answered_with_the_known_words(self, kept_client):
        response = kept_client.get(HERE, params={"tier": CANARY})
        assert [error["detail"] for error in response.json()["errors"]] == [
            "must be one of T0, T1, T2, T3, none"
        ]
        assert CANARY not in response.text

    def test_an_unknown_parameter_is_refused_and_not_repeated(self, kept_client):
        response = kept_client.get(HERE, params={CANARY: "1"})
        assert refusal(response) == (422, [("", "unknown_parameter")])
        assert CANARY not in response.text
        assert refusal(kept_client.post(f"{HERE}/search", json={"x": 1}))[0] == 422

    def test_a_doubled_parameter_is_refused(self, kept_client):
        response = kept_client.get(f"{HERE}?limit=1&limit=2")
        assert refusal(response) == (422, [("/limit", "duplicate_name")])

    def test_every_filter_narrows(self, kept_client):
        strong = keep(kept_client, "A", system="urn:oid:1")["id"]
        flagged = keep(kept_client, "B", "red_flag", system="urn:oid:2")["id"]
        phq4 = keep(kept_client, "A", "phq4")["id"]
        other = kept_client.get(f"{HERE}/{strong}").json()
        band = other["assessment"]["totals"]["predominance"]["band"]
        expected = {
            ("patient", "A"): [phq4, strong],
            ("patient", "a"): [],
            ("patient_system", "urn:oid:2"): [flagged],
            ("rulebook", "phq4"): [phq4],
            ("rulebook", "phq4@1.0.0"): [phq4],
            ("rulebook", "nociplastic"): [flagged, strong],
            ("rulebook", "nociplastic@1.0.0"): [flagged, strong],
            ("status", "withheld_red_flag"): [flagged],
            ("tier", "T0"): [flagged],
            ("tier", "none"): [phq4],
            ("tier", "T3"): [],
            ("status", "out_of_scope"): [],
            ("band", band): [strong],
            ("created_from", other["created_at"]): [phq4, flagged, strong],
            ("created_before", other["created_at"]): [],
        }
        for (name, value), ids in expected.items():
            assert list_ids(kept_client, **{name: value}) == ids, name
            body = kept_client.post(f"{HERE}/search", json={name: value}).json()
            assert [screening["id"] for screening in body["screenings"]] == ids, name
        assert list_ids(kept_client, patient="A", rulebook="nociplastic") == [strong]

    def test_times_are_bounds_from_and_before(self, kept_client):
        first, second = keep(kept_client), keep(kept_client)
        at = second["created_at"]
        assert list_ids(kept_client, created_from=at) == [second["id"]]
        assert list_ids(kept_client, created_before=at) == [first["id"]]
        there = datetime.fromisoformat(at) + timedelta(hours=0)
        elsewhere = there.astimezone(tz=datetime.strptime("+0530", "%z").tzinfo).isoformat()
        assert list_ids(kept_client, created_from=elsewhere) == [second["id"]]
        assert list_ids(kept_client, created_from="0001-01-01T00:00:00Z") == [
            second["id"],
            first["id"],
        ]
        assert list_ids(kept_client, created_from="9999-12-31T23:59:59.999999Z") == []

    def test_a_line_tells_what_became_of_a_screening(self, kept_client):
        here = keep(kept_client, example="red_flag")["links"]["self"]
        create_resource(
            kept_client, f"{here}/acknowledgements", {"practitioner": "Dr G", "done": "sent"}
        )
        newest = create_resource(kept_client, f"{here}/amendments", request())
        create_resource(kept_client, f"{newest['links']['self']}/entered-in-error", {"reason": "x"})
        new, old = kept_client.get(HERE).json()["screenings"]
        assert (new["state"], new["replaces"]) == ("entered_in_error", here.rpartition("/")[2])
        assert (old["state"], old["acknowledged"], old["flags"]) == ("amended", True, 1)


class TestPaging:
    def pages(self, client, path) -> list[list[str]]:
        pages = []
        while path:
            response = client.get(path)
            pages.append([screening["id"] for screening in response.json()["screenings"]])
            path = response.json()["next"]
            assert response.headers.get("link") == (f'<{path}>; rel="next"' if path else None)
        return pages

    def test_every_screening_comes_once_newest_first(self, kept_client):
        ids = [keep(kept_client, "A", "phq4")["id"] for _ in range(5)]
        keep(kept_client, "B", "phq4")
        pages = self.pages(kept_client, f"{HERE}?patient=A&limit=2")
        assert [len(page) for page in pages] == [2, 2, 1]
        assert [item for page in pages for item in page] == ids[::-1]

    def test_what_is_kept_between_pages_moves_nothing(self, kept_client):
        ids = [keep(kept_client, "A", "phq4")["id"] for _ in range(4)]
        first = kept_client.get(f"{HERE}?limit=2").json()
        keep(kept_client, "A", "phq4")
        second = kept_client.get(first["next"]).json()
        shown_ids = [screening["id"] for screening in first["screenings"] + second["screenings"]]
        assert shown_ids == ids[::-1]
        assert second["next"] is None

    def test_an_erasure_between_pages_skips_no_other_screening(self, kept_client):
        oldest = keep(kept_client, "A", "phq4")["id"]
        keep(kept_client, "B", "phq4")
        keep(kept_client, "C", "phq4")
        first = kept_client.get(f"{HERE}?limit=2").json()
        kept_client.request("delete", "/v1/patients", json={"reference": "B"})
        assert [
            screening["id"] for screening in kept_client.get(first["next"]).json()["screenings"]
        ] == [oldest]

    def cursor(self, client) -> str:
        for _ in range(2):
            keep(client, "A", "phq4")
        following = client.get(f"{HERE}?patient=A&limit=1").json()["next"]
        return parse_qs(urlsplit(following).query)["cursor"][0]

    def test_a_cursor_tells_nothing_and_carries_its_filters(self, kept_client):
        cursor = self.cursor(kept_client)
        keep(kept_client, "B", "phq4")
        body = kept_client.post(f"{HERE}/search", json={"cursor": cursor}).json()
        assert [screening["patient"]["reference"] for screening in body["screenings"]] == ["A"]

    def test_a_cursor_stands_alone(self, kept_client):
        cursor = self.cursor(kept_client)
        for more in ({"patient": "B"}, {"limit": 5}, {"patient": "A"}):
            response = kept_client.get(HERE, params={"cursor": cursor} | more)
            assert refusal(response) == (422, [("/cursor", "cursor")])

    def test_a_cursor_of_another_organisation_is_refused(self, kept_client, other_client):
        cursor = self.cursor(kept_client)
        response = other_client.get(HERE, params={"cursor": cursor})
        assert refusal(response) == (422, [("/cursor", "cursor")])

    def test_a_changed_cursor_is_refused(self, kept_client):
        cursor = self.cursor(kept_client)
        for place in range(0, len(cursor), 9):
            other = "A" if cursor[place] != "A" else "B"
            changed = cursor[:place] + other + cursor[place + 1 :]
            response = kept_client.get(HERE, params={"cursor": changed})
            assert refusal(response) == (422, [("/cursor", "cursor")])


class TestAmending:
    def test_a_correction_is_a_new_screening_and_both_say_so(self, kept_client):
        first = keep(kept_client, example="red_flag")
        here = first["links"]["self"]
        second = create_resource(kept_client, f"{here}/amendments", request())
        old, new = (kept_client.get(value["links"]["self"]).json() for value in (first, second))
        assert (old["state"], old["replaced_by"]) == ("amended", second["id"])
        assert (new["state"], new["replaces"]) == ("final", first["id"])
        assert old["assessment"] == first["assessment"]
        assert old["links"]["replaced_by"] == new["links"]["self"]

    def test_a_chain_grows_at_its_end_alone(self, kept_client):
        here = keep(kept_client)["links"]["self"]
        for _ in range(3):
            there = create_resource(kept_client, f"{here}/amendments", request())["links"]["self"]
            again = kept_client.post(f"{here}/amendments", json=request())
            assert "already been amended" in conflict(again)
            here = there

    def test_the_patient_left_out_is_the_patient_there_was(self, kept_client):
        first = keep(kept_client, "A", system="urn:oid:1", name="Ada Example")
        body = request()
        del body["patient"]
        amended = create_resource(kept_client, f"{first['links']['self']}/amendments", body)
        assert amended["patient"] == first["patient"]

    @pytest.mark.parametrize("patient", [{"reference": "B"}, {"reference": "A", "system": "x"}])
    def test_another_patient_is_a_conflict(self, kept_client, patient):
        here = keep(kept_client, "A")["links"]["self"]
        response = kept_client.post(f"{here}/amendments", json=request() | {"patient": patient})
        assert "can't change the patient" in conflict(response)

    def test_what_was_entered_in_error_cannot_be_amended(self, kept_client):
        here = keep(kept_client)["links"]["self"]
        create_resource(kept_client, f"{here}/entered-in-error", {"reason": "x"})
        assert "entered in error" in conflict(
            kept_client.post(f"{here}/amendments", json=request())
        )


class TestEnteringInError:
    @pytest.mark.parametrize(
        "body", [{}, {"reason": ""}, {"reason": None}, {"reason": "x", "y": 1}]
    )
    def test_a_reason_is_needed(self, kept_client, body):
        here = keep(kept_client)["links"]["self"]
        assert refusal(kept_client.post(f"{here}/entered-in-error", json=body))[0] == 422

    def test_it_is_a_state_with_a_reason_and_happens_once(self, kept_client, kept_clinic):
        screening = keep(kept_client)
        here = screening["links"]["self"]
        error = create_resource(
            kept_client, f"{here}/entered-in-error", {"reason": "another patient"}
        )
        assert (error["by"], error["reason"]) == (kept_clinic.client, "another patient")
        detail = kept_client.get(here).json()
        assert (detail["state"], detail["entered_in_error"]) == ("entered_in_error", error)
        assert detail["assessment"] == screening["assessment"]
        again = kept_client.post(f"{here}/entered-in-error", json={"reason": "again"})
        assert "already" in conflict(again)

    def test_its_papers_say_so(self, kept_client):
        here = keep(kept_client)["links"]["self"]
        create_resource(kept_client, f"{here}/entered-in-error", {"reason": "another patient"})
        assert "entered in error" in kept_client.get(f"{here}/note").text.lower()
        assert "entered in error" in text(kept_client.get(f"{here}/report").content).lower()


class TestAcknowledging:
    def test_it_is_shown_and_changes_no_assessment(self, kept_client, kept_clinic):
        screening = keep(kept_client, example="red_flag")
        here = screening["links"]["self"]
        for number in range(2):
            acknowledgement = {
                "practitioner": f"Dr {number}",
                "done": "sent to the emergency department",
            }
            response_body = create_resource(
                kept_client, f"{here}/acknowledgements", acknowledgement
            )
            assert (response_body["by"], response_body["practitioner"]) == (
                kept_clinic.client,
                f"Dr {number}",
            )
        detail = kept_client.get(here).json()
        assert detail["assessment"] == screening["assessment"]
        assert detail["state"] == "final"
        assert [
            acknowledgement["practitioner"] for acknowledgement in detail["acknowledgements"]
        ] == ["Dr 0", "Dr 1"]

    def test_without_a_red_flag_there_is_nothing_to_acknowledge(self, kept_client):
        here = keep(kept_client, example="phq4")["links"]["self"]
        acknowledgement = {"practitioner": "Dr G", "done": "nothing"}
        response = kept_client.post(f"{here}/acknowledgements", json=acknowledgement)
        assert "no red flag" in conflict(response)


def is_named(disposition: str, kind: str, screening: dict) -> bool:
    """Return whether a header names the PDF of a screening by its day and short id."""
    day = r"\d{4}-\d\d-\d\d"
    name = rf'attachment; filename="nociscreen-{kind}-{day}-{screening["id"][:8]}\.pdf"'
    return re.fullmatch(name, disposition) is not None


class TestPapers:
    def test_the_patients_sheet_is_another_file_than_the_report(self, kept_client):
        screening = keep(kept_client, "A")
        for path in ("report", "report.pdf"):
            at = f"{screening['links']['self']}/{path}?document=patient"
            disposition = kept_client.get(at).headers["content-disposition"]
            assert is_named(disposition, "patient-sheet", screening)

    def test_a_report_is_kept_as_it_was_issued(self, kept_client, kept_service, kept_clinic):
        screening = keep(kept_client, "A")
        for path in ("report", "report.pdf"):
            response = kept_client.get(f"{screening['links']['self']}/{path}")
            assert response.headers["content-type"] == "application/pdf"
            assert is_named(response.headers["content-disposition"], "report", screening)
        assert last_act(kept_service, kept_clinic) == ("report", "ok", "screening", screening["id"])
        exported = kept_client.post("/v1/patients/export", json={"reference": "A"})
        assert exported.status_code == 200, exported.text
        assert {report["media_type"] for report in exported.json()["reports"]} == {
            "application/pdf"
        }

    @pytest.mark.parametrize("test", [True, False])
    def test_what_a_test_organisation_prints_says_so(self, kept_service, test):
        made_clinic = builders.clinic(kept_service.services.store, "Ward 3", test=test)
        client = calling(kept_service, made_clinic)
        here = keep(client)["links"]["self"]
        notes = [client.get(f"{here}/note"), client.post("/v1/score/note", json=request())]
        pdfs = [client.get(f"{here}/report"), client.post("/v1/score/report", json=request())]
        assert [("TEST" in note.text) for note in notes] == [test, test]
        assert ["TEST" in text(pdf.content) for pdf in pdfs] == [test, test]
        assert all("Ward 3" in text(pdf.content) for pdf in pdfs)
