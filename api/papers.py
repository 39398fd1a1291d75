"""Papers: a screening and its heading, brought together as a document."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from fastapi import Response

from api.choosing import Chosen
from api.problems import Problem
from api.rendering import Layout
from reports.formats import Written, written
from reports.heading import Heading, Letterhead, OtherScreening
from reports.retelling import Books
from reports.view import view_in
from reports.wording import wording
from schemas.assessment import Assessment
from schemas.patient import Patient
from schemas.screening import Context, Screening
from scoring.catalogue import Catalogue
from scoring.engine import assess
from scoring.loaded import LoadedRulebook
from scoring.translations import in_language


def paper(
    loaded: LoadedRulebook,
    assessment: Assessment,
    heading: Heading,
    renderer: Layout,
    chosen: Chosen,
) -> Written:
    """The document of one assessment, in this format. Raises Problem where it can't be made."""
    form, kind, language = chosen
    if form == "note" and kind == "patient":
        raise Problem("not_acceptable", "A note is for the chart: there is none for the patient.")
    words, told = wording(language), in_language(loaded, language)
    if told is None:
        raise Problem("not_acceptable", "The rulebook was not translated into this language.")
    shown = view_in(Books(loaded.rulebook, told, words), assessment, heading)
    return written(shown, heading, kind, form, renderer.render)


class Printed(NamedTuple):
    """In whose name a paper is printed, and whether it says that it is a test."""

    organisation: str | None
    test: bool


def paper_of_intake(
    rulebooks: Catalogue, printed: Printed, renderer: Layout, intake: Any, chosen: Chosen
) -> Written:
    """The document of an intake that is scored and not kept."""
    loaded = rulebooks.active(intake.rulebook)
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(loaded, answers, attested=intake.attested)
    heading = Heading(**_facts(printed, intake.patient or Patient(), intake.context))
    return paper(loaded, assessment, heading, renderer, chosen)


def paper_of_screening(
    rulebooks: Catalogue, printed: Printed, renderer: Layout, told: "Told", chosen: Chosen
) -> Written:
    """The document of a kept screening, stamped with what became of it. Nothing is scored again."""
    screening = told.screening
    instrument, _, version = screening.assessment.rulebook.partition("@")
    loaded = rulebooks.any_status(instrument, version)
    error = screening.entered_in_error
    heading = Heading(
        **_facts(printed, screening.patient, screening.context),
        screening_id=screening.id,
        replaces=told.replaces,
        replaced_by=told.replaced_by,
        entered_in_error=error.reason if error else None,
    )
    return paper(loaded, screening.assessment, heading, renderer, chosen)


class Told(NamedTuple):
    """A screening, and the screenings before and after it."""

    screening: Screening
    replaces: OtherScreening | None
    replaced_by: OtherScreening | None


def sent(made: Written) -> Response:
    """The document as a file whose name tells nothing."""
    headers = {
        "Content-Disposition": f'attachment; filename="nociscreen-report{made.suffix}"',
        "Vary": "Accept",
    }
    return Response(made.content, media_type=made.media_type, headers=headers)


def _facts(printed: Printed, patient: Patient, context: Context) -> dict[str, Any]:
    """What stands above a report, produced now."""
    return {
        "produced_at": datetime.now(UTC),
        "letterhead": Letterhead(name=printed.organisation),
        "test": printed.test,
        "patient_reference": patient.reference,
        "patient_system": patient.system,
        "patient_name": patient.name,
        "birth_date": patient.birth_date,
        "encounter": patient.encounter,
        "answered_on": context.answered_on,
        "answered_by": context.answered_by,
        "clinician_reference": context.clinician.reference if context.clinician else None,
        "note": context.note,
    }
