"""A cohort: the results of a batch as counts, without a row of a patient."""

from pydantic import Field

from schemas.base import FrozenModel, Many

SMALLEST_COUNT = 5
"""In tables by a column of the file, smaller counts are withheld."""


class CohortCount(FrozenModel):
    """How many rows have one value; null if it is withheld because it is small."""

    id: str
    label: str
    rows: int | None


class CohortTable(FrozenModel):
    """The rows by the values of one result, in their order or by count."""

    id: str
    title: str
    counts: Many[CohortCount]


class CrossTableRow(FrozenModel):
    """One value of a column of the file, and the rows with it by result."""

    value: str
    counts: Many[CohortCount]


class CrossTable(FrozenModel):
    """The rows by a column of the file and by result."""

    column: str
    title: str
    rows: Many[CrossTableRow]
    values_left_out: int = Field(default=0, description="Further values of the column.")


class Cohort(FrozenModel):
    """The results of a batch as counts: red flags first, then results, then what is missing."""

    rulebook: str
    rows: int
    rows_with_problems: int
    rows_with_flags: int
    rows_not_all_asked: int
    tables: Many[CohortTable]
    cross_tables: Many[CrossTable] = ()
