"""Acts on messages that could not be sent: send again or dismiss."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.desk.access.session_guard import CheckedFields, PractitionerPageDep, build_desk_route
from api.store.notifications import outbox

MessageId = Annotated[str, Path(alias="message", pattern=r"^[0-9a-f-]{36}$")]
router = APIRouter(prefix="/desk/messages", route_class=build_desk_route("screenings:write"))


@router.post("/{message}/retry")
def retry_message(
    desk: PractitionerPageDep,
    message: MessageId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Send a failed message again."""
    with desk.context.transaction() as work:
        outbox.retry_notification(work, message)
        work.audit("deliver", "notification", message, outcome="enqueued")
    return desk.redirect("/desk")


@router.post("/{message}/dismiss")
def dismiss_message(
    desk: PractitionerPageDep,
    message: MessageId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Dismiss a failed message."""
    with desk.context.transaction() as work:
        outbox.dismiss_notification(work, message)
        work.audit("cancel", "notification", message)
    return desk.redirect("/desk")
