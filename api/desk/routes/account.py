"""The account of whoever is signed in: what they may do, in how many browsers, their password."""

from fastapi import APIRouter, Request, Response

from api.desk.invitation_acceptance import password_faults
from api.desk.login import is_own
from api.desk.session_guard import AtDesk, Desk, Form, desk_route
from api.security.passwords import hashed_password
from api.store.accounts import login_credentials, sessions
from api.web.page_route import only

HERE = "/desk/account"
_SCOPES = ("screenings:read", "screenings:write", "reports:read", "admin")
router = APIRouter(prefix=HERE, route_class=desk_route())


@router.get("")
def account(request: Request, desk: AtDesk) -> Response:
    """Who is signed in, what they may do, in how many browsers."""
    return _account(desk, {}, changed="changed" in request.query_params)


@router.post("/password")
def change_password(desk: AtDesk, fields: Form) -> Response:
    """Another password, for whoever knows the present one; every other session ends."""
    who, own = desk.signed_in.practitioner, desk.signed_in
    present, password, again = (only(fields, each)[:300] for each in ("present", *_NEW))
    faults = password_faults(password, again, (who.name, who.reference, own.organisation_name))
    if not is_own(desk, present):
        faults = {"present": "fault_present"} | faults
    kept = hashed_password(password)
    with desk.acts.transaction() as work:
        if faults:
            work.audit("refuse", "sign_in", who.id, outcome="wrong_shape")
        else:
            login_credentials.change_password(work, who.id, kept)
            sessions.end_all(work, who.id, but=own.session)
            work.audit("administer", "sign_in", who.id)
    return _account(desk, faults) if faults else desk.go(f"{HERE}?changed")


_NEW = ("password", "again")


def _account(desk: Desk, faults: dict[str, str], *, changed: bool = False) -> Response:
    who, settings = desk.signed_in.practitioner, desk.request.app.state.settings
    with desk.acts.transaction() as work:
        count = sessions.count(work, who.id)
        work.audit("read", "practitioner", who.id)
    return desk.show(
        "account",
        422 if faults else 200,
        count=count,
        may=[f"desk_scope_{each.replace(':', '_')}" for each in _SCOPES if desk.may(each)],
        idle=settings.session_idle_minutes,
        hours=settings.session_hours,
        has_password=login_credentials.password_hash(
            desk.store, desk.signed_in.organisation, who.id
        ),
        faults=faults,
        changed=changed,
    )
