"""Composes the payload of a delivery, and lists the reasons why its destination may refuse it.

A delivery is composed once; retries send the same bytes.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

from api.deliveries.compose_request import ComposeContext, ComposeRequest
from api.deliveries.editions import apply_edition
from api.deliveries.fhir_transaction import build_transaction
from api.deliveries.subscription_notification import (
    NotifiedEvent,
    SubscriptionState,
    build_notification,
)
from api.documents.document_builder import render_screening
from api.documents.request import DocumentRequest
from api.fhir.elements import FHIR_JSON
from api.fhir.versions import build_response_resource, build_single_version
from api.hl7v2.encoder import encode_message
from api.hl7v2.messages import build_message
from api.hl7v2.screening_event import Hl7Report, ScreeningEvent
from reports.formats import RenderedDocument
from schemas.base import encode_json
from schemas.organisations.delivery import DestinationMisfit, SubscriptionTerms

JSON_MEDIA_TYPE = "application/json"
HL7_MEDIA_TYPE = "x-application/hl7-v2+er7"


class ComposedPayload(NamedTuple):
    """The bytes to send, the reasons why they would be refused, and the report they contain."""

    content: bytes
    media_type: str
    misfits: tuple[DestinationMisfit, ...]
    report: RenderedDocument | None = None


def compose_payload(context: ComposeContext, request: ComposeRequest) -> ComposedPayload:
    """Compose the payload for the profile's transport. Raises Problem if rendering fails."""
    report = _render_report(context, request)
    request = apply_edition(context, request)
    match request.profile.transport:
        case "mllp":
            payload = _compose_message(context, request, report)
        case "fhir":
            payload = _compose_bundle(context, request, report)
        case "webhook":
            payload = _compose_json(context, request, report)
        case "subscription":
            payload = _compose_notification(context, request)
    misfits = (*_find_report_misfits(request, report), *payload.misfits)
    return payload._replace(misfits=misfits, report=report)


def build_report_url(context: ComposeContext, request: ComposeRequest) -> str:
    """Return the URL of the report; reading it takes an access token."""
    screening_url = (
        f"{context.canonical_urls.service_url}/v1/screenings/{request.snapshot.screening.id}"
    )
    query = "?edition=shareable" if request.profile.edition == "shareable" else ""
    return f"{screening_url}/report.{request.profile.document.form}{query}"


def _render_report(context: ComposeContext, request: ComposeRequest) -> RenderedDocument | None:
    """Render the report if the profile sends it inline."""
    if request.event == "withdrawal" or request.profile.document.how != "inline":
        return None
    snapshot = request.snapshot
    document_request = DocumentRequest(
        request.profile.document.form, "clinician", "en", request.profile.edition
    )
    return render_screening(
        context.rulebooks,
        snapshot.print_settings,
        context.renderer,
        snapshot.report_source,
        document_request,
    )


def _find_report_misfits(
    request: ComposeRequest, report: RenderedDocument | None
) -> Iterator[DestinationMisfit]:
    max_bytes = request.profile.document.most_bytes
    if report is not None and max_bytes is not None and len(report.content) > max_bytes:
        detail = (
            f"the receiver accepts at most {max_bytes} bytes; the report has {len(report.content)}"
        )
        yield DestinationMisfit(code="too_large", place="report", detail=detail)


def _compose_message(
    context: ComposeContext, request: ComposeRequest, report: RenderedDocument | None
) -> ComposedPayload:
    snapshot, document = request.snapshot, request.profile.document
    hl7_report = None
    if request.event != "withdrawal" and document.how != "none":
        url = "" if report else build_report_url(context, request)
        content = report.content if report else b""
        hl7_report = Hl7Report(document.form, document.code, document.display, content, url)
    screening_event = ScreeningEvent(
        request.event,
        snapshot.screening,
        snapshot.first_id,
        context.find_rulebook(snapshot).rulebook,
        hl7_report,
        request.control_id,
        request.composed_at,
        snapshot.print_settings.test,
        request.profile.v2,
    )
    encoded = encode_message(build_message(screening_event), screening_event.options)
    return ComposedPayload(encoded.content, HL7_MEDIA_TYPE, encoded.misfits)


def _compose_bundle(
    context: ComposeContext, request: ComposeRequest, report: RenderedDocument | None
) -> ComposedPayload:
    misfits: tuple[DestinationMisfit, ...] = ()
    if request.event == "withdrawal" and request.profile.fhir.withdrawal == "none":
        detail = "the receiver does not accept withdrawals this way: inform it by phone or message"
        misfits = (DestinationMisfit(code="no_withdrawal", place="event", detail=detail),)
    url = "" if report else build_report_url(context, request)
    transaction = build_transaction(context, request, report.content if report else None, url)
    misfits = (*misfits, *transaction.misfits)
    return ComposedPayload(encode_json(transaction.bundle), FHIR_JSON, misfits)


def _compose_json(
    context: ComposeContext, request: ComposeRequest, report: RenderedDocument | None
) -> ComposedPayload:
    screening = request.snapshot.screening
    is_withdrawal = request.event == "withdrawal"
    excluded: dict[str, Any] = {"answers": True, "origin": True}
    excluded |= (
        {"assessment": True, "context": True}
        if is_withdrawal
        else {"context": {"fhir": {"received"}}}  # which repeats the answers
    )
    body: dict[str, Any] = {
        "type": f"screening.{request.event}",
        "timestamp": request.composed_at.isoformat().replace("+00:00", "Z"),
        "test": request.snapshot.print_settings.test,
        "screening": screening.model_dump(mode="json", by_alias=True, exclude=excluded),
        "first": request.snapshot.first_id,
    }
    if report is not None:
        encoded = b64encode(report.content).decode()
        body["report"] = {"media_type": report.media_type, "content": encoded}
    elif not is_withdrawal and request.profile.document.how == "url":
        body["report"] = {"url": build_report_url(context, request)}
    return ComposedPayload(encode_json(body), JSON_MEDIA_TYPE, ())


def _compose_notification(context: ComposeContext, request: ComposeRequest) -> ComposedPayload:
    """Compose the notification of a Subscription; a preview belongs to none."""
    state = request.subscription or SubscriptionState(
        "preview", SubscriptionTerms(topic="screening-stored")
    )
    urls, snapshot = context.canonical_urls, request.snapshot
    version = build_single_version(snapshot.screening, context.rulebooks, urls)
    version = version._replace(logical_id=snapshot.first_id, number=snapshot.version_number)
    event = NotifiedEvent(
        state.event_count,
        request.composed_at,
        snapshot.first_id,
        "POST" if request.event == "result" and snapshot.version_number == 1 else "PUT",
        build_response_resource(version, context.rulebooks),
    )
    bundle = build_notification(urls, state, "event-notification", event)
    return ComposedPayload(encode_json(bundle), FHIR_JSON, ())
