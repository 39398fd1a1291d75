"""Drawing: pictures as SVG, black on white with one dark blue, legible in grey."""

import html
import re
from functools import cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.blocks import Picture
from reports.font_coverage import FONTS
from reports.phrases import Wording

TEMPLATES = Path(__file__).parent / "templates"
WIDTH = 504
"""The width of every drawing, in points of the page."""
LABEL_SIZE = 7.5


def drawn(name: str, picture: Any, words: Wording) -> Picture:
    """The picture as a block, drawn by the template of this name."""
    template = environment().get_template(f"{name}.svg.j2")
    svg = template.render(picture=picture, say=words.say, wrapped=wrapped, across=across)
    return Picture(role=name, words=picture.words, svg=" ".join(svg.split()))


def across(place: float, start: float = 0, end: float = WIDTH) -> str:
    """A place from 0 to 100 as a distance between start and end."""
    return f"{start + place / 100 * (end - start):g}"


def wrapped(label: str, width: float) -> list[str]:
    """The label in lines that fit this width, as far as its words allow."""
    lines: list[str] = []
    for word in label.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, LABEL_SIZE, strong=True) <= width - 2:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def started(svg: str) -> str:
    """The drawing with each text placed by its start, as the PDF writes it in fewer bytes."""
    return _ANCHORED.sub(_from_start, svg)


_ANCHORED = re.compile(
    r'<text x="(?P<x>[-\d.]+)"(?P<rest>[^>]*) text-anchor="(?P<anchor>middle|end)"(?P<more>[^>]*)>'
    r"(?P<text>[^<]*)<"
)
_SIZE = re.compile(r'font-size="([\d.]+)"')


def _from_start(text: re.Match[str]) -> str:
    attributes = text["rest"] + text["more"]
    own = _SIZE.search(attributes)
    size = float(own[1] if own else (_SIZE.search(text.string) or [0, 9])[1])
    width = text_width(html.unescape(text["text"]), size, strong="font-weight" in attributes)
    start = float(text["x"]) - width * (0.5 if text["anchor"] == "middle" else 1)
    return f'<text x="{start:.1f}"{attributes}>{text["text"]}<'


def text_width(text: str, size: float, *, strong: bool) -> float:
    """How wide the text is in our own font, in the unit of the size."""
    widths = _widths("SemiBold" if strong else "Regular")
    return size * sum(widths.get(ord(each), 0.5) for each in text)


@cache
def _widths(weight: str) -> dict[int, float]:
    with TTFont(FONTS / f"NociscreenSans-{weight}.ttf", lazy=True) as font:
        advances, unit = font["hmtx"], font["head"].unitsPerEm
        return {code: advances[name][0] / unit for code, name in font.getBestCmap().items()}


@cache
def environment() -> Environment:
    """The templates: everything that is filled in is text, unless it was drawn here."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["started"] = started
    made.filters["drawn"] = Markup
    return made
