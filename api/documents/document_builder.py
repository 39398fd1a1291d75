"""Builds the document of an intake or a screening: heading, view and rendered file."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, NamedTuple

from fastapi import Response

from api.auth.services import PdfRenderer
from api.documents.request import DocumentRequest
from api.problems import Problem
from api.store.screenings.earlier_screenings import PriorScreening
from reports.formats import DocumentKind, RenderedDocument, render_format
from reports.phrases import load_phrases
from reports.view.editions import Edition
from reports.view.heading import (
    EarlierScreening,
    FlagAcknowledgement,
    Letterhead,
    LinkedScreening,
    ReportedFlag,
    ReportHeading,
)
from reports.view.intake import AssessedIntake
from reports.view.model import ReportView
from reports.view.result_words import find_banded_total
from reports.view.view_builder import build_view
from schemas.assessments.assessment import Assessment
from schemas.organisations.form_settings import EmergencyNumber
from schemas.patients.patient import Patient
from schemas.patients.screening import Screening, ScreeningContext
from schemas.rulebooks.rulebook import Total
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.guidance import choose_guidance
from scoring.translations import (
    TranslationMismatchError,
    translate_assessment,
    translate_rulebook,
)

SHORT_ID_LENGTH = 8


class AssessedAnswers(NamedTuple):
    """The answers to one rulebook with their assessment."""

    loaded: LoadedRulebook
    answers: Mapping[str, Any]
    assessment: Assessment


def render_document(
    assessed_answers: AssessedAnswers,
    heading: ReportHeading,
    renderer: PdfRenderer,
    document_request: DocumentRequest,
) -> RenderedDocument:
    """Render the document of one assessment, in the requested language or the letterhead's.

    Raises Problem `not_acceptable` for a note to the patient or a missing translation.
    """
    form, kind, language, edition = document_request
    if form == "note" and kind == "patient":
        raise Problem("not_acceptable", "A note is available for clinicians only.")
    view = _build_translated_view(
        assessed_answers, heading, language or heading.letterhead.language, edition
    )
    if language is not None and view.language != language:
        raise Problem("not_acceptable", "The report is not available in this language.")
    return render_format(view, heading, kind, form, renderer.render)


def _build_translated_view(
    assessed_answers: AssessedAnswers,
    heading: ReportHeading,
    language: str,
    edition: Edition = "full",
) -> ReportView:
    """Return the view in this language; in English if that does not give the stored result."""
    loaded, answers, assessment = assessed_answers
    guide = partial(choose_guidance, loaded)
    untranslated = AssessedIntake(assessment, answers, choose_guidance=guide)
    rulebook = translate_rulebook(loaded, language)
    if rulebook is None:
        return build_view(loaded.rulebook, untranslated, heading, edition=edition)
    try:
        translated = translate_assessment(loaded, language, answers, assessment)
    except TranslationMismatchError:
        return build_view(loaded.rulebook, untranslated, heading, edition=edition)
    intake = AssessedIntake(
        translated, answers, stored_assessment=assessment, choose_guidance=guide
    )
    return build_view(rulebook, intake, heading, load_phrases(language), edition=edition)


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
) -> RenderedDocument:
    """Score an intake and render its document."""
    loaded = rulebooks.find_active(intake.rulebook)
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(loaded, answers, attested=intake.attested)
    heading = ReportHeading(
        **_heading_fields(print_settings, intake.patient or Patient(), intake.context)
    )
    assessed_answers = AssessedAnswers(loaded, answers, assessment)
    return render_document(assessed_answers, heading, renderer, document_request)


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
) -> RenderedDocument:
    """Score validated answers to one version of a rulebook and render their document."""
    heading = ReportHeading(
        **_heading_fields(print_settings, patient_answers.patient, ScreeningContext())
    )
    answers = patient_answers.answers
    assessed_answers = AssessedAnswers(loaded, answers, assess(loaded, answers))
    return render_document(assessed_answers, heading, renderer, document_request)


def render_screening(
    rulebooks: Catalogue,
    print_settings: PrintSettings,
    renderer: PdfRenderer,
    source: "ReportSource",
    document_request: DocumentRequest,
) -> RenderedDocument:
    """Render the document of a stored screening with its later events, from its stored result."""
    assessed_answers = _find_assessed_answers(rulebooks, source.screening)
    heading = _build_heading(print_settings, source, assessed_answers.loaded)
    return render_document(assessed_answers, heading, renderer, document_request)


def build_screening_view(
    rulebooks: Catalogue, print_settings: PrintSettings, source: "ReportSource", language: str
) -> tuple[ReportView, str]:
    """Return the view of a stored screening and its language; English if untranslated."""
    assessed_answers = _find_assessed_answers(rulebooks, source.screening)
    heading = _build_heading(print_settings, source, assessed_answers.loaded)
    view = _build_translated_view(assessed_answers, heading, language)
    return view, view.language


def _find_assessed_answers(rulebooks: Catalogue, screening: Screening) -> AssessedAnswers:
    loaded = rulebooks.find_version(screening.assessment.rulebook)
    return AssessedAnswers(loaded, screening.answers, screening.assessment)


def _build_heading(
    print_settings: PrintSettings, source: "ReportSource", loaded: LoadedRulebook
) -> ReportHeading:
    screening = source.screening
    error = screening.entered_in_error
    return ReportHeading(
        **_heading_fields(print_settings, screening.patient, screening.context),
        screening_id=screening.id,
        stored_at=screening.created_at,
        acknowledgements=_list_acknowledgements(source),
        replaces=_summarise(source.replaces, print_settings.letterhead),
        replaced_by=_summarise(source.replaced_by, print_settings.letterhead),
        entered_in_error=error.reason if error else None,
        earlier=_list_earlier_totals(
            source, find_banded_total(loaded.rulebook), print_settings.letterhead
        ),
    )


def _list_acknowledgements(source: "ReportSource") -> tuple[FlagAcknowledgement, ...]:
    """Return what was done in this and the previous version; what was carried over, once."""
    entries = {
        (entry.practitioner, entry.at, entry.done, entry.flag): entry
        for version in (source.replaces, source.screening)
        for entry in (version.acknowledgements if version else ())
    }
    of_all_flags = {key[:3] for key in entries if key[3] is None}
    return tuple(
        FlagAcknowledgement(
            practitioner=entry.practitioner,
            acknowledged_at=entry.at,
            action_taken=entry.done,
            reached=entry.reached,
            flag=entry.flag,
        )
        for key, entry in entries.items()
        if entry.flag is None or key[:3] not in of_all_flags
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
    return answered_on or letterhead.to_local_time(created_at).date()


def _summarise(screening: Screening | None, letterhead: Letterhead) -> LinkedScreening | None:
    if screening is None:
        return None
    return LinkedScreening(
        id=screening.id,
        on=letterhead.to_local_time(screening.created_at).date(),
        flags=tuple(
            ReportedFlag(id=flag.id, tier=flag.tier, label=flag.label)
            for flag in screening.assessment.safety.flags
        ),
    )


def build_download(
    document: RenderedDocument,
    kind: DocumentKind = "clinician",
    screening: Screening | None = None,
) -> Response:
    """Return the document as a download."""
    file_name = build_file_name(document.suffix, kind, screening)
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Vary": "Accept",
        "Repr-Digest": format_repr_digest(document.content),
    }
    return Response(document.content, media_type=document.media_type, headers=headers)


def build_file_name(
    suffix: str, kind: DocumentKind = "clinician", screening: Screening | None = None
) -> str:
    """Return the name of a document's file, which holds the kind and no patient data.

    Of a screening it also holds the day of the answers and the first digits of its id.
    """
    name = "nociscreen-patient-sheet" if kind == "patient" else "nociscreen-report"
    if screening is not None:
        day = screening.context.answered_on or screening.created_at.date()
        name = f"{name}-{day}-{screening.id[:SHORT_ID_LENGTH]}"
    return f"{name}{suffix}"


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
