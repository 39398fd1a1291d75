"""The shape of a batch over HTTP: how far it has come, and where its results are."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.base import Frozen, Many
from schemas.batch import RowProblem

BatchState = Literal["waiting", "running", "done", "cancelled"]


class Progress(Frozen):
    """How far a batch has come. Counts are of rows."""

    state: BatchState
    rows: int
    rows_done: int
    rows_set_aside: int = Field(
        description="Rows that could not be worked on, however often it was tried, or not be sent; "
        "told as problems."
    )
    finished_at: datetime | None = None


class ScoringBatch(Progress):
    """A batch of intakes that are scored."""

    id: str
    created_at: datetime
    expires_at: datetime
    rulebook: str
    rulebook_sha256: str
    explain: bool
    rows_with_problems: int
    by_status: dict[str, int]
    by_band: dict[str, int]
    by_tier: dict[str, int]
    links: dict[str, str]


class BatchProblem(RowProblem):
    """A fault of a row of a batch, with what the row is known by where that could be read."""

    row_id: str | None = None


class ReportsBatch(Progress):
    """The reports of a batch, one for each row that was chosen; in a ZIP, or on their way."""

    id: str
    batch: str
    destination: str | None = Field(
        default=None, description="Where they are sent; null where they are in a ZIP."
    )
    rows_enqueued: int = Field(
        default=0, description="Rows that were kept as screenings and put on their way."
    )
    failed: dict[str, int] = Field(
        default_factory=dict, description="How many rows were set aside, by the code of why."
    )
    problems: Many[RowProblem] = Field(
        default=(), description="Which rows were set aside, and why; the first thousand."
    )
    created_at: datetime
    expires_at: datetime
    links: dict[str, str]


class BatchLine(Frozen):
    """A batch in a list."""

    id: str
    created_at: datetime
    expires_at: datetime
    state: BatchState
    rulebook: str
    rows: int


class BatchList(Frozen):
    """Batches, newest first."""

    batches: tuple[BatchLine, ...]
