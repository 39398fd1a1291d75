"""Routes that receive, list, read, cancel and erase batches."""

import io
from functools import partial
from typing import Annotated, Any, BinaryIO, Literal, cast

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.auth.admission import hold_upload
from api.auth.request_context import IdempotentRequest, RequestContext
from api.auth.route_guard import require_scope
from api.batch_scoring.chunk_spool import ChunkSpool, NonClosingReader
from api.batch_scoring.chunking import BatchLimits, BatchUpload, TooManyRowsError, UploadReader
from api.batch_scoring.counts.part_counts import merge_faults, merge_notices
from api.batch_scoring.encrypted_tempfile import EncryptedTempFile
from api.batch_scoring.file_formats import InputFormat, UnusableInputError
from api.batch_scoring.input_files import ReadOptions
from api.batch_scoring.readers.csv import CsvOptions
from api.batches.file_transfer import (
    RETRY_AFTER_SECONDS,
    parse_upload_encoding,
    parse_upload_format,
    receive_upload,
)
from api.batches.upload_reading import UploadColumns, UploadReading, build_upload_reading
from api.dependencies import (
    BatchId,
    CatalogueDep,
    CurrentCaller,
    IdempotentRequestDep,
    RequestContextDep,
    SettingsDep,
)
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.http.paging import PageCursor, PageLimit, build_next_page
from api.problems import Problem
from api.settings import Settings
from api.store.batches import batches
from api.store.batches import chunks as batch_chunks
from api.store.batches.batch_quotas import require_batch_quotas
from api.store.batches.batches import SCORE, NewBatch, StoredBatch
from api.store.idempotency import IdempotentResponse
from api.store.patients import data_subject_rights
from api.store.transaction import Transaction
from schemas.batches.batch import FaultGroup, RowNotice
from schemas.batches.batch_job import BatchList, BatchListItem, ScoringBatch
from schemas.batches.mapping import MAPPING_NAME
from schemas.text import READABLE, TEXT_RULE
from scoring.catalogue import Catalogue

_NameList = Annotated[str | None, Field(max_length=1000, pattern=READABLE), TEXT_RULE]
KeptColumns = Annotated[
    _NameList,
    Query(description="Columns to return with the results, separated by commas: `clinic,visit`."),
]
MissingWords = Annotated[
    _NameList,
    Query(description="Words and codes that mean not answered, separated by commas: `NA,-99`."),
]
Delimiter = Annotated[
    str | None, Query(min_length=1, max_length=1, description="The separator of a CSV file.")
]
HeaderLine = Annotated[
    int, Query(ge=1, le=1000, description="The line of a CSV header; lines above are skipped.")
]
SkippedRows = Annotated[
    int, Query(ge=0, le=1000, description="Rows of a CSV file to skip below the header.")
]
MappingName = Annotated[
    str | None,
    Query(
        pattern=f"^{MAPPING_NAME}(@[1-9][0-9]{{0,6}})?$",
        description="A stored mapping of columns, `redcap@2`, or the newest version of a name.",
        examples=["redcap@2"],
    ),
]
_FILES = {
    "text/csv": {"schema": {"type": "string"}},
    "application/x-ndjson": {"schema": {"type": "string"}},
    "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
        "schema": {"type": "string", "format": "binary"}
    },
}


