"""Papers: a screening and its heading, brought together as a document."""

import hashlib
from base64 import b64encode
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from fastapi import Response

from api.documents.render_pool import Layout
from api.documents.request import Chosen
from api.problems import Problem
from api.store.screenings.earlier_screenings import Earlier
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
from schemas.screening import Context, Screening
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.translations import in_language


def paper(
    loaded: LoadedRulebook,
    assessment: Assessment,
    heading: Heading,
    renderer: Layout,
    chosen: Chosen,
) -> Written:
    """The document of one assessment, in the language asked for or in the letterhead's.

    Raises Problem where it can't be made.
    """
    form, kind, language = chosen
    if form == "note" and kind == "patient":
        raise Problem("not_acceptable", "A note is for the chart: there is none for the patient.")
    shown = view_in(_books(loaded, language, heading.letterhead.language), assessment, heading)
    return written(shown, heading, kind, form, renderer.render)


def _books(loaded: LoadedRulebook, asked: str | None, usual: str) -> Books:
    """The rulebook in the language asked for; where none was, the usual one or else English."""
    told = in_language(loaded, asked or usual)
    if told is None and asked is not None:
        raise Problem("not_acceptable", "The rulebook was not translated into this language.")
    if told is None:
        return Books(loaded.rulebook, loaded.rulebook, wording())
    return Books(loaded.rulebook, told, wording(asked or usual))


class Printed(NamedTuple):
    """What an organisation prints on its papers: letterhead, that it is a test, whom to call."""

    letterhead: Letterhead
    test: bool
    help_numbers: tuple[EmergencyNumber, ...] = ()


def paper_of_intake(
    rulebooks: Catalogue, printed: Printed, renderer: Layout, intake: Any, chosen: Chosen
) -> Written:
    """The document of an intake that is scored and not kept."""
    loaded = rulebooks.active(intake.rulebook)
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(loaded, answers, attested=intake.attested)
    heading = Heading(**_facts(printed, intake.patient or Patient(), intake.context))
    return paper(loaded, assessment, heading, renderer, chosen)


class Answered(NamedTuple):
    """Checked answers, and whose they are."""

    answers: dict[str, Any]
    patient: Patient


def paper_of_answers(
    loaded: LoadedRulebook, printed: Printed, renderer: Layout, answered: Answered, chosen: Chosen
) -> Written:
    """The document of checked answers to one version of a rulebook."""
    heading = Heading(**_facts(printed, answered.patient, Context()))
    return paper(loaded, assess(loaded, answered.answers), heading, renderer, chosen)


def paper_of_screening(
    rulebooks: Catalogue, printed: Printed, renderer: Layout, told: "Told", chosen: Chosen
) -> Written:
    """The document of a kept screening, stamped with what became of it. Nothing is scored again."""
    loaded = _rulebook_of(rulebooks, told)
    heading = _heading(printed, told, loaded)
    return paper(loaded, told.screening.assessment, heading, renderer, chosen)


def view_of_screening(
    rulebooks: Catalogue, printed: Printed, told: "Told", language: str
) -> tuple[View, str]:
    """The same in words, before any arrangement; and the language, English where it must be."""
    loaded = _rulebook_of(rulebooks, told)
    spoken = language if in_language(loaded, language) else "en"
    books = _books(loaded, spoken, spoken)
    heading = _heading(printed, told, loaded)
    return view_in(books, told.screening.assessment, heading), spoken


def _rulebook_of(rulebooks: Catalogue, told: "Told") -> LoadedRulebook:
    instrument, _, version = told.screening.assessment.rulebook.partition("@")
    return rulebooks.any_status(instrument, version)


def _heading(printed: Printed, told: "Told", loaded: LoadedRulebook) -> Heading:
    screening = told.screening
    error = screening.entered_in_error
    return Heading(
        **_facts(printed, screening.patient, screening.context),
        screening_id=screening.id,
        kept_at=screening.created_at,
        acknowledged=tuple(
            Seen(by=each.practitioner, at=each.at, done=each.done)
            for known in (told.replaces, screening)
            for each in (known.acknowledgements if known else ())
        ),
        replaces=_other(told.replaces, printed.letterhead),
        replaced_by=_other(told.replaced_by, printed.letterhead),
        entered_in_error=error.reason if error else None,
        earlier=_trend(told, banded(loaded.rulebook), printed.letterhead),
    )


class Told(NamedTuple):
    """A screening, what it corrects and is corrected by, and the earlier ones of its patient."""

    screening: Screening
    replaces: Screening | None
    replaced_by: Screening | None
    earlier: tuple[Earlier, ...] = ()


def _trend(told: Told, main: Total | None, letterhead: Letterhead) -> tuple[EarlierScreening, ...]:
    """The banded totals of earlier screenings, but for those withheld or answered later."""
    now = _day(told.screening.context.answered_on, told.screening.created_at, letterhead)
    return tuple(
        EarlierScreening(on=on, points=total.points, band=total.band, rulebook=given.rulebook)
        for answered_on, created_at, given in (
            (each.answered_on, each.created_at, each.assessment) for each in told.earlier
        )
        if (on := _day(answered_on, created_at, letterhead)) <= now
        and main is not None
        and (total := (given.totals or {}).get(main.id)) is not None
    )


def _day(answered_on: date | None, created_at: datetime, letterhead: Letterhead) -> date:
    return answered_on or letterhead.there(created_at).date()


def _other(screening: Screening | None, letterhead: Letterhead) -> OtherScreening | None:
    if screening is None:
        return None
    return OtherScreening(
        id=screening.id,
        on=letterhead.there(screening.created_at).date(),
        flags=tuple(
            Reported(id=each.id, tier=each.tier, label=each.label)
            for each in screening.assessment.safety.flags
        ),
    )


def sent(made: Written, kind: Kind = "clinician") -> Response:
    """The document as a file whose name tells for whom it is, and of nobody."""
    name = "patient-sheet" if kind == "patient" else "report"
    headers = {
        "Content-Disposition": f'attachment; filename="nociscreen-{name}{made.suffix}"',
        "Vary": "Accept",
        "Repr-Digest": repr_digest(made.content),
    }
    return Response(made.content, media_type=made.media_type, headers=headers)


def repr_digest(content: bytes) -> str:
    """The SHA-256 of what is sent, as RFC 9530 writes it."""
    return f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"


def _facts(printed: Printed, patient: Patient, context: Context) -> dict[str, Any]:
    """What stands above a report, produced now."""
    return {
        "produced_at": datetime.now(UTC),
        "letterhead": printed.letterhead,
        "test": printed.test,
        "help_numbers": printed.help_numbers,
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
