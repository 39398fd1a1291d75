"""Build the detail pages of the clinician's report, from the criteria to the sources."""

from reports.blocks import Block, Section, Table, TableRow, paragraph
from reports.phrases import Phrases
from reports.svg import draw_chart
from reports.view.model import ReportView
from reports.view.sources import CitedSource

UNVERIFIED_MARK = "\N{DAGGER}"


def build_detail_pages(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return the sections after the summary."""
    return (
        *_build_criteria(view, phrases),
        *_build_trend(view, phrases),
        Section(
            role="flow",
            blocks=(
                *_build_open_questions(view, phrases),
                *_build_options(view, phrases),
                *_build_patterns(view, phrases),
                *_build_findings(view, phrases),
                *_build_grading_notes(view, phrases),
                *_build_derived_values(view, phrases),
                *build_limitations(view, phrases),
                *build_sources(view, phrases),
                _build_rulebook(view, phrases),
            ),
        ),
    )


def build_limitations(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the limitations of the instrument."""
    blocks = tuple(paragraph(limitation, "limit") for limitation in view.limitations)
    return (Section(heading=phrases.say("limits"), blocks=blocks),) if blocks else ()


def build_sources(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the cited sources; a sign that the legend explains marks unverified ones."""
    if not view.sources:
        return ()
    legend = (paragraph(phrases.say("dagger"), "small"),) if view.has_unverified_sources else ()
    entries = (
        paragraph(_format_source(source), "source", aside=_format_mark(source))
        for source in view.sources
    )
    return (
        Section(role="sources", heading=phrases.say("sources"), blocks=(*legend, *entries)),
    )


def _format_source(source: CitedSource) -> str:
    return source.text + (f" doi:{source.doi}" if source.doi else "")


def _format_mark(source: CitedSource) -> str:
    return f"{source.mark}{UNVERIFIED_MARK}" if source.unverified else source.mark


def _build_criteria(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    rows: list[TableRow] = []
    for domain in view.domains:
        explanation = " ".join(filter(None, (domain.text, domain.note, domain.bounds_text)))
        rows.append(TableRow(cells=(domain.label, domain.points, explanation), is_subheading=True))
        rows += [
            TableRow(
                cells=(
                    criterion.id,
                    criterion.points or phrases.say("no_points"),
                    f"{criterion.finding} {criterion.grade}{format_citations(criterion.sources)}",
                )
            )
            for criterion in view.criteria
            if criterion.domain == domain.id
        ]
    columns = ("criterion", "points", "why")
    table = Table(
        role="criteria",
        caption=phrases.say("criteria_caption"),
        columns=tuple(phrases.say(f"column_{column}") for column in columns),
        rows=tuple(rows),
    )
    key = paragraph(f"{view.points_explanation} {phrases.say('grades_are')}", "small")
    return (Section(role="reckoning", heading=phrases.say("reckoning"), blocks=(table, key)),)


def _build_trend(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if view.trend is None:
        return ()
    points = view.trend.points
    is_mixed = not all(point.has_same_rulebook for point in points)
    columns = ("day", "points", "band", *(("rulebook",) if is_mixed else ()))
    table = Table(
        role="plain",
        caption=phrases.say("trend_caption"),
        columns=tuple(phrases.say(f"column_{column}") for column in columns),
        rows=tuple(
            TableRow(cells=(point.on, point.points, point.band, point.rulebook)[: len(columns)])
            for point in points
        ),
    )
    key = (paragraph(phrases.say("trend_key"), "small"),) if is_mixed else ()
    blocks = (draw_chart("trend", view.trend, phrases), table, *key)
    return (Section(role="trend", heading=phrases.say("trend"), blocks=blocks),)


def _build_open_questions(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the other open questions, and those that do not concern."""
    blocks = [
        paragraph(f"{row.text}.", "run", strong=f"{row.name}:") for row in view.other_open_questions
    ]
    if view.not_asked:
        questions = f"{'; '.join(view.not_asked)}."
        blocks.append(paragraph(questions, "run", strong=phrases.say("does_not_concern")))
    return (Section(heading=phrases.say("open"), blocks=tuple(blocks)),) if blocks else ()


def _build_options(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.next_steps:
        return ()
    blocks = tuple(
        paragraph(f"{step.text}{format_citations(step.sources)}", "run", strong=_shorten(step.name))
        for step in view.next_steps
    )
    return (Section(heading=phrases.say("options_certain"), blocks=blocks),)


def _shorten(label: str) -> str:
    """Return how the label begins; the summary has the whole label."""
    return label.split(": ", maxsplit=1)[0].split(". ", maxsplit=1)[0].rstrip(".") + "."


def _build_patterns(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the patterns seen with their evidence; of the others only the names."""
    if not view.patterns:
        return ()
    blocks = [paragraph(phrases.say("patterns_caption"), "small")]
    blocks += [
        paragraph(
            f"{pattern.evidence} ({pattern.criteria})",
            "run",
            strong=f"{pattern.number} {pattern.label}: {pattern.state}.",
        )
        for pattern in view.patterns
        if pattern.is_seen
    ]
    for state in ("not_seen", "not_asked"):
        names = [f"{row.number} {row.label}" for row in view.patterns if row.state_id == state]
        if names:
            title = phrases.say(f"patterns_{state}")
            blocks.append(paragraph(f"{'; '.join(names)}.", "run", strong=title))
    title = phrases.say("patterns", seen=view.patterns_summary or "")
    return (Section(heading=title, blocks=tuple(blocks)),)


def _build_findings(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.findings:
        return ()
    blocks: list[Block] = [paragraph(phrases.say("findings_are"), "small")]
    for finding in view.findings:
        never = f" ({phrases.say('never_incidental')})" if finding.never_incidental else ""
        text = f" {finding.text}" if finding.text else ""
        blocks.append(
            paragraph(
                f"{finding.population}.{text} {finding.counter_evidence}"
                f"{format_citations(finding.sources)}",
                "run",
                strong=f"{finding.label}{never}: {finding.prevalence}.",
            )
        )
    return (Section(heading=phrases.say("findings"), blocks=tuple(blocks)),)


def _build_grading_notes(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.gradings:
        return ()
    blocks = tuple(
        paragraph(grading.note, "run", strong=f"{grading.name}.") for grading in view.gradings
    )
    return (Section(heading=phrases.say("grading_notes"), blocks=blocks),)


def _build_derived_values(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.derived_values:
        return ()
    values = "; ".join(f"{row.name}: {row.text}" for row in view.derived_values)
    return (Section(heading=phrases.say("derived"), blocks=(paragraph(f"{values}.", "run"),)),)


def _build_rulebook(view: ReportView, phrases: Phrases) -> Section:
    origin = phrases.say(
        "rests_on_rulebook", rulebook=view.rulebook, hash=view.rulebook_sha256, day=view.produced_on
    )
    blocks = (paragraph(view.intended_use, "small"), paragraph(origin, "small"))
    return Section(heading=phrases.say("rulebook"), blocks=blocks)


def format_citations(marks: str) -> str:
    """Return the numbers of sources as a sentence cites them."""
    return f" [{marks}]" if marks else ""
