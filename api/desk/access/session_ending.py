"""Ends a practitioner's other sessions after they have proved their identity again."""

from fastapi import Response

from api.desk.access.session_guard import PractitionerPage
from api.store.accounts import sessions

ACCOUNT_PATH = "/desk/account"
OTHER_SESSIONS = "others"
ENDED_NOTICE, ALREADY_ENDED_NOTICE = "ended", "already-ended"
UNCONFIRMED_NOTICE, NOT_RENEWED_NOTICE = "unconfirmed", "not-renewed"
"""What the account page says: which sessions ended, or why none did."""


def end_chosen_sessions(desk: PractitionerPage, selection: str) -> Response:
    """End this session of the practitioner, or `others`; redirect to the page that says so."""
    own, practitioner = desk.signed_in.session, desk.signed_in.practitioner.id
    with desk.context.transaction() as work:
        if selection == OTHER_SESSIONS:
            count = sessions.end_practitioner_sessions(work, practitioner, except_session=own)
        else:
            count = sessions.end_practitioner_session(work, practitioner, selection)
        if count:
            work.audit("sign_out", "practitioner", practitioner, count=count)
        else:
            work.audit("sign_out", "practitioner", practitioner, outcome="not_found")
    return desk.redirect(f"{ACCOUNT_PATH}?{ENDED_NOTICE if count else ALREADY_ENDED_NOTICE}")
