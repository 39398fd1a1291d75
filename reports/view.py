"""The view: from an assessment to the words of a report, the same for every format.

Every number here was computed by scoring; what is added are words, rounding and places on a line.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from reports.heading import Heading
from reports.lines import FindingLine, FlagLine, Graded, Open, PatternLine, Reason, Row, View
from reports.pictures import bars, scale
from reports.sources import Sources
from reports.words import clean, day, number, one_line, percent, signed
from schemas.assessment import Assessment, TotalPoints, WeighedCriterion
from schemas.rulebook import Rulebook

NOT_KNOWN = "not known"
_MET = {True: "yes", False: "no", None: NOT_KNOWN}
_STATES = {"seen": "seen", "not_seen": "not seen", "not_asked": "not asked"}


def view(rulebook: Rulebook, assessment: Assessment, heading: Heading) -> View:
    """The report of one assessment, in words."""
    sources = Sources(rulebook, assessment)
    criteria = tuple(_reason(each, sources) for each in _criteria(assessment))
    closed = _closed_domains(rulebook, assessment)
    weighed = [each for each in _criteria(assessment) if each.points and each.domain not in closed]
    weighed.sort(key=lambda each: abs(each.points or Decimal(0)), reverse=True)
    told = {each.id: reason for each, reason in zip(_criteria(assessment), criteria, strict=True)}
    main = next((total for total in rulebook.total if total.banded), None)
    band = assessment.totals[main.id].band if assessment.totals and main else None
    return View(
        title=rulebook.rulebook.title,
        intended_use=rulebook.rulebook.intended_use,
        test=heading.test,
        identifiers=_identifiers(heading),
        facts=_facts(heading),
        note=clean(heading.note),
        status=assessment.status,
        headline=_headline(rulebook, assessment, band),
        tier=next((t.label for t in rulebook.tier if t.id == assessment.safety.tier), None),
        flags=_flags(rulebook, assessment, sources),
        no_flag=_no_flag(rulebook, assessment),
        not_asked=_labels(rulebook, assessment.safety.unanswered),
        scope_reasons=tuple(each.label for each in assessment.scope.reasons),
        scope_not_asked=_labels(rulebook, assessment.scope.unanswered),
        band=next((each.label for each in rulebook.band if each.id == band), None),
        meaning=assessment.totals[main.id].meaning if assessment.totals and main else None,
        held=_held(rulebook, assessment),
        totals=_totals(rulebook, assessment),
        scale=scale(rulebook, assessment),
        picture=assessment.picture.label if assessment.picture else None,
        picture_meaning=_picture_meaning(rulebook, assessment),
        ledgers=bars(rulebook, assessment),
        supporting=tuple(told[each.id] for each in weighed if each.verdict == "for"),
        opposing=tuple(told[each.id] for each in weighed if each.verdict == "against"),
        open=_open(rulebook, assessment),
        what_if=_what_if(rulebook, assessment),
        gradings=_gradings(rulebook, assessment, sources),
        derived=_derived(rulebook, assessment.derived or {}),
        patterns_seen=_patterns_seen(assessment),
        patterns=_patterns(assessment),
        findings=_findings(assessment, sources),
        next_steps=tuple(
            Row(name=each.label, text=each.certainty, sources=sources.marks(each.citations))
            for each in assessment.next_steps or ()
        ),
        domains=_domains(rulebook, assessment, closed),
        criteria=criteria,
        limitations=assessment.limitations,
        points_are=rulebook.rulebook.points_are,
        sources=sources.listed(),
        some_unverified=sources.some_unverified,
        rulebook=assessment.rulebook,
        sha256=assessment.rulebook_sha256,
        produced_on=day(heading.produced_on) or "",
        produced_iso=heading.produced_on.isoformat(),
        assessment_json=assessment.model_dump_json(by_alias=True).encode(),
    )


def _identifiers(heading: Heading) -> tuple[Row, ...]:
    return _rows(
        ("Name", one_line(heading.patient_name)),
        ("Number", one_line(heading.patient_reference)),
        ("Born", day(heading.birth_date)),
        ("Visit", one_line(heading.encounter)),
    )


def _facts(heading: Heading) -> tuple[Row, ...]:
    return _rows(
        ("Answered on", day(heading.answered_on)),
        ("Answered by", heading.answered_by),
        ("Clinician", one_line(heading.clinician_reference)),
        ("Organisation", one_line(heading.organisation)),
        ("Produced on", day(heading.produced_on)),
    )


def _rows(*pairs: tuple[str, str | None]) -> tuple[Row, ...]:
    return tuple(Row(name=name, text=text) for name, text in pairs if text)


def _labels(rulebook: Rulebook, questions: Iterable[str]) -> tuple[str, ...]:
    labels = {each.id: each.label for each in rulebook.question}
    return tuple(labels[each] for each in questions)


def _headline(rulebook: Rulebook, assessment: Assessment, band: str | None) -> str:
    wording = rulebook.wording
    match assessment.status:
        case "withheld_red_flag":
            return wording.withheld
        case "out_of_scope":
            reasons = wording.listed.join(each.label for each in assessment.scope.reasons)
            return wording.out_of_scope.format(reasons=reasons)
        case "insufficient_information":
            return wording.insufficient
    given = next((each for each in rulebook.band if each.id == band), None)
    return given.meaning if given else ""


def _flags(rulebook: Rulebook, assessment: Assessment, sources: Sources) -> tuple[FlagLine, ...]:
    tiers = {tier.id: tier.label for tier in rulebook.tier}
    return tuple(
        FlagLine(
            label=each.label,
            tier=f"{each.tier} \N{MIDDLE DOT} {tiers[each.tier]}",
            suspect=each.suspect,
            action=each.action,
            sources=sources.marks(each.citations),
        )
        for each in assessment.safety.flags
    )


def _no_flag(rulebook: Rulebook, assessment: Assessment) -> str | None:
    """What is said where no flag was raised: none asked about is not none reported."""
    if assessment.safety.flags:
        return None
    asked = set(rulebook.rulebook.safety_questions) - set(assessment.safety.unanswered)
    wording = rulebook.wording
    return wording.no_flag if asked else wording.no_flag_asked


def _held(rulebook: Rulebook, assessment: Assessment) -> str | None:
    """Why the band is lower than the points alone would give, where it is."""
    labels = {each.id: each.label for each in rulebook.band}
    given = next((each for each in (assessment.totals or {}).values() if each.band), None)
    for band in rulebook.band:
        start = band.from_ if band.from_ is not None else band.above
        if given is None or start is None or band.needs is None:
            continue
        reached = given.points >= start if band.from_ is not None else given.points > start
        if reached and given.band == band.needs.otherwise:
            return (
                f"The points reach “{band.label}"
                f"” but are held at "
                f"“{labels[given.band]}"
                f"”. {band.needs.because}"
            )
    return None


def _totals(rulebook: Rulebook, assessment: Assessment) -> tuple[Row, ...]:
    given = assessment.totals or {}
    return tuple(
        Row(
            name=total.label,
            text=f"{number(given[total.id].points)} (range {_ends(given[total.id])})",
            sources=total.note,
        )
        for total in rulebook.total
        if total.id in given
    )


def _ends(total: TotalPoints) -> str:
    return f"{number(total.range.least)} to {number(total.range.most)}"


def _closed_domains(rulebook: Rulebook, assessment: Assessment) -> dict[str, str]:
    """Domains that do not count here although something was found in them, and why."""
    given = {each.id: each for each in assessment.domains or ()}
    return {
        gate.domain: gate.because
        for gate in rulebook.gate
        if gate.domain in given and given[gate.domain].sum and not given[gate.domain].points
    }


def _domains(
    rulebook: Rulebook, assessment: Assessment, closed: Mapping[str, str]
) -> tuple[Row, ...]:
    """Each domain: its sum, what of it counts, and why where that differs."""
    notes = {each.id: each.note or "" for each in rulebook.domain}
    rows = []
    for each in assessment.domains or ():
        counted = number(each.points)
        if each.id in closed:
            text = f"{number(each.sum)}, counted as 0: {closed[each.id]}"
        elif each.sum != each.points:
            ends = f"{number(each.floor)} and {number(each.ceiling)}"
            text = f"{number(each.sum)}, counted as {counted}: it stays between {ends}."
        else:
            text = f"{counted}."
        rows.append(Row(name=each.label, text=text, sources=notes[each.id]))
    return tuple(rows)


def _picture_meaning(rulebook: Rulebook, assessment: Assessment) -> str | None:
    given = assessment.picture.id if assessment.picture else None
    return next((each.meaning for each in rulebook.picture if each.id == given), None)


def _criteria(assessment: Assessment) -> tuple[WeighedCriterion, ...]:
    return assessment.criteria or ()


def _reason(criterion: WeighedCriterion, sources: Sources) -> Reason:
    discounted = criterion.discount is not None and criterion.full_points is not None
    return Reason(
        id=criterion.id,
        label=criterion.label,
        points="" if criterion.points is None else signed(criterion.points),
        because=criterion.because,
        grade=criterion.grade,
        sources=sources.marks(criterion.citations),
        full_points=signed(criterion.full_points or Decimal(0)) if discounted else "",
        answered=criterion.points is not None,
    )


def _open(rulebook: Rulebook, assessment: Assessment) -> tuple[Open, ...]:
    required = set(rulebook.rulebook.must_answer)
    labels = {each.id: each.label for each in rulebook.question}
    return tuple(
        Open(
            label=labels[each.question],
            swing=number(each.swing),
            required=each.question in required,
        )
        for each in assessment.missing or ()
    )


def _what_if(rulebook: Rulebook, assessment: Assessment) -> tuple[Row, ...]:
    labels = {each.id: each.label for each in rulebook.band}
    names = {each.id: each.label for each in rulebook.criterion}
    return tuple(
        Row(
            name=f"{each.criterion} {names[each.criterion]}",
            text=f"{labels[each.band or '']}, {number(each.points)} points",
        )
        for each in assessment.what_if or ()
        if each.changes_band
    )


def _gradings(rulebook: Rulebook, assessment: Assessment, sources: Sources) -> tuple[Graded, ...]:
    given = assessment.gradings or {}
    return tuple(
        Graded(
            name=each.label,
            grade=given[each.id].label,
            note=each.note,
            lines=tuple(
                Row(name=f"{line.id} {line.label}", text=_MET[line.met])
                for line in given[each.id].criteria
            ),
            sources=sources.marks(given[each.id].citations),
        )
        for each in rulebook.grading
        if each.id in given
    )


def _derived(
    rulebook: Rulebook, given: Mapping[str, bool | int | Decimal | None]
) -> tuple[Row, ...]:
    return tuple(
        Row(name=each.label, text=_counted(given[each.id], each.unit))
        for each in rulebook.derived
        if each.id in given
    )


def _counted(value: int | Decimal | None, unit: str | None) -> str:
    if value is None or isinstance(value, bool):
        return _MET[value]
    return f"{number(Decimal(value))} {unit or ''}".strip()


def _patterns_seen(assessment: Assessment) -> str | None:
    patterns = assessment.patterns
    return f"{patterns.seen} of {len(patterns.list)} seen" if patterns and patterns.list else None


def _patterns(assessment: Assessment) -> tuple[PatternLine, ...]:
    return tuple(
        PatternLine(
            number=each.number,
            label=each.label,
            state=_STATES[each.state],
            criteria=", ".join(each.criteria),
            evidence=each.evidence,
        )
        for each in (assessment.patterns.list if assessment.patterns else ())
    )


def _findings(assessment: Assessment, sources: Sources) -> tuple[FindingLine, ...]:
    lines = []
    for each in assessment.findings or ():
        share = "no single figure" if each.prevalence is None else percent(each.prevalence)
        at_age = "" if each.age is None else f" at age {each.age}"
        lines.append(
            FindingLine(
                label=each.label,
                prevalence=f"{share}{at_age}",
                population=each.population,
                text=each.text,
                counter_evidence=each.counter_evidence,
                never_incidental=each.never_incidental,
                sources=sources.marks(each.citations),
            )
        )
    return tuple(lines)
