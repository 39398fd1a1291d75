"""Verification of reports: yes or no, alike for everyone, and nothing else."""

import hashlib

import pytest
from support.builders import request
from support.callers import audited, replace_service
from support.path_resources import create_resource

from api.auth.admission import UNKNOWN_REPORTS
from api.http.rate_limit import RateLimiter
from api.store.accounts.organisations import SYSTEM

HERE = "/v1/reports/verify"
NEVER = hashlib.sha256(b"never issued").hexdigest()


@pytest.fixture
def fresh(kept_service):
    """A limiter that has counted nothing: every test here calls from the same address."""
    kept_service.services.rate_limiter._full_at.clear()
    yield
    kept_service.services.rate_limiter._full_at.clear()


def issue_report(client, path: str = "report") -> str:
    screening = create_resource(client, "/v1/screenings", request())["links"]["self"]
    return hashlib.sha256(client.get(f"{screening}/{path}").content).hexdigest()


@pytest.mark.usefixtures("fresh")
class TestAnyone:
    @pytest.mark.parametrize("path", ["report", "report.txt", "report.xml", "note"])
    def test_learns_of_an_issued_paper_that_it_was(self, kept_client, kept_anonymous, path):
        sha256 = issue_report(kept_client, path)
        for spelled in (sha256, sha256.upper()):
            assert kept_anonymous.get(f"{HERE}/{spelled}").json() == {"issued": True}

    def test_learns_nothing_more(self, kept_client, kept_anonymous):
        sha256 = issue_report(kept_client, "report.txt")
        yes, no = (kept_anonymous.get(f"{HERE}/{value}") for value in (sha256, NEVER))
        assert (yes.status_code, yes.json()) == (200, {"issued": True})
        assert (no.status_code, no.json()) == (200, {"issued": False})
        assert yes.headers.keys() == no.headers.keys()
        assert yes.headers["cache-control"] == no.headers["cache-control"] == "no-store"

    def test_every_caller_gets_the_same_answer(self, kept_client, other_client, kept_anonymous):
        sha256 = issue_report(kept_client, "report.txt")
        answers = {
            value.get(f"{HERE}/{sha256}").content
            for value in (kept_client, other_client, kept_anonymous)
        }
        assert answers == {b'{"issued":true}'}

    def test_finds_no_report_that_was_erased_or_scored_without_keeping(
        self, kept_client, kept_anonymous
    ):
        sha256 = issue_report(kept_client, "report.txt")
        kept_client.request("delete", "/v1/patients", json={"reference": "MRN-0042"})
        assert kept_anonymous.get(f"{HERE}/{sha256}").json() == {"issued": False}
        scored = kept_client.post("/v1/score/report.txt", json=request()).content
        sha256 = hashlib.sha256(scored).hexdigest()
        assert kept_anonymous.get(f"{HERE}/{sha256}").json() == {"issued": False}

    @pytest.mark.parametrize(
        "text", ["x", NEVER[:-1], NEVER + "0", NEVER[:-1] + "g", "%00" * 64, "%25" * 64]
    )
    def test_is_refused_what_is_no_hash(self, kept_anonymous, text):
        response = kept_anonymous.get(f"{HERE}/{text}")
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "/sha256"
        assert NEVER[:40] not in response.text

    def test_may_guess_so_often_and_the_refusal_is_recorded(
        self, kept_service, kept_client, kept_anonymous, monkeypatch
    ):
        sha256 = issue_report(kept_client, "report.txt")
        replace_service(kept_service, monkeypatch, rate_limiter=RateLimiter(lambda: 0.0))
        statuses = [kept_anonymous.get(f"{HERE}/{NEVER}").status_code for _ in range(61)]
        late = kept_anonymous.get(f"{HERE}/{NEVER}")
        assert statuses == [200] * UNKNOWN_REPORTS.per_minute + [429]
        assert int(late.headers["retry-after"]) >= 1
        assert kept_anonymous.get(f"{HERE}/{sha256}").json() == {"issued": True}
        with kept_service.services.store.read_all_organisations() as session:
            from api.store.audit import chain

            rows = list(chain.read_entries(session, SYSTEM))
        assert ("refuse", "too_many") in {(row.action, row.outcome) for row in rows}


def test_no_note_can_be_guessed_for_each_names_its_screening(kept_client):
    screening = create_resource(
        kept_client, "/v1/screenings", request("MRN-0042", "too_little_known")
    )
    assert screening["id"] in kept_client.get(f"{screening['links']['self']}/note").text


@pytest.mark.usefixtures("fresh")
def test_it_leaves_no_row_with_the_organisation(kept_service, kept_clinic, kept_client):
    sha256 = issue_report(kept_client, "report.txt")
    before = len(audited(kept_service, kept_clinic))
    kept_client.get(f"{HERE}/{sha256}")
    assert len(audited(kept_service, kept_clinic)) == before
