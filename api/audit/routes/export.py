"""Route to export the audit trail of an organisation as NDJSON or FHIR AuditEvents."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.auth.route_guard import require_scope
from api.dependencies import RequestContextDep
from api.fhir.resources.audit_event import format_audit_event
from api.http.content_negotiation import require_media_type
from api.http.errors.error_responses import error_responses
from api.http.paging import build_next_page
from api.store.audit import chain

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=require_scope("audit:read"))
NDJSON = "application/x-ndjson"
FHIR = "application/fhir+ndjson"
_OFFERED_MEDIA_TYPES = (NDJSON, f"{FHIR}; fhirVersion=4.0")
MAX_ENTRIES = 10_000
Limit = Annotated[
    int, Query(ge=1, le=MAX_ENTRIES, description="The most of one page.", examples=[100])
]
Cursor = Annotated[
    int,
    Query(ge=0, le=2**53, description="The sequence number after which to begin.", examples=[0]),
]
After = Annotated[
    int,
    Query(
        ge=0,
        le=2**53,
        deprecated=True,
        description="The former name of `cursor`.",
        examples=[0],
    ),
]


@router.get(
    "",
    response_class=Response,
    responses={
        200: {
            "description": "One row per line, oldest first, at most 10,000",
            "content": {
                NDJSON: {"schema": {"type": "string"}},
                FHIR: {"schema": {"type": "string"}},
            },
        },
        **error_responses(406),
    },
    summary="Read the audit",
)
def read_audit(
    context: RequestContextDep,
    request: Request,
    limit: Limit = MAX_ENTRIES,
    cursor: Cursor = 0,
    after: After = 0,
) -> Response:
    """Return who did what and when, without patient data; `Link` has the address of more rows.

    Send `Accept: application/fhir+ndjson` for FHIR R4.
    """
    media_type = require_media_type(request.headers.get("accept"), _OFFERED_MEDIA_TYPES)
    fhir = media_type != NDJSON
    with context.transaction() as work:
        entries = chain.read_entries(
            work.session, work.organisation, after=cursor or after, limit=limit
        )
        rows = list(entries)
        lines = [
            format_audit_event(entry, work.organisation) if fhir else entry.model_dump_json()
            for entry in rows
        ]
        work.audit("export", "audit", count=max(len(lines), 1))
    last = str(rows[-1].seq) if len(rows) == limit else None
    next_page = build_next_page(router.prefix, last, limit=limit)
    return Response(
        "".join(f"{line}\n" for line in lines),
        headers={"Link": f'<{next_page}>; rel="next"'} if next_page else None,
        media_type=FHIR if fhir else NDJSON,
    )
