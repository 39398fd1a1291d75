"""Build the body map: the marked pain sites on a drawn body, front and back."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reports.phrases import Phrases
from schemas.base import FrozenModel, Many, Name
from schemas.rulebooks.rulebook import Rulebook


class BodyRegion(FrozenModel):
    """A part of the drawn body; with two sites its path is mirrored for the second.

    `target` is the rectangle by which a small part is tapped: left, top, width, height.
    """

    sites: Many[Name]
    path: str
    target: Many[float] | None = None


class BodyFigure(FrozenModel):
    """The content of `templates/body.toml`: the question about sites, and their drawings."""

    question: Name
    front: Many[BodyRegion]
    back: Many[BodyRegion]


class BodyShape(FrozenModel):
    """One drawn shape."""

    path: str
    mirrored: bool
    is_marked: bool


class BodyMap(FrozenModel):
    """The shapes of both views and the labels of the marked sites."""

    front: Many[BodyShape]
    back: Many[BodyShape]
    site_labels: Many[str]
    alt_text: str


def build_body_map(
    rulebook: Rulebook, answers: Mapping[str, Any], phrases: Phrases
) -> BodyMap | None:
    """Return the body map; None if the instrument has no such question or no site is marked."""
    body = load_body_figure()
    question = next((item for item in rulebook.question if item.id == body.question), None)
    marked_sites = set(answers.get(body.question, ()))
    if question is None or not marked_sites:
        return None
    names = tuple(option.label for option in question.options if option.id in marked_sites)
    return BodyMap(
        front=_draw_shapes(body.front, marked_sites),
        back=_draw_shapes(body.back, marked_sites),
        site_labels=names,
        alt_text=phrases.say("body_words", sites=phrases.say("list_mark").join(names)),
    )


def _draw_shapes(regions: Many[BodyRegion], marked_sites: set[str]) -> tuple[BodyShape, ...]:
    """Return the shapes, unmarked ones first so that they don't cover marked outlines."""
    shapes = [
        BodyShape(path=region.path, mirrored=side == 1, is_marked=site in marked_sites)
        for region in regions
        for side, site in enumerate(region.sites)
    ]
    return tuple(sorted(shapes, key=lambda shape: shape.is_marked))


@cache
def load_body_figure() -> BodyFigure:
    """Load the drawn body."""
    file = Path(__file__).parents[1] / "templates" / "body.toml"
    return BodyFigure.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
