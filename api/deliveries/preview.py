"""Checks of a destination's settings, and previews of a delivery without sending it."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from api.deliveries import profiles
from api.deliveries.compose import ComposedPayload, compose_payload
from api.deliveries.compose_request import ComposeContext, ComposeRequest
from api.deliveries.screening_snapshot import ScreeningSnapshot
from api.deliveries.transports.fhir import split_bundle
from api.deliveries.transports.mllp import MLLP_SCHEMES
from api.outbound.allowlist import AllowedHost, parse_target_url
from api.problems import FieldError, Problem
from api.store.deliveries import outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.transaction import Transaction
from schemas.delivery import (
    DeliveryEvent,
    DeliveryPreview,
    Destination,
    DestinationMisfit,
    PreviewPart,
)
from schemas.patient import KnownPatient
from schemas.profile import Profile

_HTTP_SCHEMES = ("https", "http")


def check_destination(
    profile: str, content: DestinationSecrets, allowed_hosts: tuple[AllowedHost, ...]
) -> Profile:
    """Return the profile with the destination's options applied.

    Raises Problem `wrong_shape` with a pointer to the invalid setting, and `conflict` if the
    operator has not allowed the host and port.
    """
    merged_profile = profiles.apply_options(profile, content.options)
    schemes = MLLP_SCHEMES if merged_profile.transport == "mllp" else _HTTP_SCHEMES
    _check_address("/address", content.address, schemes, allowed_hosts)
    if content.smart is not None:
        if merged_profile.transport != "fhir":
            raise _wrong_shape(
                "/smart", "there is nothing of this name where the transport is not FHIR"
            )
        _check_address("/smart/token_url", content.smart.token_url, _HTTP_SCHEMES, allowed_hosts)
    return merged_profile


def determine_ordering_line(work: Transaction, profile: Profile, patient: KnownPatient) -> str:
    """Return the key within which deliveries keep their order: by patient, or all for MLLP."""
    return outbox.SINGLE_LINE if profile.transport == "mllp" else outbox.compute_line(work, patient)


def determine_event(snapshot: ScreeningSnapshot) -> DeliveryEvent:
    """Return the event of a first delivery. Raises Problem `conflict` for an obsolete screening."""
    if snapshot.screening.state == "entered_in_error":
        raise Problem("conflict", "What was entered in error is not sent.")
    if snapshot.screening.state == "amended":
        raise Problem("conflict", "Another screening replaces this one: send that one.")
    return "result"


def compose_for_preview(
    context: ComposeContext, snapshot: ScreeningSnapshot, event: DeliveryEvent, profile: Profile
) -> ComposedPayload:
    """Compose the delivery under a new control id, for a preview only."""
    control_id = outbox.build_control_id(str(uuid4()))
    return compose_payload(
        context, ComposeRequest(snapshot, event, profile, control_id, datetime.now(UTC))
    )


def require_accepted(payload: ComposedPayload) -> None:
    """Raise Problem `unfit`, with every misfit, if the destination would refuse the payload."""
    if payload.misfits:
        raise Problem(
            "unfit",
            errors=[
                FieldError(pointer=f"/{misfit.place}", code=misfit.code, detail=misfit.detail)
                for misfit in payload.misfits
            ],
        )


def build_preview(
    payload: ComposedPayload,
    destination: Destination,
    profile: Profile,
    allowed_hosts: tuple[AllowedHost, ...],
) -> DeliveryPreview:
    """Return exactly the bytes to be sent, and every reason why they would not arrive."""
    misfits = [*payload.misfits, *_find_reachability_misfits(destination, profile, allowed_hosts)]
    return DeliveryPreview(
        fits=not misfits,
        misfits=tuple(misfits),
        unconfirmed=profile.unconfirmed,
        parts=tuple(_parts(payload, destination, profile)),
    )


def _find_reachability_misfits(
    destination: Destination, profile: Profile, allowed: tuple[AllowedHost, ...]
) -> Iterator[DestinationMisfit]:
    schemes = MLLP_SCHEMES if profile.transport == "mllp" else _HTTP_SCHEMES
    try:
        _check_address("/address", destination.address, schemes, allowed)
    except Problem as problem:
        yield DestinationMisfit(code="not_allowed", place="address", detail=problem.detail)
    if not destination.active:
        yield DestinationMisfit(
            code="inactive", place="destination", detail="the destination is not active"
        )


def _parts(
    payload: ComposedPayload, destination: Destination, profile: Profile
) -> Iterator[PreviewPart]:
    several = [("", payload.content)]
    if profile.transport == "fhir":
        several = list(split_bundle(payload.content, profile.fhir.mode))
    for path, content in several:
        yield _part(destination.address.rstrip("/") + path, payload.media_type, content)


def _part(address: str, media_type: str, content: bytes) -> PreviewPart:
    encoded: dict[str, Any] = {"text": None, "base64": None}
    try:
        encoded["text"] = content.decode()
    except UnicodeDecodeError:
        encoded["base64"] = b64encode(content).decode()
    return PreviewPart(address=address, media_type=media_type, bytes=len(content), **encoded)


def _check_address(
    pointer: str, address: str, schemes: tuple[str, ...], allowed: tuple[AllowedHost, ...]
) -> None:
    try:
        receiver = parse_target_url(address, schemes)
    except ValueError as error:
        raise _wrong_shape(pointer, str(error)) from None
    allowed_host = next((entry for entry in allowed if entry.host_port == receiver.host_port), None)
    if allowed_host is None:
        raise Problem("conflict", "Whoever runs the service has not allowed this host and port.")
    if receiver.scheme in ("http", "mllp") and not allowed_host.is_private_allowed:
        raise Problem("conflict", "Without TLS it may go to places in the house alone.")


def _wrong_shape(pointer: str, detail: str) -> Problem:
    error = FieldError(pointer=pointer, code="address", detail=detail)
    return Problem("wrong_shape", errors=[error])
