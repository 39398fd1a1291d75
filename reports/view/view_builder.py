"""Build the view of an assessment, which every document and format is written from.

All numbers were computed by scoring; the view adds wording, rounding and positions on charts.
"""

import base64
from collections.abc import Iterable

from reports import phrases
from reports.blocks import Letters
from reports.logo import media_type
from reports.phrases import Wording
from reports.view import context_sections, flags, reasons
from reports.view.body_map import body_map
from reports.view.charts import banded, ledgers, scale, trend, waterfall
from reports.view.heading import Heading, Letterhead, OtherScreening
from reports.view.model import Row, View
from reports.view.sources import Sources
from reports.view.text_sanitiser import clean, one_line
from reports.view.translation import Books, retold
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook


def view_in(books: Books, assessment: Assessment, heading: Heading) -> View:
    """Return the view in the language of the books; the embedded JSON stays as stored."""
    if books.told is books.made:
        return view(books.made, assessment, heading, books.words)
    translated = view(books.told, retold(books, assessment), heading, books.words)
    return translated.model_copy(
        update={"assessment_json": assessment.model_dump_json(by_alias=True)}
    )


def view(
    rulebook: Rulebook, assessment: Assessment, heading: Heading, wording: Wording | None = None
) -> View:
    """Return the view of one assessment; rulebook and assessment must be in the same language."""
    wording = wording or phrases.wording()
    sources = Sources(rulebook, assessment)
    criteria = reasons.criteria(assessment, sources, wording)
    closed = reasons.closed_domains(rulebook, assessment)
    by_id = {reason.id: reason for reason in criteria}
    main = banded(rulebook)
    band = assessment.totals[main.id].band if assessment.totals and main else None
    return View(
        language=wording.language,
        title=rulebook.rulebook.title,
        intended_use=rulebook.rulebook.intended_use,
        letters=_letters(heading.letterhead),
        test=heading.test,
        notices=_notices(heading, wording),
        in_error=clean(heading.entered_in_error),
        identifiers=_identifiers(heading, wording),
        facts=_facts(heading, wording),
        note=clean(heading.note),
        screening=one_line(heading.screening_id),
        status=assessment.status,
        headline=_headline(rulebook, assessment, band),
        tier=next(
            (tier.label for tier in rulebook.tier if tier.id == assessment.safety.tier), None
        ),
        flags=flags.flags(rulebook, assessment, sources, heading),
        no_flag=flags.no_flag(rulebook, assessment),
        not_asked=_labels(rulebook, assessment.safety.unanswered),
        none_asked=not flags.asked(rulebook, assessment),
        no_longer=flags.no_longer(rulebook, assessment, heading, wording),
        acknowledged=flags.acknowledged(heading, wording),
        help_numbers=tuple(
            f"{one_line(line.label)}: {one_line(line.number)}" for line in heading.help_numbers
        ),
        scope_reasons=tuple(reason.label for reason in assessment.scope.reasons),
        scope_not_asked=_labels(rulebook, assessment.scope.unanswered),
        band_id=band,
        band=next((item.label for item in rulebook.band if item.id == band), None),
        meaning=assessment.totals[main.id].meaning if assessment.totals and main else None,
        held=_explain_lower_band(rulebook, assessment, wording),
        totals=_totals(rulebook, assessment, wording),
        scale=scale(rulebook, assessment, wording),
        waterfall=waterfall(rulebook, assessment, wording),
        picture=assessment.picture.label if assessment.picture else None,
        picture_meaning=_picture_meaning(rulebook, assessment),
        ledgers=ledgers(rulebook, assessment, wording),
        body=body_map(rulebook, assessment, wording),
        trend=trend(rulebook, assessment, heading, wording),
        against_first=reasons.against_first(assessment, closed),
        supporting=tuple(by_id[name] for name in reasons.strongest(assessment, closed, "for")),
        opposing=tuple(by_id[name] for name in reasons.strongest(assessment, closed, "against")),
        open=reasons.unanswered(rulebook, assessment, wording),
        what_if=reasons.what_if(rulebook, assessment, wording),
        gradings=context_sections.gradings(rulebook, assessment, sources, wording),
        derived=context_sections.derived(rulebook, assessment.derived or {}, wording),
        patterns_seen=context_sections.patterns_seen(assessment, wording),
        patterns=context_sections.patterns(assessment, wording),
        findings=context_sections.findings(assessment, sources, wording),
        next_steps=context_sections.next_steps(assessment, sources),
        domains=reasons.domains(rulebook, assessment, closed, wording),
        criteria=criteria,
        limitations=assessment.limitations,
        points_are=rulebook.rulebook.points_are,
        sources=sources.listed(),
        some_unverified=sources.some_unverified,
        rulebook=assessment.rulebook,
        sha256=assessment.rulebook_sha256,
        produced_on=wording.written(heading.produced_on) or "",
        produced_iso=heading.produced_on.isoformat(),
        assessment_json=assessment.model_dump_json(by_alias=True),
    )


