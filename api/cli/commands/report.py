"""`nociscreen report`: score one intake and write its report to a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.cli.commands.score import IntakeFile, RulebookName, read_intake_file
from api.cli.context import fail, load_settings


def report(  # noqa: PLR0913, PLR0917 - Typer passes each option as a parameter
    intake: IntakeFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    rulebook: RulebookName = "nociplastic",
    document: Annotated[
        Literal["clinician", "patient"], typer.Option(help="`patient` for the patient sheet.")
    ] = "clinician",
    edition: Annotated[
        Literal["full", "shareable"],
        typer.Option(
            help="`shareable` leaves out answers about the person: safety, self-harm, adversity, "
            "trauma, and what was concluded from them."
        ),
    ] = "full",
    locale: Annotated[str, typer.Option(help="The language: en, de or es.")] = "en",
) -> None:
    """Score one intake and write its report. The suffix of OUT selects the format.

    Supported suffixes: .pdf, .html, .rtf, .txt and .xml.
    """
    from api.documents.document_builder import PrintSettings, render_intake
    from api.documents.render_pool import InProcessRenderer
    from api.documents.request import DocumentRequest, find_format_by_suffix
    from api.problems import Problem
    from reports.phrases import list_languages
    from reports.view.heading import Letterhead
    from scoring.catalogue import load_catalogue

    if locale not in list_languages():
        fail(f"--locale: expected one of {', '.join(list_languages())}")
    try:
        document_request = DocumentRequest(
            find_format_by_suffix(out.suffix), document, locale, edition
        )
    except Problem:
        fail("--out: the file name must end with .pdf, .html, .rtf, .txt or .xml")
    request = read_intake_file(intake, rulebook)
    settings = load_settings()
    letterhead = Letterhead(name=settings.organisation)
    print_settings = PrintSettings(letterhead, settings.test_organisation)
    document_file = render_intake(
        load_catalogue(), print_settings, InProcessRenderer(), request, document_request
    )
    try:
        out.write_bytes(document_file.content)
    except OSError as error:
        fail(f"the report cannot be written: {error.strerror}")
