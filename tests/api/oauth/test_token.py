"""The token endpoint: an authenticated client gets a token; every failure looks the same."""

import base64
import json
import time
from urllib.parse import quote_plus
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from support.builders import do
from support.callers import audited, bearing, replace_service

from api.auth.admission import FAILED_TOKENS_OF_CLIENT
from api.auth.client_authentication import ASSERTION_TYPE
from api.http.rate_limit import RateLimiter
from api.security.scopes import SCOPES
from api.store.accounts import clients

PATH = "/v1/oauth/token"
AUDIENCE = "http://127.0.0.1:8000" + PATH
GRANT = {"grant_type": "client_credentials"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def secret(clinic, **more: str) -> dict[str, str]:
    return GRANT | {"client_id": clinic.client, "client_secret": clinic.secret} | more


def basic(client: str, client_secret: str) -> dict[str, str]:
    pair = f"{quote_plus(client)}:{quote_plus(client_secret)}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def check_refusal(response, status: int = 401, error: str = "invalid_client") -> dict:
    """An error as RFC 6749 has it, that is also one of our problems."""
    body = response.json()
    assert (response.status_code, body["error"]) == (status, error), body
    assert body["status"] == status
    assert body["error_description"] == body["detail"]
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
    assert "access_token" not in body
    return body


def spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def sign_assertion(private, algorithm: str, claims: dict) -> str:
    """A token as another library would make it."""
    head = {"alg": algorithm, "typ": "JWT", "kid": "k"}
    text = ".".join(spelled(json.dumps(value).encode()) for value in (head, claims))
    if algorithm == "RS384":
        signature = private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA384())
    else:
        pair = decode_dss_signature(private.sign(text.encode(), ec.ECDSA(hashes.SHA384())))
        signature = b"".join(item.to_bytes(48, "big") for item in pair)
    return f"{text}.{spelled(signature)}"


class Signer:
    """A client's own key, registered, and the assertions that it signs."""

    def __init__(self, service, clinic, algorithm: str) -> None:
        self.client, self.algorithm = clinic.client, algorithm
        self.private = (
            rsa.generate_private_key(65537, 2048)
            if algorithm == "RS384"
            else ec.generate_private_key(ec.SECP384R1())
        )
        store = service.services.store
        do(store, clinic, clients.add_client_key, clinic.client, self.jwk() | {"kid": "k"})

    def jwk(self) -> dict[str, str]:
        body = self.private.public_key().public_numbers()
        if self.algorithm == "ES384":
            x, y = (spelled(value.to_bytes(48, "big")) for value in (body.x, body.y))
            return {"kty": "EC", "crv": "P-384", "x": x, "y": y}
        return {"kty": "RSA", "n": spelled(body.n.to_bytes(256, "big")), "e": "AQAB"}

    def form(self, **claims) -> dict[str, str]:
        now = int(time.time())
        body = {
            "iss": self.client, "sub": self.client, "aud": AUDIENCE,
            "iat": now, "exp": now + 60, "jti": str(uuid4()),
        }  # fmt: skip
        assertion = sign_assertion(self.private, self.algorithm, body | claims)
        return GRANT | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


@pytest.fixture(params=["ES384", "RS384"])
def signer(request, kept_service, kept_clinic) -> Signer:
    return Signer(kept_service, kept_clinic, request.param)


