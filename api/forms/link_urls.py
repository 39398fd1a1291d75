"""Build the URLs of a new link, which are shown only once."""

from api.forms.qr_code import render_qr_code
from schemas.links import Link, NewLink


def build_new_link(link: Link, secret: str, public_url: str) -> NewLink:
    """Return the link with its URL, its kiosk URL and a QR code of the first."""
    url = f"{public_url}/intake/{secret}"
    return NewLink(
        **dict(link), url=url, kiosk_url=f"{public_url}/kiosk/{secret}", qr=render_qr_code(url)
    )
