"""Build the view of an assessment, which every document and format is written from.

All numbers were computed by scoring; the view adds words, rounding and positions on charts.
"""

import base64
from collections.abc import Iterable

from reports.blocks import PrintedLetterhead
from reports.logo import detect_media_type
from reports.phrases import Phrases, load_phrases
from reports.view import context_sections, flags, reasons
from reports.view.body_map import build_body_map
from reports.view.charts import (
    build_ledger_chart,
    build_scale,
    build_trend_chart,
    build_waterfall_chart,
    find_banded_total,
)
from reports.view.heading import Letterhead, LinkedScreening, ReportHeading
from reports.view.model import LabelledText, ReportView
from reports.view.sources import CitationIndex
from reports.view.text_sanitiser import clean_line, clean_text
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook


def build_view(
    rulebook: Rulebook,
    assessment: Assessment,
    heading: ReportHeading,
    phrases: Phrases | None = None,
    *,
    stored_assessment: Assessment | None = None,
) -> ReportView:
    """Return the view of one assessment; rulebook and assessment must be in the same language.

    `stored_assessment` is attached as JSON instead of a translated assessment.
    """
    phrases = phrases or load_phrases()
    sources = CitationIndex(rulebook, assessment)
    criteria = reasons.build_reasons(assessment, sources, phrases)
    closed_domains = reasons.find_closed_domains(rulebook, assessment)
    by_id = {reason.id: reason for reason in criteria}
    main = find_banded_total(rulebook)
    band = assessment.totals[main.id].band if assessment.totals and main else None
    return ReportView(
        language=phrases.language,
        title=rulebook.rulebook.title,
        intended_use=rulebook.rulebook.intended_use,
        letterhead=_build_letterhead(heading.letterhead),
        is_test=heading.test,
        notices=_list_notices(heading, phrases),
        error_reason=clean_text(heading.entered_in_error),
        identifiers=_list_identifiers(heading, phrases),
        facts=_list_facts(heading, phrases),
        note=clean_text(heading.note),
        screening_id=clean_line(heading.screening_id),
        status=assessment.status,
        headline=_choose_headline(rulebook, assessment, band),
        tier=next(
            (tier.label for tier in rulebook.tier if tier.id == assessment.safety.tier), None
        ),
        flags=flags.build_flag_lines(rulebook, assessment, sources, heading),
        no_flag_text=flags.describe_no_flag(rulebook, assessment),
        unanswered_safety_questions=_list_labels(rulebook, assessment.safety.unanswered),
        has_no_safety_answers=not flags.list_answered_questions(rulebook, assessment),
        withdrawn_flags_text=flags.describe_withdrawn_flags(rulebook, assessment, heading, phrases),
        acknowledgements=flags.describe_acknowledgements(heading, phrases),
        help_numbers=tuple(
            f"{clean_line(line.label)}: {clean_line(line.number)}" for line in heading.help_numbers
        ),
        scope_reasons=tuple(reason.label for reason in assessment.scope.reasons),
        unanswered_scope_questions=_list_labels(rulebook, assessment.scope.unanswered),
        band_id=band,
        band=next((item.label for item in rulebook.band if item.id == band), None),
        band_meaning=assessment.totals[main.id].meaning if assessment.totals and main else None,
        lower_band_reason=_explain_lower_band(rulebook, assessment, phrases),
        totals=_list_totals(rulebook, assessment, phrases),
        scale=build_scale(rulebook, assessment, phrases),
        waterfall=build_waterfall_chart(rulebook, assessment, phrases),
        picture=assessment.picture.label if assessment.picture else None,
        picture_meaning=_find_picture_meaning(rulebook, assessment),
        ledgers=build_ledger_chart(rulebook, assessment, phrases),
        body=build_body_map(rulebook, assessment, phrases),
        trend=build_trend_chart(rulebook, assessment, heading, phrases),
        shows_opposing_first=reasons.is_evidence_against_stronger(assessment, closed_domains),
        supporting=tuple(
            by_id[name] for name in reasons.rank_criteria(assessment, closed_domains, "for")
        ),
        opposing=tuple(
            by_id[name] for name in reasons.rank_criteria(assessment, closed_domains, "against")
        ),
        open_questions=reasons.build_open_questions(rulebook, assessment, phrases),
        what_if=reasons.build_what_ifs(rulebook, assessment, phrases),
        gradings=context_sections.build_gradings(rulebook, assessment, sources, phrases),
        derived_values=context_sections.build_derived_values(
            rulebook, assessment.derived or {}, phrases
        ),
        patterns_summary=context_sections.describe_seen_patterns(assessment, phrases),
        patterns=context_sections.build_patterns(assessment, phrases),
        findings=context_sections.build_findings(assessment, sources, phrases),
        next_steps=context_sections.build_next_steps(assessment, sources),
        domains=reasons.build_domain_lines(rulebook, assessment, closed_domains, phrases),
        criteria=criteria,
        limitations=assessment.limitations,
        points_explanation=rulebook.rulebook.points_are,
        sources=sources.list_sources(),
        has_unverified_sources=sources.has_unverified,
        rulebook=assessment.rulebook,
        rulebook_sha256=assessment.rulebook_sha256,
        produced_on=phrases.format_date(heading.produced_on) or "",
        produced_on_iso=heading.produced_on.isoformat(),
        assessment_json=(stored_assessment or assessment).model_dump_json(by_alias=True),
    )


