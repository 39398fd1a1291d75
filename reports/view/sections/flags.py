"""Put red flags into words: raised, withdrawn by a correction, and acknowledged."""

from collections.abc import Iterable

from reports.phrases import Phrases
from reports.view.heading import ReportHeading
from reports.view.model import FlagLine
from reports.view.sources import CitationIndex
from reports.view.text_sanitiser import clean_line
from schemas.assessments.assessment import Assessment, RaisedFlag
from schemas.rulebooks.rulebook import Rulebook


def build_flag_lines(
    rulebook: Rulebook,
    assessment: Assessment,
    sources: CitationIndex,
    heading: ReportHeading,
    phrases: Phrases,
) -> tuple[FlagLine, ...]:
    """Return the flags with their actions: by tier, then those about the person first."""
    prefix = f"sheet_flag_{rulebook.rulebook.instrument}"
    tiers = {tier.id: tier.label for tier in rulebook.tier}
    urgent_tiers = {tier.id for tier in rulebook.tier if tier.withholds}
    definitions = {flag.id: flag for flag in rulebook.flag}
    patient_questions = {item.id for item in rulebook.question if item.who != "clinician"}
    is_by_patient = heading.answered_by == "patient" and heading.replaces is None
    return tuple(
        FlagLine(
            id=flag.id,
            label=flag.label,
            patient_label=phrases.words.get(f"{prefix}_{flag.id}", flag.label),
            tier_id=flag.tier,
            is_urgent=flag.tier in urgent_tiers,
            is_marked_by_patient=is_by_patient
            and getattr(definitions[flag.id].when, "question", None) in patient_questions,
            is_assessed=flag.assessed is True,
            about_person=definitions[flag.id].about_person,
            tier=f"{flag.tier} \N{MIDDLE DOT} {tiers[flag.tier]}",
            suspect=flag.suspect,
            action=flag.action,
            sources=sources.format_marks(flag.citations),
        )
        for flag in sort_by_tier(rulebook, assessment)
    )


def sort_by_tier(rulebook: Rulebook, assessment: Assessment) -> list[RaisedFlag]:
    """Return the flags in the order of every document, regardless of the stored order."""
    return sort_flags(rulebook, assessment.safety.flags)


def sort_flags(rulebook: Rulebook, raised_flags: Iterable[RaisedFlag]) -> list[RaisedFlag]:
    """Return these flags by tier, within a tier those about the person first."""
    places = {tier.id: place for place, tier in enumerate(rulebook.tier)}
    about_person = {flag.id for flag in rulebook.flag if flag.about_person}
    return sorted(raised_flags, key=lambda flag: (places[flag.tier], flag.id not in about_person))


def describe_no_flag(rulebook: Rulebook, assessment: Assessment) -> str | None:
    """Return the text for no flags; it differs if no safety question was answered."""
    if assessment.safety.flags:
        return None
    has_answers = list_answered_questions(rulebook, assessment)
    return rulebook.wording.no_flag if has_answers else rulebook.wording.no_flag_asked


def list_answered_questions(rulebook: Rulebook, assessment: Assessment) -> set[str]:
    """Return the ids of the safety questions that were answered."""
    return set(rulebook.rulebook.safety_questions) - set(assessment.safety.unanswered)


def describe_withdrawn_flags(
    rulebook: Rulebook, assessment: Assessment, heading: ReportHeading, phrases: Phrases
) -> str | None:
    """Return the flags of the corrected screening that this correction no longer reports."""
    if heading.replaces is None:
        return None
    labels = {flag.id: flag.label for flag in rulebook.flag}
    tiers = {tier.id: tier.label for tier in rulebook.tier}
    current = {flag.id for flag in assessment.safety.flags}
    withdrawn = [
        f"{flag.tier} \N{MIDDLE DOT} {tiers.get(flag.tier, '')}: {labels.get(flag.id, flag.label)}"
        for flag in heading.replaces.flags
        if flag.id not in current
    ]
    day = phrases.format_date(heading.replaces.on) or ""
    return phrases.say("no_longer", day=day, flags="; ".join(withdrawn)) if withdrawn else None


def describe_acknowledgements(
    rulebook: Rulebook, heading: ReportHeading, phrases: Phrases
) -> tuple[str, ...]:
    """Return who acknowledged flags of this screening or the one it corrects, and what was done."""
    labels = {flag.id: flag.label for flag in rulebook.flag}
    return tuple(
        phrases.say(
            "acknowledged",
            by=clean_line(entry.practitioner) or "",
            at=phrases.format_datetime(heading.letterhead.to_local_time(entry.acknowledged_at))
            or "",
            done=": ".join(
                filter(
                    None,
                    (
                        labels.get(entry.flag or ""),
                        clean_line(entry.reached),
                        clean_line(entry.action_taken),
                    ),
                )
            ),
        )
        for entry in heading.acknowledgements
    )
