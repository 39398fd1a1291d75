"""POST /v1/score: anonymous, wrong scope, refused input, behaviour."""

import json

import pytest
from support.callers import calling

from api.security.scopes import SCOPES
from scoring.catalogue import load_catalogue
from scoring.engine import assess

JSON = {"Content-Type": "application/json"}
MARK = "Zaphod-4711"
MINIMAL = {"rulebook": "phq4", "answers": {}}


def post(client, body: bytes | str, path: str = "/v1/score", **headers: str):
    return client.post(path, content=body, headers=JSON | headers)


def refusal(response) -> tuple[int, list[tuple[str, str]]]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, [(e["pointer"], e["code"]) for e in body.get("errors", [])]


class TestWhoMayCall:
    @pytest.mark.parametrize("path", ["/v1/score", "/v1/score/report", "/v1/score/note"])
    def test_without_a_token_the_answer_is_401_before_the_body_is_read(self, anonymous, path):
        response = post(anonymous, b"not json", path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["type"] == "/problems/missing_token"

    def test_a_token_without_the_scope_is_403(self, service, clinic):
        other_scopes = [scope for scope in SCOPES if scope != "score"]
        response = post(calling(service, clinic, other_scopes), b"not json")
        assert response.status_code == 403
        assert 'scope="score"' in response.headers["www-authenticate"]

    def test_two_authorization_headers_are_one_too_many(self, anonymous, token):
        headers = [("Authorization", f"Bearer {token}")] * 2
        assert anonymous.post("/v1/score", json=MINIMAL, headers=headers).status_code == 401


class TestRefusedInput:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "not_json"),
            (b"{", "not_json"),
            (b"{} {}", "not_json"),
            (b"\xef\xbb\xbf{}", "not_json"),
            (b'{"a": NaN}', "not_finite"),
            (b'{"a": -Infinity}', "not_finite"),
            (b'{"a": 1e999}', "number_too_long"),
            (b'{"a": 1e-99999999999999999999}', "number_too_long"),
            (b'{"a": 123456789012345678}', "number_too_long"),
            (b'{"a": 0.' + b"1" * 40 + b"}", "number_too_long"),
            (b'{"a": 1, "a": 1}', "duplicate_name"),
            (b'{"x": [{"a": 1, "a": 1}]}', "duplicate_name"),
            (b'{"a": "\\u0000"}', "control_character"),
            (b'{"a": "\\ud800"}', "forbidden_character"),
            (b'{"a": "\\uffff"}', "forbidden_character"),
            (b'{"\\u0000": 1}', "control_character"),
            (b"\xff\xfe{}", "not_utf8"),
            (b'{"a": "\xed\xa0\x80"}', "not_utf8"),
            (b"[" * 25 + b"]" * 25, "too_deep"),
            (b"[" * 100_000, "too_deep"),
            (b"[" + b"1," * 5000 + b"1]", "too_many_members"),
        ],
    )
    def test_json_that_cannot_be_read_in_one_way_is_400_by_name(self, client, body, code):
        status, [(_, fault_code)] = refusal(post(client, body))
        assert (status, fault_code) == (400, code)

    def test_nesting_of_24_is_read(self, client):
        status, _ = refusal(post(client, b"[" * 24 + b"]" * 24))
        assert status == 422

    def test_a_number_of_17_digits_is_read(self, client):
        body = b'{"rulebook": "phq4", "answers": {"phq4_down": 12345678901234567}}'
        assert refusal(post(client, body)) == (422, [("/answers/phq4_down", "too_large")])

    def test_a_body_over_256_kb_is_413_and_one_of_256_kb_is_read(self, client):
        assert post(client, b" " * (256 * 1024 + 1)).status_code == 413
        assert post(client, b" " * (256 * 1024)).status_code == 400

    def test_a_body_in_pieces_without_a_length_is_cut_at_256_kb(self, client):
        pieces = (b" " * 1024 for _ in range(300))
        assert client.post("/v1/score", content=pieces, headers=JSON).status_code == 413

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/json; charset=latin-1"},
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            {},
        ],
    )
    def test_what_is_not_plain_json_by_its_headers_is_415(self, client, headers):
        response = client.post("/v1/score", content=b"{}", headers=headers)
        assert response.status_code == 415

    def test_every_fault_is_named_at_once_with_its_place(self, client):
        answers = {
            "age_years": 44.5,
            "pain_duration_months": 1.234,
            "pregnant": "yes",
            "fatigue": 1,
            "pain_sites": ["neck", "neck"],
            "pain_extent": "everywhere",
            "phq4_down": True,
            "a/b~c": 1,
        }
        body = {"rulebook": "nociplastic", "answers": answers, "answered_on": "20.11.2026", "x": 1}
        status, errors = refusal(post(client, json.dumps(body)))
        assert status == 422
        assert sorted(errors) == sorted(
            [
                ("/answered_on", "wrong_value"),
                ("/answers/age_years", "not_a_whole_number"),
                ("/answers", "unknown_member"),
                ("/answers/fatigue", "not_a_boolean"),
                ("/answers/pain_duration_months", "wrong_value"),
                ("/answers/pain_extent", "not_an_option"),
                ("/answers/pain_sites", "wrong_value"),
                ("/answers/phq4_down", "not_a_whole_number"),
                ("/answers/pregnant", "not_a_boolean"),
                ("", "unknown_member"),
            ]
        )

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"answers": {}}, [("/rulebook", "required")]),
            ({"rulebook": MARK, "answers": {}}, [("/rulebook", "not_an_option")]),
            ({"rulebook": 7, "answers": {}}, [("/rulebook", "not_an_option")]),
            ({"rulebook": "phq4"}, [("/answers", "required")]),
            ({"rulebook": "phq4", "answers": []}, [("/answers", "not_an_object")]),
            ([], [("", "not_an_object")]),
            ("text", [("", "not_an_object")]),
            (None, [("", "not_an_object")]),
        ],
    )
    def test_an_incomplete_body_is_answered_with_its_missing_parts(self, client, body, expected):
        assert refusal(post(client, json.dumps(body))) == (422, expected)

    @pytest.mark.parametrize(
        ("body", "expected_fault"),
        [
            ('{"Jane_Example": 1, "rulebook": "phq4", "answers": {}}', ("", "unknown_member")),
            (
                '{"rulebook": "phq4", "answers": {"Jane_Example": 1}}',
                ("/answers", "unknown_member"),
            ),
            ('{"Jane_Example": {"a": 1, "a": 2}}', ("", "duplicate_name")),
            ('{"answers": {"Jane_Example": "\\u0000"}}', ("/answers", "control_character")),
            ('{"answers": {"pain_sites": [[{"a": 1, "a": 2}]]}}',
             ("/answers/pain_sites/0/0", "duplicate_name")),
        ],
    )  # fmt: skip
    def test_an_unknown_name_is_reported_by_its_parent(self, client, body, expected_fault):
        response = post(client, body)
        _, errors = refusal(response)
        assert expected_fault in errors
        assert "Jane" not in response.text

    def test_no_refusal_repeats_what_was_sent(self, client, intake):
        intake["patient"]["birth_date"] = MARK
        intake["answered_by"] = MARK
        intake["note"] = 5
        intake["rulebook"] = MARK
        for body in (intake, intake | {"rulebook": "phq4"}, intake | {"rulebook": "nociplastic"}):
            response = post(client, json.dumps(body))
            assert response.status_code == 422
            assert MARK not in response.text


