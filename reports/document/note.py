"""Write the note: an assessment in at most twelve lines of plain text to paste into a chart."""

from reports.phrases import Phrases
from reports.view.model import ReportView

MAX_ITEMS = 3


def write_note(view: ReportView, phrases: Phrases) -> str:
    """Return the note, red flags first and the rulebook last. It never states a diagnosis."""
    lines = [
        _write_opening(view, phrases),
        *_write_flags(view, phrases),
        *_write_result(view, phrases),
    ]
    if view.ledgers:
        bars = phrases.say("list_mark").join(
            f"{phrases.lower_initial(bar.label)} {bar.points}" for bar in view.ledgers.rows
        )
        picture = f"{view.picture}; " if view.picture else ""
        lines.append(phrases.say("note_mechanisms", picture=picture, bars=bars))
    for phrase, reasons in (("note_for", view.supporting), ("note_against", view.opposing)):
        if reasons:
            strongest = "; ".join(
                f"{reason.label} {reason.points}" for reason in reasons[:MAX_ITEMS]
            )
            lines.append(phrases.say(phrase, reasons=strongest))
    if view.open_questions:
        questions = phrases.say("list_mark").join(
            question.label for question in view.open_questions[:MAX_ITEMS]
        )
        lines.append(phrases.say("note_open", questions=questions))
    if view.gradings and view.status != "out_of_scope":
        lines.append(f"{view.gradings[0].name}: {view.gradings[0].grade}.")
    lines.append(
        phrases.say(
            "note_end", rulebook=view.rulebook, hash=view.rulebook_sha256[:12], day=view.produced_on
        )
        + (f" {phrases.say('screening')} {view.screening_id}." if view.screening_id else "")
    )
    return "\n".join(lines) + "\n"


def _write_opening(view: ReportView, phrases: Phrases) -> str:
    """Return notices, title and patient; notices come first so that an error is not missed."""
    notices = "".join(f"{notice} " for notice in view.notices)
    patient = phrases.say("list_mark").join(
        f"{phrases.lower_initial(row.name)} {row.text}" for row in view.identifiers
    )
    return f"{notices}{view.title}" + (f" - {patient}" if patient else "")


def _write_flags(view: ReportView, phrases: Phrases) -> list[str]:
    lines = []
    if view.flags:
        flags = "; ".join(f"{flag.label} ({flag.tier}): {flag.action}" for flag in view.flags)
        lines.append(phrases.say("note_flags", flags=flags))
    elif view.no_flag_text:
        lines.append(phrases.say("note_no_flag", said=view.no_flag_text))
    later_events = " ".join(filter(None, (view.withdrawn_flags_text, *view.acknowledgements)))
    if later_events:
        lines = [" ".join((*lines, later_events))]
    if view.unanswered_safety_questions:
        questions = phrases.say("list_mark").join(view.unanswered_safety_questions)
        lines.append(phrases.say("note_not_asked", questions=questions))
    return lines


def _write_result(view: ReportView, phrases: Phrases) -> list[str]:
    result = phrases.say("note_result", result=view.headline)
    if view.status == "scored" and view.band:
        result = phrases.say("note_result", result=f"{view.band}. {view.headline}")
    lines = [" ".join(filter(None, (result, view.lower_band_reason)))]
    if view.unanswered_scope_questions:
        questions = phrases.say("list_mark").join(view.unanswered_scope_questions)
        lines.append(phrases.say("scope_not_asked", questions=questions))
    if view.totals:
        lines.append("; ".join(f"{row.name} {row.text}" for row in view.totals) + ".")
    return lines
