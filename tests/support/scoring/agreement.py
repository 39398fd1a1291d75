"""The engine and the second reading of the specification must agree."""

from typing import Any

from support.scoring import oracle

from schemas.assessments.assessment import Assessment
from scoring.catalogue import load_catalogue
from scoring.engine import assess, weigh_answers
from scoring.weighing import to_points

LOADED = load_catalogue().find_version("nociplastic@1.0.0")


TOTALS = ("contribution", "predominance")


def assert_agreement(answers: dict[str, Any]) -> None:
    """The engine says exactly what the oracle says of these answers."""
    oracle_result, assessment = oracle.judge(answers), assess(LOADED, answers)
    assert assessment.status == oracle_result["status"]
    assert_points_agree(answers, oracle_result)
    assert {flag.id: flag.tier for flag in assessment.safety.flags} == oracle_result["flags"]
    assert assessment.safety.tier == min(oracle_result["flags"].values(), default="none")
    assert assessment.safety.unanswered == tuple(n for n in oracle.RED_FLAGS if n not in answers)
    assert [reason.id for reason in assessment.scope.reasons] == oracle_result["scope"]
    assert assessment.scope.unanswered == tuple(
        n for n in oracle.SCOPE_QUESTIONS if n not in answers
    )
    if assessment.status == "withheld_red_flag":
        return
    assert assessment.derived == oracle_result["derived"]
    for grading in ("iasp_2021", "neupsig", "acr_2016"):
        assert assessment.gradings[grading].grade == oracle_result[grading], grading
    if assessment.status == "out_of_scope":
        return
    assert_scored_parts_agree(assessment, oracle_result)


def assert_points_agree(answers: dict[str, Any], oracle_result: dict[str, Any]) -> None:
    weighed_intake = weigh_answers(LOADED, answers)
    for criterion, weight in zip(LOADED.rulebook.criterion, weighed_intake.criteria, strict=True):
        spec = oracle_result["criteria"][criterion.id]
        level = None if weight.level is None else criterion.level[weight.level].id
        ends = (to_points(weight.points), to_points(weight.least), to_points(weight.most))
        assert level == spec["level"], criterion.id
        assert ends == (spec["points"] or 0, spec["least"], spec["most"]), criterion.id
    for side, sums in (
        ("now", weighed_intake.current),
        ("least", weighed_intake.least),
        ("most", weighed_intake.most),
    ):
        totals = dict(zip((t.id for t in LOADED.rulebook.total), sums.totals, strict=True))
        assert {name: to_points(totals[name]) for name in TOTALS} == {
            name: oracle_result[side][name] for name in TOTALS
        }, side


def assert_scored_parts_agree(assessment: Assessment, oracle_result: dict[str, Any]) -> None:
    total = assessment.totals["predominance"]
    assert total.band == oracle_result["band"]
    assert assessment.picture.id == oracle_result["picture"]
    assert assessment.picture.ledgers == oracle_result["ledgers"]
    assert {domain.id: domain.points for domain in assessment.domains} == oracle_result["now"][
        "domains"
    ]
    assert {domain.id: domain.sum for domain in assessment.domains} == oracle_result["now"]["sums"]
    assert [
        (missing_answer.question, missing_answer.swing) for missing_answer in assessment.missing
    ] == oracle_result["missing"]
    assert {e.criterion: (e.points, e.band) for e in assessment.what_if} == oracle_result["what_if"]
    assert {pattern.number: pattern.state for pattern in assessment.patterns.list} == oracle_result[
        "patterns"
    ]
    for criterion in assessment.criteria:
        spec = oracle_result["criteria"][criterion.id]
        assert (criterion.level, criterion.points) == (spec["level"], spec["points"]), criterion.id
        assert criterion.full_points == spec["full_points"], criterion.id
        assert (criterion.discount and criterion.discount.factor) == spec["factor"], criterion.id