class TestBehaviour:
    def test_the_answer_is_the_assessment(self, client, intake):
        response = post(client, json.dumps(intake))
        assert response.status_code == 200
        loaded = load_catalogue().find_version("nociplastic@1.0.0")
        expected = assess(loaded, intake["answers"], attested=True)
        assert response.content == expected.model_dump_json(by_alias=True).encode()

    def test_patient_clinician_and_note_are_not_echoed(self, client, intake):
        intake["patient"] = {"reference": MARK, "name": MARK, "encounter": MARK, "system": MARK}
        intake["clinician"] = {"reference": MARK}
        intake["note"] = MARK
        response = post(client, json.dumps(intake))
        assert response.status_code == 200
        assert MARK not in response.text
        assert MARK not in str(response.headers)

    def test_an_instrument_alone_means_its_newest_active_version(self, client):
        response = post(client, json.dumps(MINIMAL))
        assert response.json()["rulebook"] == "phq4@1.0.0"

    def test_a_second_instrument_is_scored_by_the_same_endpoint(self, client):
        answers = {"phq4_nervous": 3, "phq4_worrying": 2, "phq4_interest": 1, "phq4_down": 3}
        body = client.post("/v1/score", json={"rulebook": "phq4@1.0.0", "answers": answers}).json()
        assert body["status"] == "scored"
        assert body["totals"]["sum"]["points"] == 9
        assert body["totals"]["sum"]["band"] == "severe"
        assert [domain["points"] for domain in body["domains"]] == [5, 4]
        assert body["picture"] is None

    def test_null_and_absent_are_the_same(self, client, intake):
        intake["answers"].pop("fatigue")
        absent = post(client, json.dumps(intake)).content
        intake["answers"]["fatigue"] = None
        assert post(client, json.dumps(intake)).content == absent

    def test_without_a_clinician_clinicians_answers_are_said_to_be_unattested(self, client, intake):
        attested = client.post("/v1/score", json=intake).json()["limitations"]
        intake.pop("clinician")
        unattested = client.post("/v1/score", json=intake).json()["limitations"]
        (limitation,) = set(unattested) - set(attested)
        assert limitation.endswith("no clinician was named: they are not attested.")

    def test_numbers_are_json_numbers_without_trailing_zeros(self, client, intake):
        text = post(client, json.dumps(intake)).text
        assert '"points":1.5' in text
        assert ".0," not in text
        assert ".0}" not in text

    def test_a_report_is_a_pdf_with_a_file_name_without_patient_data(self, client, intake):
        response = post(client, json.dumps(intake), "/v1/score/report")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/pdf"
        assert response.headers["content-disposition"] == (
            'attachment; filename="nociscreen-report.pdf"'
        )
        assert response.content.startswith(b"%PDF-")

    def test_a_note_is_plain_text(self, client, intake):
        response = post(client, json.dumps(intake), "/v1/score/note")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert "not a diagnosis" in response.text.lower()


