"""Pages of the receivers of deliveries, with the hosts that the operator allows."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import ValidationError

from api.deliveries import destination_setup, profiles
from api.deliveries.destination_setup import DestinationChange, NewDestination
from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.access.settings_access import find_identity_faults, has_own_password
from api.desk.screenings.answer_form import read_text
from api.http.allowed_url import HostNotAllowedProblem
from api.problems import Problem
from api.security.strict_json import decode_json
from api.store.deliveries import allowed_hosts, destinations
from api.store.errors import ConflictError
from api.web.page_route import FormFields, read_field
from schemas.organisations.delivery import Destination

DESTINATIONS_PATH = "/desk/practice/destinations"
DestinationId = Annotated[str, Path(alias="destination", pattern=r"^d-[0-9a-f-]{36}$")]
_FAULTS = {
    "name": "fault_destination_name",
    "profile": "fault_unknown",
    "address": "fault_url",
    "options": "fault_options",
    "smart": "fault_smart",
    "tls": "fault_pem",
}
_TEXTS = ("name", "profile", "address", "token_url", "client_id")
_LONG_TEXTS = ("options", "authorities", "certificate_and_key")
_SECRETS = ("certificate_and_key",)
router = APIRouter(prefix=DESTINATIONS_PATH, route_class=build_desk_route("destinations:admin"))


@router.get("")
def list_destinations(desk: PractitionerPageDep) -> Response:
    """List destinations and allowed hosts, with the form that adds a destination."""
    return _render_list(desk, dict.fromkeys((*_TEXTS, *_LONG_TEXTS), ""), {})


@router.post("")
def add_destination(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Add a destination; show the secret of a webhook, only this once."""
    values = _read_values(fields)
    faults = find_identity_faults(desk, fields)
    if not faults:
        try:
            new_destination = NewDestination.model_validate(_build_body(fields, values))
            with desk.context.transaction() as work:
                created = destination_setup.add_destination(work, new_destination)
        except (ValidationError, Problem, ValueError) as error:
            faults = _find_faults(error)
    if faults:
        public_values = values | dict.fromkeys(_SECRETS, "")
        return _render_list(desk, public_values, faults)
    if created.secret:
        return _render_secret(desk, created.id, created.secret)
    return desk.redirect(f"{DESTINATIONS_PATH}/{created.id}?saved=true")


@router.get("/{destination}")
def show_destination(
    desk: PractitionerPageDep, destination: DestinationId, *, saved: bool = False
) -> Response:
    """Show a destination with the forms that change it."""
    return _render_destination(desk, _find_destination(desk, destination), {}, saved=saved)


@router.post("/{destination}")
def change_destination(
    desk: PractitionerPageDep, destination: DestinationId, fields: CheckedFields
) -> Response:
    """Change a destination; deliveries composed before are sent as composed."""
    current = _find_destination(desk, destination)
    values = _read_values(fields)
    faults = find_identity_faults(desk, fields)
    if not faults:
        try:
            change = DestinationChange(
                name=values["name"],
                address=values["address"],
                active=read_field(fields, "active") == "yes",
                follows=read_field(fields, "follows") == "yes",
                options=_parse_options(values["options"]),
            )
            with desk.context.transaction() as work:
                destination_setup.change_destination(work, destination, change)
        except (ValidationError, Problem, ValueError) as error:
            faults = _find_faults(error)
    if faults:
        return _render_destination(desk, current, faults, values)
    return desk.redirect(f"{DESTINATIONS_PATH}/{destination}?saved=true")


@router.post("/{destination}/webhook-secrets")
def add_webhook_secret(
    desk: PractitionerPageDep, destination: DestinationId, fields: CheckedFields
) -> Response:
    """Show a new webhook secret, only this once; the one before it stays valid."""
    faults = find_identity_faults(desk, fields)
    if faults:
        return _render_destination(desk, _find_destination(desk, destination), faults)
    with desk.context.transaction() as work:
        rotated = destination_setup.rotate_webhook_secret(work, destination)
    return _render_secret(desk, destination, str(rotated.secret))


