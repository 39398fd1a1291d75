"""The reckoning: every criterion, and what stands beside the points, down to the sources."""

from reports.blocks import Block, Section, Table, TableRow, paragraph
from reports.phrases import Wording
from reports.svg import drawn
from reports.view.model import View


def reckoning(view: View, words: Wording) -> tuple[Block, ...]:
    """The pages after the first, section by section."""
    return (
        *_criteria(view, words),
        *_where(view, words),
        *_trend(view, words),
        *_options(view, words),
        *_patterns(view, words),
        *_findings(view, words),
        *_gradings(view, words),
        *_derived(view, words),
        *limits(view, words),
        *sources(view, words),
        _rulebook(view, words),
    )


def limits(view: View, words: Wording) -> tuple[Section, ...]:
    """What cannot be claimed."""
    told = tuple(paragraph(each, "limit") for each in view.limitations)
    return (Section(heading=words.say("limits"), blocks=told),) if told else ()


def sources(view: View, words: Wording) -> tuple[Section, ...]:
    """Every source cited, an unverified one marked."""
    if not view.sources:
        return ()
    listed: list[Block] = []
    if view.some_unverified:
        listed.append(paragraph(words.say("dagger"), "small"))
    for each in view.sources:
        doi = f" doi:{each.doi}" if each.doi else ""
        unverified = f" ({words.say('unverified')})" if each.unverified else ""
        listed.append(paragraph(f"{each.text}{doi}{unverified}", "source", aside=each.mark))
    return (Section(role="sources", heading=words.say("sources"), blocks=tuple(listed)),)


def _criteria(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    rows: list[TableRow] = []
    for domain in view.domains:
        told = " ".join(filter(None, (domain.text, domain.note, domain.ends)))
        rows.append(TableRow(cells=(domain.label, domain.points, told), part=True))
        rows += [
            TableRow(
                cells=(
                    f"{each.id} {each.label}",
                    each.points or words.say("no_points"),
                    f"{each.because} {each.grade}{_cited(each.sources)}",
                )
            )
            for each in view.criteria
            if each.domain == domain.id
        ]
    columns = ("criterion", "points", "why")
    table = Table(
        role="criteria",
        caption=words.say("criteria_caption"),
        columns=tuple(words.say(f"column_{each}") for each in columns),
        rows=tuple(rows),
    )
    picture = (drawn("waterfall", view.waterfall, words),) if view.waterfall else ()
    key = paragraph(f"{view.points_are} {words.say('grades_are')}", "small")
    blocks = (*picture, table, key)
    return (Section(role="reckoning", heading=words.say("reckoning"), blocks=blocks),)


def _where(view: View, words: Wording) -> tuple[Section, ...]:
    if view.body is None:
        return ()
    blocks = (drawn("body", view.body, words), paragraph(view.body.words))
    return (Section(role="where", heading=words.say("where"), blocks=blocks),)


def _trend(view: View, words: Wording) -> tuple[Section, ...]:
    if view.trend is None:
        return ()
    points = view.trend.points
    mixed = not all(each.same_rulebook for each in points)
    columns = ("day", "points", "band", *(("rulebook",) if mixed else ()))
    table = Table(
        role="plain",
        caption=words.say("trend_caption"),
        columns=tuple(words.say(f"column_{each}") for each in columns),
        rows=tuple(
            TableRow(cells=(each.on, each.points, each.band, each.rulebook)[: len(columns)])
            for each in points
        ),
    )
    told = (paragraph(words.say("trend_key"), "small"),) if mixed else ()
    blocks = (drawn("trend", view.trend, words), table, *told)
    return (Section(role="trend", heading=words.say("trend"), blocks=blocks),)


def _options(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.next_steps:
        return ()
    told = tuple(
        paragraph(f"{row.text}{_cited(row.sources)}", "run", strong=_short(row.name))
        for row in view.next_steps
    )
    return (Section(heading=words.say("options_certain"), blocks=told),)


def _short(label: str) -> str:
    """An option by what it is; the whole label stands on page one."""
    return label.split(": ", maxsplit=1)[0].rstrip(".") + "."


def _patterns(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.patterns:
        return ()
    listed = tuple(
        paragraph(
            f"{each.evidence} ({each.criteria})",
            "run",
            strong=f"{each.number} {each.label}: {each.state}.",
        )
        for each in view.patterns
    )
    title = words.say("patterns", seen=view.patterns_seen or "")
    blocks = (paragraph(words.say("patterns_caption"), "small"), *listed)
    return (Section(heading=title, blocks=blocks),)


def _findings(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.findings:
        return ()
    blocks: list[Block] = [paragraph(words.say("findings_are"), "small")]
    for each in view.findings:
        never = f" ({words.say('never_incidental')})" if each.never_incidental else ""
        text = f" {each.text}" if each.text else ""
        counter = f"{words.say('counter')} {each.counter_evidence}"
        blocks.append(
            paragraph(
                f"{each.population}.{text} {counter}{_cited(each.sources)}",
                "run",
                strong=f"{each.label}{never}: {each.prevalence}.",
            )
        )
    return (Section(heading=words.say("findings"), blocks=tuple(blocks)),)


def _gradings(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.gradings:
        return ()
    blocks: list[Block] = []
    if view.status == "out_of_scope":
        blocks.append(paragraph("", strong=words.say("graded_out_of_scope")))
    for each in view.gradings:
        lines = "; ".join(f"{line.name}: {line.text}" for line in each.lines)
        told = f"{each.note} {lines}." if lines else each.note
        grade = f"{each.name}: {each.grade}{_cited(each.sources)}."
        blocks.append(paragraph(told, "run", strong=grade))
    return (Section(heading=words.say("gradings"), blocks=tuple(blocks)),)


def _derived(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.derived:
        return ()
    told = "; ".join(f"{row.name}: {row.text}" for row in view.derived)
    return (Section(heading=words.say("derived"), blocks=(paragraph(f"{told}.", "run"),)),)


def _rulebook(view: View, words: Wording) -> Section:
    by = words.say(
        "rests_on_rulebook", rulebook=view.rulebook, hash=view.sha256, day=view.produced_on
    )
    blocks = (paragraph(view.intended_use, "small"), paragraph(by, "small"))
    return Section(heading=words.say("rulebook"), blocks=blocks)


def _cited(marks: str) -> str:
    return f" [{marks}]" if marks else ""
