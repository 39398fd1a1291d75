"""Routes that store, list, read and delete mappings of columns."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.auth.route_guard import require_scope
from api.batch_scoring.mapping.mapping_file import MappingError, parse_mapping
from api.dependencies import CatalogueDep, IdempotentRequestDep, RequestContextDep
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.http.paging import MAX_WHOLE_LIST, ListLimit, PageCursor, build_next_page, slice_page
from api.http.preconditions import EntityTagDep
from api.problems import FieldError, Problem
from api.store.batches import mappings
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from schemas.batches.mapping import MAPPING_ID, MappingList, NewMapping, StoredMapping

router = APIRouter(prefix="/v1/mappings", tags=["batches"], route_class=require_scope("batches"))
MAX_FAULTS = 100
EXAMPLE_MAPPING_ID = "redcap@1"
MappingId = Annotated[
    str,
    Path(
        alias="mapping",
        pattern=MAPPING_ID,
        description="Its name and version.",
        examples=[EXAMPLE_MAPPING_ID],
    ),
]


@router.post(
    "",
    operation_id="add_mapping",
    status_code=201,
    response_model=StoredMapping,
    responses=error_responses(*BODY_ERRORS, 409),
    summary="Store a mapping of columns",
)
def add_mapping(
    mapping: NewMapping, creating: IdempotentRequestDep, rulebooks: CatalogueDep
) -> Response:
    """Store a mapping as the next version of its name. `POST /v1/batches` reads files by it."""
    try:
        _, loaded = parse_mapping(mapping.toml, rulebooks)
    except MappingError as error:
        lines = str(error).splitlines()
        more = [f"{len(lines) - MAX_FAULTS} more faults"] if len(lines) > MAX_FAULTS else []
        faults = [
            FieldError(pointer="/toml", code="mapping", detail=line[:500])
            for line in [*lines[:MAX_FAULTS], *more]
        ]
        raise Problem("invalid_request", errors=faults) from None

    def create(work: Transaction) -> IdempotentResponse:
        stored_mapping = mappings.add_mapping(work, mapping, loaded.name)
        work.audit("create", "mapping", stored_mapping.id)
        address = f"{router.prefix}/{stored_mapping.id}"
        return IdempotentResponse(201, stored_mapping.model_dump_json().encode(), address)

    return creating.run_once(create)


@router.get(
    "",
    operation_id="list_mappings",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List mappings of columns",
)
def list_mappings(
    context: RequestContextDep, limit: ListLimit = MAX_WHOLE_LIST, cursor: PageCursor = None
) -> MappingList:
    """All versions, by name, the newest first."""
    with context.transaction() as work:
        rows, last = slice_page(mappings.list_mappings(work), lambda row: row.id, limit, cursor)
        work.audit("list", "mapping", count=len(rows))
    return MappingList(mappings=rows, next=build_next_page(router.prefix, last, limit=limit))


@router.get(
    "/{mapping}",
    operation_id="read_mapping",
    responses=error_responses(*GUARDED_ERRORS, 404),
    summary="Read a mapping of columns",
)
def read_mapping(
    mapping: MappingId, context: RequestContextDep, version: EntityTagDep
) -> StoredMapping:
    """One version, as it was sent. It never changes."""
    with context.transaction() as work:
        stored_mapping = mappings.find_mapping(work, mapping)
        work.audit("read", "mapping", mapping)
    version.tag(stored_mapping)
    return stored_mapping


@router.delete(
    "/{mapping}",
    operation_id="delete_mapping",
    status_code=204,
    responses=error_responses(*GUARDED_ERRORS, 404),
    summary="Delete a mapping of columns",
)
def delete_mapping(mapping: MappingId, context: RequestContextDep) -> None:
    """Delete one version. Batches that were read by it stay as they are."""
    with context.transaction() as work:
        mappings.delete_mapping(work, mapping)
        work.audit("erase", "mapping", mapping)