def build_router(catalogue: Catalogue) -> APIRouter:
    """Return the routes, typed by the rulebooks in use."""
    routes = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=require_scope("batches"))
    rulebook_name: Any = Literal[tuple(_rulebook_names(catalogue))]

    @routes.post(
        "",
        operation_id="create_batch",
        status_code=202,
        response_model=ScoringBatch,
        responses=error_responses(*BODY_ERRORS, 404, 409),
        summary="Send a batch of intakes to be scored",
        openapi_extra={"requestBody": {"required": True, "content": _FILES}},
    )
    async def create_batch(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
        request: Request,
        *,
        caller: CurrentCaller,
        idempotent_request: IdempotentRequestDep,
        rulebooks: CatalogueDep,
        settings: SettingsDep,
        rulebook: Annotated[
            rulebook_name, Query(description="The instrument, or version of one, to score by.")
        ] = "nociplastic",
        explain: Annotated[
            bool, Query(description="Also return one sentence for each criterion.")
        ] = False,
        ignore_unknown: Annotated[
            bool, Query(description="Ignore columns that are not questions of the rulebook.")
        ] = False,
        keep: KeptColumns = None,
        missing: MissingWords = None,
        delimiter: Delimiter = None,
        header_line: HeaderLine = 1,
        skip_rows: SkippedRows = 0,
        mapping: MappingName = None,
    ) -> Response:
        """Upload a file of rows; `Content-Type` gives its format.

        Returns 202 with links to the progress and the results. The file is encrypted as it is
        received. Each row gives one row of results, in the same order. A `mapping` names the
        rulebook itself.
        """
        file_format = parse_upload_format(request)
        with hold_upload(request, caller), await receive_upload(request, settings) as file:
            # The idempotency key covers the content too: Starlette caches the parsed body here.
            request._json = [file_format, file.sha256]  # noqa: SLF001
            csv = CsvOptions(parse_upload_encoding(request), delimiter, header_line, skip_rows)
            columns = UploadColumns(
                mapping, _split_list(keep), _split_list(missing), ignore_unknown=ignore_unknown
            )
            reading = await run_in_threadpool(
                build_upload_reading,
                rulebooks.find_active(rulebook),
                columns,
                ReadOptions(csv),
                rulebooks,
                idempotent_request.context,
            )
            upload = _Upload(file, file_format, reading, settings, explain=explain)
            response = await run_in_threadpool(upload.store, idempotent_request)
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return response

    @routes.get(
        "",
        operation_id="list_batches",
        responses=error_responses(*GUARDED_ERRORS),
        summary="List batches",
    )
    def list_batches(
        context: RequestContextDep, limit: PageLimit = 20, cursor: PageCursor = None
    ) -> BatchList:
        """Batches, newest first. A batch is deleted when it expires."""
        with context.transaction() as work:
            rows = batches.list_newest_batches(work, limit + 1, cursor)
            lines = tuple(_batch_line(work, batch) for batch in rows[:limit])
            work.audit("list", "batch", count=len(lines))
        last = lines[-1].id if len(rows) > limit else None
        return BatchList(batches=lines, next=build_next_page(routes.prefix, last, limit=limit))

    @routes.get(
        "/{batch}",
        operation_id="read_batch",
        responses=error_responses(*GUARDED_ERRORS, 404),
        summary="Read the progress of a batch",
    )
    def read_batch(batch: BatchId, context: RequestContextDep) -> ScoringBatch:
        """Counts of rows: done, by status, by band, by tier, with problems, set aside."""
        with context.transaction() as work:
            progress = _batch_detail(work, batches.find_batch(work, batch, SCORE))
            work.audit("read", "batch", batch)
        return progress

    @routes.post(
        "/{batch}/cancel",
        operation_id="cancel_batch",
        responses=error_responses(*GUARDED_ERRORS, 404),
        summary="Cancel a batch",
    )
    def cancel_batch(batch: BatchId, context: RequestContextDep) -> ScoringBatch:
        """No more rows of the batch or of its reports are started. Cancelling again is a no-op."""
        with context.transaction() as work:
            batches.find_batch(work, batch, SCORE)
            batches.cancel_batch(work, batch)
            progress = _batch_detail(work, batches.find_batch(work, batch, SCORE))
            work.audit("cancel", "batch", batch)
        return progress

    @routes.delete(
        "/{batch}",
        operation_id="erase_batch",
        status_code=204,
        responses=error_responses(*GUARDED_ERRORS, 404, 409),
        summary="Erase a batch",
    )
    def erase_batch(batch: BatchId, context: RequestContextDep) -> Response:
        """Erases the upload, the results and the reports. Returns 409 if the batch names a patient
        under legal hold.
        """
        _erase(context, batch)
        return Response(status_code=204)

    return routes


