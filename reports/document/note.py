"""The note: an assessment in at most twelve lines of plain text, ready to paste into a chart."""

from reports.phrases import Wording
from reports.view.model import View

STRONGEST = 3


def note(view: View, words: Wording) -> str:
    """The lines, safety first, ending with what it rests on. Never a diagnosis."""
    lines = [_who(view, words), *_safety(view, words), *_result(view, words)]
    if view.ledgers:
        bars = words.say("list_mark").join(
            f"{words.lowered(bar.label)} {bar.points}" for bar in view.ledgers.rows
        )
        picture = f"{view.picture}; " if view.picture else ""
        lines.append(words.say("note_mechanisms", picture=picture, bars=bars))
    for phrase, reasons in (("note_for", view.supporting), ("note_against", view.opposing)):
        if reasons:
            told = "; ".join(f"{each.label} {each.points}" for each in reasons[:STRONGEST])
            lines.append(words.say(phrase, reasons=told))
    if view.open:
        questions = words.say("list_mark").join(each.label for each in view.open[:STRONGEST])
        lines.append(words.say("note_open", questions=questions))
    if view.gradings and view.status != "out_of_scope":
        lines.append(f"{view.gradings[0].name}: {view.gradings[0].grade}.")
    lines.append(
        words.say("note_end", rulebook=view.rulebook, hash=view.sha256[:12], day=view.produced_on)
        + (f" {words.say('screening')} {view.screening}." if view.screening else "")
    )
    return "\n".join(lines) + "\n"


def _who(view: View, words: Wording) -> str:
    """Notices first: a note of an error must not be read as a note."""
    notices = "".join(f"{each} " for each in view.notices)
    who = words.say("list_mark").join(f"{words.lowered(r.name)} {r.text}" for r in view.identifiers)
    return f"{notices}{view.title}" + (f" - {who}" if who else "")


def _safety(view: View, words: Wording) -> list[str]:
    lines = []
    if view.flags:
        flags = "; ".join(f"{each.label} ({each.tier}): {each.action}" for each in view.flags)
        lines.append(words.say("note_flags", flags=flags))
    elif view.no_flag:
        lines.append(words.say("note_no_flag", said=view.no_flag))
    since = " ".join(filter(None, (view.no_longer, *view.acknowledged)))
    if since:
        lines = [f"{lines[0]} {since}", *lines[1:]] if lines else [since]
    if view.not_asked:
        asked = words.say("list_mark").join(view.not_asked)
        lines.append(words.say("note_not_asked", questions=asked))
    return lines


def _result(view: View, words: Wording) -> list[str]:
    result = words.say("note_result", result=view.headline)
    if view.status == "scored" and view.band:
        result = words.say("note_result", result=f"{view.band}. {view.headline}")
    lines = [" ".join(filter(None, (result, view.held)))]
    if view.scope_not_asked:
        asked = words.say("list_mark").join(view.scope_not_asked)
        lines.append(words.say("scope_not_asked", questions=asked))
    if view.totals:
        lines.append("; ".join(f"{row.name} {row.text}" for row in view.totals) + ".")
    return lines
