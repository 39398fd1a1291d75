"""The organisation and its letterhead over HTTP: changed in part, and printed from then on."""

import base64
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from support.builders import request
from support.callers import last_act
from support.path_resources import create_resource

from reports.phrases import load_phrases

HERE = "/v1/organisation"
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" /></svg>'
)
PLAIN = {"address": [], "logo": None, "time_zone": "UTC", "locale": "en"}
LETTERS = {
    "address": ["12 Long Street", "1090 Wien"],
    "logo": base64.b64encode(SVG).decode(),
    "time_zone": "Europe/Vienna",
    "locale": "de",
}


def changed(client, **letterhead) -> dict:
    response = client.patch(HERE, json={"letterhead": letterhead})
    assert response.status_code == 200, response.text
    return response.json()["letterhead"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class TestRefusedInput:
    @pytest.mark.parametrize(
        ("letterhead", "pointer"),
        [
            ({"address": ["a"] * 6}, "/letterhead/address"),
            ({"address": [""]}, "/letterhead/address/0"),
            ({"address": ["a", "one\ntwo"]}, "/letterhead/address/1"),
            ({"address": ["one\u2028two"]}, "/letterhead/address/0"),
            ({"address": ["x" * 121]}, "/letterhead/address/0"),
            ({"address": "street"}, "/letterhead/address"),
            ({"logo": "no base64"}, "/letterhead/logo"),
            ({"logo": encoded("<svg/>")}, "/letterhead/logo"),
            ({"logo": encoded("x" * 7500)}, "/letterhead/logo"),
            ({"logo": encoded(SVG.decode().replace("rect", "image"))}, "/letterhead/logo"),
            ({"time_zone": "Mars/Olympus"}, "/letterhead/time_zone"),
            ({"time_zone": "../../etc/passwd"}, "/letterhead/time_zone"),
            ({"locale": "xx"}, "/letterhead/locale"),
            ({"name": "x"}, "/letterhead"),
            ({"footer": "this content is our own"}, "/letterhead"),
        ],
    )
    def test_names_the_place_and_changes_nothing(self, kept_client, letterhead, pointer):
        answer = kept_client.patch(HERE, json={"name": "Other", "letterhead": letterhead})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert kept_client.get(HERE).json()["name"] == "Clinic"
        assert kept_client.get(HERE).json()["letterhead"] == PLAIN


class TestBehaviour:
    def test_what_is_left_out_stays_and_null_takes_the_logo_away(self, kept_client):
        assert kept_client.get(HERE).json()["letterhead"] == PLAIN
        assert changed(kept_client, **LETTERS) == LETTERS
        assert changed(kept_client) == LETTERS
        assert changed(kept_client, locale=None, address=None, time_zone=None) == LETTERS
        assert changed(kept_client, address=[], logo=None) == LETTERS | {
            "address": [],
            "logo": None,
        }

    def test_it_is_audited_and_of_another_organisation_nothing_is_changed(
        self, kept_service, kept_clinic, kept_client, other_client
    ):
        changed(kept_client, **LETTERS)
        own = ("administer", "ok", "organisation", kept_clinic.organisation)
        assert last_act(kept_service, kept_clinic) == own
        assert other_client.get(HERE).json()["letterhead"] == PLAIN

    def test_every_report_bears_it_from_then_on(self, kept_client, other_client):
        screening = create_resource(kept_client, "/v1/screenings", request())["links"]["self"]
        changed(kept_client, **LETTERS | {"locale": "en"})
        kept_client.patch(HERE, json={"name": "Schmerzzentrum"})
        report_html = kept_client.get(f"{screening}/report.html").text
        scored = kept_client.post("/v1/score/report.html", json=request()).text
        for page in (report_html, scored):
            for part in ("Schmerzzentrum", *LETTERS["address"], LETTERS["logo"]):
                assert part in page
        other_html = other_client.post("/v1/score/report.html", json=request()).text
        assert "12 Long Street" not in other_html
        assert "Other clinic" in other_html

    def test_its_language_is_used_where_none_is_asked_for(self, kept_client):
        screening = create_resource(kept_client, "/v1/screenings", request())["links"]["self"]
        changed(kept_client, locale="de")
        for path in (f"{screening}/report.html", f"{screening}/report"):
            page_text = kept_client.get(path, headers={"Accept": "text/html"}).text
            assert '<html lang="de"' in page_text
        assert '<html lang="en"' in kept_client.get(f"{screening}/report.html?locale=en").text
        assert "Entscheidungshilfe" in kept_client.post("/v1/score/report.txt", json=request()).text
        assert "Regelwerk" not in kept_client.get(f"{screening}/note?locale=es").text

    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
    def test_moments_and_days_are_those_of_its_clock(self, kept_client, zone):
        """At any time it is another day than in Greenwich in one of these zones."""
        old = create_resource(kept_client, "/v1/screenings", request())
        create_resource(kept_client, f"/v1/screenings/{old['id']}/amendments", request())
        changed(kept_client, time_zone=zone)
        there = datetime.fromisoformat(old["created_at"]).astimezone(ZoneInfo(zone))
        for language in ("en", "de", "es"):
            address = f"/v1/screenings/{old['id']}/report.txt?locale={language}"
            page_text = " ".join(kept_client.get(address).text.split())
            assert load_phrases(language).format_datetime(there) in page_text
        amended = kept_client.get(f"/v1/screenings/{_replacing(kept_client, old)}/report.txt").text
        day = load_phrases().format_date(there.date())
        assert f"replaces screening {old['id']} of {day}" in " ".join(amended.split())


def _replacing(client, old: dict) -> str:
    return client.get(f"/v1/screenings/{old['id']}").json()["replaced_by"]


def test_every_sheet_bears_its_numbers_for_help(kept_client):
    numbers = [{"label": "Out of hours", "number": "116 117", "crisis": False}]
    settings = kept_client.get("/v1/organisation/forms").json() | {"emergency_numbers": numbers}
    assert kept_client.put("/v1/organisation/forms", json=settings).status_code == 200
    body = request("MRN-0042", "red_flag")
    report_html = kept_client.post("/v1/screenings", json=body).json()
    page_text = {
        kept_client.post("/v1/score/report.txt?document=patient", json=body).text,
        kept_client.get(f"/v1/screenings/{report_html['id']}/report.txt?document=patient").text,
    }
    assert all("Out of hours: 116 117" in text_part for text_part in page_text)
