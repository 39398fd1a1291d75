"""Figures of `make bench` with their goals: samples of two sides that take turns."""

import statistics
from collections.abc import Callable
from typing import NamedTuple

TURNS = 5


class Sample(NamedTuple):
    """How many things a second, and the CPU milliseconds of each (0 if it is not measured)."""

    rate: float
    cpu_ms: float = 0.0


Side = Callable[[], Sample]


class Figure(NamedTuple):
    """One row: ours and the other's rate, our CPU milliseconds, the value, and its goal.

    The value is the ratio of the rates, unless the row says what else it is.
    """

    what: str
    our_rate: float
    other_rate: float
    cpu_ms: float
    value: float
    goal: float = 0.0
    at_most: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if not self.goal:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    @property
    def share_of_goal(self) -> float:
        """How much of the goal is reached: 1 is all of it."""
        if not self.goal or not self.value:
            return 0.0
        return self.goal / self.value if self.at_most else self.value / self.goal


def compare(  # noqa: PLR0913 - the parts of a row
    what: str,
    our_side: Side,
    other_side: Side,
    goal: float,
    turns: int = TURNS,
    *,
    inverse: bool = False,
) -> Figure:
    """Let both sides take turns; the value is the median ratio, ours to the other.

    With `inverse` it is the other's by ours: how many times longer ours takes, at most the goal.
    """
    our_side(), other_side()
    pairs = [(our_side(), other_side()) for _ in range(turns)]
    ratios = [
        second.rate / first.rate if inverse else first.rate / second.rate for first, second in pairs
    ]
    return Figure(
        what,
        statistics.median(first.rate for first, _ in pairs),
        statistics.median(second.rate for _, second in pairs),
        statistics.median(first.cpu_ms for first, _ in pairs),
        statistics.median(ratios),
        goal,
        at_most=inverse,
    )
