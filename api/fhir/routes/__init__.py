"""The routers of the FHIR API."""

from api.fhir.routes import (
    audit,
    bulk_export,
    bundles,
    definitions,
    documents,
    operations,
    response_read,
    response_search,
    response_write,
    results,
    terminology,
)

ROUTERS = (
    bundles.router,
    definitions.router,
    terminology.router,
    operations.scoring_router,
    operations.screening_router,
    operations.report_router,
    operations.questionnaire_router,
    response_search.router,
    response_read.router,
    response_write.router,
    response_write.patch_router,
    results.router,
    documents.router,
    audit.router,
    bulk_export.router,
)
