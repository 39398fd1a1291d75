"""A cohort: the results of a batch as counts, without a row of a patient."""

from pydantic import Field

from schemas.base import FrozenModel, Many

SMALLEST_COUNT = 5
"""In tables by a column of the file and by visits, smaller counts are withheld."""


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


class VisitScore(FrozenModel):
    """The score of one visit; null if it is withheld because few people have it."""

    visit: int = Field(description="Counts the visits of a person that have a score, from 1.")
    people: int | None = Field(description="People with a score at this visit.")
    median: float | None = Field(description="The median of their scores.")


class ScoreChange(FrozenModel):
    """How a score changed from the first to the last visit of each person who has two scores."""

    label: str
    maximum: int = Field(description="The highest possible score.")
    percent: int = Field(description="The change that counts, in percent of the first score.")
    note: str = Field(description="Where the threshold comes from.")
    people: int = Field(description="People with a score at two visits or more.")
    counts: Many[CohortCount] = Field(description="People by kind of change.")
    median_change: float = Field(description="The median of last minus first score.")
    visits: Many[VisitScore] = Field(description="The scores by visit.")
    visits_left_out: int = Field(default=0, description="Later visits that are not listed.")


class CohortVisits(FrozenModel):
    """Change over time. Counts are of people, known by `patient_reference`; small ones are null.

    Visits are in the order of `answered_on`; if a visit of a person has no date, in that of the
    file.
    """

    people: int = Field(description="People in the file.")
    people_with_visits: int | None = Field(description="People with two visits or more.")
    people_without_dates: int | None = Field(
        description="People whose visits are in the order of the file."
    )
    change: ScoreChange | None = Field(
        default=None, description="Null if no score is followed or too few people have two."
    )
    transitions: Many[CrossTable] = Field(
        default=(), description="Results at the last visit by those at the first, in people."
    )


class Cohort(FrozenModel):
    """The results of a batch as counts: red flags first, then results, then what is missing."""

    rulebook: str
    language: str = "en"
    rows: int
    rows_with_problems: int
    rows_with_flags: int
    rows_not_all_asked: int
    tables: Many[CohortTable]
    visits: CohortVisits | None = Field(
        default=None, description="Null if no person has several visits."
    )
    cross_tables: Many[CrossTable] = ()
