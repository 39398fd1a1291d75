"""`nociscreen score`: score one intake and print the assessment."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.context import fail, format_problem

IntakeFile = Annotated[
    str,
    typer.Argument(
        help="A file with a request body or a flat object of answers; - for standard input."
    ),
]
RulebookName = Annotated[
    str, typer.Option("--rulebook", help="The rulebook of a flat object of answers.")
]


def score(
    intake: IntakeFile,
    rulebook: RulebookName = "nociplastic",
    *,
    table: Annotated[bool, typer.Option("--table", help="Print a table instead of JSON.")] = False,
) -> None:
    """Score one intake and print the assessment as JSON."""
    from scoring.catalogue import load_catalogue
    from scoring.engine import assess

    request = read_intake_file(intake, rulebook)
    answers = request.answers.model_dump(exclude_none=True)
    loaded = load_catalogue().find_active(request.rulebook)
    assessment = assess(loaded, answers, attested=request.attested)
    if table:
        from api.cli.assessment_table import print_assessment

        print_assessment(assessment)
    else:
        typer.echo(assessment.model_dump_json(by_alias=True, indent=2))


def read_intake_file(file: str, rulebook: str) -> Any:
    """Return the intake in the file, or on standard input for `-`; exit 2 if it is invalid."""
    from api.intakes.reader import read_intake
    from api.problems import Problem
    from scoring.catalogue import load_catalogue

    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"the file cannot be read: {error.strerror}")
    try:
        return read_intake(text, rulebook, load_catalogue())
    except Problem as problem:
        fail(format_problem(problem))
