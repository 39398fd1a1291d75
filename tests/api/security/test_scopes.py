"""Scopes: known ones, in one order."""

import pytest

from api.security.scopes import ADMIN_SCOPES, SCOPES, sort_known_scopes


def test_scopes_come_back_once_and_in_their_order():
    assert sort_known_scopes(["audit:read", "score", "score"]) == ("score", "audit:read")
    assert sort_known_scopes(reversed(SCOPES)) == SCOPES
    assert sort_known_scopes([]) == ()


def test_admin_of_earlier_releases_stands_for_the_four_that_replaced_it():
    assert sort_known_scopes(["admin", "clients:admin", "score"]) == ("score", *ADMIN_SCOPES)


@pytest.mark.parametrize(
    "requested_scope", [["canary"], ["score", "canary"], ["Score"], [""], "score"]
)
def test_an_unknown_scope_is_refused_without_repeating_it(requested_scope):
    with pytest.raises(ValueError, match="must be one of score") as refusal:
        sort_known_scopes(requested_scope)
    assert str(refusal.value) == (
        "must be one of score, screenings:read, screenings:write, reports:read, "
        "deliveries:read, deliveries:write, batches, rulebooks:write, audit:read, "
        "organisation:admin, clients:admin, patients:admin, destinations:admin"
    )
