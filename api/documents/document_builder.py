"""Builds the document of an intake or a screening: heading, view and rendered file."""

import hashlib
from base64 import b64encode
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from fastapi import Response

from api.documents.render_pool import PdfRenderer
from api.documents.request import DocumentRequest
from api.problems import Problem
from api.store.screenings.earlier_screenings import PriorScreening
from reports.formats import Kind, Written, written
from reports.phrases import wording
from reports.view.charts import banded
from reports.view.heading import (
    EarlierScreening,
    Heading,
    Letterhead,
    OtherScreening,
    Reported,
    Seen,
)
from reports.view.model import View
from reports.view.translation import Books
from reports.view.view_builder import view_in
from schemas.assessment import Assessment
from schemas.form_settings import EmergencyNumber
from schemas.patient import Patient
from schemas.rulebook import Total
from schemas.screening import Screening, ScreeningContext
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.translations import translate_rulebook


def render_document(
    loaded: LoadedRulebook,
    assessment: Assessment,
    heading: Heading,
    renderer: PdfRenderer,
    document_request: DocumentRequest,
) -> Written:
    """Render the document of one assessment, in the requested language or the letterhead's.

    Raises Problem `not_acceptable` for a note to the patient or a missing translation.
    """
    form, kind, language = document_request
    if form == "note" and kind == "patient":
        raise Problem("not_acceptable", "A note is for the chart: there is none for the patient.")
    books = _choose_language(loaded, language, heading.letterhead.language)
    return written(view_in(books, assessment, heading), heading, kind, form, renderer.render)


def _choose_language(loaded: LoadedRulebook, requested: str | None, default: str) -> Books:
    """Return the rulebook in the requested language; without one, in the default or in English."""
    translation = translate_rulebook(loaded, requested or default)
    if translation is None and requested is not None:
        raise Problem("not_acceptable", "The rulebook was not translated into this language.")
    if translation is None:
        return Books(loaded.rulebook, loaded.rulebook, wording())
    return Books(loaded.rulebook, translation, wording(requested or default))


class PrintSettings(NamedTuple):
    """Settings of an organisation for its documents: letterhead, test mark, emergency numbers."""

    letterhead: Letterhead
    test: bool
    emergency_numbers: tuple[EmergencyNumber, ...] = ()


def render_intake(
    rulebooks: Catalogue,
    print_settings: PrintSettings,
    renderer: PdfRenderer,
    intake: Any,
    document_request: DocumentRequest,
) -> Written:
    """Score an intake and render its document."""
    loaded = rulebooks.find_active(intake.rulebook)
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(loaded, answers, attested=intake.attested)
    heading = Heading(
        **_heading_fields(print_settings, intake.patient or Patient(), intake.context)
    )
    return render_document(loaded, assessment, heading, renderer, document_request)


class PatientAnswers(NamedTuple):
    """Validated answers and their patient."""

    answers: dict[str, Any]
    patient: Patient


def render_answers(
    loaded: LoadedRulebook,
    print_settings: PrintSettings,
    renderer: PdfRenderer,
    patient_answers: PatientAnswers,
    document_request: DocumentRequest,
) -> Written:
    """Score validated answers to one version of a rulebook and render their document."""
    heading = Heading(
        **_heading_fields(print_settings, patient_answers.patient, ScreeningContext())
    )
    return render_document(
        loaded, assess(loaded, patient_answers.answers), heading, renderer, document_request
    )


def render_screening(
    rulebooks: Catalogue,
    print_settings: PrintSettings,
    renderer: PdfRenderer,
    source: "ReportSource",
    document_request: DocumentRequest,
) -> Written:
    """Render the document of a stored screening with its later events; nothing is scored again."""
    loaded = _find_rulebook(rulebooks, source)
    heading = _build_heading(print_settings, source, loaded)
    return render_document(loaded, source.screening.assessment, heading, renderer, document_request)


