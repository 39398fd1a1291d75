"""The view: from an assessment to the words of a report, the same for every format.

Every number here was computed by scoring; what is added are words, rounding and places on a line.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from reports.heading import Heading
from reports.pictures import Bars, Scale, bars, scale
from reports.sources import Source, Sources
from reports.words import clean, day, number, one_line, percent, signed
from schemas.assessment import Assessment, WeighedCriterion
from schemas.base import Frozen, Many
from schemas.rulebook import Rulebook

NOT_KNOWN = "not known"
_MET = {True: "yes", False: "no", None: NOT_KNOWN}
_STATES = {"seen": "seen", "not_seen": "not seen", "not_asked": "not asked"}


class FlagLine(Frozen):
    """A red flag with what to do."""

    label: str
    tier: str
    suspect: str
    action: str
    sources: str


class Reason(Frozen):
    """One criterion as it is told."""

    id: str
    label: str
    points: str
    because: str
    grade: str
    sources: str
    full_points: str
    answered: bool


class Open(Frozen):
    """An unanswered question and the points that it could still move."""

    label: str
    swing: str
    required: bool


class Row(Frozen):
    """A name and what is said of it."""

    name: str
    text: str
    sources: str = ""


class Graded(Frozen):
    """A published grading with its lines."""

    name: str
    grade: str
    note: str
    lines: Many[Row]
    sources: str


class FindingLine(Frozen):
    """An imaging finding in context."""

    label: str
    prevalence: str
    population: str
    text: str | None
    counter_evidence: str
    never_incidental: bool
    sources: str


class PatternLine(Frozen):
    """One line of the evidence sheet."""

    number: int
    label: str
    state: str
    criteria: str
    evidence: str


class View(Frozen):
    """All that a report shows. What was withheld is None or empty."""

    title: str
    intended_use: str
    test: bool
    identifiers: Many[Row]
    facts: Many[Row]
    note: str | None
    status: str
    headline: str
    tier: str | None
    flags: Many[FlagLine]
    no_flag: str | None
    not_asked: Many[str]
    scope_reasons: Many[str]
    scope_not_asked: Many[str]
    band: str | None
    meaning: str | None
    totals: Many[Row]
    scale: Scale | None
    picture: str | None
    picture_meaning: str | None
    ledgers: Bars | None
    supporting: Many[Reason]
    opposing: Many[Reason]
    neutral: Many[Reason]
    open: Many[Open]
    what_if: Many[Row]
    gradings: Many[Graded]
    derived: Many[Row]
    patterns_seen: str | None
    patterns: Many[PatternLine]
    findings: Many[FindingLine]
    next_steps: Many[Row]
    criteria: Many[Reason]
    limitations: Many[str]
    points_are: str
    sources: Many[Source]
    some_unverified: bool
    rulebook: str
    sha256: str
    produced_on: str
    produced_iso: str
    assessment_json: bytes


def view(rulebook: Rulebook, assessment: Assessment, heading: Heading) -> View:
    """The report of one assessment, in words."""
    sources = Sources(rulebook, assessment)
    criteria = [_reason(each, sources) for each in _criteria(assessment)]
    weighed = [each for each in _criteria(assessment) if each.points]
    weighed.sort(key=lambda each: -abs(each.points or 0))
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
        no_flag=None if assessment.safety.flags else rulebook.wording.no_flag,
        not_asked=_labels(rulebook, assessment.safety.unanswered),
        scope_reasons=[each.label for each in assessment.scope.reasons],
        scope_not_asked=_labels(rulebook, assessment.scope.unanswered),
        band=next((each.label for each in rulebook.band if each.id == band), None),
        meaning=assessment.totals[main.id].meaning if assessment.totals and main else None,
        totals=_totals(rulebook, assessment),
        scale=scale(rulebook, assessment),
        picture=assessment.picture.label if assessment.picture else None,
        picture_meaning=_picture_meaning(rulebook, assessment),
        ledgers=bars(rulebook, assessment),
        supporting=[told[each.id] for each in weighed if each.verdict == "for"],
        opposing=[told[each.id] for each in weighed if each.verdict == "against"],
        neutral=[told[each.id] for each in _criteria(assessment) if each.verdict == "neutral"],
        open=_open(rulebook, assessment),
        what_if=_what_if(rulebook, assessment),
        gradings=_gradings(rulebook, assessment, sources),
        derived=_derived(rulebook, assessment.derived or {}),
        patterns_seen=_patterns_seen(assessment),
        patterns=_patterns(assessment),
        findings=_findings(assessment, sources),
        next_steps=[
            Row(name=each.label, text=each.certainty, sources=sources.marks(each.citations))
            for each in assessment.next_steps or ()
        ],
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


def _totals(rulebook: Rulebook, assessment: Assessment) -> tuple[Row, ...]:
    given = assessment.totals or {}
    return tuple(
        Row(
            name=total.label,
            text=f"{number(given[total.id].points)} "
            f"(range {number(given[total.id].range.least)} to {number(given[total.id].range.most)})",
            sources=total.note,
        )
        for total in rulebook.total
        if total.id in given
    )


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
        Open(label=labels[each.question], swing=number(each.swing), required=each.question in required)
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
            lines=[Row(name=f"{line.id} {line.label}", text=_MET[line.met]) for line in given[each.id].criteria],
            sources=sources.marks(given[each.id].citations),
        )
        for each in rulebook.grading
        if each.id in given
    )


def _derived(rulebook: Rulebook, given: Mapping[str, bool | int | Decimal | None]) -> tuple[Row, ...]:
    return tuple(
        Row(name=each.label, text=_counted(given[each.id], each.unit))
        for each in rulebook.derived
        if each.id in given
    )


def _counted(value: bool | int | Decimal | None, unit: str | None) -> str:
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
