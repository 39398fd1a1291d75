"""The body map: marked sites on a drawn body, front and back, with their names."""

import tomllib
from functools import cache
from pathlib import Path

from reports.phrases import Wording
from schemas.assessment import Assessment
from schemas.base import Frozen, Many, Name
from schemas.rulebook import Rulebook


class Region(Frozen):
    """A part of the drawn body; with two sites it is mirrored for the second."""

    sites: Many[Name]
    path: str


class Figure(Frozen):
    """`templates/body.toml`: which question marks sites, and where they lie."""

    question: Name
    front: Many[Region]
    back: Many[Region]


class Shape(Frozen):
    """One shape as it is drawn."""

    path: str
    mirrored: bool
    marked: bool


class BodyMap(Frozen):
    """The shapes of both views, and the marked sites by name."""

    front: Many[Shape]
    back: Many[Shape]
    names: Many[str]
    words: str


def body_map(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> BodyMap | None:
    """The marked sites; None where the instrument asks for none, or none is given."""
    drawn = figure()
    question = next((each for each in rulebook.question if each.id == drawn.question), None)
    marked = _marked(assessment, drawn.question)
    if question is None or not marked:
        return None
    names = tuple(option.label for option in question.options if option.id in marked)
    return BodyMap(
        front=_shapes(drawn.front, marked),
        back=_shapes(drawn.back, marked),
        names=names,
        words=wording.say("body_words", sites=wording.say("list_mark").join(names)),
    )


def _marked(assessment: Assessment, question: str) -> set[str]:
    for each in assessment.criteria or ():
        answer = each.answers.get(question)
        if isinstance(answer, tuple):
            return set(answer)
    return set()


def _shapes(regions: Many[Region], marked: set[str]) -> tuple[Shape, ...]:
    """The unmarked first, so that no outline of theirs lies over a marked one."""
    shapes = [
        Shape(path=each.path, mirrored=place == 1, marked=site in marked)
        for each in regions
        for place, site in enumerate(each.sites)
    ]
    return tuple(sorted(shapes, key=lambda shape: shape.marked))


@cache
def figure() -> Figure:
    """The drawn body and where each site lies on it."""
    file = Path(__file__).parents[1] / "templates" / "body.toml"
    return Figure.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
