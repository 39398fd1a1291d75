"""Write the note: an assessment in at most twelve lines of plain text to paste into a chart."""

from reports.phrases import Phrases
from reports.view.model import ReportView

MAX_ITEMS = 3


def write_note(view: ReportView, phrases: Phrases) -> str:
    """Return the note, red flags first and the rulebook last. It never states a diagnosis."""
    lines = [
        _write_opening(view, phrases),
        *_write_flags(view, phrases),
        *_write_contradictions(view, phrases),
        *_write_result(view, phrases),
        *_write_reasons(view, phrases),
        *_write_first_questions(view, phrases),
        *_write_gradings(view, phrases),
        *_write_alternatives(view, phrases),
        _write_end(view, phrases),
    ]
    return "\n".join(lines) + "\n"


def _write_opening(view: ReportView, phrases: Phrases) -> str:
    """Return notices, title and patient; notices come first so that an error is not missed."""
    mark = phrases.say("shareable") if view.is_shareable else phrases.say("restricted")
    marks = [mark] if view.is_shareable or view.is_confidential else []
    notices = "".join(f"{notice} " for notice in (*view.notices, *marks))
    patient = phrases.say("list_mark").join(
        f"{phrases.lower_initial(row.name)} {row.text}" for row in view.identifiers
    )
    return f"{notices}{view.title}" + (f" - {patient}" if patient else "")


def _write_flags(view: ReportView, phrases: Phrases) -> list[str]:
    lines = []
    if view.flags:
        flags = "; ".join(
            f"{flag.label} ({flag.tier}"
            + (f", {phrases.say('assessed')}" if flag.is_assessed else "")
            + f"): {flag.action}"
            for flag in view.flags
        )
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


def _write_contradictions(view: ReportView, phrases: Phrases) -> list[str]:
    if not view.contradictions:
        return []
    return [phrases.say("note_contradictions", contradictions=" ".join(view.contradictions))]


def _write_result(view: ReportView, phrases: Phrases) -> list[str]:
    result = phrases.say("note_result", result=f"{view.result_title}. {view.headline}".strip())
    scope = ""
    if view.unanswered_scope_questions:
        questions = phrases.say("list_mark").join(view.unanswered_scope_questions)
        scope = phrases.say("scope_not_asked", questions=questions)
    parts = (
        *(result, view.possible_bands, view.lower_band_reason),
        *(view.further_scope_text, scope),
    )
    return [" ".join(filter(None, parts)), *_write_totals(view, phrases)]


def _write_totals(view: ReportView, phrases: Phrases) -> list[str]:
    """Return the totals and the mechanisms in one line."""
    parts = []
    if view.totals:
        parts.append("; ".join(f"{row.name} {row.text}" for row in view.totals) + ".")
    if view.ledgers:
        bars = phrases.say("list_mark").join(
            f"{phrases.lower_initial(bar.label)} {bar.points}" for bar in view.ledgers.rows
        )
        picture = f"{view.picture}; " if view.picture else ""
        parts.append(phrases.say("note_mechanisms", picture=picture, bars=bars))
    return [" ".join(parts)] if parts else []


def _write_reasons(view: ReportView, phrases: Phrases) -> list[str]:
    sides = (("note_for", view.supporting), ("note_against", view.opposing))
    return [
        phrases.say(
            phrase,
            reasons="; ".join(f"{reason.label} {reason.points}" for reason in reasons[:MAX_ITEMS]),
        )
        for phrase, reasons in sides
        if reasons
    ]


def _write_first_questions(view: ReportView, phrases: Phrases) -> list[str]:
    """Return what to ask first, and what safety needs."""
    parts = []
    if view.ask_first:
        questions = phrases.say("list_mark").join(question.name for question in view.ask_first)
        parts.append(phrases.say("note_open", questions=questions))
    if view.needed_for_safety:
        questions = phrases.say("list_mark").join(view.needed_for_safety)
        parts.append(f"{phrases.say('also_needed')} {questions}.")
    return [" ".join(parts)] if parts else []


def _write_gradings(view: ReportView, phrases: Phrases) -> list[str]:
    """Return the published gradings; out of scope they are said to be for the record."""
    if not view.gradings:
        return []
    gradings = "; ".join(f"{grading.name}: {grading.grade}" for grading in view.gradings)
    if view.status == "out_of_scope":
        return [phrases.say("note_graded", gradings=gradings)]
    return [f"{gradings}."]


def _write_alternatives(view: ReportView, phrases: Phrases) -> list[str]:
    if not view.alternatives:
        return []
    names = "; ".join(alternative.label for alternative in view.alternatives)
    return [phrases.say("note_alternatives", names=names)]


def _write_end(view: ReportView, phrases: Phrases) -> str:
    end = phrases.say(
        "note_end", rulebook=view.rulebook, hash=view.rulebook_sha256[:12], day=view.produced_on
    )
    screening = f" {phrases.say('screening')} {view.screening_id}." if view.screening_id else ""
    return end + screening
