"""Composing: a screening to the very bytes that a destination is sent, and why it may refuse them.

Composed once for each delivery: whatever is sent again is sent again as it was.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

from api.deliveries.compose_request import House, Wanted
from api.deliveries.fhir_transaction import bundle_of
from api.documents.document_builder import paper_of_screening
from api.documents.request import Chosen
from api.fhir.elements import FHIR_JSON
from api.hl7v2.encoder import fitted
from api.hl7v2.messages import message
from api.hl7v2.screening_event import Report, Told
from reports.formats import Written
from schemas.delivery import Misfit

JSON = "application/json"
HL7 = "x-application/hl7-v2+er7"


class Composed(NamedTuple):
    """The bytes, what they are, why they would be refused, and the report that is inside."""

    content: bytes
    media_type: str
    misfits: tuple[Misfit, ...]
    report: Written | None = None


def composed(house: House, wanted: Wanted) -> Composed:
    """The bytes to be sent. Raises Problem where the report cannot be laid out now."""
    report = _report(house, wanted)
    match wanted.profile.transport:
        case "mllp":
            made = _message(house, wanted, report)
        case "fhir":
            made = _bundle(house, wanted, report)
        case "webhook":
            made = _json(house, wanted, report)
    misfits = (*_report_misfits(wanted, report), *made.misfits)
    return made._replace(misfits=misfits, report=report)


def report_url(house: House, wanted: Wanted) -> str:
    """Where the report is found by whoever has a token."""
    here = f"{house.base.service}/v1/screenings/{wanted.subject.screening.id}"
    return f"{here}/report.{wanted.profile.document.form}"


def _report(house: House, wanted: Wanted) -> Written | None:
    """The report, where it is to travel itself."""
    if wanted.event == "withdrawal" or wanted.profile.document.how != "inline":
        return None
    subject = wanted.subject
    chosen = Chosen(wanted.profile.document.form, "clinician", "en")
    return paper_of_screening(
        house.rulebooks, subject.printed, house.renderer, subject.told, chosen
    )


def _report_misfits(wanted: Wanted, report: Written | None) -> Iterator[Misfit]:
    most = wanted.profile.document.most_bytes
    if report is not None and most is not None and len(report.content) > most:
        detail = f"the receiver takes at most {most} bytes, the report has {len(report.content)}"
        yield Misfit(code="too_large", place="report", detail=detail)


def _message(house: House, wanted: Wanted, report: Written | None) -> Composed:
    subject, document = wanted.subject, wanted.profile.document
    filed = None
    if wanted.event != "withdrawal" and document.how != "none":
        url = "" if report else report_url(house, wanted)
        content = report.content if report else b""
        filed = Report(document.form, document.code, document.display, content, url)
    told = Told(
        wanted.event,
        subject.screening,
        subject.first,
        house.rulebook(subject).rulebook,
        filed,
        wanted.control_id,
        wanted.at,
        subject.printed.test,
        wanted.profile.v2,
    )
    made = fitted(message(told), told.options)
    misfits = tuple(Misfit(**each._asdict()) for each in made.misfits)
    return Composed(made.content, HL7, misfits)


def _bundle(house: House, wanted: Wanted, report: Written | None) -> Composed:
    misfits: tuple[Misfit, ...] = ()
    if wanted.event == "withdrawal" and wanted.profile.fhir.withdrawal == "none":
        detail = "the receiver takes no withdrawal this way: tell it by telephone or by message"
        misfits = (Misfit(code="no_withdrawal", place="event", detail=detail),)
    url = "" if report else report_url(house, wanted)
    made = bundle_of(house, wanted, report.content if report else None, url)
    return Composed(_written(made), FHIR_JSON, misfits)


def _json(house: House, wanted: Wanted, report: Written | None) -> Composed:
    screening = wanted.subject.screening
    withdrawn = wanted.event == "withdrawal"
    hidden = {"answers", "origin"} | ({"assessment", "context"} if withdrawn else set())
    told: dict[str, Any] = {
        "type": f"screening.{wanted.event}",
        "timestamp": wanted.at.isoformat().replace("+00:00", "Z"),
        "test": wanted.subject.printed.test,
        "screening": screening.model_dump(mode="json", by_alias=True, exclude=hidden),
        "first": wanted.subject.first,
    }
    if report is not None:
        encoded = b64encode(report.content).decode()
        told["report"] = {"media_type": report.media_type, "content": encoded}
    elif not withdrawn and wanted.profile.document.how == "url":
        told["report"] = {"url": report_url(house, wanted)}
    return Composed(_written(told), JSON, ())


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
