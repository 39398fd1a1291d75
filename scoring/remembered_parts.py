"""Remembers parts of assessments by the answers that they read: equal answers are read once.

The memory holds answers without a patient. It is in this process alone, and of each part it has
only the latest, so that ages and durations cannot make it grow.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar, TypeVarTuple

from scoring.conditions import Facts

Part = TypeVar("Part")
Further = TypeVarTuple("Further")

REMEMBERED_PARTS = 256
"""How many variants of one part are remembered."""

REMEMBERED_NUMBERS = 4096
"""How many parts are remembered that hold only points with their names, such as totals."""


def remember_part(
    names: Iterable[str], build: Callable[[Facts, *Further], Part]
) -> Callable[[Facts, *Further], Part]:
    """Return `build`, a pure function of facts and of further values, with a memory.

    It gets the facts of these names and no others, so it cannot read what is not remembered.
    Facts of different types are never the same: a yes is not a 1.
    """
    read_names = tuple(dict.fromkeys(names))

    @lru_cache(REMEMBERED_PARTS, typed=True)
    def build_from_values(further: tuple[*Further], *values: Any) -> Part:
        return build(dict(zip(read_names, values, strict=True)), *further)

    def build_or_remember(facts: Facts, *further: *Further) -> Part:
        return build_from_values(further, *map(facts.get, read_names))

    return build_or_remember
