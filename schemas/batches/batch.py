"""Names of batch columns, and models of row problems and of the summary of a batch.

A problem states where it is and what was expected, never the invalid value.
"""

from typing import Literal

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.batches.cohort import Cohort

ROW_ID = "row_id"
PATIENT_REFERENCE = "patient_reference"
PASSTHROUGH_COLUMNS = (ROW_ID, PATIENT_REFERENCE)
"""Optional columns that are copied to the results unchanged."""

ANSWERED_ON = "answered_on"
"""Optional column: the day of the answers (YYYY-MM-DD). An import stores it."""

PROBLEMS_COLUMN = "problems"
STATUS_COLUMN = "status"
TIER_COLUMN = "tier"
FLAGS_COLUMN = "flags"
ALL_ASKED_COLUMN = "all_asked"
NOT_ASKED_COLUMN = "not_asked"
SCOPE_REASONS_COLUMN = "scope_reasons"
SCOPE_UNANSWERED_COLUMN = "scope_unanswered"
NOT_ALL_ASKED = "not_all_asked"
"""The tier of a row without a red flag, of which not every red flag question was answered."""

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
WHY_NO_BAND_COLUMN = "why_no_band"
SOURCE_FILE_COLUMN = "source_file"
SOURCE_LINE_COLUMN = "source_line"
"""Where a row comes from, if a run reads several files."""

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
    column: str | None = Field(
        default=None, description="Null if the problem concerns the whole row."
    )
    code: str
    expected: str

    @property
    def place(self) -> str:
        """Where the row is: its file if there are several, and its line, or else its number."""
        place = f"line {self.line}" if self.line else f"row {self.row}"
        return f"{self.file}: {place}" if self.file else place

    @property
    def message(self) -> str:
        """The problem in one line: where it is, and what was expected."""
        return ": ".join(filter(None, [self.place, self.column, self.expected]))


class FaultGroup(FrozenModel):
    """The rows that have the same fault in the same column, and the first of them.

    `missing_words` counts their cells that are a common word or code for "no answer".
    """

    column: str | None = None
    code: str
    expected: str
    rows: int
    first_row: int
    first_line: int | None = None
    file: str | None = None
    missing_words: dict[str, int] = Field(default_factory=dict)

    @property
    def message(self) -> str:
        """The fault in one line: how many rows, which column, what was expected, what to do."""
        first = f"line {self.first_line}" if self.first_line else f"row {self.first_row}"
        where = f"{self.file}, {first}" if self.file else first
        text = f"{self.rows:,} rows: " + ": ".join(filter(None, [self.column, self.expected]))
        text = f"{text} (first: {where})"
        if not self.missing_words:
            return text
        words = [f"{word!r} in {count:,}" for word, count in self.missing_words.items()]
        return f"{text}; {', '.join(words)} of them: if that means no answer, declare it as missing"


NoticeCode = Literal[
    "repeated_row_id",
    "conflicting_row_id",
    "looks_like_a_total",
    "implausible",
    "implausible_date",
    "no_answers",
]
_NOTICES: dict[NoticeCode, str] = {
    "repeated_row_id": "have a row_id that occurred before, with the same content",
    "conflicting_row_id": "have a row_id that occurred before, with other content",
    "looks_like_a_total": "look like a total, not like a patient",
    "implausible": "have pain for longer than the age allows, or for 999 months",
    "implausible_date": "have an answered_on after today, or before 1900",
    "no_answers": "answer no question",
}
MAX_NOTICE_ROWS = 20


class RowNotice(FrozenModel):
    """Rows that were scored but that someone should look at; `first_rows` are at most 20.

    `tiers` counts the rows by the tier of their red flags.
    """

    code: NoticeCode
    rows: int
    first_rows: Many[int]
    tiers: dict[str, int] = Field(default_factory=dict)

    @property
    def message(self) -> str:
        """The notice in one line."""
        rows = ", ".join(map(str, self.first_rows))
        more = " ..." if self.rows > len(self.first_rows) else ""
        text = f"{self.rows:,} rows {_NOTICES[self.code]}: rows {rows}{more}"
        flagged = {tier: count for tier, count in self.tiers.items() if tier.startswith("T")}
        if not flagged:
            return text
        counts = ", ".join(f"{tier} {count:,}" for tier, count in sorted(flagged.items()))
        return f"{text}; with red flags: {counts}"


NOT_READ = "not read: "
"""A note begins so if cells were left out that neither a name nor an option set aside."""
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
    problems_total: int = Field(default=0, description="`problems` may be fewer.")
    faults: Many[FaultGroup] = Field(default=(), description="The problems by kind.")
    notices: Many[RowNotice] = ()
    blank_lines: int = Field(default=0, description="Lines of the files that are not rows.")
    columns_left_out: Many[str] = Field(default=(), description="Columns that were not read.")
    notes: Many[str] = Field(default=(), description="How the files were read.")
    cohort: Cohort | None = None

    @property
    def is_clean(self) -> bool:
        """Whether every row was read and is good, and none is repeated, a total or implausible."""
        serious = [notice for notice in self.notices if notice.code != "no_answers"]
        is_whole = not any(note.startswith(NOT_READ) for note in self.notes)
        return is_whole and not self.rows_with_problems and not serious
