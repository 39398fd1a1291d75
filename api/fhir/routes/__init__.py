"""The routers of the FHIR API."""

from api.fhir.routes import (
    audit,
    bulk_export,
    definitions,
    documents,
    operations,
    response_read,
    response_write,
    results,
    terminology,
)

ROUTERS = (
    definitions.router,
    terminology.router,
    operations.scoring_router,
    operations.screening_router,
    operations.report_router,
    response_read.router,
    response_write.router,
    results.router,
    documents.router,
    audit.router,
    bulk_export.router,
)
