"""Names of batch columns, and models of row problems and of the summary of a batch.

A problem states where it is and what was expected, never the invalid value.
"""

from pydantic import Field

from schemas.base import FrozenModel, Many

ROW_ID = "row_id"
PATIENT_REFERENCE = "patient_reference"
PASSTHROUGH_COLUMNS = (ROW_ID, PATIENT_REFERENCE)
"""Optional columns that are copied to the results unchanged."""

PROBLEMS_COLUMN = "problems"
STATUS_COLUMN = "status"
TIER_COLUMN = "tier"
FLAGS_COLUMN = "flags"
BAND_COLUMN = "band"
LEAST_COLUMN = "least"
MOST_COLUMN = "most"
PICTURE_COLUMN = "picture"
MISSING_COLUMN = "missing"
BAND_LEAST_COLUMN = "band_least"
BAND_MOST_COLUMN = "band_most"
ASK_FIRST_COLUMN = "ask_first"
ALTERNATIVES_COLUMN = "alternatives"
CONTRADICTIONS_COLUMN = "contradictions"
DOMAIN_PREFIX = "domain_"
BECAUSE_PREFIX = "because_"
LIST_SEPARATOR = "|"
"""Separator of the parts of a list in CSV."""

NONE_OF_THESE = "none"
"""CSV value for an answer with no option marked. An empty cell means not answered."""


class RowProblem(FrozenModel):
    """One problem of one row. `row` counts from 1; `line` is where the row begins in its file."""

    row: int = Field(ge=1)
    line: int | None = None
    file: str | None = Field(default=None, description="Set if a batch has several files.")
    column: str | None = Field(default=None, description="Null if the problem is of the whole row.")
    code: str
    expected: str

    @property
    def message(self) -> str:
        """The problem in one line: where it is, and what was expected."""
        location = [self.file, f"line {self.line}" if self.line else f"row {self.row}", self.column]
        return ": ".join([*filter(None, location), self.expected])


MAX_SUMMARY_PROBLEMS = 1000
"""How many problems a summary lists; the column `problems` has all of them."""


class BatchSummary(FrozenModel):
    """The result of a batch. Counts are of rows; `problems` are the first ones, ordered by row."""

    rulebook: str
    rulebook_sha256: str
    rows: int
    rows_with_problems: int
    by_status: dict[str, int]
    by_band: dict[str, int]
    by_tier: dict[str, int]
    problems: Many[RowProblem] = ()
