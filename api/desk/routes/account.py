"""Account page of the signed-in practitioner: scopes, open sessions and password."""

from fastapi import APIRouter, Request, Response

from api.auth.services import find_services
from api.desk.access.invitation_acceptance import find_password_faults, list_personal_texts
from api.desk.access.login import verify_own_password
from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.security.passwords import hash_password
from api.security.scopes import SCOPES
from api.store.accounts import login_credentials, sessions
from api.web.page_route import read_field

ACCOUNT_PATH = "/desk/account"
_PASSWORD_FIELDS = ("current_password", "password", "password_repeat")
router = APIRouter(prefix=ACCOUNT_PATH, route_class=build_desk_route())


@router.get("")
def show_account(request: Request, desk: PractitionerPageDep) -> Response:
    """Show the practitioner, their scopes and the number of their sessions."""
    return _render_account(desk, {}, is_changed="changed" in request.query_params)


@router.post("/password")
def change_password(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Change the password, given the current one, and end all other sessions."""
    signed_in, practitioner = desk.signed_in, desk.signed_in.practitioner
    current_password, password, password_repeat = (
        read_field(fields, name)[:300] for name in _PASSWORD_FIELDS
    )
    personal_texts = list_personal_texts(desk.store, signed_in.organisation, practitioner)
    faults = find_password_faults(password, password_repeat, personal_texts)
    if not verify_own_password(desk, current_password):
        faults = {"current_password": "fault_current_password"} | faults  # nosec B105 - as above
    password_hash = hash_password(password)
    with desk.context.transaction() as work:
        if faults:
            work.audit("refuse", "sign_in", practitioner.id, outcome="invalid_request")
        else:
            login_credentials.update_password(work, practitioner.id, password_hash)
            sessions.end_practitioner_sessions(
                work, practitioner.id, except_session=signed_in.session
            )
            work.audit("administer", "sign_in", practitioner.id)
    return _render_account(desk, faults) if faults else desk.redirect(f"{ACCOUNT_PATH}?changed")


def _render_account(
    desk: PractitionerPage, faults: dict[str, str], *, is_changed: bool = False
) -> Response:
    practitioner, settings = desk.signed_in.practitioner, find_services(desk.request).settings
    with desk.context.transaction() as work:
        count = sessions.count_sessions(work, practitioner.id)
        work.audit("read", "practitioner", practitioner.id)
    scopes = [scope for scope in SCOPES if desk.has_scope(scope)]
    return desk.render(
        "account",
        422 if faults else 200,
        count=count,
        scope_phrases=[f"desk_scope_{scope.replace(':', '_')}" for scope in scopes],
        idle_minutes=settings.session_idle_minutes,
        hours=settings.session_hours,
        has_password=login_credentials.read_password_hash(
            desk.store, desk.signed_in.organisation, practitioner.id
        ),
        faults=faults,
        is_changed=is_changed,
    )
