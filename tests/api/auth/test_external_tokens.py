"""Tokens of a hospital's own issuer: taken where all is as entered, and refused alike otherwise."""

import base64
import json
import time
from uuid import uuid4

import pytest
import time_machine
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT
from support.builders import add, do, fhir_response
from support.callers import audited, bearing
from support.interop.hospital_issuers import Hospital, Signer, allow_host, running_jwks_server

from api.auth.external_tokens import MAX_ACCESS_TOKEN_SECONDS, ExternalTokenVerifier
from api.auth.jwks_cache import REFETCH_SECONDS, JwksCache
from api.outbound.bulkhead import Bulkhead
from api.problems import Problem
from api.security.scopes import SCOPES
from api.store.accounts import issuers, organisations
from api.store.deliveries import allowed_hosts
from api.store.errors import ConflictError
from schemas.organisations.issuer import IssuerTerms

AUDIENCE = "https://nociscreen.example/fhir"
SCOPE = "system/QuestionnaireResponse.crs system/Observation.read nociscreen.score"
TERMS = {
    "scopes": ("score", "screenings:read", "screenings:write"),
    "mapping": {"nociscreen.score": ("score", "clients:admin")},
}


@pytest.fixture
def store(kept_service):
    return kept_service.services.store


@pytest.fixture
def audience() -> str:
    """No two organisations share one."""
    return f"{AUDIENCE}/{uuid4()}"


@pytest.fixture
def hospital(store, kept_clinic, audience):
    return Hospital(store, kept_clinic, "access", audience=audience, **TERMS)


def access(hospital: Hospital, signer: Signer | None = None, header=None, **claims) -> str:
    token_claims = hospital.build_claims(**{"scope": SCOPE} | claims)
    return (signer or hospital).sign_token(token_claims, **{"typ": "at+jwt"} | (header or {}))


def status(service, token: str, path: str = "/fhir/Observation") -> int:
    return bearing(service, token).get(path).status_code


class TestATokenOfATrustedIssuer:
    @pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "RS384", "RS512"])
    def test_opens_fhir_and_api_as_its_scopes_say(
        self, kept_service, store, kept_clinic, audience, algorithm
    ):
        hospital = Hospital(store, kept_clinic, "access", algorithm, audience, **TERMS)
        caller = bearing(kept_service, access(hospital))
        response = caller.post("/fhir/QuestionnaireResponse", json=fhir_response())
        assert response.status_code == 201, response.text
        assert caller.get("/fhir/Observation").status_code == 200
        assert caller.get("/fhir/RiskAssessment").status_code == 403
        assert caller.post("/v1/score", json={}).status_code == 422
        assert caller.get("/v1/screenings").status_code == 403
        assert caller.get("/v1/organisation").status_code == 403  # mapped, but beyond its terms
        actor = audited(kept_service, kept_clinic)[-1].actor
        assert actor.startswith(f"{hospital.issuer.id}.")
        assert "EHR" not in actor

    def test_reads_what_its_own_organisation_has_alone(
        self, kept_service, store, kept_clinic, other_clinic, hospital
    ):
        foreign_issuer = add(store, other_clinic)
        own_issuer = add(store, kept_clinic)
        caller = bearing(kept_service, access(hospital))
        assert caller.get(f"/fhir/QuestionnaireResponse/{own_issuer.id}").status_code == 200
        assert caller.get(f"/fhir/QuestionnaireResponse/{foreign_issuer.id}").status_code == 404

    @pytest.mark.parametrize(
        ("scope", "expected"),
        [(["system/Observation.rs", 7], 200), ("x  system/*.s", 200), ("screenings:read", 403),
         (None, 403), ({}, 403), ([], 403), ("", 403)],
        ids=str,
    )  # fmt: skip
    def test_opens_what_can_be_read_of_its_scopes(self, kept_service, hospital, scope, expected):
        assert status(kept_service, access(hospital, scope=scope)) == expected

    def test_its_audience_may_be_a_list_of_itself_alone(self, kept_service, hospital, audience):
        assert status(kept_service, access(hospital, aud=[audience])) == 200
        for aud in ([audience, "account"], [], ["account"], [audience, audience]):
            assert status(kept_service, access(hospital, aud=aud)) == 401

    def test_what_it_lost_is_lost_at_the_next_call(
        self, kept_service, store, kept_clinic, hospital
    ):
        token, issuer = access(hospital), hospital.issuer.id
        assert status(kept_service, token) == 200
        do(store, kept_clinic, issuers.update_issuer, issuer, active=False)
        assert status(kept_service, token) == 401
        do(store, kept_clinic, issuers.update_issuer, issuer, active=True)
        assert status(kept_service, token) == 200
        do(store, kept_clinic, organisations.update_organisation, {"active": False})
        assert status(kept_service, token) == 401
        do(store, kept_clinic, organisations.update_organisation, {"active": True})
        fewer = IssuerTerms(keys=[hospital.export_jwk()], scopes=("score",))
        do(store, kept_clinic, issuers.update_issuer, issuer, terms=fewer)
        assert status(kept_service, token) == 403
        do(store, kept_clinic, issuers.delete_issuer, issuer)
        assert status(kept_service, token) == 401

    def test_a_key_registered_by_value_is_replaced_without_a_gap(
        self, kept_service, store, kept_clinic, hospital
    ):
        later = Signer(kid="k2")
        both = IssuerTerms(keys=[hospital.export_jwk(), later.export_jwk()], **TERMS)
        do(store, kept_clinic, issuers.update_issuer, hospital.issuer.id, terms=both)
        assert status(kept_service, access(hospital)) == 200
        assert status(kept_service, access(hospital, later, {"kid": "k2"})) == 200
        alone = IssuerTerms(keys=[later.export_jwk()], **TERMS)
        do(store, kept_clinic, issuers.update_issuer, hospital.issuer.id, terms=alone)
        assert status(kept_service, access(hospital)) == 401

    def test_a_plain_type_is_taken_where_it_is_entered(
        self, kept_service, store, kept_clinic, audience
    ):
        plain = Hospital(store, kept_clinic, "access", audience=audience, token_type="JWT", **TERMS)
        assert status(kept_service, access(plain, header={"typ": "JWT"})) == 200
        assert status(kept_service, access(plain)) == 401


