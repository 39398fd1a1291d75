"""Write the note: an assessment in at most twelve lines of plain text to paste into a chart."""

from reports.phrases import Wording
from reports.view.model import View

STRONGEST = 3


def note(view: View, wording: Wording) -> str:
    """Return the note, red flags first and the rulebook last. It never states a diagnosis."""
    lines = [_opening(view, wording), *_safety(view, wording), *_result(view, wording)]
    if view.ledgers:
        bars = wording.say("list_mark").join(
            f"{wording.lowered(bar.label)} {bar.points}" for bar in view.ledgers.rows
        )
        picture = f"{view.picture}; " if view.picture else ""
        lines.append(wording.say("note_mechanisms", picture=picture, bars=bars))
    for phrase, reasons in (("note_for", view.supporting), ("note_against", view.opposing)):
        if reasons:
            strongest = "; ".join(
                f"{reason.label} {reason.points}" for reason in reasons[:STRONGEST]
            )
            lines.append(wording.say(phrase, reasons=strongest))
    if view.open:
        questions = wording.say("list_mark").join(
            question.label for question in view.open[:STRONGEST]
        )
        lines.append(wording.say("note_open", questions=questions))
    if view.gradings and view.status != "out_of_scope":
        lines.append(f"{view.gradings[0].name}: {view.gradings[0].grade}.")
    lines.append(
        wording.say("note_end", rulebook=view.rulebook, hash=view.sha256[:12], day=view.produced_on)
        + (f" {wording.say('screening')} {view.screening}." if view.screening else "")
    )
    return "\n".join(lines) + "\n"


def _opening(view: View, wording: Wording) -> str:
    """Return notices, title and patient; notices come first so that an error is not missed."""
    notices = "".join(f"{notice} " for notice in view.notices)
    patient = wording.say("list_mark").join(
        f"{wording.lowered(row.name)} {row.text}" for row in view.identifiers
    )
    return f"{notices}{view.title}" + (f" - {patient}" if patient else "")


def _safety(view: View, wording: Wording) -> list[str]:
    lines = []
    if view.flags:
        flags = "; ".join(f"{flag.label} ({flag.tier}): {flag.action}" for flag in view.flags)
        lines.append(wording.say("note_flags", flags=flags))
    elif view.no_flag:
        lines.append(wording.say("note_no_flag", said=view.no_flag))
    later_events = " ".join(filter(None, (view.no_longer, *view.acknowledged)))
    if later_events:
        lines = [" ".join((*lines, later_events))]
    if view.not_asked:
        questions = wording.say("list_mark").join(view.not_asked)
        lines.append(wording.say("note_not_asked", questions=questions))
    return lines


def _result(view: View, wording: Wording) -> list[str]:
    result = wording.say("note_result", result=view.headline)
    if view.status == "scored" and view.band:
        result = wording.say("note_result", result=f"{view.band}. {view.headline}")
    lines = [" ".join(filter(None, (result, view.held)))]
    if view.scope_not_asked:
        questions = wording.say("list_mark").join(view.scope_not_asked)
        lines.append(wording.say("scope_not_asked", questions=questions))
    if view.totals:
        lines.append("; ".join(f"{row.name} {row.text}" for row in view.totals) + ".")
    return lines
