"""Build the patient's sheet with the patterns seen, the circle of fear and pain, and resources."""

from reports.blocks import Block, Section, Table, TableRow, paragraph
from reports.document.sheet_parts import (
    build_safety,
    build_section,
    build_talking_points,
    list_numbered,
    say_for_activity,
)
from reports.phrases import Phrases
from reports.svg import draw_chart
from reports.view.model import PatternLine, ReportView
from reports.view.sheet import BANDS_NAMING_THE_CONDITION
from schemas.base import FrozenModel, Many
from schemas.rulebooks.rulebook_name import RulebookName


class CycleChart(FrozenModel):
    """A drawing of steps that form a circle."""

    steps: Many[str]
    alt_text: str


def build_evidence(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return what the answers may mean; the patterns, if the instrument has any."""
    patterns = tuple(pattern for pattern in view.patterns if pattern.patient_label)
    evidence = (_build_patterns(patterns, phrases),) if patterns else ()
    resources = (_build_cycle(view, phrases), _build_resources(view, phrases)) if patterns else ()
    return (
        build_safety(view, phrases),
        build_section(phrases, "sheet_real", "sheet_real_1", "sheet_real_2"),
        _build_meaning(view, phrases),
        *evidence,
        build_talking_points(view, phrases),
        *resources,
    )


def _build_meaning(view: ReportView, phrases: Phrases) -> Section:
    instrument = RulebookName.parse(view.rulebook).instrument
    phrase = f"sheet_{instrument}_{view.band_id}"
    if view.band_id is None or phrase not in phrases.words:
        phrase = f"sheet_status_{view.status}"
    name = ("sheet_means_word",) if view.band_id in BANDS_NAMING_THE_CONDITION else ()
    more = (*name, "sheet_means_more") if view.patterns else ()
    return build_section(phrases, "sheet_means", phrase, *more)


def _build_patterns(patterns: tuple[PatternLine, ...], phrases: Phrases) -> Section:
    """Return each pattern once, with room for one's own examples."""
    columns = ("pattern", "state", "own")
    table = Table(
        role="evidence",
        caption=phrases.say("sheet_evidence_is"),
        columns=tuple(phrases.say(f"sheet_column_{column}") for column in columns),
        rows=tuple(
            TableRow(
                cells=(
                    pattern.patient_label or "",
                    phrases.say(f"sheet_state_{pattern.state_id}"),
                    "",
                )
            )
            for pattern in patterns
        ),
    )
    return Section(heading=phrases.say("sheet_evidence"), blocks=(table,))


def _build_cycle(view: ReportView, phrases: Phrases) -> Section:
    steps = tuple(phrases.say(f"sheet_cycle_{number}") for number in range(1, 5))
    picture = draw_chart(
        "cycle", CycleChart(steps=steps, alt_text=phrases.say("sheet_cycle_words")), phrases
    )
    blocks = (picture, paragraph(say_for_activity("sheet_cycle_told", view, phrases)))
    return Section(role="cycle", heading=phrases.say("sheet_cycle"), blocks=blocks)


def _build_resources(view: ReportView, phrases: Phrases) -> Section:
    resources = tuple(
        paragraph(say_for_activity(f"{name}_known", view, phrases), "run", strong=phrases.say(name))
        for name in list_numbered("sheet_resource_", phrases)
    )
    blocks = (paragraph(phrases.say("sheet_resources_are")), *resources)
    return Section(heading=phrases.say("sheet_resources"), blocks=blocks)