def _build_letterhead(letterhead: Letterhead) -> PrintedLetterhead:
    logo = letterhead.logo
    return PrintedLetterhead(
        name=clean_line(letterhead.name) or "",
        lines=tuple(filter(None, map(clean_line, letterhead.address))),
        logo=base64.b64encode(logo).decode() if logo else "",
        logo_type=detect_media_type(logo) if logo else "",
    )


def _list_notices(heading: ReportHeading, phrases: Phrases) -> tuple[str, ...]:
    """Return the notices at the top: test, entered in error, replaced, not validated."""
    notices = []
    if heading.test:
        notices.append(phrases.say("test"))
    if heading.entered_in_error is not None:
        reason = clean_line(heading.entered_in_error)
        notices.append(phrases.say("in_error", reason=reason or phrases.say("not_known")))
    if heading.replaced_by is not None:
        notices.append(_format_link("replaced_by", heading.replaced_by, phrases))
    if heading.replaces is not None:
        notices.append(_format_link("replaces", heading.replaces, phrases))
    if phrases.not_validated:
        notices.append(phrases.not_validated)
    return tuple(notices)


def _format_link(phrase: str, linked_screening: LinkedScreening, phrases: Phrases) -> str:
    return phrases.say(
        phrase,
        id=clean_line(linked_screening.id) or "",
        day=phrases.format_date(linked_screening.on) or "",
    )


def _list_identifiers(heading: ReportHeading, phrases: Phrases) -> tuple[LabelledText, ...]:
    return _build_rows(
        phrases,
        ("name", clean_line(heading.patient_name)),
        ("number", clean_line(heading.patient_reference)),
        ("born", phrases.format_date(heading.birth_date)),
        ("visit", clean_line(heading.encounter)),
    )


def _list_facts(heading: ReportHeading, phrases: Phrases) -> tuple[LabelledText, ...]:
    stored_at = heading.stored_at
    return _build_rows(
        phrases,
        ("answered_on", phrases.format_date(heading.answered_on)),
        ("answered_by", _describe_respondent(heading, phrases)),
        ("clinician", clean_line(heading.clinician_reference)),
        ("screening", clean_line(heading.screening_id)),
        (
            "kept_at",
            phrases.format_datetime(stored_at and heading.letterhead.to_local_time(stored_at)),
        ),
        ("produced_on", phrases.format_date(heading.produced_on)),
    )


def _describe_respondent(heading: ReportHeading, phrases: Phrases) -> str | None:
    """Return who answered, and whether the answers were corrected."""
    if heading.answered_by is None:
        return None
    person = phrases.say(f"by_{heading.answered_by}")
    return phrases.say("by_corrected", by=person) if heading.replaces else person


def _build_rows(phrases: Phrases, *pairs: tuple[str, str | None]) -> tuple[LabelledText, ...]:
    return tuple(LabelledText(name=phrases.say(name), text=text) for name, text in pairs if text)


def _list_labels(rulebook: Rulebook, questions: Iterable[str]) -> tuple[str, ...]:
    labels = {question.id: question.label for question in rulebook.question}
    return tuple(labels[question] for question in questions)


def _choose_headline(rulebook: Rulebook, assessment: Assessment, band: str | None) -> str:
    texts = rulebook.wording
    match assessment.status:
        case "withheld_red_flag":
            return texts.withheld
        case "out_of_scope":
            labels = texts.listed.join(reason.label for reason in assessment.scope.reasons)
            return texts.out_of_scope.format(reasons=labels)
        case "insufficient_information":
            return texts.insufficient
    return next((item.meaning for item in rulebook.band if item.id == band), "")


def _explain_lower_band(rulebook: Rulebook, assessment: Assessment, phrases: Phrases) -> str | None:
    """Return why the band is lower than the points alone would give; None if it is not."""
    labels = {band.id: band.label for band in rulebook.band}
    total = next((item for item in (assessment.totals or {}).values() if item.band), None)
    for band in rulebook.band:
        start = band.from_ if band.from_ is not None else band.above
        if total is None or start is None or band.needs is None:
            continue
        is_reached = total.points >= start if band.from_ is not None else total.points > start
        if is_reached and total.band == band.needs.otherwise:
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
