"""The engine and the second reading of the specification must agree."""

from typing import Any

from support.scoring import oracle

from schemas.assessment import Assessment
from scoring.catalogue import load_catalogue
from scoring.engine import assess, weigh_answers
from scoring.weighing import to_points

LOADED = load_catalogue().find_active("nociplastic")


TOTALS = ("contribution", "predominance")


def assert_agreement(answers: dict[str, Any]) -> None:
    """The engine says exactly what the oracle says of these answers."""
    expected, found = oracle.judge(answers), assess(LOADED, answers)
    assert found.status == expected["status"]
    assert_points_agree(answers, expected)
    assert {flag.id: flag.tier for flag in found.safety.flags} == expected["flags"]
    assert found.safety.tier == min(expected["flags"].values(), default="none")
    assert found.safety.unanswered == tuple(n for n in oracle.RED_FLAGS if n not in answers)
    assert [reason.id for reason in found.scope.reasons] == expected["scope"]
    assert found.scope.unanswered == tuple(n for n in oracle.SCOPE_QUESTIONS if n not in answers)
    if found.status == "withheld_red_flag":
        return
    assert found.derived == expected["derived"]
    for grading in ("iasp_2021", "neupsig", "acr_2016"):
        assert found.gradings[grading].grade == expected[grading], grading
    if found.status == "out_of_scope":
        return
    assert_scored_parts_agree(found, expected)


def assert_points_agree(answers: dict[str, Any], expected: dict[str, Any]) -> None:
    weighed = weigh_answers(LOADED, answers)
    for criterion, weight in zip(LOADED.rulebook.criterion, weighed.criteria, strict=True):
        spec = expected["criteria"][criterion.id]
        level = None if weight.level is None else criterion.level[weight.level].id
        ends = (to_points(weight.points), to_points(weight.least), to_points(weight.most))
        assert level == spec["level"], criterion.id
        assert ends == (spec["points"] or 0, spec["least"], spec["most"]), criterion.id
    for side in ("now", "least", "most"):
        sums = getattr(weighed, side)
        totals = dict(zip((t.id for t in LOADED.rulebook.total), sums.totals, strict=True))
        assert {name: to_points(totals[name]) for name in TOTALS} == {
            name: expected[side][name] for name in TOTALS
        }, side


def assert_scored_parts_agree(found: Assessment, expected: dict[str, Any]) -> None:
    total = found.totals["predominance"]
    assert total.band == expected["band"]
    assert found.picture.id == expected["picture"]
    assert found.picture.ledgers == expected["ledgers"]
    assert {each.id: each.points for each in found.domains} == expected["now"]["domains"]
    assert {each.id: each.sum for each in found.domains} == expected["now"]["sums"]
    assert [(each.question, each.swing) for each in found.missing] == expected["missing"]
    assert {e.criterion: (e.points, e.band) for e in found.what_if} == expected["what_if"]
    assert {each.number: each.state for each in found.patterns.list} == expected["patterns"]
    for each in found.criteria:
        spec = expected["criteria"][each.id]
        assert (each.level, each.points) == (spec["level"], spec["points"]), each.id
        assert each.full_points == spec["full_points"], each.id
        assert (each.discount and each.discount.factor) == spec["factor"], each.id