def _letters(letterhead: Letterhead) -> Letters:
    logo = letterhead.logo
    return Letters(
        name=one_line(letterhead.name) or "",
        lines=tuple(filter(None, map(one_line, letterhead.address))),
        logo=base64.b64encode(logo).decode() if logo else "",
        logo_type=media_type(logo) if logo else "",
    )


def _notices(heading: Heading, wording: Wording) -> tuple[str, ...]:
    """Return the notices at the top: test, entered in error, replaced, not validated."""
    notices = []
    if heading.test:
        notices.append(wording.say("test"))
    if heading.entered_in_error is not None:
        reason = one_line(heading.entered_in_error)
        notices.append(wording.say("in_error", reason=reason or wording.say("not_known")))
    if heading.replaced_by is not None:
        notices.append(_link_notice("replaced_by", heading.replaced_by, wording))
    if heading.replaces is not None:
        notices.append(_link_notice("replaces", heading.replaces, wording))
    if wording.not_validated:
        notices.append(wording.not_validated)
    return tuple(notices)


def _link_notice(phrase: str, other: OtherScreening, wording: Wording) -> str:
    return wording.say(phrase, id=one_line(other.id) or "", day=wording.written(other.on) or "")


def _identifiers(heading: Heading, wording: Wording) -> tuple[Row, ...]:
    return _rows(
        wording,
        ("name", one_line(heading.patient_name)),
        ("number", one_line(heading.patient_reference)),
        ("born", wording.written(heading.birth_date)),
        ("visit", one_line(heading.encounter)),
    )


def _facts(heading: Heading, wording: Wording) -> tuple[Row, ...]:
    stored_at = heading.kept_at
    return _rows(
        wording,
        ("answered_on", wording.written(heading.answered_on)),
        ("answered_by", _answered_by(heading, wording)),
        ("clinician", one_line(heading.clinician_reference)),
        ("screening", one_line(heading.screening_id)),
        ("kept_at", wording.at(stored_at and heading.letterhead.there(stored_at))),
        ("produced_on", wording.written(heading.produced_on)),
    )


def _answered_by(heading: Heading, wording: Wording) -> str | None:
    """Return who answered, and whether the answers were corrected."""
    if heading.answered_by is None:
        return None
    person = wording.say(f"by_{heading.answered_by}")
    return wording.say("by_corrected", by=person) if heading.replaces else person


def _rows(wording: Wording, *pairs: tuple[str, str | None]) -> tuple[Row, ...]:
    return tuple(Row(name=wording.say(name), text=text) for name, text in pairs if text)


def _labels(rulebook: Rulebook, questions: Iterable[str]) -> tuple[str, ...]:
    labels = {question.id: question.label for question in rulebook.question}
    return tuple(labels[question] for question in questions)


def _headline(rulebook: Rulebook, assessment: Assessment, band: str | None) -> str:
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


def _explain_lower_band(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> str | None:
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
            return wording.say("held", reached=band.label, given=actual, because=because)
    return None


def _totals(rulebook: Rulebook, assessment: Assessment, wording: Wording) -> tuple[Row, ...]:
    totals = assessment.totals or {}
    return tuple(
        Row(
            name=total.label,
            text=wording.say(
                "total",
                points=wording.number(totals[total.id].points),
                least=wording.number(totals[total.id].range.least),
                most=wording.number(totals[total.id].range.most),
            ),
            sources=total.note,
        )
        for total in rulebook.total
        if total.id in totals
    )


def _picture_meaning(rulebook: Rulebook, assessment: Assessment) -> str | None:
    picture = assessment.picture.id if assessment.picture else None
    return next((item.meaning for item in rulebook.picture if item.id == picture), None)
