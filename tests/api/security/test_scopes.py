"""Scopes: known ones, in one order."""

import pytest

from api.security.scopes import SCOPES, sort_known_scopes


def test_scopes_come_back_once_and_in_their_order():
    assert sort_known_scopes(["admin", "score", "admin"]) == ("score", "admin")
    assert sort_known_scopes(reversed(SCOPES)) == SCOPES
    assert sort_known_scopes([]) == ()


@pytest.mark.parametrize("asked", [["canary"], ["score", "canary"], ["Score"], [""], "score"])
def test_an_unknown_scope_is_refused_without_repeating_it(asked):
    with pytest.raises(ValueError, match="expected scopes out of") as refusal:
        sort_known_scopes(asked)
    assert "canary" not in str(refusal.value)
    assert "Score" not in str(refusal.value)
