"""The routers of the FHIR API."""

from api.fhir.routes import (
    audit,
    bulk_export,
    bulk_export_files,
    bundles,
    definitions,
    documents,
    operation_definitions,
    operations,
    patients,
    response_read,
    response_search,
    response_write,
    results,
    terminology,
)

ROUTERS = (
    bundles.router,
    definitions.router,
    operation_definitions.router,
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
    bulk_export.router,  # before a patient with any id
    bulk_export_files.router,
    patients.router,
    documents.router,
    audit.router,
)