class TestBySecret:
    def test_the_form_or_the_header_gives_a_token_that_opens(
        self, kept_service, kept_anonymous, kept_clinic
    ):
        header = basic(kept_clinic.client, kept_clinic.secret)
        answers = [
            kept_anonymous.post(PATH, data=secret(kept_clinic)),
            kept_anonymous.post(PATH, data=GRANT, headers=header),
        ]
        acts = [row.action for row in audited(kept_service, kept_clinic)]
        assert acts[-2:] == ["sign_in", "sign_in"]
        for response in answers:
            body = response.json()
            assert (response.status_code, body["token_type"]) == (200, "Bearer")
            assert body["scope"] == " ".join(SCOPES)
            assert body["expires_in"] == 300
            assert response.headers["cache-control"] == "no-store"
            caller = bearing(kept_service, body["access_token"])
            assert caller.get("/v1/organisation").status_code == 200

    def test_a_token_carries_what_was_asked_for_and_no_more(
        self, kept_service, kept_anonymous, kept_clinic
    ):
        form = secret(kept_clinic, scope="reports:read score score")
        body = kept_anonymous.post(PATH, data=form).json()
        assert body["scope"] == "score reports:read"
        caller = bearing(kept_service, body["access_token"])
        assert caller.get("/v1/organisation").status_code == 403

    def test_what_a_client_may_not_is_not_granted(self, kept_service, kept_anonymous, kept_clinic):
        do(kept_service.services.store, kept_clinic, clients.update_client, kept_clinic.client,
           {"scopes": ["score"]})  # fmt: skip
        some = kept_anonymous.post(PATH, data=secret(kept_clinic, scope="score admin"))
        assert some.json()["scope"] == "score"
        for scope in ("admin", "root", "score root"):
            response = kept_anonymous.post(PATH, data=secret(kept_clinic, scope=scope))
            check_refusal(response, 400, "invalid_scope")

    def test_every_wrong_proof_is_answered_alike(self, kept_anonymous, kept_clinic, other_clinic):
        forms = [
            secret(kept_clinic, client_secret="nss_wrong"),
            secret(kept_clinic, client_secret=other_clinic.secret),
            secret(kept_clinic, client_id=other_clinic.client),
            secret(kept_clinic, client_id="c-nobody"),
            secret(kept_clinic, client_id=""),
            GRANT | {"client_secret": kept_clinic.secret},
            GRANT | {"client_id": kept_clinic.client},
            GRANT,
        ]
        bodies = [check_refusal(kept_anonymous.post(PATH, data=form)) for form in forms]
        assert all(body == bodies[0] for body in bodies)

    def test_a_failure_is_recorded_in_the_chain_of_the_named_client(
        self, kept_service, kept_anonymous, kept_clinic
    ):
        kept_anonymous.post(PATH, data=secret(kept_clinic, client_secret="x"))
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.action, row.outcome, row.actor) == (
            "refuse",
            "invalid_client",
            kept_clinic.client,
        )

    def test_a_wrong_header_is_challenged(self, kept_anonymous, kept_clinic):
        for header in (
            basic(kept_clinic.client, "wrong"),
            {"Authorization": "Basic !!!"},
            {"Authorization": "Bearer x"},
        ):
            response = kept_anonymous.post(PATH, data=GRANT, headers=header)
            check_refusal(response)
            assert response.headers["www-authenticate"] == "Basic"

    def test_two_ways_at_once_are_none(self, kept_anonymous, kept_clinic):
        header = basic(kept_clinic.client, kept_clinic.secret)
        check_refusal(kept_anonymous.post(PATH, data=secret(kept_clinic), headers=header))

    def test_header_and_form_name_the_same_client(self, kept_anonymous, kept_clinic):
        header = basic(kept_clinic.client, kept_clinic.secret)
        same = GRANT | {"client_id": kept_clinic.client}
        assert kept_anonymous.post(PATH, data=same, headers=header).status_code == 200
        other = GRANT | {"client_id": "c-other"}
        check_refusal(kept_anonymous.post(PATH, data=other, headers=header))

    def test_a_client_or_secret_that_is_gone_proves_nothing(
        self, kept_service, kept_anonymous, kept_clinic
    ):
        store = kept_service.services.store
        for active, status in ((False, 401), (True, 200)):
            do(store, kept_clinic, clients.update_client, kept_clinic.client, {"active": active})
            assert kept_anonymous.post(PATH, data=secret(kept_clinic)).status_code == status
        (stored_secret,) = do(store, kept_clinic, clients.find_client, kept_clinic.client).secrets
        do(store, kept_clinic, clients.revoke_secret, kept_clinic.client, stored_secret.id)
        check_refusal(kept_anonymous.post(PATH, data=secret(kept_clinic)))


class TestByAssertion:
    def test_it_gives_a_token_once(self, kept_service, kept_anonymous, signer):
        form = signer.form()
        body = kept_anonymous.post(PATH, data=form).json()
        caller = bearing(kept_service, body["access_token"])
        assert caller.get("/v1/organisation").status_code == 200
        check_refusal(kept_anonymous.post(PATH, data=form))
        assert kept_anonymous.post(PATH, data=signer.form()).status_code == 200

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [({"aud": "elsewhere"}, "audience"), ({"exp": 1}, "expired"),
         ({"exp": int(time.time()) + 3600}, "lifetime"), ({"jti": ""}, "claims")],
    )  # fmt: skip
    def test_the_audit_names_the_reason_that_the_client_does_not_learn(
        self, kept_service, kept_clinic, kept_anonymous, signer, claims, reason
    ):
        answer = kept_anonymous.post(PATH, data=signer.form(**claims))
        check_refusal(answer)
        assert reason not in answer.text
        rows = audited(kept_service, kept_clinic)
        assert (rows[-1].action, rows[-1].outcome, rows[-1].kind) == (
            "refuse", "invalid_client", reason,
        )  # fmt: skip

    def test_the_issuers_name_is_an_audience_too(self, kept_anonymous, signer):
        form = signer.form(aud="nociscreen")
        assert kept_anonymous.post(PATH, data=form).status_code == 200

    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": "http://127.0.0.1:9000/v1/oauth/token"},
            {"aud": "nociscreen-api"},
            {"aud": [AUDIENCE, "other"]},
            {"iss": "c-other"},
            {"sub": "c-other"},
            {"exp": 1},
            {"exp": int(time.time()) + 3600},
            {"jti": ""},
        ],
    )
    def test_one_that_says_anything_else_is_refused(self, kept_anonymous, signer, claims):
        check_refusal(kept_anonymous.post(PATH, data=signer.form(**claims)))

    def test_its_type_is_named_and_its_client_if_any_is_its_own(self, kept_anonymous, signer):
        for change in ({"client_assertion_type": "x"}, {"client_id": "c-other"}):
            check_refusal(kept_anonymous.post(PATH, data=signer.form() | change))
        form = signer.form() | {"client_id": signer.client}
        assert kept_anonymous.post(PATH, data=form).status_code == 200

    def test_beside_a_secret_it_is_refused(self, kept_anonymous, signer, kept_clinic):
        check_refusal(kept_anonymous.post(PATH, data=signer.form() | secret(kept_clinic)))

    def test_a_key_taken_back_proves_nothing(
        self, kept_service, kept_anonymous, kept_clinic, signer
    ):
        do(
            kept_service.services.store,
            kept_clinic,
            clients.revoke_client_key,
            kept_clinic.client,
            "k",
        )
        check_refusal(kept_anonymous.post(PATH, data=signer.form()))

    def test_an_access_token_of_this_service_is_no_assertion(self, kept_anonymous, kept_clinic):
        token = kept_anonymous.post(PATH, data=secret(kept_clinic)).json()["access_token"]
        form = GRANT | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}
        check_refusal(kept_anonymous.post(PATH, data=form))


