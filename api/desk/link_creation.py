"""Create a link at the desk or give one a new address, send it on request, and show it once."""

import re

from fastapi import Response
from pydantic import ValidationError

from api.auth.services import find_services
from api.desk.access.session_guard import PractitionerPage
from api.forms.link_urls import build_message_urls, build_new_link, find_link_reach
from api.notifications.mediums import list_mediums
from api.store.forms import links
from api.store.forms.links import LinkRequest
from api.store.notifications import occasions
from api.web.page_texts import load_page_texts
from schemas.notification import Medium, Recipient
from schemas.patients.links import NewLink

_NUMBER_PUNCTUATION = re.compile(r"[ ()/.-]")


def create_shown_link(
    desk: PractitionerPage, link_request: LinkRequest, recipient: Recipient | None
) -> Response:
    """Create the link and show its URL and QR code, only this once."""
    with desk.context.transaction() as work:
        link, secret = links.add_link(work, link_request)
        new_link = build_new_link(link, secret, read_public_url(desk))
        if recipient is not None:
            occasions.invite_patient(work, link, recipient, new_link.url)
        work.audit("create", "link", link.id)
    return _show_link(desk, new_link, recipient)


def show_link_again(desk: PractitionerPage, link_id: str) -> Response:
    """Give a link that was not started a new URL and show it; the old one ends.

    Raises NotFoundError and ConflictError.
    """
    with desk.context.transaction() as work:
        link, secret = links.replace_secret(work, link_id)
        work.audit("rotate", "link", link_id)
    return _show_link(desk, build_new_link(link, secret, read_public_url(desk)), None)


def _show_link(desk: PractitionerPage, link: NewLink, recipient: Recipient | None) -> Response:
    mail_url, sms_url = _build_message_urls(desk, link)
    return desk.render(
        "new_link_created",
        link=link,
        expires=desk.formatter.format_moment(link.expires_at),
        recipient=recipient,
        reach=find_link_reach(read_public_url(desk)),
        mail_url=mail_url,
        sms_url=sms_url,
    )


def read_public_url(desk: PractitionerPage) -> str:
    """Return the address under which others reach the service."""
    return find_services(desk.request).settings.public_url


def _build_message_urls(desk: PractitionerPage, link: NewLink) -> tuple[str, str]:
    """Return the URLs of a mail and a text message, in the language of the link."""
    say = load_page_texts(link.language or desk.language).say
    organisation = desk.signed_in.organisation_name
    when = desk.formatter.format_day(link.expires_at)
    return build_message_urls(
        say("desk_link_mail_subject", organisation=organisation),
        say("desk_link_message", organisation=organisation, url=link.url, when=when),
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
