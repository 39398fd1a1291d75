"""Build the detail pages of the clinician's report, from the criteria to the sources."""

from reports.blocks import Block, Section, Table, TableRow, paragraph
from reports.phrases import Phrases
from reports.svg import draw_chart
from reports.view.model import ReportView


def build_detail_pages(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return the sections after page one."""
    return (
        *_build_criteria(view, phrases),
        *_build_body_map(view, phrases),
        *_build_trend(view, phrases),
        *_build_options(view, phrases),
        *_build_patterns(view, phrases),
        *_build_findings(view, phrases),
        *_build_gradings(view, phrases),
        *_build_derived_values(view, phrases),
        *build_limitations(view, phrases),
        *build_sources(view, phrases),
        _build_rulebook(view, phrases),
    )


def build_limitations(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the limitations of the instrument."""
    blocks = tuple(paragraph(limitation, "limit") for limitation in view.limitations)
    return (Section(heading=phrases.say("limits"), blocks=blocks),) if blocks else ()


def build_sources(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the cited sources; unverified ones are marked."""
    if not view.sources:
        return ()
    blocks: list[Block] = []
    if view.has_unverified_sources:
        blocks.append(paragraph(phrases.say("dagger"), "small"))
    for source in view.sources:
        doi = f" doi:{source.doi}" if source.doi else ""
        unverified = f" ({phrases.say('unverified')})" if source.unverified else ""
        blocks.append(paragraph(f"{source.text}{doi}{unverified}", "source", aside=source.mark))
    return (Section(role="sources", heading=phrases.say("sources"), blocks=tuple(blocks)),)


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
                    f"{criterion.id} {criterion.label}",
                    criterion.points or phrases.say("no_points"),
                    f"{criterion.because} {criterion.grade}{format_citations(criterion.sources)}",
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
    picture = (draw_chart("waterfall", view.waterfall, phrases),) if view.waterfall else ()
    key = paragraph(f"{view.points_explanation} {phrases.say('grades_are')}", "small")
    blocks = (*picture, table, key)
    return (Section(role="reckoning", heading=phrases.say("reckoning"), blocks=blocks),)


def _build_body_map(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if view.body is None:
        return ()
    blocks = (draw_chart("body", view.body, phrases), paragraph(view.body.alt_text))
    return (Section(role="where", heading=phrases.say("where"), blocks=blocks),)


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


def _build_options(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.next_steps:
        return ()
    blocks = tuple(
        paragraph(f"{step.text}{format_citations(step.sources)}", "run", strong=_shorten(step.name))
        for step in view.next_steps
    )
    return (Section(heading=phrases.say("options_certain"), blocks=blocks),)


def _shorten(label: str) -> str:
    """Return the label up to its colon; page one has the whole label."""
    return label.split(": ", maxsplit=1)[0].rstrip(".") + "."


def _build_patterns(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.patterns:
        return ()
    rows = tuple(
        paragraph(
            f"{pattern.evidence} ({pattern.criteria})",
            "run",
            strong=f"{pattern.number} {pattern.label}: {pattern.state}.",
        )
        for pattern in view.patterns
    )
    title = phrases.say("patterns", seen=view.patterns_summary or "")
    blocks = (paragraph(phrases.say("patterns_caption"), "small"), *rows)
    return (Section(heading=title, blocks=blocks),)


def _build_findings(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.findings:
        return ()
    blocks: list[Block] = [paragraph(phrases.say("findings_are"), "small")]
    for finding in view.findings:
        never = f" ({phrases.say('never_incidental')})" if finding.never_incidental else ""
        text = f" {finding.text}" if finding.text else ""
        counter = f"{phrases.say('counter')} {finding.counter_evidence}"
        blocks.append(
            paragraph(
                f"{finding.population}.{text} {counter}{format_citations(finding.sources)}",
                "run",
                strong=f"{finding.label}{never}: {finding.prevalence}.",
            )
        )
    return (Section(heading=phrases.say("findings"), blocks=tuple(blocks)),)


def _build_gradings(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.gradings:
        return ()
    blocks: list[Block] = []
    if view.status == "out_of_scope":
        blocks.append(paragraph("", strong=phrases.say("graded_out_of_scope")))
    for grading in view.gradings:
        lines = "; ".join(f"{line.name}: {line.text}" for line in grading.lines)
        text = f"{grading.note} {lines}." if lines else grading.note
        grade = f"{grading.name}: {grading.grade}{format_citations(grading.sources)}."
        blocks.append(paragraph(text, "run", strong=grade))
    return (Section(heading=phrases.say("gradings"), blocks=tuple(blocks)),)


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
