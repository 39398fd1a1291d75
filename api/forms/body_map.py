"""Build the clickable body map of a form: which drawn part checks which checkbox."""

from typing import NamedTuple

from api.forms.form_model import FormQuestion
from reports.view.body_map import BodyRegion, load_body_figure


class BodyMapPart(NamedTuple):
    """One drawn part of the body and the id of its checkbox."""

    path: str
    mirrored: bool
    control_id: str
    label: str


class BodyMapView(NamedTuple):
    """The body from one side, drawn at the x offset `left`; `name` and `sides` are phrases."""

    x_offset: int
    name: str
    side_phrases: tuple[str, str]
    parts: tuple[BodyMapPart, ...]


def build_body_map(question: FormQuestion) -> tuple[BodyMapView, BodyMapView]:
    """Return the front and the back view."""
    body = load_body_figure()
    return (
        BodyMapView(
            5, "body_front", ("right_side", "left_side"), _build_parts(question, body.front)
        ),
        BodyMapView(
            125, "body_back", ("left_side", "right_side"), _build_parts(question, body.back)
        ),
    )


def _build_parts(
    question: FormQuestion, regions: tuple[BodyRegion, ...]
) -> tuple[BodyMapPart, ...]:
    positions = {choice.answer: position for position, choice in enumerate(question.choices)}
    return tuple(
        BodyMapPart(
            region.path,
            mirrored=side == 1,
            control_id=f"{question.name}-{positions[site]}" if positions[site] else question.name,
            label=question.choices[positions[site]].label,
        )
        for region in regions
        for side, site in enumerate(region.sites)
        if site in positions
    )
