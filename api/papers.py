"""Papers: a screening and its heading, brought together as a document."""

from datetime import UTC, datetime
from typing import Any

from api.problems import Problem
from api.rendering import Layout
from api.settings import Settings
from reports.formats import Format, Kind, Written, written
from reports.heading import Heading, Letterhead
from reports.retelling import Books
from reports.view import view_in
from reports.wording import wording
from schemas.assessment import Assessment
from scoring.catalogue import Catalogue
from scoring.engine import assess
from scoring.loaded import LoadedRulebook
from scoring.translations import in_language


def paper(  # noqa: PLR0913 - the parts of a document, each from another hand
    loaded: LoadedRulebook,
    assessment: Assessment,
    heading: Heading,
    renderer: Layout,
    *,
    form: Format = "pdf",
    kind: Kind = "clinician",
    language: str = "en",
) -> Written:
    """The document of one assessment, in this format. Raises Problem where it can't be made."""
    if form == "note" and kind == "patient":
        raise Problem("not_acceptable", "A note is for the chart: there is none for the patient.")
    words, told = wording(language), in_language(loaded, language)
    if told is None:
        raise Problem("not_acceptable", "The rulebook was not translated into this language.")
    shown = view_in(Books(loaded.rulebook, told, words), assessment, heading)
    return written(shown, heading, kind, form, renderer.render)


def paper_of_intake(
    rulebooks: Catalogue, settings: Settings, renderer: Layout, intake: Any, **chosen: Any
) -> Written:
    """The document of an intake that is scored and not kept."""
    loaded = rulebooks.active(intake.rulebook)
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(loaded, answers, attested=intake.attested)
    return paper(loaded, assessment, heading_of(settings, intake), renderer, **chosen)


def heading_of(settings: Settings, intake: Any) -> Heading:
    """What stands above a report of this intake, produced now."""
    patient = intake.patient
    return Heading(
        produced_at=datetime.now(UTC),
        letterhead=Letterhead(name=settings.organisation),
        patient_reference=patient and patient.reference,
        patient_system=patient and patient.system,
        patient_name=patient and patient.name,
        birth_date=patient and patient.birth_date,
        encounter=patient and patient.encounter,
        answered_on=intake.answered_on,
        answered_by=intake.answered_by,
        clinician_reference=intake.clinician and intake.clinician.reference,
        note=intake.note,
        test=settings.test_organisation,
    )
