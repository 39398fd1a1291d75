"""Access tokens: their claims, the exact values required, and no token outlives its key."""

import base64
import json

import pytest
from support.faults.forged_tokens import NOW
from support.faults.token_targets import TOKEN_URL
from time_machine import travel

from api.security.keys import SigningKey, generate_signing_key
from api.security.signatures import InvalidTokenError
from api.security.tokens.access_tokens import AccessTokens, Principal, build_jwks
from api.security.tokens.client_assertions import InvalidAssertionError, verify_assertion


class Ring(dict):
    """Keys by name, as the service's store would give them."""

    def __init__(self, *keys: SigningKey) -> None:
        super().__init__({key.kid: key.to_verifying_key() for key in keys})
        self.asked = 0

    def find(self, kid):
        self.asked += 1
        return self.get(kid)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return generate_signing_key("ES384")


@pytest.fixture
def ring(key) -> Ring:
    return Ring(key)


@pytest.fixture
def tokens(ring) -> AccessTokens:
    return AccessTokens("nociscreen", "nociscreen-api", ring.find)


def sign(tokens: AccessTokens, key: SigningKey, **changed) -> str:
    arguments = {"client": "clinic", "organisation": "north", "scopes": ["audit:read", "score"]}
    return tokens.issue(key, **(arguments | changed))


def is_refused(tokens: AccessTokens, token: str) -> bool:
    try:
        tokens.verify(token)
    except InvalidTokenError:
        return True
    return False


def part(token: str, number: int) -> dict:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[number] + "=="))


@pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
def test_a_token_tells_client_organisation_scopes_and_end(algorithm):
    key = generate_signing_key(algorithm)
    tokens = AccessTokens("nociscreen", "nociscreen-api", Ring(key).find)
    principal = tokens.verify(sign(tokens, key))
    scopes = frozenset({"score", "audit:read"})
    assert principal.jti_sha256
    assert principal._replace(jti_sha256="") == Principal(
        "clinic", "north", scopes, NOW + 300, "token"
    )


def test_a_token_is_of_the_standard_form(tokens, key):
    token = sign(tokens, key, lifetime_seconds=60)
    assert part(token, 0) == {"alg": "ES384", "typ": "at+jwt", "kid": key.kid}
    claims = part(token, 1)
    jti = claims.pop("jti")
    assert len(jti) == 22
    assert claims == {
        "iss": "nociscreen",
        "aud": "nociscreen-api",
        "sub": "clinic",
        "client_id": "clinic",
        "organisation": "north",
        "scope": "score audit:read",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 60,
    }
    assert part(sign(tokens, key), 1)["jti"] != jti


@pytest.mark.parametrize("scopes", [["other"], "score"], ids=str)
def test_no_token_of_other_scopes_is_signed(tokens, key, scopes):
    with pytest.raises(ValueError, match="must be one of score"):
        sign(tokens, key, scopes=scopes)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"lifetime_seconds": value} for value in (0, -1, 901)),
        {"scopes": []},
        *({"client": value} for value in ("", "a b", "a" * 101)),
        *({"organisation": value} for value in ("", "a b", "\u00e9")),
    ],
    ids=str,
)
def test_no_odd_token_is_signed(tokens, key, wrong):
    with pytest.raises(ValueError, match="expected"):
        sign(tokens, key, **wrong)


@pytest.mark.parametrize("life", [1, 900])
def test_a_token_lives_to_its_last_second(tokens, key, life):
    token = sign(tokens, key, lifetime_seconds=life)
    with travel(NOW + life - 0.1, tick=False):
        assert tokens.verify(token).expires_at == NOW + life
    with travel(NOW + life, tick=False):
        assert is_refused(tokens, token)
        assert is_refused(AccessTokens("nociscreen", "nociscreen-api", tokens._find), token)


@pytest.mark.parametrize(("ahead", "is_open"), [(30, True), (31, False)])
def test_the_longest_token_is_taken_from_a_clock_that_is_a_little_ahead(access, ahead, is_open):
    times = {"iat": NOW + ahead, "nbf": NOW + ahead, "exp": NOW + ahead + 900}
    assert access.opens(access.forger.token(claims=times)) == is_open


@pytest.mark.parametrize(("before", "is_open"), [(30, True), (31, False)])
def test_a_token_may_be_valid_a_little_before_it_is_issued(access, before, is_open):
    assert access.opens(access.forger.token(claims={"nbf": NOW - before})) == is_open


def test_a_token_tells_the_fhir_permissions_of_its_smart_scopes(tokens, key):
    scopes = ["system/Observation.rs", "score", "system/Binary.r"]
    principal = tokens.verify(sign(tokens, key, scopes=scopes))
    assert principal.scopes == {"score"}
    assert principal.fhir_permissions == {"Observation.r", "Observation.s", "Binary.r"}


