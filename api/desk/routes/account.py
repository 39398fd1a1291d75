"""Account page of the signed-in practitioner: scopes, open sessions and password."""

from fastapi import APIRouter, Request, Response

from api.auth.services import find_services
from api.desk.access.invitation_acceptance import find_password_faults, list_personal_texts
from api.desk.access.login import verify_own_login
from api.desk.access.session_ending import (
    ACCOUNT_PATH,
    ALREADY_ENDED_NOTICE,
    ENDED_NOTICE,
    NOT_RENEWED_NOTICE,
    UNCONFIRMED_NOTICE,
    end_chosen_sessions,
)
from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
    read_session_lifetimes,
)
from api.desk.access.settings_access import PASSWORD_FIELD, find_identity_faults, has_own_password
from api.security.passwords import hash_password
from api.security.scopes import SCOPES
from api.store.accounts import login_credentials, sessions
from api.web.page_route import read_field

_PASSWORD_FIELDS = ("current_password", "code", "password", "password_repeat")
_SESSION_FAULT = f"{PASSWORD_FIELD}-sessions"
"""The place of a fault in the form of the sessions, beside that of the password's form."""
_NOTICES = {
    "changed": "desk_password_changed",
    ENDED_NOTICE: "desk_sessions_ended",
    ALREADY_ENDED_NOTICE: "desk_sessions_already_ended",
    UNCONFIRMED_NOTICE: "desk_sessions_unconfirmed",
    NOT_RENEWED_NOTICE: "desk_sessions_not_renewed",
}
router = APIRouter(prefix=ACCOUNT_PATH, route_class=build_desk_route())


@router.get("")
def show_account(request: Request, desk: PractitionerPageDep) -> Response:
    """Show the practitioner, their scopes and their sessions."""
    notice = next((phrase for name, phrase in _NOTICES.items() if name in request.query_params), "")
    return _render_account(desk, {}, notice)


@router.post("/sessions")
def end_sessions(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """End one other session or all of them, given the password.

    Those who sign in at an identity provider log in there again instead.
    """
    faults = find_identity_faults(desk, fields)
    if has_own_password(desk) and not faults:
        return end_chosen_sessions(desk, read_field(fields, "session"))
    with desk.context.transaction() as work:
        practitioner = desk.signed_in.practitioner.id
        work.audit("refuse", "practitioner", practitioner, outcome="invalid_request")
    if not faults:
        return desk.redirect(f"{ACCOUNT_PATH}?{UNCONFIRMED_NOTICE}")
    return _render_account(desk, {_SESSION_FAULT: faults[PASSWORD_FIELD]})


@router.post("/password")
def change_password(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Change the password, given the current one and a code, and end all other sessions.

    The code is used only if the new password is acceptable.
    """
    signed_in, practitioner = desk.signed_in, desk.signed_in.practitioner
    current_password, code, password, password_repeat = (
        read_field(fields, name)[:300] for name in _PASSWORD_FIELDS
    )
    personal_texts = list_personal_texts(desk.store, signed_in.organisation, practitioner)
    faults = find_password_faults(password, password_repeat, personal_texts)
    if not verify_own_login(desk, current_password, None if faults else code):
        faults = {PASSWORD_FIELD: "fault_current_login"} | faults
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


def _render_account(desk: PractitionerPage, faults: dict[str, str], notice: str = "") -> Response:
    practitioner, settings = desk.signed_in.practitioner, find_services(desk.request).settings
    with desk.context.transaction() as work:
        open_sessions = sessions.list_sessions(
            work, practitioner.id, read_session_lifetimes(settings)
        )
        work.audit("read", "practitioner", practitioner.id)
    scopes = [scope for scope in SCOPES if desk.has_scope(scope)]
    return desk.render(
        "account",
        422 if faults else 200,
        open_sessions=open_sessions,
        format_moment=desk.formatter.format_moment,
        scope_phrases=[f"desk_scope_{scope.replace(':', '_')}" for scope in scopes],
        idle_minutes=settings.session_idle_minutes,
        hours=settings.session_hours,
        has_password=has_own_password(desk),
        provider=settings.oidc_name,
        faults=faults,
        notice=notice,
    )
