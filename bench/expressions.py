"""The criteria of a rulebook as ZEN expressions, for a rule engine written in Rust.

Two-valued, as that engine is: what is unknown gives nothing. Derived values come ready made.
"""

import json
from typing import assert_never

from schemas.base import to_json_number
from schemas.rulebooks import conditions
from schemas.rulebooks.rulebook import Criterion
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import expand_options


def expressions(loaded: LoadedRulebook) -> dict[str, str]:
    """One expression a criterion: its points after discount."""
    return {criterion.id: _criterion(criterion, loaded) for criterion in loaded.rulebook.criterion}


def list_facts(loaded: LoadedRulebook, answers: dict) -> dict[str, object]:
    """The answers and derived values, as that engine takes them."""
    return {name: _plain(value) for name, value in loaded.derive_facts(answers).items()}


def _plain(value: object) -> object:
    if isinstance(value, tuple | list):
        return list(value)
    return value if value is None or isinstance(value, bool | int | str) else to_json_number(value)


def graph(loaded: LoadedRulebook) -> str:
    """One decision that evaluates them all, as that engine's own format writes it."""
    here = {"x": 0, "y": 0}
    rows = [{"id": name, "key": name, "value": text} for name, text in expressions(loaded).items()]
    return json.dumps(
        {
            "nodes": [
                {"id": "in", "type": "inputNode", "name": "in", "position": here},
                {
                    "id": "points",
                    "type": "expressionNode",
                    "name": "points",
                    "position": here,
                    "content": {"expressions": rows},
                },
                {"id": "out", "type": "outputNode", "name": "out", "position": here},
            ],
            "edges": [
                {"id": "1", "sourceId": "in", "targetId": "points", "type": "edge"},
                {"id": "2", "sourceId": "points", "targetId": "out", "type": "edge"},
            ],
        }
    )


def _criterion(criterion: Criterion, loaded: LoadedRulebook) -> str:
    points = "0"
    for level in reversed(criterion.level):
        points = f"({_translate(level.when, loaded)}) ? {level.points} : ({points})"
    if not criterion.discount:
        return points
    factor = "1"
    for discount in sorted(criterion.discount, key=lambda discount: -discount.factor):
        factor = f"({_translate(discount.when, loaded)}) ? {discount.factor} : ({factor})"
    return f"({points}) > 0 ? ({points}) * ({factor}) : ({points})"


def _translate(  # noqa: C901, PLR0911, PLR0912 - one line for each word of a closed set
    condition: conditions.Condition, loaded: LoadedRulebook
) -> str:
    match condition:
        case conditions.Is():
            return f"{condition.subject} == {json.dumps(condition.is_)}"
        case conditions.OneOf():
            return f"{condition.subject} in {json.dumps(condition.one_of)}"
        case conditions.AtLeast():
            return f"{condition.subject} != null and {condition.subject} >= {condition.at_least}"
        case conditions.AtMost():
            return f"{condition.subject} != null and {condition.subject} <= {condition.at_most}"
        case conditions.Includes():
            options = json.dumps(sorted(expand_options(condition, loaded.questions)))
            return f"some({condition.subject} ?? [], # in {options})"
        case conditions.CountsAtLeast():
            return f"len({condition.subject} ?? []) >= {condition.counts_at_least}"
        case conditions.AllOf():
            return " and ".join(f"({_translate(part, loaded)})" for part in condition.all)
        case conditions.AnyOf():
            return " or ".join(f"({_translate(part, loaded)})" for part in condition.any)
        case conditions.Either():
            return " or ".join(f"({_translate(part, loaded)})" for part in condition.either)
        case conditions.AtLeastOf():
            counts = (f"(({_translate(part, loaded)}) ? 1 : 0)" for part in condition.of)
            return f"{' + '.join(counts)} >= {condition.at_least_of}"
        case conditions.HasAnswer():
            return f"{condition.subject} != null"
        case conditions.Not():
            return f"not ({_translate(condition.not_, loaded)})"
        case conditions.Always():
            return "true"
    assert_never(condition)
