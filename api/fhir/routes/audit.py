"""Route that searches an organisation's audit entries as AuditEvents."""

import json

from fastapi import APIRouter, Response

from api.dependencies import RequestContextDep
from api.fhir.http import RequireJson, guarded_fhir_route
from api.fhir.parameters import AuditPageSize, CanonicalUrlsDep, PagePosition
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
    count: AuditPageSize = 100,
    after: PagePosition = 0,
) -> Response:
    """Return the audit entries, oldest first. No event contains patient data."""
    with context.transaction() as work:
        rows = list(
            chain.read_entries(work.session, work.organisation, after=after, limit=count + 1)
        )
        work.audit("export", "audit", count=max(min(len(rows), count), 1))
    page = rows[:count]
    events = [json.loads(format_audit_event(row, work.organisation)) for row in page]
    parameters = {"_count": count, "_page": after}
    has_more = len(rows) > count
    next_parameters = parameters | {"_page": page[-1].seq} if has_more else None
    return send_page(events, urls, "AuditEvent", parameters, next_parameters)
