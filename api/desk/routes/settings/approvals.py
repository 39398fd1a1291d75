"""Page of the requests that await the approval of a second person."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.access.settings_access import APPROVALS_PATH, find_identity_faults, has_own_password
from api.problems import Problem
from api.store import approvals
from api.store.accounts import clients, practitioners
from api.store.errors import ConflictError, NotFoundError
from api.web.page_route import read_field

ApprovalId = Annotated[str, Path(alias="approval", pattern=r"^[0-9a-f-]{36}$")]
router = APIRouter(prefix=APPROVALS_PATH, route_class=build_desk_route())


@router.get("")
def show_approvals(desk: PractitionerPageDep, notice: str = "") -> Response:
    """List the open requests that the practitioner's scopes allow them to decide."""
    return _render(desk, {}, notice=notice)


@router.post("/{approval}")
def decide_approval(
    desk: PractitionerPageDep, approval: ApprovalId, fields: CheckedFields
) -> Response:
    """Approve or reject a request."""
    kinds = _list_kinds(desk)
    faults = find_identity_faults(desk, fields)
    if faults:
        return _render(desk, faults)
    is_approved = read_field(fields, "decision") == "approve"
    try:
        with desk.context.transaction() as work:
            approvals.decide_request(work, approval, kinds, is_approved=is_approved)
    except (ConflictError, NotFoundError):
        return _render(desk, {"approvals": "fault_approval"})
    desk.store.database.truncate_wal()
    return desk.redirect(f"{APPROVALS_PATH}?notice={'approved' if is_approved else 'rejected'}")


def _list_kinds(desk: PractitionerPage) -> list[str]:
    kinds = [kind for kind, scope in approvals.KIND_SCOPES.items() if desk.has_scope(scope)]
    if not kinds:
        raise Problem("insufficient_scope")
    return kinds


def _render(desk: PractitionerPage, faults: dict[str, str], *, notice: str = "") -> Response:
    with desk.context.transaction() as work:
        rows = approvals.list_approvals(work, _list_kinds(desk))
        names = {item.id: item.name for item in practitioners.list_practitioners(work)}
        names |= {item.id: item.name for item in clients.list_clients(work)}
        work.audit("list", "approval")
    return desk.render(
        "approvals",
        422 if faults else 200,
        approvals=rows,
        names=names,
        own_id=desk.signed_in.practitioner.id,
        faults=faults,
        notice=notice if notice in {"approved", "rejected", "requested"} else "",
        has_password=has_own_password(desk),
        format_moment=desk.formatter.format_moment,
    )
