"""Quotas: an organisation's own, stated in every answer, raised by the operator alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.builders import Clinic, do, request
from support.callers import bearing, calling, replace_service
from support.contract_document import EXPANDED

from api.auth import admission
from api.auth.admission import (
    Limit,
    MeteredRenderer,
    check_network,
    count_for_id,
    count_for_network,
    hold_upload,
)
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.store.accounts import clients, quotas
from api.store.accounts.callers import Caller

PATH = "/v1/organisation"


class SlowRenderer:
    """Says that each document took this many seconds."""

    seconds = 20.0
    workers = 1

    def render(self, _document, meter=None):
        meter(self.seconds)
        return b"%PDF"


@pytest.fixture
def service(kept_service, monkeypatch):
    """A service whose clock stands still, with small quotas."""
    small = {"organisation_requests_per_minute": 3, "organisation_render_seconds": 30}
    settings = kept_service.services.settings.model_copy(update=small | {"organisation_uploads": 2})
    replace_service(
        kept_service,
        monkeypatch,
        settings=settings,
        rate_limiter=RateLimiter(lambda: 0.0),
        renderer=SlowRenderer(),
    )
    return kept_service


def limits(response) -> tuple[str | None, str | None]:
    return response.headers.get("ratelimit-policy"), response.headers.get("ratelimit")


def outcome(response) -> tuple[int, str]:
    return response.status_code, response.json().get("type", "").rpartition("/")[2]


def own_caller(clinic) -> Caller:
    return Caller(clinic.client, clinic.organisation, "", False, frozenset(), None, "token")


class TestRequests:
    def test_every_answer_to_a_caller_tells_what_is_left(self, service, kept_clinic):
        caller = calling(service, kept_clinic, ["score"])
        answers = (
            caller.post("/v1/score", json=request() | {"patient": None}),
            caller.get(PATH),
            caller.post("/v1/score", content=b"[", headers={"Content-Type": "application/json"}),
        )
        policy = '"client";q=6000;w=60, "organisation";q=3;w=60'
        assert [answer.status_code for answer in answers] == [200, 403, 400]
        assert [limits(answer) for answer in answers] == [
            (policy, '"client";r=5999;t=1, "organisation";r=2;t=20'),
            (policy, '"client";r=5998;t=1, "organisation";r=1;t=40'),
            (policy, '"client";r=5997;t=1, "organisation";r=0;t=60'),
        ]

    def test_a_stranger_is_told_nothing(self, service):
        assert limits(bearing(service, "wrong").get(PATH)) == (None, None)
        assert limits(bearing(service).get("/health/live")) == (None, None)

    def test_all_clients_of_an_organisation_share_its_quota_and_no_other_has_less(
        self, service, kept_clinic, other_clinic
    ):
        second = do(
            service.services.store,
            kept_clinic,
            lambda work: clients.add_client(work, "second", ["admin"], 1_000_000).id,
        )
        own = Clinic(kept_clinic.organisation, second, "")
        callers = [calling(service, clinic) for clinic in (kept_clinic, own)]
        assert [callers[turn % 2].get(PATH).status_code for turn in range(3)] == [200] * 3
        for caller in callers:
            refusal_answer = caller.get(PATH)
            assert outcome(refusal_answer) == (429, "quota_exceeded")
            assert "all requests of its quota" in refusal_answer.json()["detail"]
            assert refusal_answer.headers["retry-after"] == "20"
            assert limits(refusal_answer)[1].endswith('"organisation";r=0;t=60')
        assert calling(service, other_clinic).get(PATH).status_code == 200

    def test_a_client_over_its_limit_is_told_which(self, service, kept_clinic, monkeypatch):
        settings = service.services.settings.model_copy(update={"client_requests_per_minute": 2})
        replace_service(service, monkeypatch, settings=settings)
        caller = calling(service, kept_clinic)
        answers = [caller.get(PATH) for _ in range(3)]
        assert [outcome(answer) for answer in answers] == [(200, ""), (200, ""), (429, "too_many")]
        problem = answers[2].json()
        assert problem["limit"] == 2
        assert "limit of 2 requests" in problem["detail"]

    def test_the_operator_sets_another_quota_and_takes_it_back(self, service, kept_clinic):
        caller = calling(service, kept_clinic)
        for quota, policy_part in ((5, "q=5"), (1_000_000, "q=1000000"), (None, "q=3")):
            changes = {"requests_per_minute": quota}
            do(service.services.store, kept_clinic, quotas.update_quotas, changes)
            assert policy_part in limits(caller.get(PATH))[0].split("organisation")[1]

    @pytest.mark.parametrize("name", quotas.Quotas._fields)
    def test_a_caller_cannot_change_a_quota(self, service, kept_clinic, name):
        answer = calling(service, kept_clinic).patch(PATH, json={name: 1_000_000})
        assert outcome(answer) == (422, "invalid_request")
        own = do(service.services.store, kept_clinic, quotas.update_quotas, {})
        assert own == quotas.Quotas()


class TestRendering:
    def test_seconds_are_counted_for_the_organisation_that_used_them(
        self, service, kept_clinic, other_clinic
    ):
        own, other = (
            MeteredRenderer(service.services, own_caller(clinic))
            for clinic in (kept_clinic, other_clinic)
        )
        assert [own.render(None), own.render(None)] == [b"%PDF"] * 2
        with pytest.raises(Problem) as refusal:
            own.render(None)
        assert refusal.value.code == "quota_exceeded"
        assert "seconds for rendering" in refusal.value.detail
        # 40 of 30 seconds are used: one is free again after 11 seconds of quota, at 2 s a second
        assert refusal.value.headers == {"Retry-After": "22"}
        assert other.render(None) == b"%PDF"

    def test_the_document_is_rendered_and_its_seconds_are_reported(self, service, kept_clinic):
        rendered_documents, reported_seconds = [], []

        class Renderer(SlowRenderer):
            def render(self, document, meter=None):
                rendered_documents.append(document)
                return super().render(document, meter)

        services = replace(service.services, renderer=Renderer())
        own = MeteredRenderer(services, own_caller(kept_clinic))
        own.render("a document", reported_seconds.append)
        assert (own.workers, rendered_documents) == (1, ["a document"])
        assert reported_seconds == [20.0]

    def test_a_report_over_the_quota_is_refused_and_other_requests_are_not(
        self, service, kept_clinic
    ):
        service.services.rate_limiter.charge(f"render {kept_clinic.organisation}", 30, 30)
        do(service.services.store, kept_clinic, quotas.update_quotas, {"requests_per_minute": 99})
        caller, body = calling(service, kept_clinic), request()
        del body["patient"]
        report = caller.post("/v1/score/report", json=body, headers={"Accept": "application/pdf"})
        assert outcome(report) == (429, "quota_exceeded")
        assert caller.post("/v1/score", json=body).status_code == 200


class TestNetworks:
    """A limit of two a minute, of requests that come from these addresses."""

    LIMIT = Limit("sign", 2)

    @pytest.fixture
    def request_from(self, service):
        def build(host: str) -> SimpleNamespace:
            return SimpleNamespace(app=service, client=SimpleNamespace(host=host))

        return build

    def test_a_network_is_refused_after_its_limit_and_no_other_is(self, request_from):
        for host in ("2001:db8::1", "2001:db8::2"):
            check_network(request_from(host), self.LIMIT)
            count_for_network(request_from(host), self.LIMIT)
        for refuse in (check_network, count_for_network):
            with pytest.raises(Problem) as refusal:
                refuse(request_from("2001:db8::3"), self.LIMIT)
            assert refusal.value.code == "too_many"
            refuse(request_from("2001:db8:0:1::1"), self.LIMIT)

    def test_a_check_of_a_network_counts_nothing(self, request_from):
        for _ in range(5):
            check_network(request_from("192.0.2.1"), self.LIMIT)
        for _ in range(2):
            count_for_network(request_from("192.0.2.1"), self.LIMIT)

    def test_a_name_is_counted_apart_from_its_network_and_from_other_names(self, request_from):
        request = request_from("192.0.2.1")
        for name in ("a", "a", "b", "b", None, None):
            count_for_network(request, self.LIMIT, name)
        for name in ("a", "b", None):
            with pytest.raises(Problem):
                count_for_network(request, self.LIMIT, name)
        count_for_network(request_from("192.0.2.2"), self.LIMIT, "a")

    def test_an_id_is_counted_whatever_the_network(self, request_from):
        for host in ("192.0.2.1", "192.0.2.2"):
            count_for_id(request_from(host), self.LIMIT, "link")
        with pytest.raises(Problem) as refusal:
            count_for_id(request_from("192.0.2.3"), self.LIMIT, "link")
        assert refusal.value.code == "too_many"
        count_for_id(request_from("192.0.2.3"), self.LIMIT, "other link")

    def test_one_purpose_takes_nothing_from_another(self, request_from):
        request = request_from("192.0.2.1")
        for limit in (self.LIMIT, self.LIMIT, Limit("sign in", 2), Limit("sign in", 2)):
            count_for_network(request, limit)
        with pytest.raises(Problem):
            count_for_network(request, self.LIMIT)


class TestUploads:
    def test_places_are_held_by_organisation_and_given_back(
        self, service, kept_clinic, other_clinic
    ):
        own, other = (own_caller(clinic) for clinic in (kept_clinic, other_clinic))

        class Request:
            app = service

        with hold_upload(Request, own), hold_upload(Request, other):
            with hold_upload(Request, own), pytest.raises(Problem) as refusal:
                hold_upload(Request, own).__enter__()
            assert refusal.value.code == "quota_exceeded"
            with hold_upload(Request, own):
                pass
        assert not service.services.uploads


def test_every_limit_has_a_bucket_of_its_own():
    limits = [value for value in vars(admission).values() if isinstance(value, admission.Limit)]
    assert len(limits) == 10
    assert len({limit.purpose for limit in limits}) == len(limits)


def test_the_document_names_the_headers_where_a_caller_is_authenticated():
    operations = [op for methods in EXPANDED["paths"].values() for op in methods.values()]
    names = {"RateLimit", "RateLimit-Policy"}
    assert names <= EXPANDED["components"]["headers"].keys()
    for operation in operations:
        for status, response in operation["responses"].items():
            is_expected = bool(operation["security"]) and (status < "400" or status == "429")
            assert (names <= set(response.get("headers", ()))) == is_expected