class _Upload:
    """A received file and the options of its batch."""

    def __init__(
        self,
        file: EncryptedTempFile,
        file_format: InputFormat,
        reading: UploadReading,
        settings: Settings,
        *,
        explain: bool,
    ) -> None:
        self._file, self._format, self._reading = file, file_format, reading
        self._settings, self._explain = settings, explain

    def store(self, request: IdempotentRequest) -> Response:
        """Store the batch. Raises Problem `unusable_file`, or `too_large` for too many rows."""
        with ChunkSpool() as spool:
            description = self._parse(spool)
            return request.run_once(partial(self._create, spool, description))

    def _parse(self, spool: ChunkSpool) -> dict[str, Any]:
        """Parse the whole file before the transaction, so that no other writer waits for it."""
        settings = self._settings
        limits = BatchLimits(
            settings.batch_chunk_rows, settings.max_batch_rows, settings.max_batch_bytes
        )
        self._file.seek(0)
        stream = cast("BinaryIO", io.BufferedReader(NonClosingReader(self._file)))
        reading = self._reading
        upload = BatchUpload(stream, self._file.size, self._format, reading.options)
        reader = UploadReader(upload, reading.loaded, limits, reading.names)
        try:
            for rows, chunk in reader.read_chunks():
                spool.append(rows, chunk)
        except UnusableInputError as error:
            raise Problem("unusable_file", f"The file cannot be used: {error}.") from None
        except TooManyRowsError:
            raise Problem("too_large", f"A batch has at most {limits.max_rows:,} rows.") from None
        return reader.describe()

    def _create(
        self, spool: ChunkSpool, description: dict[str, Any], work: Transaction
    ) -> IdempotentResponse:
        loaded, names, _, mapping = self._reading
        options = {"explain": self._explain, "keep": names.keep, "mapping": mapping, **description}
        job = NewBatch(SCORE, loaded.name, loaded.sha256, options)
        require_batch_quotas(work, self._settings, new_rows=spool.rows, new_bytes=spool.size)
        expires_at = batches.compute_expiry(work.now, self._settings.batch_days)
        batch = batches.add_batch(work, job, spool, expires_at)
        detail = _batch_detail(work, batch)
        work.audit("create", "batch", batch.id, count=batch.rows)
        return IdempotentResponse(202, detail.model_dump_json().encode(), detail.links["self"])


def _split_list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _rulebook_names(catalogue: Catalogue) -> list[str]:
    """Return the names that a batch may give: an instrument, or one version of it."""
    headers = [loaded.rulebook.rulebook for loaded in catalogue.list_active()]
    return sorted({header.instrument for header in headers} | {header.name for header in headers})


def _batch_detail(work: Transaction, batch: StoredBatch) -> ScoringBatch:
    totals: dict[str, dict[str, int]] = {"by_status": {}, "by_band": {}, "by_tier": {}}
    rows_with_problems = 0
    faults: list[FaultGroup] = []
    notices = [RowNotice(**notice) for notice in batch.options.get("notices", ())]
    for _, note in batch_chunks.list_chunk_notes(work, batch.id):
        rows_with_problems += note["with_problems"]
        faults += [FaultGroup(**group) for group in note.get("faults", ())]
        notices += [RowNotice(**notice) for notice in note.get("notices", ())]
        for name, total in totals.items():
            for value, count in note[name].items():
                total[value] = total.get(value, 0) + count
    counts: dict[str, Any] = {**totals}
    path = f"/v1/batches/{batch.id}"
    return ScoringBatch(
        **dict(batches.compute_progress(work, batch)),
        **counts,
        id=batch.id,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        rulebook=batch.rulebook,
        rulebook_sha256=batch.rulebook_sha256,
        explain=batch.options["explain"],
        mapping=batch.options.get("mapping"),
        rows_with_problems=rows_with_problems,
        faults=merge_faults(faults),
        notices=merge_notices(notices),
        columns_left_out=batch.options.get("columns_left_out", 0),
        blank_lines=batch.options.get("blank_lines", 0),
        notes=batch.options.get("notes", ()),
        links={
            "self": path,
            "results": f"{path}/results",
            "problems": f"{path}/problems",
            "summary": f"{path}/summary",
            "reports": f"{path}/reports",
        },
    )


def _batch_line(work: Transaction, batch: StoredBatch) -> BatchListItem:
    return BatchListItem(
        id=batch.id,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        state=batches.compute_progress(work, batch).state,
        rulebook=batch.rulebook,
        rows=batch.rows,
    )


def _erase(context: RequestContext, batch_id: str) -> None:
    with context.transaction() as work:
        batch = batches.find_batch(work, batch_id, SCORE)
        data_subject_rights.erase_batch(work, batch_id)
        work.audit("erase", "batch", batch_id, count=batch.rows)
    context.store.database.truncate_wal()
