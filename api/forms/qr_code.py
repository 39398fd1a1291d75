"""QR codes: an address in, a picture that a camera reads out, as SVG without any style."""

import io

import segno


def qr(address: str) -> str:
    """The code as one `svg` element, with the white margin that it needs."""
    held = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        held, kind="svg", scale=4, border=4, light="#ffffff", xmldecl=False, nl=False, omitsize=True
    )
    return held.getvalue().decode("utf-8")
