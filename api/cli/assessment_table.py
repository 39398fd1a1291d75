"""Prints an assessment to the terminal as readable text and a table of criteria."""

from decimal import Decimal

from rich.console import Console
from rich.table import Table

from schemas.assessments.assessment import Assessment, WeighedCriterion
from schemas.base import to_json_number


def print_assessment(assessment: Assessment) -> None:
    """Print red flags first, then totals, then each criterion with its reason, then limitations."""
    console = Console(highlight=False, markup=False)
    console.print(f"{assessment.rulebook}: {assessment.status.replace('_', ' ')}", style="bold")
    _print_safety(console, assessment)
    for name, total in (assessment.totals or {}).items():
        limits = f"{_format_points(total.range.least)} to {_format_points(total.range.most)}"
        band = f", {total.band}: {total.meaning}" if total.band else ""
        console.print(f"{name}: {_format_points(total.points)} points (range {limits}){band}")
    if assessment.picture:
        ledgers = ", ".join(
            f"{name} {_format_points(points)}"
            for name, points in assessment.picture.ledgers.items()
        )
        console.print(f"picture: {assessment.picture.label or 'not given'} ({ledgers})")
    for grading in (assessment.gradings or {}).values():
        console.print(f"grading: {grading.label}")
    if assessment.criteria:
        console.print(_criteria_table(assessment.criteria))
    for missing in assessment.missing or ():
        effect = (
            "needed for safety"
            if missing.swing is None
            else f"could still move {_format_points(missing.swing)}"
        )
        console.print(f"missing: {missing.question} ({effect})")
    for limitation in assessment.limitations:
        console.print(f"- {limitation}")


def _print_safety(console: Console, assessment: Assessment) -> None:
    safety = assessment.safety
    no_flags = "none reported" if safety.all_asked else "none reported so far"
    console.print(f"safety: {safety.tier if safety.flags else no_flags}")
    for flag in safety.flags:
        console.print(f"  {flag.tier} {flag.label}: think of {flag.suspect}. {flag.action}")
    if safety.unanswered:
        console.print(f"  not asked: {', '.join(safety.unanswered)}")
    for reason in assessment.scope.reasons:
        console.print(f"  out of scope: {reason.label}")


def _criteria_table(criteria: tuple[WeighedCriterion, ...]) -> Table:
    table = Table("", "points", "why", "grade", show_lines=False)
    for criterion in criteria:
        points = "" if criterion.points is None else _format_points(criterion.points)
        table.add_row(criterion.id, points, criterion.because, criterion.grade)
    return table


def _format_points(points: Decimal) -> str:
    return str(to_json_number(points))
