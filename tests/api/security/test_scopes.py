"""Scopes: known ones, in one order."""

import pytest

from api.security.scopes import SCOPES, known


def test_scopes_come_back_once_and_in_their_order():
    assert known(["admin", "score", "admin"]) == ("score", "admin")
    assert known(reversed(SCOPES)) == SCOPES
    assert known([]) == ()


@pytest.mark.parametrize("asked", [["canary"], ["score", "canary"], ["Score"], [""], "score"])
def test_an_unknown_scope_is_refused_without_repeating_it(asked):
    with pytest.raises(ValueError, match="expected scopes out of") as refusal:
        known(asked)
    assert "canary" not in str(refusal.value)
    assert "Score" not in str(refusal.value)
