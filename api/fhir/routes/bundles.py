"""The route at the base of the FHIR API: batches and transactions."""

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.auth.admission import admit_caller
from api.auth.route_guard import check_scope
from api.dependencies import CurrentCaller, RequestContextDep
from api.fhir.http import (
    RequireJson,
    guarded_bundle_route,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import BundleBody, Prefer, PublicationDep
from api.fhir.writing.batch import build_answer_bundle, carry_out
from api.fhir.writing.bundle_entries import parse_bundle
from api.fhir.writing.transaction import (
    check_supported,
    prepare_transaction,
    store_transaction,
)
from api.http.errors.error_responses import BODY_ERRORS
from api.security.smart_scopes import determine_permission

router = APIRouter(
    prefix="/fhir",
    tags=["FHIR"],
    route_class=guarded_bundle_route(),
    dependencies=[RequireJson],
)
_WRITE_SCOPE = "screenings:write"


@router.post(
    "",
    operation_id="send_bundle",
    response_class=Response,
    responses={
        **resource_response("Bundle"),
        **outcome_responses(*BODY_ERRORS, 404, 406, 409, 412),
    },
    summary="Send a batch or a transaction",
)
async def send_bundle(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    resource: BundleBody,
    *,
    request: Request,
    caller: CurrentCaller,
    context: RequestContextDep,
    publication: PublicationDep,
    prefer: Prefer = None,  # noqa: ARG001 - passed on to each entry of a batch
) -> Response:
    """Each entry needs the scope of its own operation and counts as a request.

    An entry of a batch that fails stops no other. A transaction takes creates and updates of
    responses and stores all of them or none.
    """
    bundle = parse_bundle(resource, publication.urls.fhir_url)
    if bundle.kind == "batch":
        return send_resource(await carry_out(request, bundle.entries))
    if not bundle.entries:
        return send_resource(build_answer_bundle("transaction-response", []))
    check_supported(bundle.entries)
    for entry in bundle.entries:
        admit_caller(request, caller)
        check_scope(caller, _WRITE_SCOPE, determine_permission(entry.method, entry.path))
    writes = await run_in_threadpool(prepare_transaction, bundle.entries, publication)
    return send_resource(
        await run_in_threadpool(store_transaction, context, bundle.entries, writes)
    )
