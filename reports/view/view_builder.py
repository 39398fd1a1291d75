"""Build the view of an assessment, which every document and format is written from.

All numbers were computed by scoring; the view adds words, rounding and positions on charts.
"""

from collections.abc import Iterable

from pydantic import MISSING

from reports.phrases import Phrases, load_phrases
from reports.view.answer_words import build_answer_facts
from reports.view.body_map import build_body_map
from reports.view.charts import build_ledger_chart, build_scale, build_trend_chart
from reports.view.editions import (
    Edition,
    is_confidential,
    leave_out_events,
    leave_out_person,
    share_sheet_kind,
)
from reports.view.heading import ReportHeading
from reports.view.intake import AssessedIntake
from reports.view.model import LabelledText, ReportView
from reports.view.result_words import describe_result, find_banded_total, is_reached
from reports.view.sections import context_sections, flags, heading_words, reasons
from reports.view.sections.open_questions import build_open_questions, group_open_questions
from reports.view.sheet import build_sheet, choose_sheet_kind
from reports.view.sources import CitationIndex
from reports.view.text_sanitiser import clean_line, clean_text
from schemas.assessments.assessment import Assessment
from schemas.rulebooks.rulebook import Rulebook


def build_view(
    rulebook: Rulebook,
    intake: AssessedIntake,
    heading: ReportHeading,
    phrases: Phrases | None = None,
    *,
    edition: Edition = "full",
) -> ReportView:
    """Return the view of one assessment; rulebook and assessment must be in the same language.

    The shareable edition leaves out flags about the person, adversity and trauma.
    """
    phrases = phrases or load_phrases()
    if edition == "shareable":
        intake = leave_out_person(rulebook, intake)
        heading = leave_out_events(rulebook, heading)
    sheet_kind = choose_sheet_kind(rulebook, intake)
    if edition == "shareable":
        sheet_kind = share_sheet_kind(sheet_kind)
    assessment, answers = intake.assessment, intake.known_answers
    sources = CitationIndex(rulebook, assessment)
    criteria = reasons.build_reasons(rulebook, assessment, sources, phrases)
    closed_domains = reasons.find_closed_domains(rulebook, assessment)
    by_id = {reason.id: reason for reason in criteria}
    main = find_banded_total(rulebook)
    band = assessment.totals[main.id].band if assessment.totals and main else None
    result = describe_result(rulebook, assessment, phrases)
    open_questions = group_open_questions(rulebook, assessment, phrases)
    return ReportView(
        language=phrases.language,
        title=rulebook.rulebook.title,
        intended_use=rulebook.rulebook.intended_use,
        letterhead=heading_words.print_letterhead(heading.letterhead),
        is_test=heading.test,
        notices=heading_words.list_notices(heading, phrases),
        error_reason=clean_text(heading.entered_in_error),
        identifiers=heading_words.list_identifiers(heading, phrases),
        facts=(
            *build_answer_facts(rulebook, answers, phrases),
            *heading_words.list_facts(heading, phrases),
        ),
        note=clean_text(heading.note),
        screening_id=clean_line(heading.screening_id),
        status=assessment.status,
        is_confidential=is_confidential(rulebook, assessment),
        is_shareable=edition == "shareable",
        result_title=result.title,
        possible_bands=result.possible_bands,
        headline=result.headline,
        tier=next(
            (tier.label for tier in rulebook.tier if tier.id == assessment.safety.tier), None
        ),
        flags=flags.build_flag_lines(rulebook, assessment, sources, heading, phrases),
        no_flag_text=flags.describe_no_flag(rulebook, assessment),
        unanswered_safety_questions=_list_labels(rulebook, assessment.safety.unanswered),
        has_no_safety_answers=not flags.list_answered_questions(rulebook, assessment),
        withdrawn_flags_text=flags.describe_withdrawn_flags(rulebook, assessment, heading, phrases),
        acknowledgements=flags.describe_acknowledgements(rulebook, heading, phrases),
        scope_reasons=tuple(reason.label for reason in assessment.scope.reasons),
        further_scope_text=_describe_further_scope(rulebook, assessment, phrases),
        unanswered_scope_questions=_list_labels(rulebook, assessment.scope.unanswered),
        band_id=band,
        band=next((item.label for item in rulebook.band if item.id == band), None),
        band_meaning=assessment.totals[main.id].meaning if assessment.totals and main else None,
        lower_band_reason=_explain_lower_band(rulebook, assessment, phrases),
        totals=_list_totals(rulebook, assessment, phrases),
        scale=build_scale(rulebook, assessment, phrases),
        picture=assessment.picture.label if assessment.picture else None,
        picture_meaning=_find_picture_meaning(rulebook, assessment),
        ledgers=build_ledger_chart(rulebook, assessment, phrases),
        body=build_body_map(rulebook, answers, phrases),
        trend=build_trend_chart(rulebook, assessment, heading, phrases),
        shows_opposing_first=reasons.is_evidence_against_stronger(assessment, closed_domains),
        supporting=tuple(
            by_id[name] for name in reasons.rank_criteria(assessment, closed_domains, "for")
        ),
        opposing=tuple(
            by_id[name] for name in reasons.rank_criteria(assessment, closed_domains, "against")
        ),
        open_questions=build_open_questions(rulebook, assessment, phrases),
        ask_first=open_questions.ask_first,
        needed_for_safety=open_questions.needed_for_safety,
        other_open_questions=open_questions.other_groups,
        other_open_count=open_questions.other_count,
        not_asked=_list_labels(
            rulebook, () if assessment.not_asked is MISSING else assessment.not_asked
        ),
        alternatives=context_sections.build_alternatives(assessment, sources),
        no_alternatives_text=context_sections.describe_no_alternatives(rulebook, assessment),
        contradictions=context_sections.list_contradictions(assessment),
        what_if=reasons.build_what_ifs(rulebook, assessment, phrases),
        gradings=context_sections.build_gradings(rulebook, assessment, sources, phrases),
        derived_values=context_sections.build_derived_values(
            rulebook, assessment.derived or {}, phrases
        ),
        patterns_summary=context_sections.describe_seen_patterns(assessment, phrases),
        patterns=context_sections.build_patterns(rulebook, assessment, phrases),
        findings=context_sections.build_findings(assessment, sources, phrases),
        next_steps=context_sections.build_next_steps(rulebook, assessment, sources, phrases),
        domains=reasons.build_domain_lines(rulebook, assessment, closed_domains, phrases),
        criteria=criteria,
        limitations=context_sections.list_limitations(rulebook, assessment),
        points_explanation=rulebook.rulebook.points_are,
        sources=sources.list_sources(),
        has_unverified_sources=sources.has_unverified,
        rulebook=assessment.rulebook,
        rulebook_sha256=assessment.rulebook_sha256,
        produced_on=phrases.format_date(heading.produced_on) or "",
        produced_on_iso=heading.produced_on.isoformat(),
        assessment_json=intake.attached_assessment.model_dump_json(by_alias=True),
        sheet=build_sheet(rulebook, intake, heading, phrases, sheet_kind),
    )


