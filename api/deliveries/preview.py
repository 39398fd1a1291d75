"""Preparing: a destination as it is wanted, checked; a delivery as it would be sent, shown."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from api.deliveries import profiles
from api.deliveries.compose import Composed, composed
from api.deliveries.compose_request import House, Wanted
from api.deliveries.screening_snapshot import Subject
from api.deliveries.transports.fhir import parts
from api.deliveries.transports.mllp import SCHEMES
from api.outbound.allowlist import Allowed, target
from api.problems import FieldError, Problem
from api.store.deliveries import outbox
from api.store.deliveries.destinations import Sealed
from api.store.transaction import Transaction
from schemas.delivery import Destination, Event, Misfit, Part, Preview
from schemas.patient import KnownPatient
from schemas.profile import Profile

_HTTP = ("https", "http")


def check(profile: str, content: Sealed, allowed: tuple[Allowed, ...]) -> Profile:
    """The profile of such a destination, its options laid in.

    Raises Problem `wrong_shape` by the place of what cannot be, `conflict` where the place was not
    allowed by whoever runs the service.
    """
    own = profiles.own(profile, content.options)
    schemes = SCHEMES if own.transport == "mllp" else _HTTP
    _check_address("/address", content.address, schemes, allowed)
    if content.smart is not None:
        if own.transport != "fhir":
            raise _wrong("/smart", "there is nothing of this name where the transport is not FHIR")
        _check_address("/smart/token_url", content.smart.token_url, _HTTP, allowed)
    return own


def line(work: Transaction, profile: Profile, patient: KnownPatient) -> str:
    """What must stay in order: all there is by MLLP, elsewhere what is one patient's."""
    return outbox.WHOLE if profile.transport == "mllp" else outbox.line_of(work, patient)


def event_of(subject: Subject) -> Event:
    """What there is to tell of a screening that is sent for the first time."""
    if subject.screening.state == "entered_in_error":
        raise Problem("conflict", "What was entered in error is not sent.")
    if subject.screening.state == "amended":
        raise Problem("conflict", "Another screening replaces this one: send that one.")
    return "result"


def made(house: House, subject: Subject, event: Event, profile: Profile) -> Composed:
    """What would be sent, under a number that nothing else has."""
    name = outbox.control_id(str(uuid4()))
    return composed(house, Wanted(subject, event, profile, name, datetime.now(UTC)))


def fitting(composed: Composed) -> None:
    """Raises Problem `unfit` where the destination would not take it."""
    if composed.misfits:
        raise Problem(
            "unfit",
            errors=[
                FieldError(pointer=f"/{each.place}", code=each.code, detail=each.detail)
                for each in composed.misfits
            ],
        )


def preview(
    composed: Composed, destination: Destination, profile: Profile, allowed: tuple[Allowed, ...]
) -> Preview:
    """What would be sent to the byte, and every reason why it would not arrive."""
    misfits = [*composed.misfits, *_unreachable(destination, profile, allowed)]
    return Preview(
        fits=not misfits,
        misfits=tuple(misfits),
        unconfirmed=profile.unconfirmed,
        parts=tuple(_parts(composed, destination, profile)),
    )


def _unreachable(
    destination: Destination, profile: Profile, allowed: tuple[Allowed, ...]
) -> Iterator[Misfit]:
    schemes = SCHEMES if profile.transport == "mllp" else _HTTP
    try:
        _check_address("/address", destination.address, schemes, allowed)
    except Problem as problem:
        yield Misfit(code="not_allowed", place="address", detail=problem.detail)
    if not destination.active:
        yield Misfit(code="inactive", place="destination", detail="the destination is not active")


def _parts(composed: Composed, destination: Destination, profile: Profile) -> Iterator[Part]:
    several = [("", composed.content)]
    if profile.transport == "fhir":
        several = list(parts(composed.content, profile.fhir.mode))
    for path, content in several:
        yield _part(destination.address.rstrip("/") + path, composed.media_type, content)


def _part(address: str, media_type: str, content: bytes) -> Part:
    told: dict[str, Any] = {"text": None, "base64": None}
    try:
        told["text"] = content.decode()
    except UnicodeDecodeError:
        told["base64"] = b64encode(content).decode()
    return Part(address=address, media_type=media_type, bytes=len(content), **told)


def _check_address(
    pointer: str, address: str, schemes: tuple[str, ...], allowed: tuple[Allowed, ...]
) -> None:
    try:
        where = target(address, schemes)
    except ValueError as error:
        raise _wrong(pointer, str(error)) from None
    at = next((each for each in allowed if each.place == where.place), None)
    if at is None:
        raise Problem("conflict", "Whoever runs the service has not allowed this host and port.")
    if where.scheme in ("http", "mllp") and not at.private:
        raise Problem("conflict", "Without TLS it may go to places in the house alone.")


def _wrong(pointer: str, detail: str) -> Problem:
    error = FieldError(pointer=pointer, code="address", detail=detail)
    return Problem("wrong_shape", errors=[error])