class TestTheForm:
    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ("", "invalid_request"),
            ("scope=score", "invalid_request"),
            ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
            ("grant_type=client_credentials&scope=a&scope=b", "invalid_request"),
            ("grant_type=password", "unsupported_grant_type"),
            ("grant_type=", "unsupported_grant_type"),
            ("grant_type", "invalid_request"),
            ("grant_type=client_credentials&a=%ff", "invalid_request"),
            ("grant_type=client_credentials&" + "&".join(f"a{n}=1" for n in range(20)),
             "invalid_request"),
        ],
        ids=range(9),
    )  # fmt: skip
    def test_that_is_not_as_oauth_asks_is_400(self, kept_anonymous, form, error):
        response = kept_anonymous.post(PATH, content=form, headers=FORM)
        assert "score" not in check_refusal(response, 400, error)["detail"]

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", "", None])
    def test_of_another_media_type_is_415(self, kept_anonymous, kind):
        headers = {} if kind is None else {"Content-Type": kind}
        response = kept_anonymous.post(PATH, content=json.dumps(GRANT), headers=headers)
        assert response.status_code == 415
        assert response.json()["type"] == "/problems/unsupported_media_type"

    def test_of_16_kb_is_read_and_a_byte_more_is_413(self, kept_anonymous):
        for more, status in ((0, 401), (1, 413)):
            start = "grant_type=client_credentials&a="
            form = start + "x" * (16 * 1024 - len(start) + more)
            assert kept_anonymous.post(PATH, content=form, headers=FORM).status_code == status

    def test_is_not_taken_from_the_address(self, kept_anonymous, kept_clinic):
        response = kept_anonymous.post(PATH, params=secret(kept_clinic), headers=FORM)
        check_refusal(response, 400, "invalid_request")


def test_too_many_failures_of_a_client_are_429_and_harm_nobody_who_is_right(
    kept_service, kept_anonymous, kept_clinic, other_clinic, monkeypatch
):
    stopped_clock = RateLimiter(lambda: 0.0)
    replace_service(kept_service, monkeypatch, rate_limiter=stopped_clock)
    wrong = secret(kept_clinic, client_secret="x")
    answers = [
        kept_anonymous.post(PATH, data=wrong) for _ in range(FAILED_TOKENS_OF_CLIENT.per_minute + 1)
    ]
    assert {answer.status_code for answer in answers[:-1]} == {401}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert kept_anonymous.post(PATH, data=wrong).status_code == 429
    for right in (secret(kept_clinic), secret(other_clinic)):
        assert kept_anonymous.post(PATH, data=right).status_code == 200


def test_the_published_keys_prove_a_token_and_hold_nothing_private(kept_anonymous, kept_clinic):
    response = kept_anonymous.get("/.well-known/jwks.json")
    assert response.headers["cache-control"] == "public, max-age=300"
    keys = response.json()["keys"]
    assert all(not {"d", "p", "q", "k"} & set(key) for key in keys)
    token = kept_anonymous.post(PATH, data=secret(kept_clinic)).json()["access_token"]
    head, claims, signature = (read(part) for part in token.split("."))
    (key,) = (key for key in keys if key["kid"] == json.loads(head)["kid"])
    x, y = (int.from_bytes(read(key[name]), "big") for name in ("x", "y"))
    r, s = (int.from_bytes(value, "big") for value in (signature[:32], signature[32:]))
    ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
        encode_dss_signature(r, s),
        token.rpartition(".")[0].encode(),
        ec.ECDSA(hashes.SHA256()),
    )
    body = json.loads(claims)
    assert (body["sub"], body["organisation"]) == (kept_clinic.client, kept_clinic.organisation)
