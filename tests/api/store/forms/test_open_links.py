"""Open links: each condition is checked again when the link is locked and submitted."""

from datetime import timedelta

import pytest
import time_machine
from support.builders import clinic, do

from api.store.errors import ConflictError, NotFoundError
from api.store.forms import links, open_links
from schemas.patients.patient import KnownPatient

REQUEST = links.LinkRequest(KnownPatient(reference="MRN-0042"), "phq4@1.0.0", 90, days=1)


@pytest.fixture
def owner(store):
    return clinic(store)


def test_a_link_revoked_between_the_two_looks_is_not_found(store, owner):
    link, secret = do(store, owner, links.add_link, REQUEST)
    open_link = open_links.find_open_link(store, secret)
    do(store, owner, links.revoke_link, link.id)
    with pytest.raises(NotFoundError):
        do(store, owner, open_links.lock_link, open_link)
    with pytest.raises(NotFoundError):
        do(store, owner, open_links.mark_submitted, link.id)
    assert do(store, owner, links.find_link, link.id).state == "revoked"


def test_a_link_submitted_between_the_two_looks_is_not_found(store, owner):
    link, secret = do(store, owner, links.add_link, REQUEST)
    open_link = open_links.find_open_link(store, secret)
    assert do(store, owner, open_links.mark_submitted, link.id) == REQUEST.patient
    with pytest.raises(NotFoundError):
        do(store, owner, open_links.lock_link, open_link)
    with pytest.raises(NotFoundError):
        do(store, owner, open_links.mark_submitted, link.id)
    with pytest.raises(ConflictError, match="already submitted"):
        do(store, owner, links.revoke_link, link.id)


@pytest.mark.parametrize(("seconds", "is_open"), [(-1, True), (0, False), (1, False)])
def test_a_link_can_be_locked_until_the_moment_it_expires(store, owner, seconds, is_open):
    link, secret = do(store, owner, links.add_link, REQUEST)
    open_link = open_links.find_open_link(store, secret)
    with time_machine.travel(link.expires_at + timedelta(seconds=seconds), tick=False):
        if is_open:
            assert do(store, owner, open_links.lock_link, open_link) is None
        else:
            with pytest.raises(NotFoundError):
                do(store, owner, open_links.lock_link, open_link)


def test_a_link_bound_to_another_browser_between_the_two_looks_is_not_found(store, owner):
    link, secret = do(store, owner, links.add_link, REQUEST)
    open_link = open_links.find_open_link(store, secret)
    do(store, owner, open_links.bind_holder, link.id, "another browser")
    with pytest.raises(NotFoundError):
        do(store, owner, open_links.lock_link, open_link)
    with pytest.raises(NotFoundError):
        do(store, owner, open_links.bind_holder, link.id, "a third browser")
