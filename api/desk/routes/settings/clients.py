"""Pages of the programs that call the API: clients, their secrets, keys and API keys."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.access.settings_access import (
    APPROVALS_PATH,
    GRANT_FAULTS,
    find_faults,
    find_identity_faults,
    has_own_password,
    read_scopes,
    read_whole_number,
)
from api.desk.screenings.answer_form import read_text
from api.http.allowed_url import HostNotAllowedProblem, require_allowed_url
from api.outbound.http_client import HTTP_SCHEMES
from api.problems import Problem
from api.security.strict_json import decode_json
from api.store import approvals
from api.store.accounts import clients
from api.store.deliveries import allowed_hosts
from api.store.errors import ConflictError, GrantError
from api.web.page_route import FormFields, read_field
from schemas.base import FrozenModel, Many
from schemas.organisations.approvals import ClientRequest
from schemas.organisations.organisation import Client, Title

CLIENTS_PATH = "/desk/practice/programs"
MAX_KEY_DAYS = 3660
ClientId = Annotated[str, Path(alias="client", pattern=r"^c-[0-9a-f-]{36}$")]
CredentialId = Annotated[str, Path(alias="credential", max_length=128)]
_FAULTS = {
    "name": "fault_program_name",
    "scopes": "fault_scopes",
    "requests_per_minute": "fault_requests_per_minute",
}
router = APIRouter(prefix=CLIENTS_PATH, route_class=build_desk_route("clients:admin"))


class ClientFields(FrozenModel):
    """The fields of a client."""

    name: Title
    scopes: Annotated[Many[str], Field(min_length=1)]
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None


@router.get("")
def list_clients(desk: PractitionerPageDep) -> Response:
    """List the clients, with the form that adds one."""
    return _render_list(desk, {"name": "", "scopes": [], "requests_per_minute": None}, {})


@router.post("")
def add_client(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Add a client without credentials."""
    values = _read_values(fields)
    faults = find_faults(ClientFields, values, _FAULTS) | find_identity_faults(desk, fields)
    if faults:
        return _render_list(desk, values, faults)
    try:
        with desk.context.transaction() as work:
            outcome = approvals.submit_request(work, ClientRequest(**values))
    except GrantError as error:
        return _render_list(desk, values, {error.field: GRANT_FAULTS[error.field]})
    if not isinstance(outcome, Client):
        return desk.redirect(f"{APPROVALS_PATH}?notice=requested")
    return desk.redirect(f"{CLIENTS_PATH}/{outcome.id}?saved=true")


@router.get("/{client}")
def show_client(desk: PractitionerPageDep, client: ClientId, *, saved: bool = False) -> Response:
    """Show a client with its credentials."""
    return _render_client(desk, client, {}, saved=saved)


@router.post("/{client}")
def change_client(desk: PractitionerPageDep, client: ClientId, fields: CheckedFields) -> Response:
    """Change a client, also for tokens that were issued."""
    values = _read_values(fields)
    faults = find_faults(ClientFields, values, _FAULTS) | find_identity_faults(desk, fields)
    values["active"] = read_field(fields, "active") == "yes"
    if faults:
        return _render_client(desk, client, faults, values)
    try:
        with desk.context.transaction() as work:
            clients.update_client(work, client, values)
            work.audit("administer", "client", client)
    except GrantError as error:
        return _render_client(desk, client, {error.field: GRANT_FAULTS[error.field]}, values)
    return desk.redirect(f"{CLIENTS_PATH}/{client}?saved=true")


@router.post("/{client}/secrets")
def add_secret(desk: PractitionerPageDep, client: ClientId, fields: CheckedFields) -> Response:
    """Show a new secret, only this once."""
    faults = find_identity_faults(desk, fields)
    if faults:
        return _render_client(desk, client, faults)
    try:
        with desk.context.transaction() as work:
            credential, text = clients.add_secret(work, client)
            work.audit("administer", "secret", credential.id)
    except ConflictError:
        return _render_client(desk, client, {"secrets": "fault_two_secrets"})
    return _render_credential(desk, client, "desk_client_secret", text)


