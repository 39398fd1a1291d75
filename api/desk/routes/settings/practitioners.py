"""Pages of the practitioners: add, invite, change and deactivate them, end their sessions."""

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
    find_faults,
    find_identity_faults,
    has_own_password,
    read_scopes,
)
from api.desk.link_creation import list_desk_mediums, read_public_url
from api.forms.link_urls import find_link_reach
from api.store.accounts import invitations, practitioners, sessions
from api.store.errors import ConflictError
from api.web.page_route import FormFields, read_field
from schemas.base import FrozenModel, Many
from schemas.notification import EmailAddress
from schemas.organisations.organisation import Practitioner, Title

PRACTITIONERS_PATH = "/desk/practice/practitioners"
PractitionerId = Annotated[str, Path(alias="practitioner", pattern=r"^p-[0-9a-f-]{36}$")]
_FAULTS = {
    "name": "fault_practitioner_name",
    "reference": "fault_practitioner_reference",
    "scopes": "fault_scopes",
    "email": "fault_email",
}
_CHANGED_FIELDS = ("name", "scopes", "email", "gets_alerts", "active")
router = APIRouter(prefix=PRACTITIONERS_PATH, route_class=build_desk_route("organisation:admin"))


class PractitionerFields(FrozenModel):
    """The fields of a practitioner."""

    name: Title
    reference: Title
    scopes: Annotated[Many[str], Field(min_length=1)]
    email: EmailAddress | None


@router.get("")
def list_practitioners(desk: PractitionerPageDep, *, first: bool = False) -> Response:
    """List the practitioners, with the form that adds one; `first` is the first run."""
    scopes = practitioners.DEFAULT_PRACTITIONER_SCOPES
    values = {"name": "", "reference": "", "scopes": scopes, "email": None}
    return _render_list(desk, values, {}, first=first)


@router.post("")
def add_practitioner(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Add a practitioner and show their invitation, only this once."""
    values = _read_values(fields)
    faults = find_faults(PractitionerFields, values, _FAULTS) | find_identity_faults(desk, fields)
    if faults:
        return _render_list(desk, values, faults)
    try:
        with desk.context.transaction() as work:
            colleague = practitioners.add_practitioner(
                work, values["reference"], values["name"], values["scopes"], values["email"]
            )
            work.audit("administer", "practitioner", colleague.id)
    except ConflictError:
        return _render_list(desk, values, {"reference": "fault_reference_taken"})
    return _invite(desk, colleague)


@router.get("/{practitioner}")
def show_practitioner(
    desk: PractitionerPageDep, practitioner: PractitionerId, *, saved: bool = False
) -> Response:
    """Show a practitioner with the forms that change them."""
    colleague = _find_practitioner(desk, practitioner)
    return _render_practitioner(desk, colleague, colleague.model_dump(), {}, saved=saved)


@router.post("/{practitioner}")
def change_practitioner(
    desk: PractitionerPageDep, practitioner: PractitionerId, fields: CheckedFields
) -> Response:
    """Change name, scopes, address and alerts; activate or deactivate the practitioner."""
    colleague = _find_practitioner(desk, practitioner)
    values = _read_values(fields) | {"reference": colleague.reference}
    faults = find_faults(PractitionerFields, values, _FAULTS)
    for name in ("active", "gets_alerts"):
        values[name] = read_field(fields, name) == "yes"
    is_self = colleague.id == desk.signed_in.practitioner.id
    if is_self and not (values["active"] and "organisation:admin" in values["scopes"]):
        faults["scopes"] = "fault_own_access"
    faults |= find_identity_faults(desk, fields)
    if faults:
        return _render_practitioner(desk, colleague, colleague.model_dump() | values, faults)
    with desk.context.transaction() as work:
        changes = {name: values[name] for name in _CHANGED_FIELDS}
        practitioners.update_practitioner(work, colleague.id, changes)
        work.audit("administer", "practitioner", colleague.id)
    return desk.redirect(f"{PRACTITIONERS_PATH}/{colleague.id}?saved=true")


@router.post("/{practitioner}/invitations")
def invite_practitioner(
    desk: PractitionerPageDep, practitioner: PractitionerId, fields: CheckedFields
) -> Response:
    """Show a new invitation, only this once; it replaces an earlier one."""
    colleague = _find_practitioner(desk, practitioner)
    faults = find_identity_faults(desk, fields)
    if faults:
        return _render_practitioner(desk, colleague, colleague.model_dump(), faults)
    return _invite(desk, colleague)


@router.post("/{practitioner}/sessions/end")
def end_sessions(
    desk: PractitionerPageDep,
    practitioner: PractitionerId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Sign the practitioner out everywhere, except from this session."""
    colleague = _find_practitioner(desk, practitioner)
    with desk.context.transaction() as work:
        count = sessions.end_practitioner_sessions(
            work, colleague.id, except_session=desk.signed_in.session
        )
        work.audit("sign_out", "practitioner", colleague.id, count=max(count, 1))
    return desk.redirect(f"{PRACTITIONERS_PATH}/{colleague.id}?saved=true")


def _read_values(fields: FormFields) -> dict[str, Any]:
    return {
        "name": read_field(fields, "name").strip(),
        "reference": read_field(fields, "reference").strip(),
        "scopes": read_scopes(fields, "scopes"),
        "email": read_field(fields, "email").strip() or None,
    }


def _find_practitioner(desk: PractitionerPage, practitioner: str) -> Practitioner:
    with desk.context.transaction() as work:
        colleague = practitioners.find_practitioner(work, practitioner)
        work.audit("read", "practitioner", practitioner)
    return colleague


def _invite(desk: PractitionerPage, practitioner: Practitioner) -> Response:
    with desk.context.transaction() as work:
        invitation, secret = invitations.add_invitation(work, practitioner.id)
        work.audit("administer", "invitation", invitation.id)
    public_url = read_public_url(desk)
    return desk.render(
        "invitation_created",
        practitioner=practitioner,
        url=f"{public_url}/invitation/{secret}",
        reach=find_link_reach(public_url),
        expires=desk.formatter.format_moment(invitation.expires_at),
    )


def _render_list(
    desk: PractitionerPage, values: dict[str, Any], faults: dict[str, str], *, first: bool = False
) -> Response:
    with desk.context.transaction() as work:
        rows = practitioners.list_practitioners(work)
        work.audit("list", "practitioner")
    return desk.render(
        "practitioners",
        422 if faults else 200,
        practitioners=rows,
        values=values,
        faults=faults,
        scopes=desk.list_grantable_scopes(),
        has_password=has_own_password(desk),
        sends_email="email" in list_desk_mediums(desk),
        first=first,
    )


def _render_practitioner(
    desk: PractitionerPage,
    practitioner: Practitioner,
    values: dict[str, Any],
    faults: dict[str, str],
    *,
    saved: bool = False,
) -> Response:
    with desk.context.transaction() as work:
        session_count = sessions.count_sessions(work, practitioner.id)
        work.audit("read", "practitioner", practitioner.id)
    return desk.render(
        "practitioner",
        422 if faults else 200,
        practitioner=practitioner,
        values=values,
        faults=faults,
        saved=saved,
        scopes=desk.list_grantable_scopes(practitioner.scopes),
        has_password=has_own_password(desk),
        session_count=session_count,
        sends_email="email" in list_desk_mediums(desk),
    )
