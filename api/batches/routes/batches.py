"""Batches: a file of intakes taken in, how far it has come, cancelled, erased."""

import io
from functools import partial
from typing import Annotated, Any, BinaryIO, Literal, cast

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.auth.request_context import Acts, Creates
from api.auth.route_guard import guarded
from api.batch_scoring.chunk_spool import Spool, Unclosed
from api.batch_scoring.chunking import Limits, Sent, TooManyRowsError, chunks
from api.batch_scoring.encrypted_tempfile import SealedFile
from api.batch_scoring.file_formats import UnusableInputError
from api.batches.file_transfer import SOON, format_sent, receive
from api.dependencies import Acting, BatchId, Chosen, Creating, Rulebooks
from api.http.error_responses import GUARDED, TAKING, refusals
from api.problems import Problem
from api.settings import Settings
from api.store.batches import batches
from api.store.batches import chunks as batche_chunks
from api.store.batches.batches import SCORE, Kept, Wanted
from api.store.idempotency import Answer
from api.store.patients import data_subject_rights
from api.store.transaction import Transaction
from schemas.batch_job import BatchLine, BatchList, ScoringBatch
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook

_FILES = {
    "text/csv": {"schema": {"type": "string"}},
    "application/x-ndjson": {"schema": {"type": "string"}},
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
}


