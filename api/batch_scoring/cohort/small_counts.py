"""Withholds small counts, and the counts from which these would follow."""

import math
from collections.abc import Sequence

from schemas.batches.cohort import SMALLEST_COUNT


def withhold_small_counts(counts: list[list[int]]) -> list[list[int | None]]:
    """Return the counts of a table with None for small ones, and for those that would reveal them.

    A line or column with one withheld count would reveal it by its sum, so a second one is withheld
    too: the smallest, or a zero if there is nothing else.
    """
    places = [(row, column) for row, line in enumerate(counts) for column in range(len(line))]
    withheld = {(r, c) for r, c in places if 0 < counts[r][c] < SMALLEST_COUNT}
    lines = [[it for it in places if it[0] == row] for row in range(len(counts))]
    lines += [[it for it in places if it[1] == column] for column in {c for _, c in places}]
    changed = True
    while changed:
        changed = False
        for line in lines:
            open_places = [it for it in line if it not in withheld]
            if len(withheld.intersection(line)) == 1 and open_places:
                size = {it: counts[it[0]][it[1]] for it in open_places}
                withheld.add(min(open_places, key=lambda it: size[it] or math.inf))
                changed = True
    return [
        [None if (r, c) in withheld else count for c, count in enumerate(line)]
        for r, line in enumerate(counts)
    ]


def withhold_nested_counts(counts: Sequence[int]) -> list[int | None]:
    """Return the sizes of groups, each a part of the one before, with None for small ones.

    A size is withheld too if it differs by less than five from the last one that is shown.
    """
    open_counts: list[int | None] = []
    last = None
    for count in counts:
        is_small = 0 < count < SMALLEST_COUNT
        is_near = last is not None and 0 < last - count < SMALLEST_COUNT
        open_counts.append(None if is_small or is_near else count)
        last = last if open_counts[-1] is None else count
    return open_counts
