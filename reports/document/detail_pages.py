"""Build the detail pages of the clinician's report, from the criteria to the sources."""

from reports.blocks import Block, Paragraph, Section, Table, TableRow, TextRun, paragraph
from reports.phrases import Phrases
from reports.svg import draw_chart
from reports.view.model import Reason, ReportView
from reports.view.sources import CitedSource

UNVERIFIED_MARK = "\N{DAGGER}"
ZERO_POINTS = "0"


def build_detail_pages(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return the sections after the summary."""
    return (
        *_build_criteria(view, phrases),
        *_build_trend(view, phrases),
        Section(
            role="flow",
            blocks=(
                *_build_open_questions(view, phrases),
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
    if not view.limitations:
        return ()
    block = paragraph(" ".join(view.limitations), "limit")
    return (Section(heading=phrases.say("limits"), blocks=(block,)),)


def build_sources(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the cited sources; a sign that the legend explains marks unverified ones."""
    printed_sources = [source for source in view.sources if source.is_printed]
    if not printed_sources:
        return ()
    legend = (paragraph(phrases.say("dagger"), "small"),) if view.has_unverified_sources else ()
    runs = (
        TextRun(text=text, strong=is_mark)
        for source in printed_sources
        for text, is_mark in ((f"{_format_mark(source)} ", True), (f"{source.brief} ", False))
    )
    entries = Paragraph(role="source", runs=tuple(runs))
    return (Section(role="sources", heading=phrases.say("sources"), blocks=(*legend, entries)),)


def _format_mark(source: CitedSource) -> str:
    return f"{source.mark}{UNVERIFIED_MARK}" if source.unverified else source.mark


def _build_criteria(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    rows: list[TableRow] = []
    for domain in view.domains:
        criteria = [criterion for criterion in view.criteria if criterion.domain == domain.id]
        explanation = " ".join(
            filter(None, (domain.text, domain.bounds_text, _describe_open(criteria, phrases)))
        )
        rows.append(TableRow(cells=(domain.label, domain.points, explanation), is_subheading=True))
        rows += _list_settled_rows([item for item in criteria if not item.open_text], phrases)
    columns = ("criterion", "points", "why")
    table = Table(
        role="criteria",
        caption=phrases.say("reckoning"),
        columns=tuple(phrases.say(f"column_{column}") for column in columns),
        rows=tuple(rows),
    )
    key = paragraph(f"{view.points_explanation} {phrases.say('grades_are')}", "small")
    return (Section(role="reckoning", blocks=(table, key)),)


def _list_settled_rows(criteria: list[Reason], phrases: Phrases) -> list[TableRow]:
    """Return a row for each criterion that counts, and one for those that count nothing."""
    rows = [
        TableRow(cells=(item.id, item.points, _explain_criterion(item)))
        for item in criteria
        if item.points != ZERO_POINTS
    ]
    without_points = [item for item in criteria if item.points == ZERO_POINTS]
    if without_points:
        texts = (f"{item.id} {_explain_criterion(item)}" for item in without_points)
        cells = (phrases.say("counts_nothing"), ZERO_POINTS, "; ".join(texts))
        rows.append(TableRow(cells=cells))
    return rows


def _explain_criterion(reason: Reason) -> str:
    """Return what was found, why it counts less if it does, its grade and sources."""
    discount = (
        f" ({reason.discount_note}: {reason.discount_reason})" if reason.discount_note else ""
    )
    return f"{reason.finding}{discount}. {reason.grade}{format_citations(reason.sources)}"


def _describe_open(criteria: list[Reason], phrases: Phrases) -> str:
    """Return which criteria of a domain are not settled, with the points that are possible."""
    open_texts = [f"{item.id} {item.open_text}" for item in criteria if item.open_text]
    return phrases.say("not_settled", criteria="; ".join(open_texts)) if open_texts else ""


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
    """Return the other open questions, and those that do not apply."""
    blocks = [
        paragraph(f"{row.text}.", "run", strong=f"{row.name}:") for row in view.other_open_questions
    ]
    if view.not_asked:
        questions = f"{'; '.join(view.not_asked)}."
        blocks.append(paragraph(questions, "run", strong=phrases.say("does_not_concern")))
    return (Section(heading=phrases.say("open"), blocks=tuple(blocks)),) if blocks else ()


def _build_patterns(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the patterns by their states, each with the criteria that weigh it."""
    if not view.patterns:
        return ()
    blocks = [paragraph(phrases.say("patterns_caption"), "small")]
    for state in ("seen", "not_seen", "not_asked"):
        names = [
            f"{pattern.number} {pattern.label} ({pattern.criteria})"
            for pattern in view.patterns
            if pattern.state_id == state
        ]
        if names:
            title = phrases.say(f"patterns_{state}_are")
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
    blocks = [
        paragraph(grading.note, "run", strong=f"{grading.name}.") for grading in view.gradings
    ]
    return (Section(heading=phrases.say("grading_notes"), blocks=tuple(blocks)),)


def _build_derived_values(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the values counted from the answers, but for those not known."""
    known_values = [row for row in view.derived_values if row.text != phrases.say("not_known")]
    if not known_values:
        return ()
    values = "; ".join(f"{row.name}: {row.text}" for row in known_values)
    return (Section(heading=phrases.say("derived"), blocks=(paragraph(f"{values}.", "run"),)),)


def _build_rulebook(view: ReportView, phrases: Phrases) -> Section:
    origin = phrases.say(
        "rests_on_rulebook", rulebook=view.rulebook, hash=view.rulebook_sha256, day=view.produced_on
    )
    text = f"{view.intended_use} {origin}"
    return Section(heading=phrases.say("rulebook"), blocks=(paragraph(text, "small"),))


def format_citations(marks: str) -> str:
    """Return the numbers of sources as a sentence cites them."""
    return f" [{marks}]" if marks else ""
