"""Build the clickable body map of a form: which drawn part checks which checkbox."""

from typing import NamedTuple

from api.forms.form_model import Asked
from reports.view.body_map import Region, figure


class Part(NamedTuple):
    """One drawn part of the body and the id of its checkbox."""

    path: str
    mirrored: bool
    control: str
    label: str


class View(NamedTuple):
    """The body from one side, drawn at the x offset `left`; `name` and `sides` are phrases."""

    left: int
    name: str
    sides: tuple[str, str]
    parts: tuple[Part, ...]


def picture(asked: Asked) -> tuple[View, View]:
    """Return the front and the back view."""
    body = figure()
    return (
        View(5, "body_front", ("right_side", "left_side"), _build_parts(asked, body.front)),
        View(125, "body_back", ("left_side", "right_side"), _build_parts(asked, body.back)),
    )


def _build_parts(question: Asked, regions: tuple[Region, ...]) -> tuple[Part, ...]:
    positions = {choice.answer: position for position, choice in enumerate(question.choices)}
    return tuple(
        Part(
            region.path,
            mirrored=side == 1,
            control=f"{question.name}-{positions[site]}" if positions[site] else question.name,
            label=question.choices[positions[site]].label,
        )
        for region in regions
        for side, site in enumerate(region.sites)
        if site in positions
    )
