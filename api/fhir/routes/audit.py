"""Route that searches an organisation's audit entries as AuditEvents."""

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
        description="The cursor from the `next` link of a page.",
        examples=["0"],
    ),
]


@search_routes(
    router,
    "/AuditEvent",
    "audit_events",
    scope="audit:read",
    summary="Search AuditEvents",
)
def search_audit_events(
    context: Acting, urls: AtBase, *, count: _Count = "100", after: _After = "0"
) -> Response:
    """Return the audit entries, oldest first. No event contains patient data."""
    page_size = int(count)
    with context.transaction() as work:
        rows = list(
            chain.entries(work.session, work.organisation, after=int(after), most=page_size + 1)
        )
        work.audit("export", "audit", count=max(min(len(rows), page_size), 1))
    page = rows[:page_size]
    events = [json.loads(audit_event(row, work.organisation)) for row in page]
    parameters = {"_count": count, "_page": after}
    has_more = len(rows) > page_size
    next_parameters = parameters | {"_page": str(page[-1].seq)} if has_more else None
    return paged(events, urls, "AuditEvent", parameters, next_parameters)
