"""Lists the values of a question, derived value or result that its statements distinguish.

Each kind of options, both truth values, and the numbers at and next to each edge.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations
from typing import Any

from schemas.rulebooks.conditions import (
    AtLeast,
    AtMost,
    CountsAtLeast,
    Includes,
    Is,
    OneOf,
    Statement,
)
from schemas.rulebooks.rulebook import Derived, Question, Rulebook
from scoring.conditions import expand_options

_MAX_OPTION_KINDS = 5
"""How many kinds of options are tried in every combination; of more, only pairs."""

_OTHER_RESULT = "another result"
_HUNDREDTH = Decimal("0.01")


def list_candidates(subject: str, claims: Sequence[Statement], book: Rulebook) -> list[Any]:
    """Return the values to try for the subject of these statements."""
    questions = book.questions_by_id
    if subject in questions:
        return _candidate_answers(questions[subject], claims)
    derived = next((value for value in book.derived if value.id == subject), None)
    return _candidate_values(derived, questions, claims) if derived else _candidate_results(claims)


def _candidate_answers(question: Question, claims: Sequence[Statement]) -> list[Any]:
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            return [True, False]
        case "choice":
            return list(options)
        case "multi":
            return _candidate_options(question, claims)
        case "integer":
            return _candidate_numbers(claims, question.minimum, question.maximum, Decimal(1))
        case "decimal":
            return _candidate_numbers(claims, question.minimum, question.maximum, _HUNDREDTH)


def _candidate_options(question: Question, claims: Sequence[Statement]) -> list[Any]:
    """Return sets of options: those that the claims tell apart, and one of each size."""
    options = [option.id for option in question.options]
    counts = [claim.counts_at_least for claim in claims if isinstance(claim, CountsAtLeast)]
    sizes = {size for count in counts for size in (count - 1, count)}
    questions = {question.id: question}
    included = [expand_options(it, questions) for it in claims if isinstance(it, Includes)]
    kinds = {tuple(option in group for group in included): option for option in options}
    most = len(kinds) if len(kinds) <= _MAX_OPTION_KINDS else 2
    combined = [subset for size in range(most + 1) for subset in combinations(kinds.values(), size)]
    subsets_by_size = [tuple(options[:size]) for size in sorted(sizes)]
    return [*dict.fromkeys([*combined, *subsets_by_size, tuple(options)])]


def _candidate_results(claims: Iterable[Statement]) -> list[Any]:
    """Return the results that the claims name, another one, numbers at each edge, and None."""
    numbers: list[Decimal] = []
    names: list[bool | str] = []
    for claim in claims:
        match claim:
            case Is(is_=expected):
                names += [True, False] if isinstance(expected, bool) else [expected]
            case OneOf(one_of=options):
                names += options
            case AtLeast(at_least=edge) | AtMost(at_most=edge):
                numbers += [edge - 1, edge, edge + 1]
    return [None, *numbers, *([*names, _OTHER_RESULT] if names else [])]


def _candidate_values(
    derived: Derived, questions: dict[str, Question], claims: Iterable[Statement]
) -> list[Any]:
    if derived.when is not None:
        return [True, False]
    if derived.whole_years is not None:
        years, months = (questions[name] for name in derived.whole_years.operands)
        least = (years.minimum or Decimal(0)) - (months.maximum or Decimal(0)) // 12 - 1
        return _candidate_numbers(claims, least, years.maximum, Decimal(1))
    if derived.groups_in:
        most = len(derived.groups_in)
    elif derived.options_in:
        most = len(questions[derived.question or ""].groups[derived.options_in])
    else:
        parts = derived.sum_of or derived.mean_of
        most = sum(int(questions[part].maximum or 1) for part in parts)
    if derived.mean_of:
        mean = (Decimal(most) / len(derived.mean_of)).quantize(_HUNDREDTH, ROUND_HALF_UP)
        return _candidate_numbers(claims, Decimal(0), mean, _HUNDREDTH)
    return _candidate_numbers(claims, Decimal(0), Decimal(most), Decimal(1))


def _candidate_numbers(
    claims: Iterable[Statement], least: Decimal | None, most: Decimal | None, step: Decimal
) -> list[Any]:
    if least is None or most is None:
        return []
    edges = [claim.at_least for claim in claims if isinstance(claim, AtLeast)]
    edges += [claim.at_most for claim in claims if isinstance(claim, AtMost)]
    candidates = {least, most, *(edge + move for edge in edges for move in (-step, 0, step))}
    return sorted(number for number in candidates if least <= number <= most)
