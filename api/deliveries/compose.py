"""Composes the payload of a delivery, and lists the reasons why its destination may refuse it.

A delivery is composed once; retries send the same bytes.
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
    """The bytes to send, the reasons why they would be refused, and the report they contain."""

    content: bytes
    media_type: str
    misfits: tuple[Misfit, ...]
    report: Written | None = None


def composed(context: House, request: Wanted) -> Composed:
    """Compose the payload for the profile's transport. Raises Problem if rendering fails."""
    report = _render_report(context, request)
    match request.profile.transport:
        case "mllp":
            payload = _compose_message(context, request, report)
        case "fhir":
            payload = _compose_bundle(context, request, report)
        case "webhook":
            payload = _compose_json(context, request, report)
    misfits = (*_find_report_misfits(request, report), *payload.misfits)
    return payload._replace(misfits=misfits, report=report)


def report_url(context: House, request: Wanted) -> str:
    """Return the URL of the report; reading it takes an access token."""
    screening_url = f"{context.base.service}/v1/screenings/{request.subject.screening.id}"
    return f"{screening_url}/report.{request.profile.document.form}"


def _render_report(context: House, request: Wanted) -> Written | None:
    """Render the report if the profile sends it inline."""
    if request.event == "withdrawal" or request.profile.document.how != "inline":
        return None
    snapshot = request.subject
    document_request = Chosen(request.profile.document.form, "clinician", "en")
    return paper_of_screening(
        context.rulebooks, snapshot.printed, context.renderer, snapshot.told, document_request
    )


def _find_report_misfits(request: Wanted, report: Written | None) -> Iterator[Misfit]:
    max_bytes = request.profile.document.most_bytes
    if report is not None and max_bytes is not None and len(report.content) > max_bytes:
        detail = (
            f"the receiver takes at most {max_bytes} bytes, the report has {len(report.content)}"
        )
        yield Misfit(code="too_large", place="report", detail=detail)


def _compose_message(context: House, request: Wanted, report: Written | None) -> Composed:
    snapshot, document = request.subject, request.profile.document
    hl7_report = None
    if request.event != "withdrawal" and document.how != "none":
        url = "" if report else report_url(context, request)
        content = report.content if report else b""
        hl7_report = Report(document.form, document.code, document.display, content, url)
    screening_event = Told(
        request.event,
        snapshot.screening,
        snapshot.first,
        context.rulebook(snapshot).rulebook,
        hl7_report,
        request.control_id,
        request.at,
        snapshot.printed.test,
        request.profile.v2,
    )
    encoded = fitted(message(screening_event), screening_event.options)
    misfits = tuple(Misfit(**issue._asdict()) for issue in encoded.misfits)
    return Composed(encoded.content, HL7, misfits)


def _compose_bundle(context: House, request: Wanted, report: Written | None) -> Composed:
    misfits: tuple[Misfit, ...] = ()
    if request.event == "withdrawal" and request.profile.fhir.withdrawal == "none":
        detail = "the receiver takes no withdrawal this way: tell it by telephone or by message"
        misfits = (Misfit(code="no_withdrawal", place="event", detail=detail),)
    url = "" if report else report_url(context, request)
    transaction = bundle_of(context, request, report.content if report else None, url)
    return Composed(_encode_json(transaction), FHIR_JSON, misfits)


def _compose_json(house: House, request: Wanted, report: Written | None) -> Composed:
    screening = request.subject.screening
    withdrawn = request.event == "withdrawal"
    hidden = {"answers", "origin"} | ({"assessment", "context"} if withdrawn else set())
    body: dict[str, Any] = {
        "type": f"screening.{request.event}",
        "timestamp": request.at.isoformat().replace("+00:00", "Z"),
        "test": request.subject.printed.test,
        "screening": screening.model_dump(mode="json", by_alias=True, exclude=hidden),
        "first": request.subject.first,
    }
    if report is not None:
        encoded = b64encode(report.content).decode()
        body["report"] = {"media_type": report.media_type, "content": encoded}
    elif not withdrawn and request.profile.document.how == "url":
        body["report"] = {"url": report_url(house, request)}
    return Composed(_encode_json(body), JSON, ())


def _encode_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
