"""Build the URLs of a new link, which are shown only once, and QR codes."""

import io

import segno

from schemas.links import Link, NewLink


def build_new_link(link: Link, secret: str, public_url: str) -> NewLink:
    """Return the link with its URL, its kiosk URL and a QR code of the first."""
    url = f"{public_url}/intake/{secret}"
    return NewLink(
        **dict(link), url=url, kiosk_url=f"{public_url}/kiosk/{secret}", qr=render_qr_code(url)
    )


def render_qr_code(url: str) -> str:
    """Return the code as one `svg` element without inline styles, which the pages forbid."""
    svg = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        svg, kind="svg", scale=4, border=4, light="#ffffff", xmldecl=False, nl=False, omitsize=True
    )
    return svg.getvalue().decode("utf-8")