def test_no_two_trust_an_issuer_for_the_same_audience(store, other_clinic, hospital):
    terms = IssuerTerms(keys=[Signer().export_jwk()])
    with pytest.raises(ConflictError):
        do(
            store,
            other_clinic,
            issuers.add_issuer,
            "access",
            hospital.name,
            hospital.audience,
            terms,
        )


def test_terms_name_keys_and_scopes_that_there_are(store, kept_clinic):
    good = Signer().export_jwk()
    for terms in (
        {"keys": [good], "scopes": ("root",)},
        {"keys": [good], "mapping": {"x": ("root",)}},
        {"keys": [good | {"d": "x"}]},
    ):
        with pytest.raises(ValueError, match=r"must be one of|expected"):
            do(store, kept_clinic, issuers.add_issuer, "access", "https://a.example", "b",
               IssuerTerms(**terms))  # fmt: skip
    with pytest.raises(ValueError, match="keys or key_set_url"):
        IssuerTerms()
    assert IssuerTerms(keys=[good], key_set_url="https://a.example").keys == (good,)


NOW = int(time.time())


class TestEveryOtherTokenIsRefusedAlike:
    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://other.example"},
            {"iss": None},
            {"iss": 7},
            {"iss": ""},
            {"aud": None},
            {"aud": "nociscreen-api"},
            {"aud": {}},
            {"sub": None},
            {"sub": ""},
            {"sub": "with a space" * 20},
            {"iat": None},
            {"iat": NOW + 3600, "exp": NOW + 3700},
            {"exp": None},
            {"exp": NOW - 1},
            {"exp": NOW + MAX_ACCESS_TOKEN_SECONDS + 600},
            {"iat": NOW - 60, "exp": NOW + MAX_ACCESS_TOKEN_SECONDS},
            {"exp": f"{NOW + 60}"},
            {"exp": NOW + 60.5},
            {"nbf": NOW + 3600},
        ],
    )
    def test_by_its_claims(self, kept_service, hospital, claims):
        with time_machine.travel(NOW, tick=False):
            assert status(kept_service, access(hospital, **claims)) == 401

    @pytest.mark.parametrize(
        "header",
        [
            {"typ": "JWT"},
            {"typ": None},
            {"kid": None},
            {"kid": "k2"},
            {"jku": "https://attacker.example/jwks.json"},
            {"x5u": "https://attacker.example/cert.pem"},
            {"jwk": {"kty": "EC"}},
            {"zip": "DEF"},
            {"crit": ["b64"], "b64": True},
        ],
        ids=lambda header: next(iter(header)),
    )
    def test_by_its_header(self, kept_service, hospital, header):
        try:
            token = access(hospital, header=header)
        except Exception:  # noqa: BLE001 - what the library will not sign is made by hand
            head, rest = access(hospital).split(".", 1)
            claims = json.loads(_read(head)) | header
            token = f"{_spelled(json.dumps(claims).encode())}.{rest}"
        assert status(kept_service, token) == 401

    def test_by_its_signature(self, kept_service, hospital):
        head, claims, _ = access(hospital).split(".")
        none = _spelled(b'{"alg":"none","typ":"at+jwt","kid":"k1"}')
        for token in (
            access(hospital, Signer()),
            access(hospital, Signer("ES256")),
            access(hospital, Signer("RS256")),
            f"{head}.{claims}.",
            f"{head}.{claims}.AAAA",
            f"{none}.{claims}.",
            f"{none}.{claims}.AAAA",
        ):
            assert status(kept_service, token) == 401

    def test_by_a_secret_made_of_the_public_key(self, kept_service, hospital):
        public = hospital.key.export_to_pem()
        secret = JWK(kty="oct", k=_spelled(public))
        forged = JWT(header={"alg": "HS256", "kid": "k1", "typ": "at+jwt"},
                     claims=hospital.build_claims(scope=SCOPE))  # fmt: skip
        forged.make_signed_token(secret)
        assert status(kept_service, forged.serialize()) == 401

    def test_by_being_for_hooks(self, kept_service, store, kept_clinic):
        hooks = Hospital(store, kept_clinic, "hooks", scopes=("screenings:read",))
        assert status(kept_service, access(hooks, aud="nociscreen-api")) == 401
        assert status(kept_service, access(hooks, aud="")) == 401

    def test_in_one_way(self, kept_service, hospital):
        answers = [
            bearing(kept_service, token).get("/v1/screenings")
            for token in (access(hospital, exp=1), access(hospital, iss="x"), "a.b.c")
        ]
        problems = [answer.json() | {"request_id": None} for answer in answers]
        assert all(problem == problems[0] for problem in problems)
        assert {answer.headers["www-authenticate"] for answer in answers} == {
            'Bearer error="invalid_token"'
        }


