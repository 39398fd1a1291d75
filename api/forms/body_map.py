"""Build the clickable body map of a form: which drawn part checks which checkbox."""

import re
from typing import NamedTuple

from api.forms.form_model import FormQuestion
from reports.view.body_map import BodyRegion, load_body_figure

TOP_OF_LEGS = 107


class BodyMapPart(NamedTuple):
    """One drawn part of the body, the id of its checkbox and a rectangle that can be tapped.

    `target` is left, top, width and height; None if the part itself is large enough.
    """

    path: str
    mirrored: bool
    control_id: str
    label: str
    target: tuple[float, ...] | None


class BodyMapView(NamedTuple):
    """The body from one side; `name` and `sides` are phrases. `legs` are drawn shorter."""

    name: str
    side_phrases: tuple[str, str]
    parts: tuple[BodyMapPart, ...]
    legs: tuple[BodyMapPart, ...]


def build_body_map(question: FormQuestion) -> tuple[BodyMapView, BodyMapView]:
    """Return the front and the back view."""
    body = load_body_figure()
    return (
        _build_view(question, body.front, "body_front", ("right_side", "left_side")),
        _build_view(question, body.back, "body_back", ("left_side", "right_side")),
    )


def _build_view(
    question: FormQuestion, regions: tuple[BodyRegion, ...], name: str, sides: tuple[str, str]
) -> BodyMapView:
    legs = tuple(region for region in regions if _find_top(region) >= TOP_OF_LEGS)
    trunk_and_arms = tuple(region for region in regions if region not in legs)
    return BodyMapView(
        name, sides, _build_parts(question, trunk_and_arms), _build_parts(question, legs)
    )


def _find_top(region: BodyRegion) -> float:
    """Return the height at which the path of a region starts."""
    start = re.match(r"M[\d.]+ ([\d.]+)", region.path)
    return float(start[1]) if start else 0


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
            target=region.target,
        )
        for region in regions
        for side, site in enumerate(region.sites)
        if site in positions
    )
