"""POST /v1/score/report: which format, document and language; what is refused."""

import json

import pytest
from support.callers import calling

from api.documents.request import find_format_by_suffix, negotiate_report_format
from api.problems import Problem
from api.security.scopes import SCOPES

PATHS = ["/v1/score/report", "/v1/score/report.pdf", "/v1/score/report.txt"]
STARTS = {
    "pdf": b"%PDF-",
    "html": b"<!DOCTYPE html>",
    "rtf": b"{\\rtf1",
    "txt": b"Clinic\nNociplastic pain screen",
    "xml": b"<?xml",
}


def read_media_type(content: bytes) -> str:
    return next(form for form, start in STARTS.items() if content.startswith(start))


class TestWhoMayCall:
    @pytest.mark.parametrize("path", PATHS)
    def test_without_a_token_the_answer_is_401(self, anonymous, path):
        assert anonymous.post(path, content=b"not json").status_code == 401

    @pytest.mark.parametrize("path", PATHS)
    def test_a_token_without_the_scope_is_403(self, service, clinic, path):
        other_scopes = [scope for scope in SCOPES if scope != "score"]
        refusal = calling(service, clinic, other_scopes).post(path, content=b"not json")
        assert refusal.status_code == 403


class TestRefusedInput:
    def test_a_format_that_is_not_on_offer_is_406(self, client, intake):
        response = client.post(PATHS[0], json=intake, headers={"Accept": "image/png"})
        assert response.status_code == 406
        assert response.json()["type"] == "/problems/not_acceptable"

    @pytest.mark.parametrize("query", ["document=both", "locale=xx", "document="])
    def test_an_unknown_document_or_language_is_422(self, client, intake, query):
        assert client.post(f"{PATHS[0]}?{query}", json=intake).status_code == 422

    def test_an_unknown_ending_is_422(self, client, intake):
        assert client.post("/v1/score/report.docx", json=intake).status_code == 422


class TestBehaviour:
    @pytest.mark.parametrize("form", STARTS)
    def test_the_suffix_selects_the_format_regardless_of_accept(self, client, intake, form):
        headers = {"Accept": "image/png"}
        response = client.post(f"/v1/score/report.{form}", json=intake, headers=headers)
        assert response.status_code == 200
        assert read_media_type(response.content) == form
        name = f'attachment; filename="nociscreen-report.{form}"'
        assert response.headers["content-disposition"] == name

    def test_accept_chooses(self, client, intake):
        for accept, form in (("text/rtf", "rtf"), ("text/html, */*;q=0.1", "html")):
            response = client.post(PATHS[0], json=intake, headers={"Accept": accept})
            assert read_media_type(response.content) == form
            assert response.headers["vary"] == "Accept"

    def test_the_patients_sheet_is_given_by_name_only(self, client, intake):
        report = client.post("/v1/score/report.txt", json=intake).text
        sheet = client.post("/v1/score/report.txt?document=patient", json=intake).text
        assert "Your pain questionnaire" not in report
        assert "Your pain questionnaire" in sheet
        assert "points" not in sheet

    def test_the_patient_is_in_the_document_and_nowhere_else(self, client, intake):
        intake["patient"]["name"] = "Zaphod-4711"
        response = client.post("/v1/score/report.html", json=intake)
        assert "Zaphod-4711" in response.text
        assert "Zaphod-4711" not in str(response.headers)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "pdf"),
        ("", "pdf"),
        ("*/*", "pdf"),
        ("text/*", "html"),
        ("text/plain, text/html", "txt"),
        ("text/html;q=0.5, text/plain;q=0.9", "txt"),
        ("application/pdf;q=0, */*", "html"),
        ("TEXT/RTF", "rtf"),
        ("application/rtf; charset=utf-8", "rtf"),
        ("application/xml", "xml"),
        ("nonsense, text/plain", "txt"),
        ("*/*;q=0.1, application/hl7-cda+xml", "xml"),
    ],
)
def test_accept_is_read_as_http_says(accept, form):
    assert negotiate_report_format(accept) == form


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "nonsense", "text/html;q=0"])
def test_nothing_on_offer_is_406(accept):
    with pytest.raises(Problem) as refusal:
        negotiate_report_format(accept)
    assert refusal.value.definition.status == 406


def test_an_ending_names_its_format_or_nothing():
    assert find_format_by_suffix(".xml") == "xml"
    with pytest.raises(Problem):
        find_format_by_suffix(".exe")


def test_a_full_queue_is_429_and_says_when_to_come_back(service, client, intake):
    renderer = service.services.renderer
    for _ in range(10):
        renderer._places.acquire()
    try:
        response = client.post(PATHS[0], content=json.dumps(intake), headers=_JSON)
        assert response.status_code == 429
        assert response.headers["retry-after"] == "5"
        assert client.post("/v1/score/report.txt", json=intake).status_code == 200
    finally:
        for _ in range(10):
            renderer._places.release()


_JSON = {"Content-Type": "application/json"}
