"""The shape of a batch: what was wrong with which row, and what came of all of them.

A bad row is told by its place and by what was expected there; never by what it held.
"""

from pydantic import Field

from schemas.base import Frozen, Many

ROW_ID = "row_id"
PATIENT_REFERENCE = "patient_reference"
PASSED_THROUGH = (ROW_ID, PATIENT_REFERENCE)
"""Optional columns that no rule reads; they come out as they went in."""

PROBLEMS = "problems"
STATUS = "status"
TIER = "tier"
FLAGS = "flags"
BAND = "band"
LEAST = "least"
MOST = "most"
PICTURE = "picture"
MISSING = "missing"
DOMAIN = "domain_"
BECAUSE = "because_"
JOINED_BY = "|"
"""What stands between the parts of a list in CSV."""

NONE_OF_THESE = "none"
"""In CSV: asked, and nothing was marked. An empty cell means not answered."""


class RowProblem(Frozen):
    """One fault of one row. `row` counts from 1; `line` is where the row begins in its file."""

    row: int = Field(ge=1)
    line: int | None = None
    file: str | None = Field(default=None, description="Where a batch has several files.")
    column: str | None = Field(default=None, description="None where the whole row is meant.")
    code: str
    expected: str

    @property
    def told(self) -> str:
        """In one line: where, and what was expected."""
        place = [self.file, f"line {self.line}" if self.line else f"row {self.row}", self.column]
        return ": ".join([*filter(None, place), self.expected])


MOST_PROBLEMS = 1000
"""How many problems a summary keeps; the column `problems` has them all."""


class BatchSummary(Frozen):
    """What came of a batch. Counts are of rows; `problems` are the first, in order of rows."""

    rulebook: str
    rulebook_sha256: str
    rows: int
    rows_with_problems: int
    by_status: dict[str, int]
    by_band: dict[str, int]
    by_tier: dict[str, int]
    problems: Many[RowProblem] = ()
