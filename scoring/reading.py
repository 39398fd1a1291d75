"""Who reads what: the questions behind a condition, with derived values opened."""

from collections.abc import Iterable, Mapping

from schemas.conditions import Condition, statements
from schemas.rulebook import Criterion, Derived

Sources = Mapping[str, Derived]


def questions_read(conditions: Iterable[Condition | None], sources: Sources) -> list[str]:
    """The questions that these conditions read, directly or through derived values, each once, in order."""
    subjects = (each.subject for condition in conditions for each in statements(condition))
    return _opened(subjects, sources)


def questions_weighed(criterion: Criterion, sources: Sources) -> list[str]:
    """The questions that a criterion's levels read."""
    return questions_read([level.when for level in criterion.level], sources)


def questions_discounting(criterion: Criterion, sources: Sources) -> list[str]:
    """The questions that a criterion's discounts read."""
    return questions_read([discount.when for discount in criterion.discount], sources)


def questions_counted(derived: Derived, sources: Sources) -> list[str]:
    """The questions that a derived value counts."""
    asked = [derived.question] if derived.question else [*derived.sum_of, *derived.mean_of]
    return _opened([*asked, *(each.subject for each in statements(derived.when))], sources)


def _opened(subjects: Iterable[str], sources: Sources) -> list[str]:
    opened: dict[str, None] = {}
    for subject in subjects:
        behind = questions_counted(sources[subject], sources) if subject in sources else [subject]
        opened.update(dict.fromkeys(behind))
    return list(opened)