@router.post("/{client}/secrets/{credential}/delete")
def delete_secret(
    desk: PractitionerPageDep,
    client: ClientId,
    credential: CredentialId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Delete a secret: the client can no longer authenticate with it."""
    with desk.context.transaction() as work:
        clients.revoke_secret(work, client, credential)
        work.audit("administer", "secret", credential)
    return desk.redirect(f"{CLIENTS_PATH}/{client}?saved=true")


@router.post("/{client}/api-keys")
def add_api_key(desk: PractitionerPageDep, client: ClientId, fields: CheckedFields) -> Response:
    """Show a new API key, only this once."""
    days = read_whole_number(read_field(fields, "days"))
    scopes = read_scopes(fields, "key_scopes")
    faults = find_identity_faults(desk, fields)
    if not isinstance(days, int) or not 1 <= days <= MAX_KEY_DAYS:
        faults["days"] = "fault_again_days"
    if not scopes:
        faults["key_scopes"] = "fault_scopes"
    if faults:
        return _render_client(desk, client, faults)
    try:
        with desk.context.transaction() as work:
            expires_at = work.now + timedelta(days=int(str(days)))
            credential, text = clients.add_api_key(
                work, client, scopes, expires_at, test=desk.signed_in.test
            )
            work.audit("administer", "api_key", credential.id)
    except ConflictError:
        return _render_client(desk, client, {"days": "fault_two_api_keys"})
    except ValueError:
        return _render_client(desk, client, {"key_scopes": "fault_key_scopes"})
    return _render_credential(desk, client, "desk_client_api_key", text)


@router.post("/{client}/api-keys/{credential}/delete")
def revoke_api_key(
    desk: PractitionerPageDep,
    client: ClientId,
    credential: CredentialId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Revoke an API key from the next request on."""
    with desk.context.transaction() as work:
        clients.revoke_api_key(work, client, credential)
        work.audit("administer", "api_key", credential)
    return desk.redirect(f"{CLIENTS_PATH}/{client}?saved=true")


@router.post("/{client}/keys")
def add_key(desk: PractitionerPageDep, client: ClientId, fields: CheckedFields) -> Response:
    """Register a public key for `private_key_jwt`."""
    faults = find_identity_faults(desk, fields)
    if not faults:
        try:
            jwk = decode_json(read_text(fields, "jwk").encode())
            with desk.context.transaction() as work:
                clients.add_client_key(work, client, jwk if isinstance(jwk, dict) else {})
                work.audit("administer", "public_key", client)
        except ConflictError:
            faults["jwk"] = "fault_key_taken"
        except ValueError:
            faults["jwk"] = "fault_jwk"
    if faults:
        return _render_client(desk, client, faults, {"jwk": read_text(fields, "jwk")})
    return desk.redirect(f"{CLIENTS_PATH}/{client}?saved=true")


@router.post("/{client}/keys/{credential}/delete")
def delete_key(
    desk: PractitionerPageDep,
    client: ClientId,
    credential: CredentialId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Delete a public key: the client can no longer authenticate with it."""
    with desk.context.transaction() as work:
        clients.revoke_client_key(work, client, credential)
        work.audit("administer", "public_key", client)
    return desk.redirect(f"{CLIENTS_PATH}/{client}?saved=true")


@router.post("/{client}/key-set")
def change_key_set(desk: PractitionerPageDep, client: ClientId, fields: CheckedFields) -> Response:
    """Set the JWKS URL of a client, at a host that the operator allows; empty deletes it."""
    url = read_field(fields, "key_set_url").strip()[:2000]
    faults = find_identity_faults(desk, fields)
    if not faults:
        try:
            _save_key_set(desk, client, url)
        except HostNotAllowedProblem:
            faults["key_set_url"] = "fault_host"
        except Problem:
            faults["key_set_url"] = "fault_url"
    if faults:
        return _render_client(desk, client, faults, {"key_set_url": url})
    return desk.redirect(f"{CLIENTS_PATH}/{client}?saved=true")


def _save_key_set(desk: PractitionerPage, client: str, url: str) -> None:
    with desk.context.transaction() as work:
        current = clients.find_client(work, client).key_set_url
        if url:
            hosts = allowed_hosts.list_allowed_hosts(work)
            require_allowed_url("/url", url, HTTP_SCHEMES, hosts)
            clients.set_key_set_url(work, client, url)
        elif current:
            clients.delete_key_set_url(work, client)
        work.audit("administer", "key_set", client)


def _read_values(fields: FormFields) -> dict[str, Any]:
    return {
        "name": read_field(fields, "name").strip(),
        "scopes": read_scopes(fields, "scopes"),
        "requests_per_minute": read_whole_number(read_field(fields, "requests_per_minute")),
    }


def _find_client(desk: PractitionerPage, client: str) -> Client:
    with desk.context.transaction() as work:
        client_record = clients.find_client(work, client)
        work.audit("read", "client", client)
    return client_record


def _render_list(
    desk: PractitionerPage, values: dict[str, Any], faults: dict[str, str]
) -> Response:
    with desk.context.transaction() as work:
        rows = clients.list_clients(work)
        work.audit("list", "client")
    return desk.render(
        "clients",
        422 if faults else 200,
        clients=rows,
        values=values,
        faults=faults,
        scopes=desk.list_grantable_scopes(),
        has_password=has_own_password(desk),
    )


def _render_client(
    desk: PractitionerPage,
    client_id: str,
    faults: dict[str, str],
    values: dict[str, Any] | None = None,
    *,
    saved: bool = False,
) -> Response:
    client = _find_client(desk, client_id)
    return desk.render(
        "client",
        422 if faults else 200,
        client=client,
        values={"jwk": ""} | client.model_dump() | (values or {}),
        faults=faults,
        saved=saved,
        scopes=desk.list_grantable_scopes(client.scopes),
        has_password=has_own_password(desk),
        format_day=desk.formatter.format_day,
    )


def _render_credential(desk: PractitionerPage, client: str, heading: str, text: str) -> Response:
    return desk.render(
        "credential_created",
        heading=heading,
        client=client,
        text=text,
        back=f"{CLIENTS_PATH}/{client}",
    )
