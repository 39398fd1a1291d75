"""Claims: what they must say besides being signed, on both sides of each bound."""

import pytest
from support.faults.forged_tokens import NOW

from api.security.claims import ExpectedToken, TokenFaultError, check_claims

EXPECTED = ExpectedToken(
    algorithms=("ES384",),
    types=("JWT",),
    issuer="hospital",
    audience="nociscreen",
    required_claims=frozenset(("iss", "aud", "exp")),
    allow_other_claims=True,
    max_lifetime_seconds=300,
    max_expiry_seconds=330,
)
CLAIMS = {"iss": "hospital", "aud": "nociscreen", "exp": NOW + 300}


def is_valid(claims: dict, **requirements) -> bool:
    try:
        check_claims(CLAIMS | claims, EXPECTED._replace(**requirements))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("valid", "invalid"),
    [
        ({"exp": NOW + 1}, {"exp": NOW}),
        ({"exp": NOW + 330}, {"exp": NOW + 331}),
        ({"iat": NOW, "exp": NOW + 300}, {"iat": NOW, "exp": NOW + 301}),
        ({"iat": NOW + 29, "exp": NOW + 30}, {"iat": NOW + 30, "exp": NOW + 30}),
        ({"iat": NOW + 30}, {"iat": NOW + 31}),
        ({"nbf": NOW + 30}, {"nbf": NOW + 31}),
        ({"exp": NOW + 60}, {"exp": NOW + 60.0}),
        ({"iat": NOW}, {"iat": True}),
        ({"nbf": NOW}, {"nbf": str(NOW)}),
        ({"sub": "a"}, {"sub": ""}),
        ({"sub": "a:b"}, {"sub": "a b"}),
        ({"jti": "a/b"}, {"jti": "a b"}),
        ({"jti": "j" * 200}, {"jti": "j" * 201}),
        ({"iss": "hospital"}, {"iss": "clinic"}),
        ({"aud": "nociscreen"}, {"aud": "other"}),
    ],
)
def test_a_claim_is_valid_up_to_its_bound_alone(valid, invalid):
    assert is_valid(valid)
    assert not is_valid(invalid)


def test_a_list_of_one_audience_is_valid_where_a_list_is_allowed():
    assert is_valid({"aud": ["nociscreen"]}, allow_audience_list=True)
    assert is_valid({"aud": "nociscreen"}, allow_audience_list=True)
    assert not is_valid({"aud": ["nociscreen"]})
    assert not is_valid({"aud": ["nociscreen", "other"]}, allow_audience_list=True)


def test_other_claims_are_valid_where_they_are_allowed():
    assert is_valid({"other": 1})
    assert is_valid({}, allow_other_claims=False)
    assert not is_valid({"other": 1}, allow_other_claims=False)


def test_a_required_claim_is_missed():
    assert is_valid({}, required_claims=frozenset(CLAIMS))
    assert not is_valid({}, required_claims=frozenset((*CLAIMS, "iat")))


@pytest.mark.parametrize(
    ("claims", "requirements", "reason"),
    [
        ({}, {"required_claims": frozenset((*CLAIMS, "iat"))}, "claims"),
        ({"other": 1}, {"allow_other_claims": False}, "claims"),
        ({"iss": "clinic"}, {}, "issuer"),
        ({"aud": "other"}, {}, "audience"),
        ({"sub": ""}, {}, "claims"),
        ({"exp": NOW + 60.0}, {}, "claims"),
        ({"exp": NOW}, {}, "expired"),
        ({"exp": NOW + 331}, {}, "lifetime"),
        ({"iat": NOW, "exp": NOW + 301}, {}, "lifetime"),
        ({"iat": NOW + 31}, {}, "not_yet_valid"),
    ],
)
def test_each_refusal_names_its_reason_for_the_operator(claims, requirements, reason):
    with pytest.raises(TokenFaultError) as error_info:
        check_claims(CLAIMS | claims, EXPECTED._replace(**requirements))
    assert (error_info.value.reason, str(error_info.value)) == (reason, reason)
