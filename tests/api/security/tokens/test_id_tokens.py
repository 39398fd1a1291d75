"""ID tokens: what a provider may send, and what opens no login."""

import pytest
from support.faults.forged_tokens import NOW, Forger, private_key, public_pem, stranger

from api.security.keys import VerifyingKey
from api.security.signatures import InvalidTokenError
from api.security.tokens.id_tokens import verify_id_token

CLAIMS = {
    "iss": "https://login.example",
    "sub": "anna",
    "aud": "desk",
    "iat": NOW,
    "exp": NOW + 300,
    "nonce": "n-1",
}
HEADER = {"alg": "ES256", "typ": "JWT", "kid": "Key-1"}


@pytest.fixture(scope="module")
def forger():
    return Forger(private_key("ES256"), "ES256", HEADER, CLAIMS)


def list_keys(forger):
    """Return two keys of one name; the algorithm that a token claims tells them apart."""
    rsa_key = VerifyingKey("Key-1", "RS256", public_pem(stranger("RS256")))
    return [
        rsa_key.to_jwk(),
        VerifyingKey("Key-1", "ES256", public_pem(forger.private)).to_jwk(),
    ]


def verify(forger, token, **changes):
    expected = {"issuer": "https://login.example", "client": "desk", "nonce": "n-1"} | changes
    return verify_id_token(token, keys=list_keys(forger), **expected).subject


def is_accepted(forger, token, **changes):
    try:
        return verify(forger, token, **changes) == "anna"
    except InvalidTokenError:
        return False


def test_the_subject_is_returned_by_the_key_of_the_claimed_algorithm(forger):
    assert verify(forger, forger.token()) == "anna"
    assert not is_accepted(forger, forger.signed_as("ES256", stranger("ES256")))


def test_a_token_may_have_no_type(forger):
    assert is_accepted(forger, forger.token(without=["typ"]))


@pytest.mark.parametrize("header_type", ["at+jwt", "logout+jwt", "", None])
def test_a_token_of_another_type_opens_no_login(forger, header_type):
    assert not is_accepted(forger, forger.token({"typ": header_type}))


def test_the_hash_of_an_access_token_is_not_checked(forger):
    assert is_accepted(forger, forger.token(claims={"at_hash": "x"}))


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "n-2"},
        {"nonce": 1},
        {"azp": "other"},
        {"iss": "https://login.example/"},
        {"aud": "other"},
        {"sub": ""},
        {"exp": NOW},
    ],
)
def test_a_token_of_another_login_is_refused(forger, claims):
    assert not is_accepted(forger, forger.token(claims=claims))


@pytest.mark.parametrize(("acr", "accepted"), [("mfa", True), ("password", False), (None, False)])
def test_an_authentication_class_is_demanded(forger, acr, accepted):
    token = forger.token(claims={"acr": acr})
    assert is_accepted(forger, token, acr_values=["mfa"]) is accepted


def test_a_key_that_the_provider_does_not_publish_is_named_for_the_operator(forger):
    with pytest.raises(InvalidTokenError) as error_info:
        verify(forger, forger.token({"kid": "Key-2"}))
    assert error_info.value.reason == "key_unknown"


@pytest.mark.parametrize(
    ("header", "claims", "reason"),
    [
        ({}, {"exp": NOW - 60, "iat": NOW - 100}, "expired"),
        ({}, {"iss": "https://elsewhere.example"}, "issuer"),
        ({}, {"aud": "other"}, "audience"),
        ({}, {"nbf": NOW + 60}, "not_yet_valid"),
        ({}, {"sub": ""}, "claims"),
        ({}, {"nonce": "n-2"}, "malformed"),
        ({"typ": "at+jwt"}, {}, "header"),
        ({"crit": ["exp"]}, {}, "header"),
    ],
)
def test_each_refusal_names_its_reason_for_the_operator(forger, header, claims, reason):
    with pytest.raises(InvalidTokenError, match=r"^the token is refused$") as error_info:
        verify(forger, forger.token(header, claims))
    assert error_info.value.reason == reason
