"""The routers of the FHIR API."""

from api.fhir.routes import (
    audit,
    definitions,
    documents,
    operations,
    response_read,
    response_write,
    results,
)

ROUTERS = (
    definitions.router,
    operations.SENT,
    operations.KEPT,
    operations.PRINTED,
    response_read.router,
    response_write.router,
    results.router,
    documents.router,
    audit.router,
)
