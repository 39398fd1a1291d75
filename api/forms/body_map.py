"""The picture of the body on a form: for each part of it the checkbox that it marks."""

from typing import NamedTuple

from api.forms.form_model import Asked
from reports.view.body_map import Region, figure


class Part(NamedTuple):
    """One part as it is drawn, and the id of its checkbox."""

    path: str
    mirrored: bool
    control: str
    label: str


class View(NamedTuple):
    """The body from one side; `name` and `sides` are phrases."""

    left: int
    name: str
    sides: tuple[str, str]
    parts: tuple[Part, ...]


def picture(asked: Asked) -> tuple[View, View]:
    """Front and back."""
    drawn = figure()
    return (
        View(5, "body_front", ("right_side", "left_side"), _parts(asked, drawn.front)),
        View(125, "body_back", ("left_side", "right_side"), _parts(asked, drawn.back)),
    )


def _parts(asked: Asked, regions: tuple[Region, ...]) -> tuple[Part, ...]:
    places = {each.answer: place for place, each in enumerate(asked.choices)}
    return tuple(
        Part(
            region.path,
            mirrored=side == 1,
            control=f"{asked.name}-{places[site]}" if places[site] else asked.name,
            label=asked.choices[places[site]].label,
        )
        for region in regions
        for side, site in enumerate(region.sites)
        if site in places
    )
