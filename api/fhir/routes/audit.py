"""Route that searches an organisation's audit entries as AuditEvents."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import RequestContextDep
from api.fhir.http import CanonicalUrlsDep, RequireJson, guarded_fhir_route
from api.fhir.resources.audit_event import format_audit_event
from api.fhir.search import send_page
from api.fhir.search_routing import add_search_routes
from api.store.audit import chain

router = APIRouter(
    prefix="/fhir",
    tags=["FHIR"],
    route_class=guarded_fhir_route("audit:read"),
    dependencies=[RequireJson],
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


@add_search_routes(
    router,
    "/AuditEvent",
    "audit_events",
    scope="audit:read",
    summary="Search AuditEvents",
)
def search_audit_events(
    context: RequestContextDep,
    urls: CanonicalUrlsDep,
    *,
    count: _Count = "100",
    after: _After = "0",
) -> Response:
    """Return the audit entries, oldest first. No event contains patient data."""
    page_size = int(count)
    with context.transaction() as work:
        rows = list(
            chain.read_entries(
                work.session, work.organisation, after=int(after), limit=page_size + 1
            )
        )
        work.audit("export", "audit", count=max(min(len(rows), page_size), 1))
    page = rows[:page_size]
    events = [json.loads(format_audit_event(row, work.organisation)) for row in page]
    parameters = {"_count": count, "_page": after}
    has_more = len(rows) > page_size
    next_parameters = parameters | {"_page": str(page[-1].seq)} if has_more else None
    return send_page(events, urls, "AuditEvent", parameters, next_parameters)
