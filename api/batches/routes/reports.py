"""Reports of a batch: one for each row that is chosen, made by the workers; one ZIP, or sent."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from api.auth.route_guard import guarded
from api.batch_scoring.chunking import Chunk, all_faulty, packed, unpacked
from api.batches.file_transfer import SOON, File, sent
from api.batches.zip_stream import zipped
from api.deliveries import profiles
from api.dependencies import Acting, BatchId, Calling, Chosen, Creating, Rulebooks
from api.http.error_responses import GUARDED, TAKING, refusals
from api.jobs.print_chunk import ROWS
from api.problems import FieldError, Problem
from api.settings import Settings
from api.store.accounts.callers import Caller
from api.store.batches import batches
from api.store.batches import chunks as batche_chunks
from api.store.batches.batches import DELIVERIES, REPORTS, SCORE, Kept, Wanted
from api.store.batches.chunks import Given
from api.store.deliveries import destinations
from api.store.idempotency import Answer
from api.store.keys.field_encryption import digest
from api.store.transaction import Transaction
from reports.phrases import languages
from schemas.assessment import Status
from schemas.base import Frozen, Many
from schemas.batch import BAND, MOST_PROBLEMS, STATUS, TIER, RowProblem
from schemas.batch_job import ReportsBatch
from schemas.delivery import DestinationId
from schemas.patient import READABLE
from scoring.catalogue import Catalogue
from scoring.safety import NO_TIER

Language: Any = Literal[languages()]
ReportsId = Annotated[
    str,
    Path(
        alias="reports",
        pattern=r"^[0-9a-f-]{36}$",
        examples=["6f6f6f6f-0000-4000-8000-000000000008"],
    ),
]
router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=guarded("batches"))
_Word = Annotated[str, Field(min_length=1, max_length=80, pattern=READABLE)]
Words = Annotated[Many[_Word], Field(max_length=20)]
Statuses = Annotated[Many[Status], Field(max_length=20)]


class ReportsWanted(Frozen):
    """Which rows are printed, and how. What is left out chooses nothing out."""

    status: Statuses = Field(default=(), description="Rows with one of these; all where empty.")
    band: Words = Field(default=(), description="Bands of the rulebook.")
    tier: Words = Field(default=(), description="Tiers of the rulebook, or `none`.")
    format: Literal["pdf", "html", "rtf", "txt", "xml"] = "pdf"
    document: Literal["clinician", "patient"] = "clinician"
    locale: Language = "en"
    destination: DestinationId | None = Field(
        default=None,
        description="Keep each row as a screening and send it there instead; the destination says "
        "in which form, so `format`, `document` and `locale` are left out.",
        examples=["d-6f6f6f6f-0000-4000-8000-000000000005"],
    )


@router.post(
    "/{batch}/reports",
    operation_id="print_batch",
    status_code=202,
    response_model=ReportsBatch,
    responses=refusals(*TAKING, 404, 409),
    summary="Make a report of each row",
)
def print_batch(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    batch: BatchId,
    wanted: ReportsWanted,
    *,
    creating: Creating,
    settings: Chosen,
    caller: Calling,
    rulebooks: Rulebooks,
) -> Response:
    """A report of each row that has a status, or of those chosen; 409 until the batch is done.

    With a `destination`, each row that names a patient is kept as a screening and put on its way
    there: that needs `screenings:write` and `deliveries:write` too. Which rows were not sent, and
    why, is told by their numbers.
    """
    if wanted.destination is not None:
        _admit(caller)
        _check_form(wanted)

    def made(work: Transaction) -> Answer:
        scored = batches.found(work, batch, SCORE)
        _check_words(wanted, scored, rulebooks)
        return _make(work, scored, wanted, settings, caller)

    response = creating.once(made)
    response.headers["Retry-After"] = SOON
    return response


@router.get(
    "/{batch}/reports/{reports}",
    operation_id="read_batch_reports",
    responses=refusals(*GUARDED, 404),
    summary="How far the reports have come",
)
def read_batch_reports(batch: BatchId, reports: ReportsId, acts: Acting) -> ReportsBatch:
    """Counts of rows: printed or put on their way, and set aside where that could not be."""
    with acts.transaction() as work:
        told = _told(work, batches.reports_of(work, batch, reports))
        work.audit("read", "batch", reports)
    return told


@router.get(
    "/{batch}/reports/{reports}/zip",
    operation_id="read_batch_zip",
    response_class=Response,
    responses={
        200: {
            "description": "The ZIP",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        206: {
            "description": "The range of it that was asked for",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **refusals(*GUARDED, 404, 409, 416),
    },
    summary="The reports as one ZIP",
)
def read_batch_zip(batch: BatchId, reports: ReportsId, request: Request, acts: Acting) -> Response:
    """Each report is named by the number of its row. `Range` takes up an interrupted download."""
    with acts.transaction() as work:
        kept = batches.reports_of(work, batch, reports)
        if kept.kind == DELIVERIES:
            raise Problem("conflict", "They were sent to a destination: there is no ZIP of them.")
        if batches.progress(work, kept).state != "done":
            raise Problem("conflict", "The reports are not done.", headers={"Retry-After": "5"})
        work.audit("report", "batch", reports, count=kept.rows)
    tag = digest(reports.encode())[:32]
    name = "nociscreen-reports.zip"
    return sent(request, File("application/zip", name, tag, lambda: zipped(acts, kept)))


def _check_words(wanted: ReportsWanted, scored: Kept, rulebooks: Catalogue) -> None:
    """Raises Problem `wrong_shape` where a word is none of the rulebook that scored the batch."""
    instrument, _, number = scored.rulebook.partition("@")
    rulebook = rulebooks.any_status(instrument, number).rulebook
    known = {
        "band": [each.id for each in rulebook.band],
        "tier": [*(each.id for each in rulebook.tier), NO_TIER],
    }
    errors = [
        FieldError(
            pointer=f"/{name}/{place}",
            code="unknown_word",
            detail=f"must be one of {', '.join(known[name])}",
        )
        for name in known
        for place, word in enumerate(getattr(wanted, name))
        if word not in known[name]
    ]
    if errors:
        raise Problem("wrong_shape", errors=errors)


def _make(
    work: Transaction, scored: Kept, wanted: ReportsWanted, settings: Settings, caller: Caller
) -> Answer:
    if batches.progress(work, scored).state != "done":
        raise Problem("conflict", "The batch is not done.", headers={"Retry-After": SOON})
    options = {"organisation": caller.organisation, "test": caller.test}
    if wanted.destination is None:
        kind, said = REPORTS, wanted.model_dump(include={"format", "document", "locale"})
    else:
        _check(work, wanted.destination)
        kind, said = DELIVERIES, {"destination": wanted.destination}
    asked = Wanted(kind, scored.rulebook, scored.rulebook_sha256, options | said, scored.id)
    chosen = _within(_chosen(work, scored, wanted), settings.batch_reports)
    made = batches.add(work, asked, chosen, scored.expires_at)
    told = _told(work, made)
    work.audit("create", "batch", made.id, count=made.rows)
    return Answer(202, told.model_dump_json().encode(), told.links["self"])


def _admit(caller: Caller) -> None:
    """Raises Problem `missing_scope` where the caller may not keep and send."""
    missing = [each for each in ("screenings:write", "deliveries:write")
               if each not in caller.scopes]  # fmt: skip
    if missing:
        needed = "batches screenings:write deliveries:write"
        challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
        raise Problem("missing_scope", headers={"WWW-Authenticate": challenge})


def _check_form(wanted: ReportsWanted) -> None:
    """Raises Problem `wrong_shape` where the form is said: a destination has its own."""
    said = [each for each in ("format", "document", "locale") if each in wanted.model_fields_set]
    detail = "is the destination's to say: leave it out"
    errors = [FieldError(pointer=f"/{each}", code="not_possible", detail=detail) for each in said]
    if errors:
        raise Problem("wrong_shape", errors=errors)


def _check(work: Transaction, destination: str) -> None:
    """Raises Problem `not_found`, `conflict` where it is inactive, `wrong_shape` by its options."""
    found = destinations.found(work, destination)
    profiles.own(found.profile, found.options)
    if not found.active:
        raise Problem("conflict", "The destination is not active.")


def _within(chunks: Iterator[tuple[int, Given]], most: int) -> Iterator[tuple[int, Given]]:
    total = 0
    for count, given in chunks:
        total += count
        if total > most:
            raise Problem("too_large", f"At most {most:,} reports at once: choose fewer rows.")
        yield count, given


def _chosen(work: Transaction, scored: Kept, wanted: ReportsWanted) -> Iterator[tuple[int, Given]]:
    """The rows that are printed, some at a time, each with its number in the batch."""
    before = 0
    for number in range(scored.chunks):
        given = batche_chunks.given(work, scored.id, number)
        content = batche_chunks.made(work, scored.id, number)
        if given is None or content is None:
            raise Problem("not_found")
        results, frame = pl.read_ipc(io.BytesIO(content)), unpacked(given).frame
        rows = results.with_row_index("row").filter(_matches(results, wanted))["row"].to_list()
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            chunk = packed(Chunk(frame[some], all_faulty(0, "", ""), None))
            named = json.dumps([before + row + 1 for row in some]).encode()
            yield len(some), chunk._replace(parts=(*chunk.parts, named))
        before += results.height


def _matches(results: pl.DataFrame, wanted: ReportsWanted) -> pl.Expr:
    chosen = pl.col(STATUS).is_not_null()
    for column, words in ((STATUS, wanted.status), (BAND, wanted.band), (TIER, wanted.tier)):
        if words and column in results.columns:
            chosen &= pl.col(column).cast(pl.String).is_in(list(words)).fill_null(value=False)
        elif words:
            chosen &= pl.lit(value=False)
    return chosen


def _told(work: Transaction, batch: Kept) -> ReportsBatch:
    told = [note for _, note in batche_chunks.notes(work, batch.id)]
    problems = [RowProblem(**each) for note in told for each in note.get("problems", ())]
    set_aside = {"rows_set_aside": sum(len(note["failed"]) for note in told)}
    here = f"/v1/batches/{batch.parent}/reports/{batch.id}"
    destination = batch.options.get("destination")
    if destination is None:
        made = {"zip": f"{here}/zip"}
    else:
        made = {"deliveries": f"/v1/deliveries?destination={destination}"}
    return ReportsBatch(
        **dict(batches.progress(work, batch)) | set_aside,
        id=batch.id,
        batch=batch.parent or "",
        destination=destination,
        rows_enqueued=sum(note.get("enqueued", 0) for note in told),
        failed=Counter(each.code for each in problems),
        problems=tuple(problems[:MOST_PROBLEMS]),
        created_at=batch.created_at,
        expires_at=batch.expires_at,
        links={"self": here} | made,
    )
