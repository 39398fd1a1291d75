"""Draw charts as SVG, in black, white and one dark blue that stay legible in greyscale."""

import html
import re
from functools import cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.blocks import Drawing
from reports.font_coverage import FONT_FOLDER
from reports.phrases import Phrases

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
WIDTH = 504
"""Width of every drawing, in points."""
LABEL_SIZE = 7.5


def draw_chart(name: str, chart: Any, phrases: Phrases) -> Drawing:
    """Return the chart as a block, drawn by the template of this name."""
    template = template_environment().get_template(f"{name}.svg.j2")
    svg = template.render(chart=chart, say=phrases.say, wrap_label=wrap_label, scale=scale_position)
    return Drawing(role=name, alt_text=chart.alt_text, svg=" ".join(svg.split()))


def scale_position(position: float, start: float = 0, end: float = WIDTH) -> str:
    """Scale a position from 0 to 100 to a coordinate between start and end, in points."""
    return f"{start + position / 100 * (end - start):g}"


def wrap_label(label: str, width: float) -> list[str]:
    """Split the label into lines of this width; a single longer word is not broken."""
    lines: list[str] = []
    for word in label.split():
        longer_line = f"{lines[-1]} {word}" if lines else word
        if lines and measure_text(longer_line, LABEL_SIZE, strong=True) <= width - 2:
            lines[-1] = longer_line
        else:
            lines.append(word)
    return lines


def anchor_at_start(svg: str) -> str:
    """Return the SVG with every text anchored at its start, which makes the PDF smaller."""
    return _ANCHORED_TEXT.sub(_anchor_match, svg)


_ANCHORED_TEXT = re.compile(
    r'<text x="(?P<x>[-\d.]+)"(?P<rest>[^>]*) text-anchor="(?P<anchor>middle|end)"(?P<more>[^>]*)>'
    r"(?P<text>[^<]*)<"
)
_FONT_SIZE = re.compile(r'font-size="([\d.]+)"')


def _anchor_match(text: re.Match[str]) -> str:
    attributes = text["rest"] + text["more"]
    own_size = _FONT_SIZE.search(attributes)
    size = float((own_size or _FONT_SIZE.search(text.string) or [0, 9])[1])
    width = measure_text(html.unescape(text["text"]), size, strong="font-weight" in attributes)
    start = float(text["x"]) - width * (0.5 if text["anchor"] == "middle" else 1)
    return f'<text x="{start:.1f}"{attributes}>{text["text"]}<'


def measure_text(text: str, size: float, *, strong: bool) -> float:
    """Return the width of the text in Nociscreen Sans, in the unit of the size."""
    widths = _load_widths("SemiBold" if strong else "Regular")
    return size * sum(widths.get(ord(character), 0.5) for character in text)


@cache
def _load_widths(weight: str) -> dict[int, float]:
    with TTFont(FONT_FOLDER / f"NociscreenSans-{weight}.ttf", lazy=True) as font:
        advances, unit = font["hmtx"], font["head"].unitsPerEm
        return {code: advances[name][0] / unit for code, name in font.getBestCmap().items()}


@cache
def template_environment() -> Environment:
    """Return the template environment: values are escaped unless marked `safe`."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["anchored_at_start"] = anchor_at_start
    return templates
