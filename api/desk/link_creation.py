"""Create a link at the desk, send it on request, and show it this once."""

import re

from fastapi import Response
from pydantic import ValidationError

from api.auth.services import find_services
from api.desk.session_guard import PractitionerPage
from api.forms.link_urls import build_new_link
from api.notifications.mediums import list_mediums
from api.store.forms import links
from api.store.forms.links import LinkRequest
from api.store.notifications import occasions
from schemas.notification import Medium, Recipient

_NUMBER_PUNCTUATION = re.compile(r"[ ()/.-]")


def create_shown_link(
    desk: PractitionerPage, link_request: LinkRequest, recipient: Recipient | None
) -> Response:
    """Create the link and show its URL and QR code, only this once."""
    public_url = find_services(desk.request).settings.public_url
    with desk.context.transaction() as work:
        link, secret = links.add_link(work, link_request)
        new_link = build_new_link(link, secret, public_url)
        if recipient is not None:
            occasions.invite_patient(work, link, recipient, new_link.url)
        work.audit("create", "link", link.id)
    return desk.render(
        "new_link_created",
        link=new_link,
        expires=desk.formatter.format_moment(link.expires_at),
        recipient=recipient,
    )


def list_desk_mediums(desk: PractitionerPage) -> tuple[Medium, ...]:
    """Return the mediums by which a link can be sent."""
    return list_mediums(find_services(desk.request).settings)


def parse_recipient(desk: PractitionerPage, text: str) -> Recipient | None:
    """Return the recipient that was entered, None for an empty text. Raises ValueError."""
    if not text:
        return None
    medium: Medium = "email" if "@" in text else "sms"
    if medium not in list_desk_mediums(desk):
        raise ValueError("this medium is not set up")
    address = text if medium == "email" else _NUMBER_PUNCTUATION.sub("", text)
    try:
        return Recipient(medium=medium, address=address)
    except ValidationError:
        raise ValueError("neither an e-mail address nor a mobile number") from None
