"""Red flags as a report tells them: what was raised, what is raised no longer, who has seen it."""

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
    """Each flag with what to do, in the order of the assessment."""
    tiers = {tier.id: tier.label for tier in rulebook.tier}
    rules = {each.id: each for each in rulebook.flag}
    of_patients = {each.id for each in rulebook.question if each.who != "clinician"}
    by_patient = heading.answered_by == "patient" and heading.replaces is None
    return tuple(
        FlagLine(
            label=each.label,
            tier_id=each.tier,
            marked=by_patient and getattr(rules[each.id].when, "question", None) in of_patients,
            about_person=rules[each.id].about_person,
            tier=f"{each.tier} \N{MIDDLE DOT} {tiers[each.tier]}",
            suspect=each.suspect,
            action=each.action,
            sources=sources.marks(each.citations),
        )
        for each in assessment.safety.flags
    )


def no_flag(rulebook: Rulebook, assessment: Assessment) -> str | None:
    """What is said where no flag was raised: none asked about is not none reported."""
    if assessment.safety.flags:
        return None
    some = asked(rulebook, assessment)
    return rulebook.wording.no_flag if some else rulebook.wording.no_flag_asked


def asked(rulebook: Rulebook, assessment: Assessment) -> set[str]:
    """The questions on safety that were answered."""
    return set(rulebook.rulebook.safety_questions) - set(assessment.safety.unanswered)


def no_longer(
    rulebook: Rulebook, assessment: Assessment, heading: Heading, words: Wording
) -> str | None:
    """The red flags of the screening before that this one, which corrects it, does not report."""
    if heading.replaces is None:
        return None
    labels = {each.id: each.label for each in rulebook.flag}
    tiers = {each.id: each.label for each in rulebook.tier}
    still = {each.id for each in assessment.safety.flags}
    gone = [
        f"{each.tier} \N{MIDDLE DOT} {tiers.get(each.tier, '')}: {labels.get(each.id, each.label)}"
        for each in heading.replaces.flags
        if each.id not in still
    ]
    day = words.written(heading.replaces.on) or ""
    return words.say("no_longer", day=day, flags="; ".join(gone)) if gone else None


def acknowledged(heading: Heading, words: Wording) -> tuple[str, ...]:
    """Who has seen the flags, here or before a correction, and what was done."""
    return tuple(
        words.say(
            "acknowledged",
            by=one_line(each.by) or "",
            at=words.at(heading.letterhead.there(each.at)) or "",
            done=one_line(each.done) or "",
        )
        for each in heading.acknowledged
    )
