"""Models of batches over HTTP: their progress and links to their results."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.batches.batch import FaultGroup, RowNotice, RowProblem

BatchState = Literal["waiting", "running", "done", "cancelled"]


class BatchProgress(FrozenModel):
    """The progress of a batch. Counts are of rows."""

    state: BatchState
    rows: int
    rows_done: int
    rows_set_aside: int = Field(
        description="Rows that could not be processed after several attempts, or not be sent; "
        "listed as problems."
    )
    seconds_left: int | None = Field(
        default=None,
        description="An estimate from the rows done since the batch was created; only while it "
        "runs.",
    )
    finished_at: datetime | None = None


class ScoringBatch(BatchProgress):
    """A batch of intakes to be scored."""

    id: str
    created_at: datetime
    expires_at: datetime
    rulebook: str
    rulebook_sha256: str
    explain: bool
    mapping: str | None = Field(
        default=None, description="The mapping that the file was read by: `redcap@2`."
    )
    rows_with_problems: int
    by_status: dict[str, int]
    by_band: dict[str, int]
    by_tier: dict[str, int]
    faults: Many[FaultGroup] = Field(default=(), description="The problems so far by kind.")
    notices: Many[RowNotice] = Field(
        default=(), description="Rows that were scored but that someone should look at."
    )
    columns_left_out: int = Field(default=0, description="Columns that were not read.")
    blank_lines: int = Field(default=0, description="Lines of the file that are not rows.")
    notes: Many[str] = Field(default=(), description="How the file was read.")
    links: dict[str, str]


class BatchProblem(RowProblem):
    """A problem of a row of a batch, with the id of the row if it could be read."""

    row_id: str | None = None


class ReportsBatch(BatchProgress):
    """The reports of a batch, one for each selected row, as a ZIP or as deliveries."""

    id: str
    batch: str
    destination: str | None = Field(
        default=None, description="Where reports are sent; null if they are in a ZIP."
    )
    rows_enqueued: int = Field(
        default=0, description="Rows that were stored as screenings and queued for delivery."
    )
    failed: dict[str, int] = Field(
        default_factory=dict, description="How many rows were set aside, by problem code."
    )
    problems: Many[RowProblem] = Field(
        default=(), description="The rows that were set aside, with the reason; the first thousand."
    )
    created_at: datetime
    expires_at: datetime
    links: dict[str, str]


class BatchListItem(FrozenModel):
    """A batch as an item of a list."""

    id: str
    created_at: datetime
    expires_at: datetime
    state: BatchState
    rulebook: str
    rows: int


class BatchList(FrozenModel):
    """Batches, newest first."""

    batches: tuple[BatchListItem, ...]
    next: str | None = Field(
        default=None, description="The address of the next page; null if this is the last one."
    )
