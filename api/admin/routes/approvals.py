"""Routes to list, approve and reject what awaits the approval of a second person."""

from typing import Annotated, Literal

from fastapi import APIRouter

from api.auth.route_guard import require_scope
from api.dependencies import LOWER_CASE, RequestContextDep, build_id_parameter
from api.http.errors.error_responses import BODY_ERRORS, error_responses
from api.http.paging import (
    MAX_WHOLE_LIST,
    ListLimit,
    NextPage,
    PageCursor,
    build_next_page,
    slice_page,
)
from api.store import approvals
from schemas.base import FrozenModel, Many
from schemas.organisations.approvals import Approval, Outcome

ApprovalId = Annotated[str, build_id_parameter("approval", 5), LOWER_CASE]


class ApprovalList(FrozenModel):
    """The requests that await approval."""

    approvals: Many[Approval]
    next: NextPage = None


class Decision(FrozenModel):
    """The decision on a request."""

    decision: Literal["approve", "reject"]


class DecidedRequest(Decision):
    """The decision, with what an approved request did; null for a rejected one."""

    outcome: Outcome | None


def _build_router(name: str, scope: str, tag: str) -> APIRouter:
    """Return the routes for the requests that callers with this scope may approve."""
    route_class = require_scope(scope)
    router = APIRouter(prefix=f"/v1/{name}s/approvals", tags=[tag], route_class=route_class)
    kinds = [kind for kind, needed_scope in approvals.KIND_SCOPES.items() if needed_scope == scope]

    @router.get(
        "", operation_id=f"list_{name}_approvals", summary=f"List {name} requests to approve"
    )
    def list_approvals(
        context: RequestContextDep, limit: ListLimit = MAX_WHOLE_LIST, cursor: PageCursor = None
    ) -> ApprovalList:
        """Return the open requests, oldest first. They expire after a week."""
        with context.transaction() as work:
            waiting = approvals.list_approvals(work, kinds)
            rows, last = slice_page(waiting, lambda row: row.id, limit, cursor)
            work.audit("list", "approval")
        next_page = build_next_page(router.prefix, last, limit=limit)
        return ApprovalList(approvals=rows, next=next_page)

    @router.post(
        "/{approval}",
        operation_id=f"decide_{name}_approval",
        responses=error_responses(*BODY_ERRORS, 404, 409),
        summary=f"Approve or reject a {name} request",
    )
    def decide_approval(
        approval: ApprovalId, decision: Decision, context: RequestContextDep
    ) -> DecidedRequest:
        """Carry out the request, or drop it. You can only reject your own request (409)."""
        is_approved = decision.decision == "approve"
        with context.transaction() as work:
            outcome = approvals.decide_request(work, approval, kinds, is_approved=is_approved)
        context.store.database.truncate_wal()
        return DecidedRequest(decision=decision.decision, outcome=outcome)

    return router


ROUTERS = (
    _build_router("client", "clients:admin", "administration"),
    _build_router("patient", "patients:admin", "patients"),
)
