"""Validate the logo of an organisation: a small PNG, or an SVG of plain shapes.

An SVG is parsed and serialised again; an element or attribute that is not allowed is refused.
"""

import io
import re
import struct
import warnings
from typing import Annotated
from xml.etree import ElementTree as ET  # nosec B405 - what it reads has no document type

from pydantic import AfterValidator, Field

MAX_LOGO_BYTES = 4_000
MAX_LOGO_PIXELS = 1_000
MAX_SIDE = 10_000.0
MAX_ASPECT_RATIO = 20.0
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = bytes.fromhex("0000000049454e44ae426082")
_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_SHAPES = {"g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "title"}
_ATTRIBUTES = {
    *("d", "x", "y", "width", "height", "cx", "cy", "r", "rx", "ry", "x1", "y1", "x2", "y2"),
    *("points", "transform", "fill", "fill-rule", "fill-opacity", "stroke", "stroke-width"),
    *("stroke-linecap", "stroke-linejoin", "opacity", "viewBox"),
}


def validate_logo(logo: bytes) -> bytes:
    """Return the logo as it may be printed. Raises ValueError if it is not allowed."""
    return _validate_png(logo) if logo.startswith(_PNG) else _rebuild_svg(logo)


def detect_media_type(logo: bytes) -> str:
    """Return the media type of a valid logo."""
    return "image/png" if logo.startswith(_PNG) else "image/svg+xml"


Logo = Annotated[bytes, Field(max_length=MAX_LOGO_BYTES), AfterValidator(validate_logo)]


def _validate_png(logo: bytes) -> bytes:
    if len(logo) < 33 or logo[12:16] != b"IHDR":
        raise ValueError("the logo is not a complete PNG")
    width, height = struct.unpack(">II", logo[16:24])
    if not (0 < width <= MAX_LOGO_PIXELS and 0 < height <= MAX_LOGO_PIXELS):
        raise ValueError(f"the logo must be at most {MAX_LOGO_PIXELS} pixels wide and high")
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(logo), formats=["PNG"]) as image:
            warnings.simplefilter("error")
            is_animated = getattr(image, "n_frames", 1) > 1
            image.verify()
        with Image.open(io.BytesIO(logo), formats=["PNG"]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, struct.error, Warning):
        raise ValueError("the logo is not a complete PNG") from None
    if is_animated or not logo.endswith(_PNG_END):
        raise ValueError("the logo must be a single image without trailing data")
    return logo


def _rebuild_svg(logo: bytes) -> bytes:
    if b"<!" in logo or b"<?xml-" in logo:
        raise ValueError(
            "the logo may contain only shapes: no document type, comment or style sheet"
        )
    try:
        root = ET.fromstring(logo.decode("utf-8"))  # noqa: S314 # nosec B314 - without a document type there are no entities
    except (ET.ParseError, UnicodeDecodeError, ValueError):
        raise ValueError("the logo is not a readable PNG or SVG") from None
    if root.tag != f"{_SVG}svg" or not _has_valid_size(root.get("viewBox", "")):
        raise ValueError(
            "the logo must be an svg element with a viewBox of four numbers, its sides from 1 to "
            f"{MAX_SIDE:.0f} and none over {MAX_ASPECT_RATIO:.0f} times the other"
        )
    for element in root.iter():
        name = element.tag.removeprefix(_SVG)
        if element is not root and name not in _SHAPES:
            raise ValueError("the logo may contain only shapes")
        values = element.attrib.values()
        has_reference = any("(" in value and "url" in value.lower() for value in values)
        if has_reference or not _ATTRIBUTES.issuperset(element.attrib):
            raise ValueError("the logo uses an attribute that is not allowed")
    for side in ("width", "height"):  # the viewBox sets the shape, the page sets the size
        root.attrib.pop(side, None)
    ET.register_namespace("", _SVG[1:-1])
    rebuilt: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=False)
    return rebuilt


def _has_valid_size(view_box: str) -> bool:
    numbers = view_box.replace(",", " ").split()
    if len(numbers) != 4 or not all(map(_NUMBER.fullmatch, numbers)):
        return False
    origin_x, origin_y, width, height = map(float, numbers)
    small, large = sorted((width, height))
    return (
        small >= 1
        and max(large, abs(origin_x), abs(origin_y)) <= MAX_SIDE
        and large <= MAX_ASPECT_RATIO * small
    )
