"""Build the detail pages of the clinician's report, from the criteria to the sources."""

from reports.blocks import Block, Section, Table, TableRow, paragraph
from reports.phrases import Wording
from reports.svg import drawn
from reports.view.model import View


def reckoning(view: View, wording: Wording) -> tuple[Block, ...]:
    """Return the sections after page one."""
    return (
        *_criteria(view, wording),
        *_body_map(view, wording),
        *_trend(view, wording),
        *_options(view, wording),
        *_patterns(view, wording),
        *_findings(view, wording),
        *_gradings(view, wording),
        *_derived(view, wording),
        *limits(view, wording),
        *sources(view, wording),
        _rulebook(view, wording),
    )


def limits(view: View, wording: Wording) -> tuple[Section, ...]:
    """Return the limitations of the instrument."""
    blocks = tuple(paragraph(limitation, "limit") for limitation in view.limitations)
    return (Section(heading=wording.say("limits"), blocks=blocks),) if blocks else ()


def sources(view: View, wording: Wording) -> tuple[Section, ...]:
    """Return the cited sources; unverified ones are marked."""
    if not view.sources:
        return ()
    blocks: list[Block] = []
    if view.some_unverified:
        blocks.append(paragraph(wording.say("dagger"), "small"))
    for source in view.sources:
        doi = f" doi:{source.doi}" if source.doi else ""
        unverified = f" ({wording.say('unverified')})" if source.unverified else ""
        blocks.append(paragraph(f"{source.text}{doi}{unverified}", "source", aside=source.mark))
    return (Section(role="sources", heading=wording.say("sources"), blocks=tuple(blocks)),)


def _criteria(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    rows: list[TableRow] = []
    for domain in view.domains:
        explanation = " ".join(filter(None, (domain.text, domain.note, domain.ends)))
        rows.append(TableRow(cells=(domain.label, domain.points, explanation), part=True))
        rows += [
            TableRow(
                cells=(
                    f"{criterion.id} {criterion.label}",
                    criterion.points or wording.say("no_points"),
                    f"{criterion.because} {criterion.grade}{cited(criterion.sources)}",
                )
            )
            for criterion in view.criteria
            if criterion.domain == domain.id
        ]
    columns = ("criterion", "points", "why")
    table = Table(
        role="criteria",
        caption=wording.say("criteria_caption"),
        columns=tuple(wording.say(f"column_{column}") for column in columns),
        rows=tuple(rows),
    )
    picture = (drawn("waterfall", view.waterfall, wording),) if view.waterfall else ()
    key = paragraph(f"{view.points_are} {wording.say('grades_are')}", "small")
    blocks = (*picture, table, key)
    return (Section(role="reckoning", heading=wording.say("reckoning"), blocks=blocks),)


def _body_map(view: View, wording: Wording) -> tuple[Section, ...]:
    if view.body is None:
        return ()
    blocks = (drawn("body", view.body, wording), paragraph(view.body.words))
    return (Section(role="where", heading=wording.say("where"), blocks=blocks),)


def _trend(view: View, wording: Wording) -> tuple[Section, ...]:
    if view.trend is None:
        return ()
    points = view.trend.points
    is_mixed = not all(point.same_rulebook for point in points)
    columns = ("day", "points", "band", *(("rulebook",) if is_mixed else ()))
    table = Table(
        role="plain",
        caption=wording.say("trend_caption"),
        columns=tuple(wording.say(f"column_{column}") for column in columns),
        rows=tuple(
            TableRow(cells=(point.on, point.points, point.band, point.rulebook)[: len(columns)])
            for point in points
        ),
    )
    key = (paragraph(wording.say("trend_key"), "small"),) if is_mixed else ()
    blocks = (drawn("trend", view.trend, wording), table, *key)
    return (Section(role="trend", heading=wording.say("trend"), blocks=blocks),)


def _options(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.next_steps:
        return ()
    blocks = tuple(
        paragraph(f"{step.text}{cited(step.sources)}", "run", strong=_shorten(step.name))
        for step in view.next_steps
    )
    return (Section(heading=wording.say("options_certain"), blocks=blocks),)


def _shorten(label: str) -> str:
    """Return the label up to its colon; page one has the whole label."""
    return label.split(": ", maxsplit=1)[0].rstrip(".") + "."


def _patterns(view: View, wording: Wording) -> tuple[Section, ...]:
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
    title = wording.say("patterns", seen=view.patterns_seen or "")
    blocks = (paragraph(wording.say("patterns_caption"), "small"), *rows)
    return (Section(heading=title, blocks=blocks),)


def _findings(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.findings:
        return ()
    blocks: list[Block] = [paragraph(wording.say("findings_are"), "small")]
    for finding in view.findings:
        never = f" ({wording.say('never_incidental')})" if finding.never_incidental else ""
        text = f" {finding.text}" if finding.text else ""
        counter = f"{wording.say('counter')} {finding.counter_evidence}"
        blocks.append(
            paragraph(
                f"{finding.population}.{text} {counter}{cited(finding.sources)}",
                "run",
                strong=f"{finding.label}{never}: {finding.prevalence}.",
            )
        )
    return (Section(heading=wording.say("findings"), blocks=tuple(blocks)),)


def _gradings(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.gradings:
        return ()
    blocks: list[Block] = []
    if view.status == "out_of_scope":
        blocks.append(paragraph("", strong=wording.say("graded_out_of_scope")))
    for grading in view.gradings:
        lines = "; ".join(f"{line.name}: {line.text}" for line in grading.lines)
        text = f"{grading.note} {lines}." if lines else grading.note
        grade = f"{grading.name}: {grading.grade}{cited(grading.sources)}."
        blocks.append(paragraph(text, "run", strong=grade))
    return (Section(heading=wording.say("gradings"), blocks=tuple(blocks)),)


def _derived(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.derived:
        return ()
    values = "; ".join(f"{row.name}: {row.text}" for row in view.derived)
    return (Section(heading=wording.say("derived"), blocks=(paragraph(f"{values}.", "run"),)),)


def _rulebook(view: View, wording: Wording) -> Section:
    origin = wording.say(
        "rests_on_rulebook", rulebook=view.rulebook, hash=view.sha256, day=view.produced_on
    )
    blocks = (paragraph(view.intended_use, "small"), paragraph(origin, "small"))
    return Section(heading=wording.say("rulebook"), blocks=blocks)


def cited(marks: str) -> str:
    """Return the numbers of sources as they stand in a sentence."""
    return f" [{marks}]" if marks else ""
