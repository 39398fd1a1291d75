"""Client assertions: what they prove, and the little that clients may choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.faults.forged_tokens import NOW, as_part
from support.faults.token_targets import TOKEN_URL, make_target
from time_machine import travel

from api.security.tokens.client_assertions import (
    InvalidAssertionError,
    VerifiedAssertion,
    read_claimed_client,
    verify_assertion,
)

JWKS_URL = "https://ehr.example/jwks.json"


def test_an_assertion_tells_the_client_its_number_and_its_end(target):
    if target.forger.header["typ"] == "JWT":
        assertion = verify_assertion(
            target.forger.token(), audiences={TOKEN_URL}, find_key=lambda *_: target.key
        )
        assert assertion == VerifiedAssertion("hospital", "abc", NOW + 300)


def test_the_key_is_asked_for_by_client_and_name(assertion):
    lookups = []

    def find(*names):
        lookups.append(names)
        return assertion.key

    verify_assertion(assertion.forger.token(), audiences=[TOKEN_URL], find_key=find)
    assert lookups == [("hospital", "Key-1")]


@pytest.mark.parametrize("algorithm", ["RS384", "ES384", "ES256", "RS256", "RS512"])
def test_the_registered_key_says_the_algorithm(algorithm):
    target = make_target("assertion", algorithm)
    assert target.opens(target.forger.token())
    other_algorithms = {"RS384", "ES384", "ES256", "RS256", "RS512"} - {algorithm}
    assert not any(target.opens(target.forger.token({"alg": other})) for other in other_algorithms)


@pytest.mark.parametrize("algorithm", ["RS256", "RS512"])
def test_an_rsa_key_of_one_digest_is_not_taken_with_another(algorithm):
    target = make_target("assertion", "RS384")
    assert not target.opens(target.forger.signed_as(algorithm, target.forger.private))


def test_a_client_without_that_key_is_refused(assertion):
    with pytest.raises(InvalidAssertionError):
        verify_assertion(assertion.forger.token(), audiences=[TOKEN_URL], find_key=lambda *_: None)


@pytest.mark.parametrize(
    ("jku", "is_open"),
    [(JWKS_URL, True), (JWKS_URL + "/", False), ("https://other.example/jwks.json", False)],
)
def test_an_address_of_keys_is_taken_if_it_is_the_one_registered(assertion, jku, is_open):
    def verify() -> VerifiedAssertion:
        return verify_assertion(
            assertion.forger.token({"jku": jku}),
            audiences=[TOKEN_URL],
            find_key=lambda *_: assertion.key,
            find_jwks_url={"hospital": JWKS_URL}.get,
        )

    if is_open:
        assert verify().client == "hospital"
    else:
        with pytest.raises(InvalidAssertionError):
            verify()


def test_what_the_store_raises_is_no_fault_of_the_assertion(assertion):
    def away(*_):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        verify_assertion(assertion.forger.token(), audiences=[TOKEN_URL], find_key=away)


@pytest.mark.parametrize(
    "claims",
    [
        {"nbf": NOW - 3600},
        {"iat": NOW - 20},
        {"iat": NOW + 30},
        {"nbf": NOW + 30},
        {"exp": NOW + 1, "iat": NOW - 300},
        {"iat": NOW, "exp": NOW + 330},
        {"jti": "urn:uuid:0d2f+/=" + "a" * 180},
        {"extensions": {"hl7-b2b": {"version": "1", "purpose_of_use": ["a"]}}},
        {"scope": "anything"},
    ],
    ids=str,
)
def test_what_clients_may_say_is_taken(assertion, claims):
    assert assertion.opens(assertion.forger.token(claims=claims))


@pytest.mark.parametrize("name", ["typ", "iat", "nbf"])
def test_what_clients_may_leave_out_is_not_missed(assertion, name):
    assert assertion.opens(assertion.forger.token(without=[name]))


@pytest.mark.parametrize("ahead", [331, 600, 3600])
def test_an_end_too_far_ahead_is_refused_with_and_without_a_beginning(assertion, ahead):
    assert not assertion.opens(assertion.forger.token(claims={"exp": NOW + ahead}))
    bare = assertion.forger.token(claims={"exp": NOW + ahead}, without=["iat", "nbf"])
    assert not assertion.opens(bare)
    later = {"exp": NOW + ahead, "iat": NOW + ahead - 60, "nbf": NOW}
    assert not assertion.opens(assertion.forger.token(claims=later))


def test_an_assertion_ends_to_the_second(assertion):
    token = assertion.forger.token()
    with travel(NOW + 299, tick=False):
        assert assertion.opens(token)
    with travel(NOW + 300, tick=False):
        assert not assertion.opens(token)


ODD = [
    *({"aud": value} for value in ([TOKEN_URL, "other"], TOKEN_URL + "/", TOKEN_URL[:-1])),
    *(
        {"aud": value}
        for value in (TOKEN_URL.upper(), TOKEN_URL + "?a=b", TOKEN_URL + "#", {}, None)
    ),
    *({"aud": "https://nociscreen.example.org"}, {"aud": "https"}, {"aud": ""}, {"aud": 5}),
    *({"iss": "clinic"}, {"sub": "clinic"}, {"iss": "a b", "sub": "a b"}, {"iss": "", "sub": ""}),
    *({"iss": None, "sub": None}, {"iss": ["hospital"], "sub": ["hospital"]}, {"iss": 5, "sub": 5}),
    *({"iss": "hospital\n", "sub": "hospital\n"}, {"iss": "h" * 101, "sub": "h" * 101}),
    {"at_hash": "a"},
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_signed_but_odd_claims_are_refused(assertion, number):
    assert not assertion.opens(assertion.forger.token(claims=ODD[number]))


def test_one_text_for_an_audience_is_not_searched_for_parts(assertion):
    token = assertion.forger.token(claims={"aud": "https"})
    with pytest.raises(InvalidAssertionError):
        verify_assertion(token, audiences=TOKEN_URL, find_key=lambda *_: assertion.key)


class TestClaimedClient:
    def test_the_name_is_read_without_proof(self, assertion):
        head, body, _ = assertion.forger.token().split(".")
        assert read_claimed_client(f"{head}.{body}.AAAA") == "hospital"

    @pytest.mark.parametrize("number", range(13, len(ODD) - 1))
    def test_an_odd_name_is_none(self, assertion, number):
        assert read_claimed_client(assertion.forger.token(claims=ODD[number])) is None

    @pytest.mark.parametrize("text", ["", "a", "a.b.c", "\ud800", "A" * 10_000_000, "..", "\x00"])
    def test_what_is_no_token_names_no_one(self, text):
        assert read_claimed_client(text) is None

    @given(st.text(st.characters(codec=None)))
    def test_no_text_raises_anything(self, text):
        assert read_claimed_client(text) is None
        assert read_claimed_client(f"{as_part({})}.{as_part(text)}.AAAA") is None


REASONS = {
    "malformed": lambda f: f.token() + ".",
    "audience": lambda f: f.token(claims={"aud": "https://elsewhere.example"}),
    "expired": lambda f: f.token(claims={"exp": NOW - 1, "iat": NOW - 100, "nbf": NOW - 100}),
    "lifetime": lambda f: f.token(claims={"exp": NOW + 3600}),
    "not_yet_valid": lambda f: f.token(claims={"nbf": NOW + 200}),
    "claims": lambda f: f.token(claims={"jti": 7}),
    "key_unknown": lambda f: f.token({"kid": "Key-2"}),
    "header": lambda f: f.token({"crit": ["exp"]}),
    "algorithm": lambda f: f.token({"alg": "RS512"}),
    "signature": lambda f: f.token()[:-8] + "AAAAAAAA",
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_refusal_has_its_own_reason_and_one_message(assertion, reason):
    with travel(NOW, tick=False), pytest.raises(InvalidAssertionError) as error_info:
        verify_assertion(
            REASONS[reason](assertion.forger),
            audiences=[TOKEN_URL],
            find_key=lambda *_: assertion.key,
        )
    assert error_info.value.reason == reason
    assert str(error_info.value) == "the client assertion is refused"


def test_the_audience_may_be_a_list_of_one(assertion):
    assert assertion.opens(assertion.forger.token(claims={"aud": [TOKEN_URL]}))
    assert not assertion.opens(assertion.forger.token(claims={"aud": [TOKEN_URL, "other"]}))
