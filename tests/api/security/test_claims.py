"""Claims: what they must say besides being signed, on both sides of each bound of time."""

import pytest
from support.forged_tokens import NOW


def opens(target, **claims) -> bool:
    return target.opens(target.forger.token(claims=claims))


def test_a_token_that_ends_when_it_is_issued_is_refused(target):
    assert opens(target, iat=NOW + 20, exp=NOW + 21)
    assert not opens(target, iat=NOW + 20, exp=NOW + 20)


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_clock_may_be_thirty_seconds_ahead_and_no_more(target, name):
    assert opens(target, **{name: NOW + 30})
    assert not opens(target, **{name: NOW + 31})


def test_a_token_is_no_more_valid_for_an_end_that_is_no_whole_number(target):
    assert opens(target, exp=NOW + 60)
    assert not opens(target, exp=NOW + 60.0)
