"""Put the heading of a report into words: letterhead, notices, identifiers and facts."""

import base64

from reports.blocks import PrintedLetterhead
from reports.logo import detect_media_type
from reports.phrases import Phrases
from reports.view.heading import Letterhead, LinkedScreening, ReportHeading
from reports.view.model import LabelledText
from reports.view.text_sanitiser import clean_line


def print_letterhead(letterhead: Letterhead) -> PrintedLetterhead:
    """Return the letterhead as printed."""
    logo = letterhead.logo
    return PrintedLetterhead(
        name=clean_line(letterhead.name) or "",
        lines=tuple(filter(None, map(clean_line, letterhead.address))),
        logo=base64.b64encode(logo).decode() if logo else "",
        logo_type=detect_media_type(logo) if logo else "",
    )


def list_notices(heading: ReportHeading, phrases: Phrases) -> tuple[str, ...]:
    """Return the notices at the top: test, entered in error, replaced, not validated."""
    notices = []
    if heading.test:
        notices.append(phrases.say("test"))
    if heading.entered_in_error is not None:
        reason = clean_line(heading.entered_in_error)
        notices.append(phrases.say("in_error", reason=reason or phrases.say("not_known")))
    if heading.replaced_by is not None:
        notices.append(_format_link("replaced_by", heading.replaced_by, phrases))
    if heading.replaces is not None:
        notices.append(_format_link("replaces", heading.replaces, phrases))
    if phrases.not_validated:
        notices.append(phrases.not_validated)
    return tuple(notices)


def _format_link(phrase: str, linked_screening: LinkedScreening, phrases: Phrases) -> str:
    return phrases.say(
        phrase,
        id=clean_line(linked_screening.id) or "",
        day=phrases.format_date(linked_screening.on) or "",
    )


def list_identifiers(heading: ReportHeading, phrases: Phrases) -> tuple[LabelledText, ...]:
    """Return what names the patient."""
    return _build_rows(
        phrases,
        ("name", clean_line(heading.patient_name)),
        ("number", clean_line(heading.patient_reference)),
        ("born", phrases.format_date(heading.birth_date)),
        ("visit", clean_line(heading.encounter)),
    )


def list_facts(heading: ReportHeading, phrases: Phrases) -> tuple[LabelledText, ...]:
    """Return when, by whom and where the answers were given."""
    stored_at = heading.stored_at
    return _build_rows(
        phrases,
        ("answered_on", phrases.format_date(heading.answered_on)),
        ("answered_by", _describe_respondent(heading, phrases)),
        ("clinician", clean_line(heading.clinician_reference)),
        ("screening", clean_line(heading.screening_id)),
        (
            "kept_at",
            phrases.format_datetime(stored_at and heading.letterhead.to_local_time(stored_at)),
        ),
        ("produced_on", phrases.format_date(heading.produced_on)),
    )


def _describe_respondent(heading: ReportHeading, phrases: Phrases) -> str | None:
    """Return who answered, and whether the answers were corrected."""
    if heading.answered_by is None:
        return None
    person = phrases.say(f"by_{heading.answered_by}")
    return phrases.say("by_corrected", by=person) if heading.replaces else person


def _build_rows(phrases: Phrases, *pairs: tuple[str, str | None]) -> tuple[LabelledText, ...]:
    return tuple(LabelledText(name=phrases.say(name), text=text) for name, text in pairs if text)