def router(catalogue: Catalogue) -> APIRouter:
    """The routes, typed by the rulebooks in use."""
    routes = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=guarded("batches"))
    named: Any = Literal[tuple(_names(catalogue))]

    @routes.post(
        "",
        operation_id="send_batch",
        status_code=202,
        response_model=ScoringBatch,
        responses=refusals(*TAKING, 409),
        summary="Send a batch of intakes to be scored",
        openapi_extra={"requestBody": {"required": True, "content": _FILES}},
    )
    async def send_batch(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
        request: Request,
        *,
        creating: Creating,
        rulebooks: Rulebooks,
        settings: Chosen,
        rulebook: Annotated[named, Query(description="What the rows answer.")] = "nociplastic",
        explain: Annotated[bool, Query(description="One sentence a criterion, too.")] = False,
        ignore_unknown: Annotated[
            bool, Query(description="Leave columns out that the rulebook does not ask.")
        ] = False,
    ) -> Response:
        """A file of rows in; 202 and where to ask how far it is. `Content-Type` tells its format.

        The file is sealed as it comes. Each row has one row of results, in order.
        """
        form = format_sent(request)
        file = await receive(request, settings)
        with file:
            request._json = [form, file.sha256]  # noqa: SLF001 - where Starlette keeps its value
            loaded = rulebooks.active(rulebook)
            upload = _Upload(
                file, form, loaded, settings, explain=explain, ignore_unknown=ignore_unknown
            )
            response = await run_in_threadpool(upload.kept, creating)
        response.headers["Retry-After"] = SOON
        return response

    @routes.get(
        "",
        operation_id="list_batches",
        responses=refusals(*GUARDED),
        summary="The batches there are",
    )
    def list_batches(acts: Acting, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> BatchList:
        """Newest first. A batch is gone when it expires."""
        with acts.transaction() as work:
            lines = tuple(_line(work, each) for each in batches.newest(work, limit))
            work.audit("list", "batch", count=len(lines))
        return BatchList(batches=lines)

    @routes.get(
        "/{batch}",
        operation_id="read_batch",
        responses=refusals(*GUARDED, 404),
        summary="How far a batch has come",
    )
    def read_batch(batch: BatchId, acts: Acting) -> ScoringBatch:
        """Counts of rows: done, by status, by band, by tier, with problems, set aside."""
        with acts.transaction() as work:
            told = _told(work, batches.found(work, batch, SCORE))
            work.audit("read", "batch", batch)
        return told

    @routes.post(
        "/{batch}/cancel",
        operation_id="cancel_batch",
        responses=refusals(*GUARDED, 404),
        summary="Begin nothing more of a batch",
    )
    def cancel_batch(batch: BatchId, acts: Acting) -> ScoringBatch:
        """Nothing more of it or its reports is begun. A second time it changes nothing."""
        with acts.transaction() as work:
            batches.found(work, batch, SCORE)
            batches.cancel(work, batch)
            told = _told(work, batches.found(work, batch, SCORE))
            work.audit("cancel", "batch", batch)
        return told

    @routes.delete(
        "/{batch}",
        operation_id="drop_batch",
        status_code=204,
        responses=refusals(*GUARDED, 404, 409),
        summary="Erase a batch",
    )
    def drop_batch(batch: BatchId, acts: Acting) -> Response:
        """All that was sent and made of it is erased, reports too. Not where it names a patient on
        whom a legal hold is.
        """
        _drop(acts, batch)
        return Response(status_code=204)

    return routes


class _Upload:
    """A file that was received, about to be kept."""

    def __init__(  # noqa: PLR0913 - what was sent, and what was chosen
        self,
        file: SealedFile,
        form: Any,
        loaded: LoadedRulebook,
        settings: Settings,
        *,
        explain: bool,
        ignore_unknown: bool,
    ) -> None:
        self._file, self._form, self._loaded = file, form, loaded
        self._settings = settings
        self._explain, self._ignore_unknown = explain, ignore_unknown

    def kept(self, creating: Creates) -> Response:
        """The answer. Raises Problem `unusable_file`, `too_large` for too many rows."""
        with Spool() as spool:
            self._read(spool)
            return creating.once(partial(self._make, spool))

    def _read(self, spool: Spool) -> None:
        """The whole file, before anything is written: nobody waits for it to be read."""
        settings = self._settings
        limits = Limits(settings.batch_chunk_rows, settings.batch_rows, settings.batch_bytes)
        self._file.seek(0)
        stream = cast("BinaryIO", io.BufferedReader(Unclosed(self._file)))
        sent = Sent(stream, self._file.size, self._form)
        try:
            for rows, given in chunks(
                sent, self._loaded, limits, ignore_unknown=self._ignore_unknown
            ):
                spool.put(rows, given)
        except UnusableInputError as error:
            raise Problem("unusable_file", f"The file cannot be used: {error}.") from None
        except TooManyRowsError:
            raise Problem("too_large", f"A batch has at most {limits.rows:,} rows.") from None

    def _make(self, spool: Spool, work: Transaction) -> Answer:
        wanted = Wanted(SCORE, self._loaded.name, self._loaded.sha256, {"explain": self._explain})
        expires_at = batches.in_days(work.now, self._settings.batch_days)
        made = batches.add(work, wanted, spool, expires_at)
        told = _told(work, made)
        work.audit("create", "batch", made.id, count=made.rows)
        return Answer(202, told.model_dump_json().encode(), told.links["self"])


def _names(catalogue: Catalogue) -> list[str]:
    """What a batch may answer: an instrument, or one version of it."""
    headers = [each.rulebook.rulebook for each in catalogue.scored()]
    return sorted({each.instrument for each in headers} | {each.name for each in headers})


def _told(work: Transaction, batch: Kept) -> ScoringBatch:
    counts: dict[str, dict[str, int]] = {"by_status": {}, "by_band": {}, "by_tier": {}}
    faulty = 0
    for _, note in batche_chunks.notes(work, batch.id):
        faulty += note["with_problems"]
        for name, total in counts.items():
            for word, count in note[name].items():
                total[word] = total.get(word, 0) + count
    told: dict[str, Any] = dict(counts)
    here = f"/v1/batches/{batch.id}"
    return ScoringBatch(
        **dict(batches.progress(work, batch)),
        **told,
        id=batch.id,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        rulebook=batch.rulebook,
        rulebook_sha256=batch.rulebook_sha256,
        explain=batch.options["explain"],
        rows_with_problems=faulty,
        links={
            "self": here,
            "results": f"{here}/results",
            "problems": f"{here}/problems",
            "reports": f"{here}/reports",
        },
    )


def _line(work: Transaction, batch: Kept) -> BatchLine:
    return BatchLine(
        id=batch.id,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        state=batches.progress(work, batch).state,
        rulebook=batch.rulebook,
        rows=batch.rows,
    )


def _drop(acts: Acts, batch: str) -> None:
    with acts.transaction() as work:
        kept = batches.found(work, batch, SCORE)
        data_subject_rights.erase_batch(work, batch)
        work.audit("erase", "batch", batch, count=kept.rows)
    acts.store.database.forget_erased()
