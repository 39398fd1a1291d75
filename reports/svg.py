"""Draw charts as SVG, in black, white and one dark blue that stay legible in greyscale."""

import html
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.blocks import Drawing
from reports.font_coverage import FONT_FOLDER
from reports.phrases import Phrases

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
WIDTH = 504
"""Width of every drawing, in points."""
LABEL_SIZE = 9
LABEL_GAP = 6
"""Least room between two labels of a row, in points."""


def draw_chart(name: str, chart: Any, phrases: Phrases) -> Drawing:
    """Return the chart as a block, drawn by the template of this name."""
    template = template_environment().get_template(f"{name}.svg.j2")
    svg = template.render(
        chart=chart, say=phrases.say, place_labels=place_labels, scale=scale_position
    )
    return Drawing(role=name, alt_text=chart.alt_text, svg=" ".join(svg.split()))


def scale_position(position: float, start: float = 0, end: float = WIDTH) -> str:
    """Scale a position from 0 to 100 to a coordinate between start and end, in points."""
    return f"{start + position / 100 * (end - start):g}"


class PlacedLabel(NamedTuple):
    """A label in row 0 or 1 under its segment, centred at `x`, with the line that leads to it."""

    text: str
    x: float
    row: int
    leader: float
    is_result: bool


def place_labels(segments: Iterable[Any]) -> list[PlacedLabel]:
    """Return the labels of a scale under their segments; in two rows by turns, so that all fit."""
    rows: list[list[PlacedLabel]] = [[], []]
    for index, segment in enumerate(segments):
        start, width = float(scale_position(segment.position)), float(scale_position(segment.width))
        label = PlacedLabel(
            segment.label, start + width / 2, index % 2, start + width / 2, segment.is_result
        )
        rows[index % 2].append(label)
    upper, lower = map(_move_apart, rows)
    lower = [label._replace(leader=_find_gap(label, upper)) for label in lower]
    return [*upper, *lower]


def _move_apart(labels: list[PlacedLabel]) -> list[PlacedLabel]:
    """Return the labels moved to the left as far as the next one needs the room."""
    row: list[PlacedLabel] = []
    end: float = WIDTH
    for label in reversed(labels):
        half = measure_text(label.text, LABEL_SIZE, strong=True) / 2
        x = max(half, min(label.x, end - half))
        row.insert(0, label._replace(x=round(x, 1)))
        end = x - half - LABEL_GAP
    return row


def _find_gap(label: PlacedLabel, upper: list[PlacedLabel]) -> float:
    """Return the place nearest to the middle of the segment that no label above it covers."""
    places = (label.leader + sign * step for step in range(WIDTH) for sign in (1, -1))
    free_places = (place for place in places if not any(_covers(it, place) for it in upper))
    return round(next(free_places, label.leader), 1)


def _covers(label: PlacedLabel, place: float) -> bool:
    half = measure_text(label.text, LABEL_SIZE, strong=True) / 2
    return abs(place - label.x) <= half + 1


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
