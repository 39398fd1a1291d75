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
from api.http.allowed_url import require_allowed_url
from api.outbound.allowlist import AllowedHost
from api.outbound.http_client import HTTP_SCHEMES
from api.problems import FieldError, Problem
from api.store.deliveries import outbox
from api.store.deliveries.destinations import DestinationSecrets
from api.store.transaction import Transaction
from schemas.organisations.delivery import (
    DeliveryPreview,
    Destination,
    DestinationMisfit,
    PreviewPart,
)
from schemas.organisations.profile import Profile
from schemas.patients.patient import KnownPatient


def check_destination(
    profile: str, content: DestinationSecrets, allowed_hosts: tuple[AllowedHost, ...]
) -> Profile:
    """Return the profile with the destination's options applied.

    Raises Problem `invalid_request` with a pointer to the invalid setting, and `conflict` if the
    operator has not allowed the host and port.
    """
    merged_profile = profiles.apply_options(profile, content.options)
    _check_address(content.address, merged_profile, allowed_hosts)
    if content.smart is not None:
        if merged_profile.transport != "fhir":
            detail = "only allowed for FHIR destinations"
            error = FieldError(pointer="/smart", code="address", detail=detail)
            raise Problem("invalid_request", errors=[error])
        require_allowed_url(
            "/smart/token_url", content.smart.token_url, HTTP_SCHEMES, allowed_hosts
        )
    return merged_profile


def determine_ordering_line(work: Transaction, profile: Profile, patient: KnownPatient) -> str:
    """Return the key within which deliveries keep their order: by patient, or all for MLLP."""
    return outbox.SINGLE_LINE if profile.transport == "mllp" else outbox.compute_line(work, patient)


def require_deliverable(snapshot: ScreeningSnapshot) -> None:
    """Raise Problem `conflict` for a screening that was amended or entered in error."""
    if snapshot.screening.state == "entered_in_error":
        raise Problem("conflict", "A screening entered in error can't be sent.")
    if snapshot.screening.state == "amended":
        raise Problem("conflict", "This screening has been amended. Send the newer version.")


def compose_for_preview(
    context: ComposeContext, snapshot: ScreeningSnapshot, profile: Profile
) -> ComposedPayload:
    """Compose a first result under a new control id, for a preview only."""
    control_id = outbox.build_control_id(str(uuid4()))
    return compose_payload(
        context, ComposeRequest(snapshot, "result", profile, control_id, datetime.now(UTC))
    )


def require_accepted(payload: ComposedPayload) -> None:
    """Raise Problem `incompatible_with_destination`, with every misfit, if there is any."""
    if payload.misfits:
        raise Problem(
            "incompatible_with_destination",
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
        parts=tuple(_list_parts(payload, destination, profile)),
    )


def _find_reachability_misfits(
    destination: Destination, profile: Profile, allowed_hosts: tuple[AllowedHost, ...]
) -> Iterator[DestinationMisfit]:
    try:
        _check_address(destination.address, profile, allowed_hosts)
    except Problem as problem:
        yield DestinationMisfit(code="not_allowed", place="address", detail=problem.detail)
    if not destination.active:
        yield DestinationMisfit(
            code="inactive", place="destination", detail="the destination is not active"
        )


def _list_parts(
    payload: ComposedPayload, destination: Destination, profile: Profile
) -> Iterator[PreviewPart]:
    requests = [("", payload.content)]
    if profile.transport == "fhir":
        requests = list(split_bundle(payload.content, profile.fhir.mode))
    for path, content in requests:
        yield _build_part(destination.address.rstrip("/") + path, payload.media_type, content)


def _build_part(address: str, media_type: str, content: bytes) -> PreviewPart:
    encoded: dict[str, Any] = {"text": None, "base64": None}
    try:
        encoded["text"] = content.decode()
    except UnicodeDecodeError:
        encoded["base64"] = b64encode(content).decode()
    return PreviewPart(address=address, media_type=media_type, bytes=len(content), **encoded)


def _check_address(address: str, profile: Profile, allowed_hosts: tuple[AllowedHost, ...]) -> None:
    schemes = MLLP_SCHEMES if profile.transport == "mllp" else HTTP_SCHEMES
    require_allowed_url("/address", address, schemes, allowed_hosts)
