"""Screenings in the store: kept whole, found by their organisation, never changed."""

import json

import pytest
from keeping import clinic, request

from api.problems import Problem
from api.store import screenings
from api.store.screenings import Kept
from schemas.patient import KnownPatient
from schemas.screening import Context
from scoring.catalogue import catalogue
from scoring.engine import assess


@pytest.fixture
def sent():
    body = request()
    assessment = assess(catalogue().active("nociplastic"), body["answers"], attested=True)
    return Kept(KnownPatient(reference="MRN-0042"), Context(note="n"), body["answers"], assessment)


def test_a_screening_is_found_as_it_was_kept(store, sent):
    actor = clinic(store).actor
    with store.transaction(actor) as work:
        kept = screenings.add(work, sent)
        work.audit("create", "screening", kept.id)
    with store.transaction(actor) as work:
        assert screenings.found(work, kept.id) == kept
        work.audit("read", "screening", kept.id)
    assert kept.assessment == sent.assessment
    assert json.loads(json.dumps(kept.answers)) == dict(sent.answers)


def test_another_organisation_finds_nothing(store, sent):
    with store.transaction(clinic(store).actor) as work:
        kept = screenings.add(work, sent)
        work.audit("create", "screening", kept.id)
    with pytest.raises(Problem, match="not_found"), store.transaction(clinic(store).actor) as work:
        screenings.found(work, kept.id)
