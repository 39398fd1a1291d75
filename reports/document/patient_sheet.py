"""Build the patient's sheet: each kind holds what helps in its case, and nothing else."""

import re
from collections.abc import Callable

from reports.blocks import Block, Document
from reports.document import action_sheets, answer_sheets, evidence_sheet
from reports.document.page_frame import build_heading, build_page_frame
from reports.phrases import Phrases
from reports.view.model import ReportView

_ID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
ACTION_KINDS = ("emergency", "crisis", "soon")
"""The kinds that tell only what to do."""
_BUILDERS: dict[str, Callable[[ReportView, Phrases], tuple[Block, ...]]] = {
    "emergency": action_sheets.build_emergency,
    "crisis": action_sheets.build_crisis,
    "soon": action_sheets.build_soon,
    "out_of_scope": answer_sheets.build_out_of_scope,
    "plain": answer_sheets.build_plain,
    "unfinished": answer_sheets.build_unfinished,
    "evidence": evidence_sheet.build_evidence,
}


def build_patient_sheet(view: ReportView, phrases: Phrases) -> Document:
    """Return the sheet for the patient."""
    kind = view.sheet.kind
    lead = f"sheet_lead_{kind}"
    return Document(
        **build_page_frame(view, phrases),
        role="sheet",
        title=phrases.say("sheet_title"),
        lead=phrases.say(lead if lead in phrases.words else "sheet_lead"),
        rulebook_line=phrases.say(
            "sheet_foot", rulebook=view.rulebook, hash=view.rulebook_sha256[:12]
        ),
        blocks=(
            *build_heading(_select_facts(view, phrases), phrases),
            *_BUILDERS[kind](view, phrases),
        ),
    )


def _select_facts(view: ReportView, phrases: Phrases) -> ReportView:
    """Return the view without the clinical note and ids; a sheet of action has only its date."""
    technical = {phrases.say("screening"), phrases.say("kept_at")}
    facts = tuple(fact for fact in view.facts if fact.name not in technical)
    if view.sheet.kind in ACTION_KINDS:
        facts = view.facts[-1:]
    notices = tuple(_ID.sub(_shorten_id, notice) for notice in view.notices)
    return view.model_copy(update={"note": None, "facts": facts, "notices": notices})


def _shorten_id(match: re.Match[str]) -> str:
    return match[0].partition("-")[0]
