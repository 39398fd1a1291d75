"""Build the URLs of a new link, which are shown only once."""

from api.forms.qr_code import qr
from schemas.links import Link, NewLink


def shown_once(made: Link, secret: str, public_url: str) -> NewLink:
    """Return the link with its URL, its kiosk URL and a QR code of the first."""
    url = f"{public_url}/intake/{secret}"
    return NewLink(**dict(made), url=url, kiosk_url=f"{public_url}/kiosk/{secret}", qr=qr(url))