def build_screening_view(
    rulebooks: Catalogue, print_settings: PrintSettings, source: "ReportSource", language: str
) -> tuple[View, str]:
    """Return the view of a stored screening and its language; English if untranslated."""
    loaded = _find_rulebook(rulebooks, source)
    available = language if translate_rulebook(loaded, language) else "en"
    books = _choose_language(loaded, available, available)
    heading = _build_heading(print_settings, source, loaded)
    return view_in(books, source.screening.assessment, heading), available


def _find_rulebook(rulebooks: Catalogue, source: "ReportSource") -> LoadedRulebook:
    instrument, _, version = source.screening.assessment.rulebook.partition("@")
    return rulebooks.find_version(instrument, version)


def _build_heading(
    print_settings: PrintSettings, source: "ReportSource", loaded: LoadedRulebook
) -> Heading:
    screening = source.screening
    error = screening.entered_in_error
    return Heading(
        **_heading_fields(print_settings, screening.patient, screening.context),
        screening_id=screening.id,
        kept_at=screening.created_at,
        acknowledged=tuple(
            Seen(by=acknowledgement.practitioner, at=acknowledgement.at, done=acknowledgement.done)
            for version in (source.replaces, screening)
            for acknowledgement in (version.acknowledgements if version else ())
        ),
        replaces=_summarise(source.replaces, print_settings.letterhead),
        replaced_by=_summarise(source.replaced_by, print_settings.letterhead),
        entered_in_error=error.reason if error else None,
        earlier=_list_earlier_totals(source, banded(loaded.rulebook), print_settings.letterhead),
    )


class ReportSource(NamedTuple):
    """A screening, the versions before and after it, and earlier screenings of the patient."""

    screening: Screening
    replaces: Screening | None
    replaced_by: Screening | None
    earlier: tuple[PriorScreening, ...] = ()


def _list_earlier_totals(
    source: ReportSource, main: Total | None, letterhead: Letterhead
) -> tuple[EarlierScreening, ...]:
    """Return the banded totals of earlier screenings, except withheld and later-answered ones."""
    if main is None:
        return ()
    screening = source.screening
    answered_on = _local_date(screening.context.answered_on, screening.created_at, letterhead)
    return tuple(
        EarlierScreening(
            on=on, points=total.points, band=total.band, rulebook=earlier.assessment.rulebook
        )
        for earlier in source.earlier
        if (on := _local_date(earlier.answered_on, earlier.created_at, letterhead)) <= answered_on
        and (total := (earlier.assessment.totals or {}).get(main.id)) is not None
    )


def _local_date(answered_on: date | None, created_at: datetime, letterhead: Letterhead) -> date:
    return answered_on or letterhead.there(created_at).date()


def _summarise(screening: Screening | None, letterhead: Letterhead) -> OtherScreening | None:
    if screening is None:
        return None
    return OtherScreening(
        id=screening.id,
        on=letterhead.there(screening.created_at).date(),
        flags=tuple(
            Reported(id=flag.id, tier=flag.tier, label=flag.label)
            for flag in screening.assessment.safety.flags
        ),
    )


def build_download(document: Written, kind: Kind = "clinician") -> Response:
    """Return the document as a download; the file name holds the kind and no patient data."""
    file_name = "patient-sheet" if kind == "patient" else "report"
    headers = {
        "Content-Disposition": f'attachment; filename="nociscreen-{file_name}{document.suffix}"',
        "Vary": "Accept",
        "Repr-Digest": format_repr_digest(document.content),
    }
    return Response(document.content, media_type=document.media_type, headers=headers)


def format_repr_digest(content: bytes) -> str:
    """Return the `Repr-Digest` value of the content: SHA-256 (RFC 9530)."""
    return f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"


def _heading_fields(
    print_settings: PrintSettings, patient: Patient, context: ScreeningContext
) -> dict[str, Any]:
    """Return the fields of the heading of a document produced now."""
    return {
        "produced_at": datetime.now(UTC),
        "letterhead": print_settings.letterhead,
        "test": print_settings.test,
        "help_numbers": print_settings.emergency_numbers,
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