def _list_labels(rulebook: Rulebook, questions: Iterable[str]) -> tuple[str, ...]:
    labels = {question.id: question.label for question in rulebook.question}
    return tuple(labels[question] for question in questions)


def _describe_further_scope(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> str | None:
    """Return why a withheld result would be out of scope too; None if it would not."""
    labels = [reason.label for reason in assessment.scope.reasons]
    if assessment.status != "withheld_red_flag" or not labels:
        return None
    return phrases.say("also_out_of_scope", reasons=rulebook.wording.listed.join(labels))


def _explain_lower_band(rulebook: Rulebook, assessment: Assessment, phrases: Phrases) -> str | None:
    """Return why the band is lower than the points alone would give; None if it is not."""
    labels = {band.id: band.label for band in rulebook.band}
    total = next((item for item in (assessment.totals or {}).values() if item.band), None)
    for band in rulebook.band:
        if total is None or band.needs is None:
            continue
        if is_reached(band, total.points) and total.band == band.needs.otherwise:
            actual = labels[total.band]
            because = band.needs.because
            return phrases.say("held", reached=band.label, given=actual, because=because)
    return None


def _list_totals(
    rulebook: Rulebook, assessment: Assessment, phrases: Phrases
) -> tuple[LabelledText, ...]:
    totals = assessment.totals or {}
    return tuple(
        LabelledText(
            name=total.label,
            text=phrases.say(
                "total",
                points=phrases.format_number(totals[total.id].points),
                least=phrases.format_number(totals[total.id].range.least),
                most=phrases.format_number(totals[total.id].range.most),
            ),
            sources=total.note,
        )
        for total in rulebook.total
        if total.id in totals
    )


def _find_picture_meaning(rulebook: Rulebook, assessment: Assessment) -> str | None:
    picture = assessment.picture.id if assessment.picture else None
    return next((item.meaning for item in rulebook.picture if item.id == picture), None)
