"""Build the body map: the marked pain sites on a drawn body, front and back."""

import tomllib
from functools import cache
from pathlib import Path

from reports.phrases import Wording
from schemas.assessment import Assessment
from schemas.base import FrozenModel, Many, Name
from schemas.rulebook import Rulebook


class Region(FrozenModel):
    """A part of the drawn body; with two sites its path is mirrored for the second."""

    sites: Many[Name]
    path: str


class Figure(FrozenModel):
    """The content of `templates/body.toml`: the question about sites, and their drawings."""

    question: Name
    front: Many[Region]
    back: Many[Region]


class Shape(FrozenModel):
    """One drawn shape."""

    path: str
    mirrored: bool
    marked: bool


class BodyMap(FrozenModel):
    """The shapes of both views and the labels of the marked sites; `words` describes them."""

    front: Many[Shape]
    back: Many[Shape]
    names: Many[str]
    words: str


def body_map(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> BodyMap | None:
    """Return the body map; None if the instrument has no such question or no site is marked."""
    body = figure()
    question = next((item for item in rulebook.question if item.id == body.question), None)
    marked = _list_marked_sites(assessment, body.question)
    if question is None or not marked:
        return None
    names = tuple(option.label for option in question.options if option.id in marked)
    return BodyMap(
        front=_draw_shapes(body.front, marked),
        back=_draw_shapes(body.back, marked),
        names=names,
        words=wording.say("body_words", sites=wording.say("list_mark").join(names)),
    )


def _list_marked_sites(assessment: Assessment, question: str) -> set[str]:
    for criterion in assessment.criteria or ():
        answer = criterion.answers.get(question)
        if isinstance(answer, tuple):
            return set(answer)
    return set()


def _draw_shapes(regions: Many[Region], marked: set[str]) -> tuple[Shape, ...]:
    """Return the shapes, unmarked ones first so that they don't cover marked outlines."""
    shapes = [
        Shape(path=region.path, mirrored=side == 1, marked=site in marked)
        for region in regions
        for side, site in enumerate(region.sites)
    ]
    return tuple(sorted(shapes, key=lambda shape: shape.marked))


@cache
def figure() -> Figure:
    """Load the drawn body."""
    file = Path(__file__).parents[1] / "templates" / "body.toml"
    return Figure.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
