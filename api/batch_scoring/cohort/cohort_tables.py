"""Builds the tables of a cohort from counts: sorted, labelled, and without small counts."""

from collections import Counter
from collections.abc import Mapping

from api.batch_scoring.cohort.cohort_labels import EMPTY, CohortLabels
from api.batch_scoring.cohort.small_counts import withhold_small_counts
from schemas.batches.batch import BAND_COLUMN, TIER_COLUMN
from schemas.batches.cohort import CohortCount, CohortTable, CrossTable, CrossTableRow

DISTRIBUTION = "distribution"
MAX_VALUES = 50


def build_table(name: str, counts: Mapping[str, int], labels: CohortLabels) -> CohortTable:
    """Return the table of one result."""
    return CohortTable(
        id=name,
        title=labels.titles[name],
        counts=tuple(
            CohortCount(id=value, label=labels.label(name, value), rows=counts[value])
            for value in sort_values(name, counts, labels)
        ),
    )


def build_cross_table(
    name: str, column: str, values: Mapping[str, Counter[str]], labels: CohortLabels
) -> CrossTable:
    """Return the table of a result by the values of a column of the file, the most frequent."""
    by_rows = sorted(values, key=lambda it: (-values[it].total(), it))[:MAX_VALUES]
    rows = {
        labels.texts.say("empty") if value == EMPTY else value: values[value]
        for value in sorted(by_rows)
    }
    return CrossTable(
        column=name,
        title=labels.titles[column],
        rows=label_rows(rows, column, labels),
        values_left_out=len(values) - len(by_rows),
    )


def label_rows(
    rows: Mapping[str, Counter[str]], column: str, labels: CohortLabels
) -> tuple[CrossTableRow, ...]:
    """Return rows with labelled counts of a result, small ones withheld."""
    results = sort_values(column, sum(rows.values(), Counter[str]()), labels)
    counts = withhold_small_counts([[row[result] for result in results] for row in rows.values()])
    return tuple(
        CrossTableRow(
            value=value,
            counts=tuple(
                CohortCount(id=result, label=labels.label(column, result), rows=count)
                for result, count in zip(results, line, strict=True)
            ),
        )
        for value, line in zip(rows, counts, strict=True)
    )


def sort_values(name: str, counts: Mapping[str, int], labels: CohortLabels) -> list[str]:
    """Return the values of a result: in its own order if it has one, otherwise by count."""
    if name == DISTRIBUTION:
        return sorted(counts, key=int)
    if name in {TIER_COLUMN, BAND_COLUMN}:
        order = labels.list_order(name)
        return sorted(counts, key=lambda it: order.index(it) if it in order else len(order))
    return sorted(counts, key=lambda it: (-counts[it], it))