class TestEveryResponse:
    @pytest.mark.parametrize("path", ["/health/live", "/v1/rulebooks", "/nowhere", "/v1/score"])
    def test_it_carries_an_id_and_careful_headers(self, anonymous, path):
        headers = anonymous.get(path).headers
        assert len(headers["x-request-id"]) == 32
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert policy == "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"

    def test_a_wrong_method_is_405_with_allow(self, anonymous):
        response = anonymous.get("/v1/score")
        assert refusal(response) == (405, [])
        assert response.headers["allow"] == "POST"

    @pytest.mark.parametrize(
        ("path", "methods"),
        [
            ("/v1/screenings", "GET, HEAD, POST"),
            ("/v1/clients/c-1", "GET, HEAD, PATCH"),
            ("/v1/patients/holds", "POST"),
            ("/openapi.json", "GET, HEAD"),
        ],
    )
    def test_allow_names_every_method_of_the_path(self, anonymous, path, methods):
        response = anonymous.options(path)
        assert (response.status_code, response.headers["allow"]) == (405, methods)

    def test_what_is_not_there_is_404(self, anonymous):
        assert refusal(anonymous.get("/nowhere")) == (404, [])


def test_a_name_that_is_a_text_of_its_own_is_not_repeated(client):
    body = {"rulebook": "nociplastic", "answers": {"Ada Example 1982 " * 9: 1}}
    response = post(client, json.dumps(body))
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/answers"
    assert "Ada" not in response.text


def test_one_of_two_media_types_is_not_chosen(client):
    headers = [("content-type", "application/json"), ("content-type", "text/plain")]
    assert client.post("/v1/score", content=b"{}", headers=headers).status_code == 415
