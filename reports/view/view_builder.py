"""The view: from an assessment to the words of a report, the same for every document and format.

Every number here was computed by scoring; what is added are words, rounding and places on a line.
"""

import base64
from collections.abc import Iterable

from reports.blocks import Letters
from reports.logo import media_type
from reports.phrases import Wording, wording
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
    """The report in the language of the books; what is embedded stays as it was stored."""
    if books.told is books.made:
        return view(books.made, assessment, heading, books.words)
    told = view(books.told, retold(books, assessment), heading, books.words)
    return told.model_copy(update={"assessment_json": assessment.model_dump_json(by_alias=True)})


def view(
    rulebook: Rulebook, assessment: Assessment, heading: Heading, words: Wording | None = None
) -> View:
    """The report of one assessment, in words; the rulebook and the assessment speak the same."""
    words = words or wording()
    sources = Sources(rulebook, assessment)
    criteria = reasons.criteria(assessment, sources, words)
    closed = reasons.closed_domains(rulebook, assessment)
    told = {each.id: each for each in criteria}
    main = banded(rulebook)
    band = assessment.totals[main.id].band if assessment.totals and main else None
    return View(
        language=words.language,
        title=rulebook.rulebook.title,
        intended_use=rulebook.rulebook.intended_use,
        letters=_letters(heading.letterhead),
        test=heading.test,
        notices=_notices(heading, words),
        in_error=clean(heading.entered_in_error),
        identifiers=_identifiers(heading, words),
        facts=_facts(heading, words),
        note=clean(heading.note),
        screening=one_line(heading.screening_id),
        status=assessment.status,
        headline=_headline(rulebook, assessment, band),
        tier=next((t.label for t in rulebook.tier if t.id == assessment.safety.tier), None),
        flags=flags.flags(rulebook, assessment, sources, heading),
        no_flag=flags.no_flag(rulebook, assessment),
        not_asked=_labels(rulebook, assessment.safety.unanswered),
        none_asked=not flags.asked(rulebook, assessment),
        no_longer=flags.no_longer(rulebook, assessment, heading, words),
        acknowledged=flags.acknowledged(heading, words),
        help_numbers=tuple(
            f"{one_line(each.label)}: {one_line(each.number)}" for each in heading.help_numbers
        ),
        scope_reasons=tuple(each.label for each in assessment.scope.reasons),
        scope_not_asked=_labels(rulebook, assessment.scope.unanswered),
        band_id=band,
        band=next((each.label for each in rulebook.band if each.id == band), None),
        meaning=assessment.totals[main.id].meaning if assessment.totals and main else None,
        held=_held(rulebook, assessment, words),
        totals=_totals(rulebook, assessment, words),
        scale=scale(rulebook, assessment, words),
        waterfall=waterfall(rulebook, assessment, words),
        picture=assessment.picture.label if assessment.picture else None,
        picture_meaning=_picture_meaning(rulebook, assessment),
        ledgers=ledgers(rulebook, assessment, words),
        body=body_map(rulebook, assessment, words),
        trend=trend(rulebook, assessment, heading, words),
        against_first=reasons.against_first(assessment, closed),
        supporting=tuple(told[each] for each in reasons.strongest(assessment, closed, "for")),
        opposing=tuple(told[each] for each in reasons.strongest(assessment, closed, "against")),
        open=reasons.unanswered(rulebook, assessment, words),
        what_if=reasons.what_if(rulebook, assessment, words),
        gradings=context_sections.gradings(rulebook, assessment, sources, words),
        derived=context_sections.derived(rulebook, assessment.derived or {}, words),
        patterns_seen=context_sections.patterns_seen(assessment, words),
        patterns=context_sections.patterns(assessment, words),
        findings=context_sections.findings(assessment, sources, words),
        next_steps=context_sections.next_steps(assessment, sources),
        domains=reasons.domains(rulebook, assessment, closed, words),
        criteria=criteria,
        limitations=assessment.limitations,
        points_are=rulebook.rulebook.points_are,
        sources=sources.listed(),
        some_unverified=sources.some_unverified,
        rulebook=assessment.rulebook,
        sha256=assessment.rulebook_sha256,
        produced_on=words.written(heading.produced_on) or "",
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


def _notices(heading: Heading, words: Wording) -> tuple[str, ...]:
    """What became of this screening, before anything else is read."""
    notices = []
    if heading.test:
        notices.append(words.say("test"))
    if heading.entered_in_error is not None:
        reason = one_line(heading.entered_in_error)
        notices.append(words.say("in_error", reason=reason or words.say("not_known")))
    if heading.replaced_by is not None:
        notices.append(_linked("replaced_by", heading.replaced_by, words))
    if heading.replaces is not None:
        notices.append(_linked("replaces", heading.replaces, words))
    if words.not_validated:
        notices.append(words.not_validated)
    return tuple(notices)


def _linked(phrase: str, other: OtherScreening, words: Wording) -> str:
    return words.say(phrase, id=one_line(other.id) or "", day=words.written(other.on) or "")


def _identifiers(heading: Heading, words: Wording) -> tuple[Row, ...]:
    return _rows(
        words,
        ("name", one_line(heading.patient_name)),
        ("number", one_line(heading.patient_reference)),
        ("born", words.written(heading.birth_date)),
        ("visit", one_line(heading.encounter)),
    )


def _facts(heading: Heading, words: Wording) -> tuple[Row, ...]:
    kept = heading.kept_at
    return _rows(
        words,
        ("answered_on", words.written(heading.answered_on)),
        ("answered_by", _by(heading, words)),
        ("clinician", one_line(heading.clinician_reference)),
        ("screening", one_line(heading.screening_id)),
        ("kept_at", words.at(kept and heading.letterhead.there(kept))),
        ("produced_on", words.written(heading.produced_on)),
    )


def _by(heading: Heading, words: Wording) -> str | None:
    """Who answered; a correction is not theirs alone."""
    if heading.answered_by is None:
        return None
    by = words.say(f"by_{heading.answered_by}")
    return words.say("by_corrected", by=by) if heading.replaces else by


def _rows(words: Wording, *pairs: tuple[str, str | None]) -> tuple[Row, ...]:
    return tuple(Row(name=words.say(name), text=text) for name, text in pairs if text)


def _labels(rulebook: Rulebook, questions: Iterable[str]) -> tuple[str, ...]:
    labels = {each.id: each.label for each in rulebook.question}
    return tuple(labels[each] for each in questions)


def _headline(rulebook: Rulebook, assessment: Assessment, band: str | None) -> str:
    wordings = rulebook.wording
    match assessment.status:
        case "withheld_red_flag":
            return wordings.withheld
        case "out_of_scope":
            reasons_given = wordings.listed.join(each.label for each in assessment.scope.reasons)
            return wordings.out_of_scope.format(reasons=reasons_given)
        case "insufficient_information":
            return wordings.insufficient
    given = next((each for each in rulebook.band if each.id == band), None)
    return given.meaning if given else ""


def _held(rulebook: Rulebook, assessment: Assessment, words: Wording) -> str | None:
    """Why the band is lower than the points alone would give, where it is."""
    labels = {each.id: each.label for each in rulebook.band}
    given = next((each for each in (assessment.totals or {}).values() if each.band), None)
    for band in rulebook.band:
        start = band.from_ if band.from_ is not None else band.above
        if given is None or start is None or band.needs is None:
            continue
        reached = given.points >= start if band.from_ is not None else given.points > start
        if reached and given.band == band.needs.otherwise:
            given_label = labels[given.band]
            because = band.needs.because
            return words.say("held", reached=band.label, given=given_label, because=because)
    return None


def _totals(rulebook: Rulebook, assessment: Assessment, words: Wording) -> tuple[Row, ...]:
    given = assessment.totals or {}
    return tuple(
        Row(
            name=total.label,
            text=words.say(
                "total",
                points=words.number(given[total.id].points),
                least=words.number(given[total.id].range.least),
                most=words.number(given[total.id].range.most),
            ),
            sources=total.note,
        )
        for total in rulebook.total
        if total.id in given
    )


def _picture_meaning(rulebook: Rulebook, assessment: Assessment) -> str | None:
    given = assessment.picture.id if assessment.picture else None
    return next((each.meaning for each in rulebook.picture if each.id == given), None)
