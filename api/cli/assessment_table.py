"""An assessment as a table for people, printed to the terminal."""

from decimal import Decimal

from rich.console import Console
from rich.table import Table

from schemas.assessment import Assessment, WeighedCriterion
from schemas.base import plain_number


def print_assessment(assessment: Assessment) -> None:
    """Safety first, then totals, then every criterion with its reason, then the limits."""
    console = Console(highlight=False, markup=False)
    console.print(f"{assessment.rulebook}: {assessment.status.replace('_', ' ')}", style="bold")
    _print_safety(console, assessment)
    for name, total in (assessment.totals or {}).items():
        ends = f"{_number(total.range.least)} to {_number(total.range.most)}"
        band = f", {total.band}: {total.meaning}" if total.band else ""
        console.print(f"{name}: {_number(total.points)} points (range {ends}){band}")
    if assessment.picture:
        ledgers = ", ".join(
            f"{name} {_number(points)}" for name, points in assessment.picture.ledgers.items()
        )
        console.print(f"picture: {assessment.picture.label or 'not given'} ({ledgers})")
    for grading in (assessment.gradings or {}).values():
        console.print(f"grading: {grading.label}")
    if assessment.criteria:
        console.print(_criteria(assessment.criteria))
    for missing in assessment.missing or ():
        console.print(f"missing: {missing.question} (could still move {_number(missing.swing)})")
    for limitation in assessment.limitations:
        console.print(f"- {limitation}")


def _print_safety(console: Console, assessment: Assessment) -> None:
    safety = assessment.safety
    asked = "none reported" if safety.all_asked else "none reported so far"
    console.print(f"safety: {safety.tier if safety.flags else asked}")
    for flag in safety.flags:
        console.print(f"  {flag.tier} {flag.label}: think of {flag.suspect}. {flag.action}")
    if safety.unanswered:
        console.print(f"  not asked: {', '.join(safety.unanswered)}")
    for reason in assessment.scope.reasons:
        console.print(f"  out of scope: {reason.label}")


def _criteria(criteria: tuple[WeighedCriterion, ...]) -> Table:
    table = Table("", "points", "why", "grade", show_lines=False)
    for each in criteria:
        points = "" if each.points is None else _number(each.points)
        table.add_row(each.id, points, each.because, each.grade)
    return table


def _number(points: Decimal) -> str:
    return str(plain_number(points))
