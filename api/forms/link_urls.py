"""Addresses of links: what is shown of a new link, once."""

from api.forms.qr_code import qr
from schemas.links import Link, NewLink


def shown_once(made: Link, secret: str, public_url: str) -> NewLink:
    """The link with its address, the address for a shared device, and the first as a QR code."""
    url = f"{public_url}/intake/{secret}"
    return NewLink(**dict(made), url=url, kiosk_url=f"{public_url}/kiosk/{secret}", qr=qr(url))