def test_no_more_than_1024_tokens_are_remembered(tokens):
    assert tokens._verify_cached.cache_parameters()["maxsize"] == 1024


def test_a_token_taken_once_is_refused_when_its_key_is_withdrawn(tokens, ring, key):
    token = sign(tokens, key)
    assert tokens.verify(token)
    removed_key = ring.pop(key.kid)
    assert is_refused(tokens, token)
    ring[key.kid] = generate_signing_key("ES384").to_verifying_key()
    assert is_refused(tokens, token)
    ring[key.kid] = removed_key
    assert tokens.verify(token)
    assert ring.asked == 4


def test_a_token_taken_once_is_not_proved_again(tokens, key):
    token = sign(tokens, key)
    assert tokens.verify(token) is tokens.verify(token)


def test_a_refused_token_is_not_remembered(tokens, ring, key):
    token = sign(tokens, key)
    removed_key = ring.pop(key.kid)
    assert is_refused(tokens, token)
    ring[key.kid] = removed_key
    assert tokens.verify(token)


def test_what_the_store_raises_is_no_fault_of_the_token(key):
    def away(_):
        raise ConnectionError

    tokens = AccessTokens("nociscreen", "nociscreen-api", away)
    with pytest.raises(ConnectionError):
        tokens.verify(sign(tokens, key))


@pytest.mark.parametrize("other", [("other", "nociscreen-api"), ("nociscreen", "other")])
def test_a_token_of_another_issuer_or_audience_is_refused(tokens, ring, key, other):
    assert is_refused(tokens, sign(AccessTokens(*other, ring.find), key))


def test_both_keys_are_taken_while_they_rotate(key):
    new = generate_signing_key("ES256")
    tokens = AccessTokens("nociscreen", "nociscreen-api", Ring(key, new).find)
    principals = [tokens.verify(sign(tokens, signing_key)) for signing_key in (key, new)]
    assert [principal.client for principal in principals] == ["clinic", "clinic"]


def test_the_key_set_tells_public_halves_only(key):
    new = generate_signing_key("ES256")
    jwks = build_jwks([key, new])
    assert jwks == {"keys": [key.to_public_jwk(), new.to_public_jwk()]}
    assert not any("d" in key for key in jwks["keys"])


ODD = [
    *({"organisation": value} for value in (None, "", 5, True, [], ["north"], {}, "a b", "a\x00b")),
    *({"organisation": value} for value in ("north ", "north\n", "../south", "*", "%", "a" * 101)),
    *({"client_id": value} for value in (None, "", "other", 5, [], ["hospital"], "Hospital")),
    *({"scope": value} for value in (None, "", " ", 5, [], ["score"], {}, "root", "score root")),
    *({"scope": value} for value in ("score score", "score  admin", " score", "score ", "SCORE")),
    *(
        {"scope": value}
        for value in ("score admin", "score\taudit:read", "score,admin", "*", "score\n")
    ),
    *({"sub": value, "client_id": value} for value in ("", "a b", 5, None, "a" * 101)),
    *({"sub": "other"}, {"exp": NOW + 901}, {"nbf": NOW - 31}, {"jti": "a" * 101}, {"jti": "a/b"}),
    *({"admin": True}, {"cnf": {"jkt": "a"}}, {"act": {"sub": "admin"}}, {"tenant": "south"}),
    *({"": 1}, {"Sub": "admin"}, {"at_hash": "a"}, {"nonce": "a"}, {"roles": ["admin"]}),
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_signed_but_odd_claims_are_refused(access, number):
    assert access.opens(access.forger.token())
    assert not access.opens(access.forger.token(claims=ODD[number]))


@pytest.mark.parametrize("name", ["client_id", "organisation", "scope", "iat", "nbf"])
def test_a_missing_claim_is_refused(access, name):
    assert not access.opens(access.forger.token(without=[name]))


def test_a_token_without_its_type_is_refused(access):
    assert not access.opens(access.forger.token(without=["typ"]))


class TestTheTwoKinds:
    def test_an_assertion_never_opens_what_an_access_token_does(self, access):
        for header in ({"typ": "JWT"}, {"typ": "client-authentication+jwt"}):
            assert not access.opens(access.forger.token(header))

    def test_an_access_token_never_signs_a_client_in(self, tokens, key):
        token = AccessTokens("clinic", TOKEN_URL, tokens._find).issue(
            key, client="clinic", organisation="north", scopes=["score"]
        )
        with pytest.raises(InvalidAssertionError):
            verify_assertion(
                token, audiences=[TOKEN_URL], find_key=lambda *_: key.to_verifying_key()
            )

    def test_a_true_assertion_is_no_access_token_even_under_a_shared_key(self, assertion):
        tokens = AccessTokens("hospital", TOKEN_URL, lambda _: assertion.key)
        token = assertion.forger.token()
        assert assertion.opens(token)
        assert is_refused(tokens, token)
