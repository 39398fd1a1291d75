"""Put red flags into wording: raised, withdrawn by a correction, and acknowledged."""

from reports.phrases import Wording
from reports.view.heading import Heading
from reports.view.model import FlagLine
from reports.view.sources import Sources
from reports.view.text_sanitiser import one_line
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook


def flags(
    rulebook: Rulebook, assessment: Assessment, sources: Sources, heading: Heading
) -> tuple[FlagLine, ...]:
    """Return the flags with their actions, in the order of the assessment."""
    tiers = {tier.id: tier.label for tier in rulebook.tier}
    definitions = {flag.id: flag for flag in rulebook.flag}
    patient_questions = {item.id for item in rulebook.question if item.who != "clinician"}
    is_by_patient = heading.answered_by == "patient" and heading.replaces is None
    return tuple(
        FlagLine(
            label=flag.label,
            tier_id=flag.tier,
            marked=is_by_patient
            and getattr(definitions[flag.id].when, "question", None) in patient_questions,
            about_person=definitions[flag.id].about_person,
            tier=f"{flag.tier} \N{MIDDLE DOT} {tiers[flag.tier]}",
            suspect=flag.suspect,
            action=flag.action,
            sources=sources.marks(flag.citations),
        )
        for flag in assessment.safety.flags
    )


def no_flag(rulebook: Rulebook, assessment: Assessment) -> str | None:
    """Return the text for no flags, which says whether safety questions were answered at all."""
    if assessment.safety.flags:
        return None
    answered = asked(rulebook, assessment)
    return rulebook.wording.no_flag if answered else rulebook.wording.no_flag_asked


def asked(rulebook: Rulebook, assessment: Assessment) -> set[str]:
    """Return the ids of the safety questions that were answered."""
    return set(rulebook.rulebook.safety_questions) - set(assessment.safety.unanswered)


def no_longer(
    rulebook: Rulebook, assessment: Assessment, heading: Heading, wording: Wording
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
    day = wording.written(heading.replaces.on) or ""
    return wording.say("no_longer", day=day, flags="; ".join(withdrawn)) if withdrawn else None


def acknowledged(heading: Heading, wording: Wording) -> tuple[str, ...]:
    """Return who acknowledged flags of this screening or the one it corrects, and what was done."""
    return tuple(
        wording.say(
            "acknowledged",
            by=one_line(entry.by) or "",
            at=wording.at(heading.letterhead.there(entry.at)) or "",
            done=one_line(entry.done) or "",
        )
        for entry in heading.acknowledged
    )
