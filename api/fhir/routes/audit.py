"""The audit of an organisation as AuditEvents, a page at a time."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import Acting
from api.fhir.http import AtBase, InJson, fhir_guarded
from api.fhir.resources.audit_event import audit_event
from api.fhir.search import paged
from api.fhir.search_routing import search_routes
from api.store.audit import chain

router = APIRouter(
    prefix="/fhir",
    tags=["FHIR"],
    route_class=fhir_guarded("audit:read"),
    dependencies=[InJson],
)
_Count = Annotated[
    str, Query(alias="_count", pattern=r"^([1-9][0-9]{0,2}|1000)$", examples=["100"])
]
_After = Annotated[
    str,
    Query(
        alias="_page",
        pattern=r"^[0-9]{1,15}$",
        description="From the link `next` of a page.",
        examples=["0"],
    ),
]


@search_routes(
    router,
    "/AuditEvent",
    "audit_events",
    scope="audit:read",
    summary="Read the audit as AuditEvents",
)
def search_audit_events(
    acts: Acting, base: AtBase, *, count: _Count = "100", after: _After = "0"
) -> Response:
    """Oldest first. Who did what and when, never with what; no event names a patient."""
    most = int(count)
    with acts.transaction() as work:
        rows = list(chain.entries(work.session, work.organisation, after=int(after), most=most + 1))
        work.audit("export", "audit", count=max(min(len(rows), most), 1))
    shown = rows[:most]
    told = [json.loads(audit_event(row, work.organisation)) for row in shown]
    asked = {"_count": count, "_page": after}
    following = asked | {"_page": str(shown[-1].seq)} if len(rows) > most else None
    return paged(told, base, "AuditEvent", asked, following)
