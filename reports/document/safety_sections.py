"""Build what a report says before its result: who may read it, red flags, contradictions."""

from reports.blocks import Block, Paragraph, Section, paragraph
from reports.document.detail_pages import format_citations
from reports.phrases import Phrases
from reports.view.model import ReportView


def build_edition_mark(view: ReportView, phrases: Phrases) -> tuple[Paragraph, ...]:
    """Return that the report is restricted, or that it is the edition to pass on."""
    if view.is_shareable:
        return (paragraph(phrases.say("shareable"), "edition"),)
    return (
        (paragraph("", "edition", strong=phrases.say("restricted")),)
        if view.is_confidential
        else ()
    )


def build_safety_section(view: ReportView, phrases: Phrases) -> Section:
    """Return the red flags and their actions."""
    title = phrases.say("safety_first")
    blocks: list[Block] = [
        paragraph(
            phrases.say("think_of", suspect=flag.suspect)
            + f"{format_citations(flag.sources)} {flag.action}",
            "flag",
            strong=f"{flag.tier}: {flag.label}"
            + (f" ({phrases.say('assessed')})." if flag.is_assessed else "."),
        )
        for flag in view.flags
    ]
    if view.no_flag_text:
        blocks.append(paragraph(view.no_flag_text))
    if view.unanswered_safety_questions:
        questions = phrases.say("list_mark").join(view.unanswered_safety_questions)
        blocks.append(paragraph(f"{questions}.", strong=phrases.say("not_asked")))
    if view.withdrawn_flags_text:
        blocks.append(paragraph("", strong=view.withdrawn_flags_text))
    blocks += [paragraph(text) for text in view.acknowledgements]
    tier = f": {phrases.lower_initial(view.tier)}" if view.tier else ""
    return Section(role="safety", heading=title + tier, blocks=tuple(blocks))


def build_contradictions(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the answers that contradict each other, for the place above the result."""
    if not view.contradictions:
        return ()
    blocks = tuple(paragraph(text, "step", aside="\N{BULLET}") for text in view.contradictions)
    return (Section(role="contradictions", heading=phrases.say("contradictions"), blocks=blocks),)
