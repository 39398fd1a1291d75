"""The note: an assessment in at most twelve lines of plain text, ready to paste into a chart."""

from reports.lines import View

STRONGEST = 3


def note(view: View) -> str:
    """The lines, safety first, ending with what it rests on. Never a diagnosis."""
    lines = [_who(view), *_safety(view)]
    if view.status == "scored" and view.band:
        lines.append(f"Result: {view.band}. {view.headline}")
    else:
        lines.append(f"Result: {view.headline}")
    if view.held:
        lines[-1] += f" {view.held}"
    if view.scope_not_asked:
        lines.append(
            f"Not asked, though it decides whether this fits: {', '.join(view.scope_not_asked)}."
        )
    if view.totals:
        lines.append("; ".join(f"{row.name} {row.text}" for row in view.totals) + ".")
    if view.ledgers:
        bars = ", ".join(f"{bar.label.lower()} {bar.points}" for bar in view.ledgers.rows)
        picture = f"{view.picture}; " if view.picture else ""
        lines.append(f"Mechanisms side by side: {picture}{bars}.")
    for name, reasons in (("For", view.supporting), ("Against", view.opposing)):
        if reasons:
            told = "; ".join(f"{each.label} {each.points}" for each in reasons[:STRONGEST])
            lines.append(f"{name}: {told}.")
    if view.open:
        lines.append(
            "Would tell most: " + ", ".join(each.label for each in view.open[:STRONGEST]) + "."
        )
    if view.gradings and view.status != "out_of_scope":
        lines.append("; ".join(f"{each.name}: {each.grade}" for each in view.gradings[:1]) + ".")
    lines.append(
        f"Decision support by {view.rulebook} ({view.sha256[:12]}), {view.produced_on}. "
        "Unvalidated prototype; not a diagnosis."
    )
    return "\n".join(lines) + "\n"


def _who(view: View) -> str:
    who = ", ".join(f"{row.name.lower()} {row.text}" for row in view.identifiers)
    test = "TEST, not a patient. " if view.test else ""
    return f"{test}{view.title}" + (f" - {who}" if who else "")


def _safety(view: View) -> list[str]:
    lines = []
    if view.flags:
        flags = "; ".join(f"{each.label} ({each.tier}): {each.action}" for each in view.flags)
        lines.append(f"RED FLAGS: {flags}")
    elif view.no_flag:
        lines.append(f"Red flags: {view.no_flag}")
    if view.not_asked:
        lines.append(f"Red flags not asked: {', '.join(view.not_asked)}.")
    return lines
