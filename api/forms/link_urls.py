"""Build the URLs of a new link, which are shown only once, and QR codes."""

import io
from typing import Literal
from urllib.parse import quote, urlsplit

import segno

from api.http.networks import is_loopback
from schemas.patients.links import Link, NewLink


def build_new_link(link: Link, secret: str, public_url: str) -> NewLink:
    """Return the link with its URL, its kiosk URL and a QR code of the first."""
    url = f"{public_url}/intake/{secret}"
    return NewLink(
        **dict(link), url=url, kiosk_url=f"{public_url}/kiosk/{secret}", qr=render_qr_code(url)
    )


def find_link_reach(public_url: str) -> Literal["loopback", "unencrypted"] | None:
    """Return what keeps others from opening addresses under this URL safely; None if nothing."""
    parts = urlsplit(public_url)
    if is_loopback(parts.hostname or ""):
        return "loopback"
    return None if parts.scheme == "https" else "unencrypted"


def build_message_urls(subject: str, text: str) -> tuple[str, str]:
    """Return URLs that open a mail (RFC 6068) and a text message (RFC 5724) with this text."""
    mail = f"mailto:?subject={quote(subject, safe='')}&body={quote(text, safe='')}"
    return mail, f"sms:?&body={quote(text, safe='')}"


def render_qr_code(url: str) -> str:
    """Return the code as one `svg` element without inline styles, which the pages forbid."""
    svg = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        svg, kind="svg", scale=4, border=4, light="#ffffff", xmldecl=False, nl=False, omitsize=True
    )
    return svg.getvalue().decode("utf-8")