@router.post("/{destination}/delete")
def delete_destination(
    desk: PractitionerPageDep, destination: DestinationId, fields: CheckedFields
) -> Response:
    """Delete a destination without deliveries; another one can only be deactivated."""
    faults = find_identity_faults(desk, fields)
    if not faults:
        try:
            with desk.context.transaction() as work:
                destinations.delete_destination(work, destination)
                work.audit("administer", "destination", destination)
        except ConflictError:
            faults = {"delete": "fault_has_deliveries"}
    if faults:
        return _render_destination(desk, _find_destination(desk, destination), faults)
    return desk.redirect(DESTINATIONS_PATH)


def _read_values(fields: FormFields) -> dict[str, str]:
    texts = {name: read_field(fields, name).strip() for name in _TEXTS}
    return texts | {name: read_text(fields, name) for name in _LONG_TEXTS}


def _build_body(fields: FormFields, values: dict[str, str]) -> dict[str, Any]:
    """Return the body of `POST /v1/destinations`."""
    has_smart = values["token_url"] or values["client_id"]
    smart = {"token_url": values["token_url"], "client_id": values["client_id"]}
    tls = {name: values[name] or None for name in ("authorities", "certificate_and_key")}
    return {
        "name": values["name"],
        "profile": values["profile"],
        "address": values["address"],
        "follows": read_field(fields, "follows") == "yes",
        "options": _parse_options(values["options"]),
        "smart": smart if has_smart else None,
        "tls": tls if any(tls.values()) else None,
    }


def _parse_options(text: str) -> Any:
    """Return the JSON object. Raises ValueError."""
    return decode_json(text.encode()) if text else {}


def _find_faults(error: Exception) -> dict[str, str]:
    """Return the phrase for each faulty field of the form."""
    match error:
        case ValidationError():
            names = {str(fault["loc"][0]) for fault in error.errors(include_input=False)}
        case HostNotAllowedProblem():
            return {"address": "fault_host"}
        case Problem():
            names = {fault.pointer.split("/")[1] for fault in error.errors or ()}
        case _:
            names = {"options"}
    return {name: phrase for name, phrase in _FAULTS.items() if name in names} or {
        "address": "fault_url"
    }


def _find_destination(desk: PractitionerPage, destination: str) -> Destination:
    with desk.context.transaction() as work:
        record = destinations.find_destination(work, destination)
        work.audit("read", "destination", destination)
    return record


def _render_list(
    desk: PractitionerPage, values: dict[str, str], faults: dict[str, str]
) -> Response:
    with desk.context.transaction() as work:
        rows = destinations.list_destinations(work)
        hosts = allowed_hosts.list_allowed_hosts(work)
        work.audit("list", "destination")
    return desk.render(
        "destinations",
        422 if faults else 200,
        destinations=rows,
        hosts=[f"{entry.host_port.host}:{entry.host_port.port}" for entry in hosts],
        profiles=sorted(profiles.load_profiles()),
        values=values,
        faults=faults,
        has_password=has_own_password(desk),
    )


def _render_destination(
    desk: PractitionerPage,
    destination: Destination,
    faults: dict[str, str],
    values: dict[str, str] | None = None,
    *,
    saved: bool = False,
) -> Response:
    dumped = destination.model_dump(mode="json")
    return desk.render(
        "destination",
        422 if faults else 200,
        destination=destination,
        values=dumped | {"options": _format_options(dumped["options"])} | (values or {}),
        faults=faults,
        saved=saved,
        is_webhook=profiles.find_profile(destination.profile).transport == "webhook",
        public_key=_format_options(dumped["public_key"]),
        has_password=has_own_password(desk),
    )


def _format_options(options: dict[str, Any] | None) -> str:
    return json.dumps(options, indent=2, ensure_ascii=False) if options else ""


def _render_secret(desk: PractitionerPage, destination: str, secret: str) -> Response:
    return desk.render(
        "credential_created",
        heading="desk_webhook_secret",
        client="",
        text=secret,
        back=f"{DESTINATIONS_PATH}/{destination}",
    )
