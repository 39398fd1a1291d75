"""Links in the store: lists that leave nothing out."""

from support.builders import clinic, do

from api.store.forms import drafts, links
from schemas.patients.links import Draft
from schemas.patients.patient import KnownPatient

COUNT = 201


def test_every_urgent_link_is_listed_however_many_there_are(store):
    owner = clinic(store)
    request = links.LinkRequest(KnownPatient(reference="MRN-0042"), "phq4@1.0.0", 90)

    def add_urgent(work):
        link, _ = links.add_link(work, request)
        drafts.save_draft(work, link.id, Draft(answers={}, tier="T0"))
        return link.id

    added_ids = do(store, owner, lambda work: [add_urgent(work) for _ in range(COUNT)])
    calm, _ = do(store, owner, links.add_link, request)
    do(store, owner, drafts.save_draft, calm.id, Draft(answers={}, tier=drafts.NO_TIER))
    assert {link.id for link in do(store, owner, links.list_urgent_links)} == set(added_ids)
    assert len(do(store, owner, links.list_urgent_drafts)) == COUNT