class TestKeysByAddress:
    @pytest.fixture
    def jwks_server(self):
        with running_jwks_server() as claims:
            yield claims

    @pytest.fixture
    def remote(self, store, kept_clinic, audience, jwks_server):
        allow_host(store, kept_clinic, jwks_server.host_port)
        hospital = Hospital(
            store, kept_clinic, "access", audience=audience, key_set_url=jwks_server.url, **TERMS
        )
        jwks_server.keys = [hospital.export_jwk()]
        return hospital

    @pytest.fixture
    def clock(self):
        return [1000.0]

    @pytest.fixture
    def trust(self, store, clock):
        return ExternalTokenVerifier(store, JwksCache(store, 2, Bulkhead(), lambda: clock[0]))

    def test_are_fetched_once_and_serve_for_as_long_as_their_owner_says(
        self, trust, clock, remote, jwks_server
    ):
        for _ in range(3):
            trust.verify_access_token(access(remote))
        assert jwks_server.fetch_count == 1
        clock[0] += 299
        trust.verify_access_token(access(remote))
        assert jwks_server.fetch_count == 1
        clock[0] += 1
        trust.verify_access_token(access(remote))
        assert jwks_server.fetch_count == 2

    @pytest.mark.parametrize(
        ("claims", "seconds"),
        [("", 300), ("no-store", 1), ("max-age=20", 20), ("public, max-age=99999999", 3600),
         ("max-age=0", 1), ("private, no-cache", 1), ("x-max-age=9", 300)],
    )  # fmt: skip
    def test_are_held_no_longer_than_that(self, trust, clock, remote, jwks_server, claims, seconds):
        jwks_server.headers = {"Cache-Control": claims} if claims else {}
        for later, fetch_count in ((0, 1), (seconds - 0.5, 1), (0.5, 2)):
            clock[0] += later
            trust.verify_access_token(access(remote))
            assert jwks_server.fetch_count == fetch_count

    def test_a_new_key_serves_at_once_and_an_old_one_until_it_is_taken_away(
        self, trust, clock, remote, jwks_server
    ):
        trust.verify_access_token(access(remote))
        later = Signer(kid="k2")
        jwks_server.keys.append(later.export_jwk())
        clock[0] += REFETCH_SECONDS
        for token in (access(remote, later), access(remote)):
            trust.verify_access_token(token)
        jwks_server.keys.pop(0)
        clock[0] += 300
        trust.verify_access_token(access(remote, later))
        with pytest.raises(Problem, match="invalid_token"):
            trust.verify_access_token(access(remote))

    def test_made_up_names_fetch_no_more_than_every_ten_seconds(
        self, trust, clock, remote, jwks_server
    ):
        for number in range(20):
            with pytest.raises(Problem, match="invalid_token"):
                trust.verify_access_token(access(remote, header={"kid": f"made-up-{number}"}))
        assert jwks_server.fetch_count == 1
        clock[0] += REFETCH_SECONDS
        with pytest.raises(Problem, match="invalid_token"):
            trust.verify_access_token(access(remote, header={"kid": "made-up"}))
        assert jwks_server.fetch_count == 2

    def test_that_cannot_be_fetched_are_503_and_not_asked_for_all_the_time(
        self, kept_service, remote, jwks_server
    ):
        jwks_server.status = 500
        for _ in range(3):
            answer = bearing(kept_service, access(remote)).get("/fhir/Observation")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert jwks_server.fetch_count == 1

    def test_serve_for_an_hour_while_they_cannot_be_fetched_again(
        self, trust, clock, remote, jwks_server
    ):
        trust.verify_access_token(access(remote))
        jwks_server.status = 500
        for seconds in (300, 3299):
            clock[0] += seconds
            trust.verify_access_token(access(remote))
        assert jwks_server.fetch_count == 3
        clock[0] += REFETCH_SECONDS
        with pytest.raises(Problem, match="unavailable"):
            trust.verify_access_token(access(remote))

    def test_that_are_elsewhere_than_allowed_are_not_fetched(
        self, store, kept_clinic, trust, remote, jwks_server
    ):
        do(store, kept_clinic, allowed_hosts.delete_allowed_host, jwks_server.host_port)
        with pytest.raises(Problem, match="unavailable"):
            trust.verify_access_token(access(remote))
        assert jwks_server.fetch_count == 0

    def test_are_not_fetched_in_the_name_of_another(
        self, store, other_clinic, trust, jwks_server, audience
    ):
        foreign_issuer = Hospital(
            store, other_clinic, "access", audience=audience, key_set_url=jwks_server.url, **TERMS
        )
        with pytest.raises(Problem, match="unavailable"):
            trust.verify_access_token(access(foreign_issuer))
        assert jwks_server.fetch_count == 0

    def test_a_jku_names_that_very_address_or_nothing(self, trust, remote, jwks_server):
        trust.verify_access_token(access(remote, header={"jku": jwks_server.url}))
        for jku in (jwks_server.url + "?", "https://attacker.example/", "", 7):
            with pytest.raises(Problem, match="invalid_token"):
                trust.verify_access_token(access(remote, header={"jku": jku}))

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda key: [key, key],
            lambda key: [key | {"use": "enc"}],
            lambda key: [key | {"alg": "ES256"}],
            lambda key: [key | {"key_ops": ["encrypt"]}],
            lambda key: [key | {"d": "AAAA"}],
            lambda key: [key | {"kty": "oct"}],
            lambda key: [key | {"x": "AAAA"}],
            lambda _: ["no object", None],
            lambda _: [],
        ],
    )
    def test_one_fitting_key_has_the_name_or_none(self, trust, remote, jwks_server, spoil):
        jwks_server.keys = spoil(remote.export_jwk())
        with pytest.raises(Problem, match="invalid_token"):
            trust.verify_access_token(access(remote))

    def test_beside_it_there_may_be_keys_of_other_kinds(self, trust, remote, jwks_server):
        other_keys = [
            {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "k1"},
            {"kty": "oct"},
            None,
        ]
        jwks_server.keys = [*other_keys, remote.export_jwk()]
        assert trust.verify_access_token(access(remote)).fhir_scopes

    @pytest.mark.parametrize(
        "claims", [{"keys": {}}, {"keys": [{}] * 101}, [], "text"], ids=range(4)
    )
    def test_what_is_no_set_of_keys_is_503(self, trust, remote, jwks_server, claims):
        jwks_server.body = claims
        with pytest.raises(Problem, match="unavailable"):
            trust.verify_access_token(access(remote))


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_every_scope_of_this_service_can_be_given_to_an_issuer(store, kept_clinic, audience):
    hospital_with_all_scopes = Hospital(
        store, kept_clinic, "access", audience=audience, scopes=SCOPES, mapping={"all": SCOPES}
    )
    caller = ExternalTokenVerifier(store, JwksCache(store, 1, Bulkhead())).verify_access_token(
        access(hospital_with_all_scopes, scope="all")
    )
    assert caller.scopes == set(SCOPES)
